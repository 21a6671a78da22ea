from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from typing import Any

import anyio
import pytest

from eventflow import Retry, current, facts, pipeline, task
from eventflow.errors import EngineClosed, JournalError, RunFailed
from eventflow.facts import Unit
from eventflow.journal.memory import MemoryJournal
from tests.engine.world import Halt, World, turns


class Steps:
    """A pipeline of two nodes: the first waits for the test, the second comes after it."""

    def __init__(self) -> None:
        self.go = anyio.Event()
        self.begun: list[str] = []

        @task
        async def first() -> int:
            self.begun.append("first")
            await self.go.wait()
            return 1

        @task
        async def second(value: int) -> int:
            self.begun.append("second")
            return value + 1

        @pipeline
        def steps() -> int:
            return second(first())

        self.pipeline = steps


async def test_what_runs_is_stopped_and_goes_on_at_the_next_start() -> None:
    steps, world = Steps(), World()
    async with world.engine() as engine:
        run = await engine.submit(steps.pipeline.bind())
        await world.until(facts.AttemptStarted)
    assert await world.attempts(run.id, "first") == [("lost", "shutdown")]
    assert (await world.run(run.id)).state == "running"
    steps.go.set()
    async with world.engine(steps.pipeline) as engine:
        assert await engine.result(run.id) == 2
    assert steps.begun == ["first", "first", "second"]
    assert (await world.node(run.id, "first")).crashes == 0


async def test_an_attempt_lost_to_shutdown_counts_as_no_failure() -> None:
    world, begun = World(), []

    @task(retry=Retry(attempts=2, delay=0), max_crashes=1)
    async def body() -> None:
        begun.append(True)
        if len(begun) <= 4:
            await anyio.sleep_forever()
        raise OSError

    @pipeline
    def stops() -> None:
        body()

    async with world.engine() as engine:
        run = await engine.submit(stops.bind())
        await world.until(facts.AttemptStarted)
    for count in (2, 3, 4):
        async with world.engine(stops):
            await world.until(facts.AttemptStarted, count=count)
    async with world.engine(stops) as engine:
        with pytest.raises(RunFailed, match="OSError"):
            await engine.result(run.id)
    assert await world.attempts(run.id, "body") == [("lost", "shutdown")] * 4 + [("failed", "error")] * 2


async def test_a_drain_lets_running_attempts_end_and_starts_nothing_more() -> None:
    steps, world = Steps(), World()
    async with world.engine(drain=30) as engine:
        run = await engine.submit(steps.pipeline.bind())
        await world.until(facts.AttemptStarted)
        asyncio.get_running_loop().call_later(0, steps.go.set)
    assert await world.attempts(run.id, "first") == [("succeeded", None)]
    assert steps.begun == ["first"]
    assert world.clock.waiting == 0
    async with world.engine(steps.pipeline) as engine:
        assert await engine.result(run.id) == 2
    assert steps.begun == ["first", "second"]


async def test_a_drain_that_takes_too_long_is_cut_off() -> None:
    steps, world = Steps(), World()
    async with anyio.create_task_group() as tasks, world.engine(drain=30) as engine:
        run = await engine.submit(steps.pipeline.bind())
        await world.until(facts.AttemptStarted)
        tasks.start_soon(_advance_once_draining, world)
    assert await world.attempts(run.id, "first") == [("lost", "shutdown")]
    assert world.clock.now() == World().clock.now() + 30_000_000


async def _advance_once_draining(world: World) -> None:
    await world.clock.until_waiting()
    await world.clock.advance(29)
    assert not await world.holds(facts.AttemptLost)
    await world.clock.advance(1)


async def test_a_run_whose_last_node_ends_during_the_drain_ends_too() -> None:
    go, world = anyio.Event(), World()

    @task
    async def last() -> int:
        await go.wait()
        return 5

    @pipeline
    def short() -> int:
        return last()

    got: list[int] = []

    async def wait(run: Any) -> None:
        got.append(await run.result())

    async with anyio.create_task_group() as tasks, world.engine(drain=math.inf) as engine:
        run = await engine.submit(short.bind())
        await world.until(facts.AttemptStarted)
        tasks.start_soon(wait, run)
        asyncio.get_running_loop().call_later(0, go.set)
    assert got == [5]


@pytest.mark.parametrize("kind", ["coroutine", "thread"])
async def test_resume_loops_stop_after_an_iterations_record_and_go_on_there(kind: str) -> None:  # noqa: C901 - one body of each kind
    world, halt, go = World(), Halt(), anyio.Event()
    begun: list[tuple[int, int]] = []

    async def coroutine() -> Any:
        state: Any = current().checkpoint.load([])
        for epoch in current().resume(range(6)):
            begun.append((current().attempt, epoch))
            if len(begun) == 3:
                halt.reached.set()
                await go.wait()
            state.append(epoch)
            current().checkpoint.save(state)
        return state

    def function() -> Any:
        state: Any = current().checkpoint.load([])
        for epoch in current().resume(range(6)):
            begun.append((current().attempt, epoch))
            if len(begun) == 3:
                halt.here()
            state.append(epoch)
            current().checkpoint.save(state)
        return state

    made = task(name="loop")(coroutine if kind == "coroutine" else function)

    @pipeline
    def loops() -> Any:
        return made()

    def proceed() -> None:
        go.set()
        halt.go()

    async with world.engine(drain=30) as engine:
        run = await engine.submit(loops.bind())
        await halt.reached.wait()
        asyncio.get_running_loop().call_later(0, proceed)
    assert await world.attempts(run.id, "loop") == [("lost", "shutdown")]
    assert begun == [(1, 0), (1, 1), (1, 2)]
    async with world.engine(loops) as engine:
        assert await engine.result(run.id) == [0, 1, 2, 3, 4, 5]
    assert begun[3:] == [(2, 3), (2, 4), (2, 5)]


async def test_a_loop_in_its_last_iteration_ends_with_its_result() -> None:
    world, go = World(), anyio.Event()

    @task
    async def loop() -> str:
        for _ in current().resume(range(1)):
            await go.wait()
        return "done"

    @pipeline
    def loops() -> str:
        return loop()

    async with world.engine(drain=30) as engine:
        run = await engine.submit(loops.bind())
        await world.until(facts.AttemptStarted)
        asyncio.get_running_loop().call_later(0, go.set)
    assert await world.attempts(run.id, "loop") == [("succeeded", None)]


async def test_while_it_drains_the_engine_takes_no_runs() -> None:
    steps, world = Steps(), World()
    refused: list[EngineClosed] = []

    async def submit_then_go() -> None:
        await world.clock.until_waiting()
        try:
            await engine.submit(steps.pipeline.bind())
        except EngineClosed as closed:
            refused.append(closed)
        steps.go.set()

    async with anyio.create_task_group() as tasks, world.engine(drain=30) as engine:
        await engine.submit(steps.pipeline.bind())
        await world.until(facts.AttemptStarted)
        tasks.start_soon(submit_then_go)
    assert len(refused) == 1


async def test_whoever_waits_is_told_that_the_engine_stopped() -> None:
    steps, world = Steps(), World()
    told: list[str] = []

    async def wait(run: Any) -> None:
        try:
            await run.result()
        except EngineClosed as closed:
            told.append(str(closed))

    @pipeline(max_active_runs=1, name="queued")
    def queued() -> int:
        return steps.pipeline.fn()

    async with anyio.create_task_group() as tasks, world.engine() as engine:
        for call in (steps.pipeline.bind(), queued.bind(), queued.bind()):
            tasks.start_soon(wait, await engine.submit(call))
        await world.until(facts.AttemptStarted, count=2)
        await turns()
    assert len(told) == 3
    assert all("it goes on when the engine is next started" in text for text in told)


async def test_an_exception_in_the_block_comes_out_as_it_is() -> None:
    steps, world = Steps(), World()
    cause = OSError("cause")
    with pytest.raises(ValueError, match="mine") as raised:  # noqa: PT012 - leaving the block is what is tested
        async with world.engine(drain=30) as engine:
            run = await engine.submit(steps.pipeline.bind())
            await world.until(facts.AttemptStarted)
            raise ValueError("mine") from cause
    assert raised.value.__cause__ is cause
    assert await world.attempts(run.id, "first") == [("lost", "shutdown")]


async def test_cancelled_from_outside_the_engine_stops_in_order() -> None:
    steps, world = Steps(), World()
    async with anyio.create_task_group() as tasks:

        async def live() -> None:
            async with world.engine(drain=30) as engine:
                await engine.submit(steps.pipeline.bind())
                await anyio.sleep_forever()

        tasks.start_soon(live)
        await world.until(facts.AttemptStarted)
        tasks.cancel_scope.cancel()
    (lost,) = await world.facts(facts.AttemptLost)
    assert lost.reason == "shutdown"
    assert len(await world.facts(facts.AttemptStarted)) == 1


async def test_cancelled_while_the_block_is_shielded_no_body_begins_again() -> None:
    steps, world, leave = Steps(), World(), anyio.Event()
    async with anyio.create_task_group() as tasks:

        async def live() -> None:
            async with world.engine(drain=30) as engine:
                await engine.submit(steps.pipeline.bind())
                with anyio.CancelScope(shield=True):
                    await leave.wait()

        tasks.start_soon(live)
        await world.until(facts.AttemptStarted)
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await turns(200)
            leave.set()
    assert steps.begun == ["first"]


async def test_a_native_cancellation_stops_the_engine_in_order() -> None:
    steps, world = Steps(), World()

    async def live() -> None:
        async with world.engine(drain=30) as engine:
            await engine.submit(steps.pipeline.bind())
            await anyio.sleep_forever()

    living = asyncio.create_task(live())
    await world.until(facts.AttemptStarted)
    living.cancel()
    with pytest.raises(asyncio.CancelledError):
        await living
    (lost,) = await world.facts(facts.AttemptLost)
    assert lost.reason == "shutdown"


async def test_nothing_is_left_behind() -> None:
    world = World()

    @task(retry=Retry(attempts=2, delay="1h"), timeout="1h")
    def fails() -> None:
        raise OSError

    @task(timeout="1h")
    async def waits() -> None:
        await anyio.sleep_forever()

    @pipeline
    def mixed() -> None:
        fails()
        waits()

    before, threads = asyncio.all_tasks(), set(threading.enumerate())
    for leaving in (contextlib.nullcontext(), pytest.raises(ValueError, match="left")):
        with leaving:
            async with world.engine() as engine:
                await engine.submit(mixed.bind())
                await world.until(facts.AttemptFailed)
                await world.clock.until_waiting(2)
                fail_unless(isinstance(leaving, contextlib.nullcontext))
        assert asyncio.all_tasks() == before
        assert world.clock.waiting == 0
    for thread in set(threading.enumerate()) - threads:
        await asyncio.to_thread(thread.join, 10)  # its call is over; it may be about to end
        assert not thread.is_alive()


async def test_an_at_most_once_body_that_was_stopped_is_never_begun_again() -> None:
    world, begun = World(), []

    @task(at_most_once=True)
    async def pay() -> None:
        begun.append(True)
        await anyio.sleep_forever()

    @pipeline
    def pays() -> None:
        pay()

    async with world.engine() as engine:
        run = await engine.submit(pays.bind())
        await world.until(facts.AttemptStarted)
    async with world.engine(pays) as engine:
        with pytest.raises(RunFailed, match="nobody knows whether it did its work"):
            await engine.result(run.id)
    assert begun == [True]
    assert (await world.node(run.id, "pay")).reason == "unknown"


def fail_unless(condition: bool) -> None:
    if not condition:
        raise ValueError("left")


class Failing(MemoryJournal):
    """A journal that fails at the first unit with a fact of some kind, as on a broken disk."""

    def __init__(self, kind: type[facts.Fact]) -> None:
        super().__init__()
        self._kind = kind

    async def commit(self, unit: Unit) -> int:
        self._check(unit)
        return await super().commit(unit)

    def enqueue(self, unit: Unit) -> None:
        self._check(unit)
        super().enqueue(unit)

    def _check(self, unit: Unit) -> None:
        if any(isinstance(fact, self._kind) for fact in unit.facts):
            self._progress.fail(JournalError("the disk is broken"))


@pytest.mark.parametrize(
    "kind",
    [facts.RunStarted, facts.AttemptStarted, facts.AttemptFailed, facts.NodeUpstreamFailed, facts.RunFailed],
    ids=lambda kind: kind.__name__,
)
async def test_a_journal_that_fails_ends_the_engine_and_nothing_hangs(kind: type[facts.Fact]) -> None:
    world = World(journal=Failing(kind))

    @task
    async def fails() -> int:
        raise ValueError

    @task
    async def after(value: int) -> int:
        return value

    @pipeline
    def failing() -> int:
        return after(fails())

    with pytest.raises(JournalError, match="the disk is broken"):  # noqa: PT012 - it comes out of the block
        async with world.engine() as engine:
            await engine.submit(failing.bind())
            await anyio.sleep_forever()
