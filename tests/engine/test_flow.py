"""How much at once: places, keys, overlaps, limits and time, with real runs; and switching pipelines off."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from eventflow import Observation, Retry, RunCancelled, RunFailed, Trigger, approval, current, each, facts, pipeline, task, when
from eventflow.errors import DefinitionError, InvalidRequest, NotFound
from eventflow.ports import Instrument
from eventflow.projections import NodeRow, PipelineRow
from tests.engine.sources import Source, decisions, dispatch, event, runs
from tests.engine.world import Halt, Hurdle, Late, World, holding, turns


@task
async def show(value: object) -> object:
    return value


class Stage:
    """Bodies that stay until a test lets them go, by number."""

    def __init__(self) -> None:
        self.on: list[int] = []
        self.seen: list[int] = []
        self.most = 0
        self._go: dict[int, anyio.Event] = {}

    async def stay(self, number: int) -> int:
        self.on.append(number)
        self.seen.append(number)
        self.most = max(self.most, len(self.on))
        try:
            await self._go.setdefault(number, anyio.Event()).wait()
        finally:
            self.on.remove(number)
        return number

    def go(self, number: int) -> None:
        self._go.setdefault(number, anyio.Event()).set()


def staged(stage: Stage, **settings: Any) -> Any:
    @task
    async def stay(number: int) -> int:
        return await stage.stay(number)

    @pipeline(**settings)
    def act(number: int) -> int:
        return stay(number)

    return act


async def shown(world: World) -> list[str]:
    """Give the states of all runs, in the order of their submission."""
    return [row.state for row in await runs(world)]


# Overlaps


async def test_queue_lets_one_after_the_other_run() -> None:
    stage, world = Stage(), World()
    act = staged(stage, max_active_runs=1)
    async with world.engine() as engine:
        some = [await engine.submit(act.bind(number)) for number in range(3)]
        for number, run in enumerate(some):
            await turns()
            assert stage.on == [number]
            stage.go(number)
            assert await run.result() == number


async def test_skip_cancels_the_new_run_and_says_why() -> None:
    stage, world = Stage(), World()
    act = staged(stage, max_active_runs=1, on_overlap="skip")
    async with world.engine() as engine:
        first, second = [await engine.submit(act.bind(number)) for number in range(2)]
        with pytest.raises(RunCancelled):
            await second.result()
        assert (await world.run(second.id)).reason == "on_overlap=skip"
        stage.go(0)
        assert await first.result() == 0
        third = await engine.submit(act.bind(2))  # nobody is in its way
        stage.go(2)
        assert await third.result() == 2
    assert stage.seen == [0, 2]


async def test_cancel_running_lets_the_new_run_take_the_place() -> None:
    stage, world = Stage(), World()
    act = staged(stage, max_active_runs=1, on_overlap="cancel_running")
    async with world.engine() as engine:
        first = await engine.submit(act.bind(0))
        await turns()
        second = await engine.submit(act.bind(1))
        with pytest.raises(RunCancelled):
            await first.result()
        await turns()
        assert stage.on == [1]
        stage.go(1)
        assert await second.result() == 1
    assert stage.most == 1


async def test_cancel_running_waits_until_what_it_cancels_is_closed() -> None:
    closing, closed = anyio.Event(), anyio.Event()
    stage = Stage()

    @task
    async def close() -> None:
        closing.set()
        await closed.wait()

    act = staged(stage, max_active_runs=1, on_overlap="cancel_running", finally_=[close])
    world = World()
    async with world.engine() as engine:
        await engine.submit(act.bind(0))
        await turns()
        second = await engine.submit(act.bind(1))
        await closing.wait()
        await turns()
        assert stage.on == []
        closed.set()
        await turns()
        assert stage.on == [1]
        stage.go(1)
        await second.wait()


async def test_replace_queued_keeps_the_running_and_the_newest() -> None:
    stage, world = Stage(), World()
    act = staged(stage, max_active_runs=1, on_overlap="replace_queued")
    async with world.engine() as engine:
        some = [await engine.submit(act.bind(number)) for number in range(4)]
        await turns()
        assert await shown(world) == ["running", "cancelled", "cancelled", "queued"]
        stage.go(0)
        stage.go(3)
        assert await some[3].result() == 3
    assert stage.seen == [0, 3]


async def test_a_suspended_run_is_in_nobodys_way() -> None:
    @pipeline(max_active_runs=1, on_overlap="skip")
    def asks() -> bool:
        return approval("Sure?")

    world = World()
    async with world.engine() as engine:
        for count in (1, 2, 3):
            await engine.submit(asks.bind())
            await world.until(facts.RunSuspended, count=count)
            await turns()
        assert await shown(world) == ["suspended"] * 3


async def test_a_woken_run_is_no_new_run_that_could_be_skipped() -> None:
    stage, world = Stage(), World()

    @task
    async def stay(number: int) -> int:
        return await stage.stay(number)

    @pipeline(max_active_runs=1, on_overlap="skip")
    def asks(number: int) -> int:
        with when(number):
            approval("Sure?")
        return stay(number)

    async with world.engine() as engine:
        first = await engine.submit(asks.bind(1))
        await turns()
        stage.go(1)
        await world.until(facts.RunSuspended)
        await turns()
        second = await engine.submit(asks.bind(0))
        await turns()
        await engine.answer(first.id, "approval", True)
        await turns()
        assert await shown(world) == ["queued", "running"]
        stage.go(0)
        assert (await second.result(), await first.result()) == (0, 1)


async def test_who_is_to_be_replaced_isnt_admitted_in_between() -> None:
    stage, closed, second = Stage(), anyio.Event(), ""

    @task
    async def close() -> None:
        await closed.wait()

    def asks_to_cancel_the_second(unit: Any) -> bool:
        return any(isinstance(fact, facts.CancelRequested) and fact.run == second for fact in unit.facts)

    act = staged(stage, max_active_runs=1, on_overlap="cancel_running", finally_=[close])
    world = World()
    world.journal = hurdle = Hurdle(world.journal, "commit", asks_to_cancel_the_second)
    async with world.engine() as engine:
        await engine.submit(act.bind(0))
        await turns()
        second = (await engine.submit(act.bind(1))).id
        await turns()
        assert await shown(world) == ["running", "queued"]  # the first one is being closed
        third = await engine.submit(act.bind(2))
        await hurdle.reached.wait()
        closed.set()
        await turns()
        assert stage.on == [2]
        hurdle.open.set()
        stage.go(2)
        assert await third.result() == 2
        await engine.wait(second)
        assert await shown(world) == ["cancelled", "cancelled", "succeeded"]
    assert stage.seen == [0, 2]


async def test_several_at_once_overlap_only_beyond_their_number() -> None:
    stage, world = Stage(), World()
    act = staged(stage, max_active_runs=2, on_overlap="skip")
    async with world.engine() as engine:
        for number in range(4):
            await engine.submit(act.bind(number))
        await turns()
        assert await shown(world) == ["running", "running", "cancelled", "cancelled"]
        assert stage.on == [0, 1]
        stage.go(0)
        stage.go(1)


# Keys


async def test_only_runs_of_one_key_wait_for_each_other() -> None:
    stage, world = Stage(), World()
    act = staged(stage, max_active_runs=1, concurrency_key=lambda given: given["number"] % 2)
    async with world.engine() as engine:
        for number in range(4):
            await engine.submit(act.bind(number))
        await turns()
        assert stage.on == [0, 1]
        assert [row.concurrency_key for row in await runs(world)] == ["0", "1", "0", "1"]
        stage.go(1)
        await turns()
        assert stage.on == [0, 3]
        for number in (0, 2, 3):
            stage.go(number)


async def test_a_concurrency_key_is_asked_once_and_kept_over_a_restart() -> None:
    asked: list[Mapping[str, Any]] = []

    def key(given: Mapping[str, Any]) -> str:
        asked.append(dict(given))
        return f"k{given['number'] % 2}"

    stage, world = Stage(), World()
    act = staged(stage, max_active_runs=1, concurrency_key=key)
    async with world.doomed() as engine:
        for number in range(4):
            await engine.submit(act.bind(number))
        await turns()
    stage.on.clear()
    async with world.engine(act):
        await turns()
        assert sorted(stage.on) == [0, 1]
        for number in range(4):
            stage.go(number)
        await turns(100)
        assert await shown(world) == ["succeeded"] * 4
    assert asked == [{"number": number} for number in range(4)]
    assert stage.most == 2


async def test_overlaps_are_judged_by_key() -> None:
    stage, world = Stage(), World()
    act = staged(stage, max_active_runs=1, concurrency_key=lambda given: given["number"] % 2, on_overlap="cancel_running")
    async with world.engine() as engine:
        for number in range(3):
            await engine.submit(act.bind(number))
            await turns()
        assert await shown(world) == ["cancelled", "running", "running"]
        stage.go(1)
        stage.go(2)


@pytest.mark.parametrize("said", [None, "", 1.5, True, "x" * 2000, ["a"]])
async def test_what_is_no_key_is_refused_at_the_submission(said: object) -> None:
    act = staged(Stage(), max_active_runs=1, concurrency_key=lambda _: said)
    async with World().engine() as engine:
        with pytest.raises(InvalidRequest, match="concurrency_key of pipeline 'act' gave"):
            await engine.submit(act.bind(1))


async def test_a_key_that_cant_be_made_is_refused_at_the_submission() -> None:
    act = staged(Stage(), max_active_runs=1, concurrency_key=lambda given: given["nothing"])
    async with World().engine() as engine:
        with pytest.raises(InvalidRequest, match="raised KeyError"):
            await engine.submit(act.bind(1))


# Order


async def test_priority_goes_first_but_nobody_waits_for_ever() -> None:
    stage, world = Stage(), World()
    act = staged(stage, max_active_runs=1)
    async with world.engine() as engine:
        await engine.submit(act.bind(0))
        await engine.submit(act.bind(1))  # no priority, but the longest wait
        await engine.submit(act.bind(2), priority=1)
        await world.clock.advance(120)
        await engine.submit(act.bind(3), priority=1)  # worth a minute of waiting
        await engine.submit(act.bind(4), priority=4)
        for number in (0, 4, 2, 1, 3):
            await turns()
            assert stage.on == [number]
            stage.go(number)
        await turns()
    assert stage.seen == [0, 4, 2, 1, 3]


async def test_the_order_of_a_queue_is_the_same_after_a_restart() -> None:
    stage, world = Stage(), World()
    act = staged(stage, max_active_runs=1)
    async with world.doomed() as engine:
        await engine.submit(act.bind(0))
        await engine.submit(act.bind(1))
        await world.clock.advance(100)
        await engine.submit(act.bind(2), priority=1)
        await engine.submit(act.bind(3), priority=2)
        await turns()
    stage.seen.clear()
    async with world.engine(act):
        for number in (0, 3, 1, 2):
            await turns()
            stage.go(number)
        await turns()
    assert stage.seen == [0, 3, 1, 2]


# Time in the queue, time of a run


async def test_a_run_that_waits_too_long_in_the_queue_fails() -> None:
    stage, world = Stage(), World()
    act = staged(stage, max_active_runs=1, queue_timeout="1m")
    async with world.engine() as engine:
        first, second = await engine.submit(act.bind(0)), await engine.submit(act.bind(1))
        await world.clock.advance(59)
        assert await second.state() == "queued"
        await world.clock.advance(1)
        with pytest.raises(RunFailed, match="waited in the queue for longer than 1m"):
            await second.result()
        stage.go(0)
        assert await first.result() == 0
        third = await engine.submit(act.bind(2))
        await world.clock.advance(61)
        assert await third.state() == "running"
        stage.go(2)
    assert stage.seen == [0, 2]


async def test_a_run_that_is_being_cancelled_doesnt_fail_in_the_queue_instead() -> None:
    stage, world = Stage(), World()
    act = staged(stage, max_active_runs=1, queue_timeout="1m")
    world.journal = hurdle = Hurdle(world.journal, "commit", holding(facts.RunCancelled))
    async with world.engine() as engine, anyio.create_task_group() as tasks:
        await engine.submit(act.bind(0))
        second = await engine.submit(act.bind(1))
        ended: list[str] = []

        async def wait() -> None:
            ended.append((await second.wait()).state)

        tasks.start_soon(wait)
        tasks.start_soon(second.cancel)
        await hurdle.reached.wait()
        await world.clock.advance(61)
        assert ended == []
        hurdle.open.set()
        await second.wait()
        await turns()
        assert ended == ["cancelled"]
        stage.go(0)


async def test_the_time_in_the_queue_goes_on_while_no_process_is_there() -> None:
    stage, world = Stage(), World()
    act = staged(stage, max_active_runs=1, queue_timeout="1m")
    async with world.doomed() as engine:
        await engine.submit(act.bind(0))
        second = (await engine.submit(act.bind(1))).id
        await world.clock.advance(30)
    await world.clock.advance(20)
    async with world.engine(act) as engine:
        await world.clock.advance(9)
        assert (await engine.state(second)).state == "queued"
        await world.clock.advance(1)
        assert (await engine.wait(second)).state == "failed"


async def test_a_woken_run_may_wait_for_its_turn_as_long_as_it_takes() -> None:
    stage, world = Stage(), World()

    @task
    async def stay(number: int) -> int:
        return await stage.stay(number)

    @pipeline(max_active_runs=1, queue_timeout="1m")
    def asks(number: int) -> int:
        return stay.after(approval("Sure?"))(number)

    async with world.engine() as engine:
        first = await engine.submit(asks.bind(0))
        await world.until(facts.RunSuspended)
        await turns()
        second = await engine.submit(asks.bind(1))
        await world.until(facts.RunSuspended, count=2)
        await turns()
        await engine.answer(first.id, "approval", True)
        await turns()
        await engine.answer(second.id, "approval", True)
        await world.clock.advance(1000)
        assert await shown(world) == ["running", "queued"]
        stage.go(0)
        stage.go(1)
        assert await second.result() == 1


async def test_a_run_out_of_time_is_closed_and_fails() -> None:
    closed: list[str] = []

    @task
    async def start() -> str:
        return "cluster"

    @task
    async def work(cluster: str) -> int:
        await anyio.sleep_forever()
        return 1

    @task
    async def stop(cluster: str) -> None:
        closed.append(cluster)

    @task
    async def tell(ended: Any) -> None:
        closed.append(ended.failure)

    @pipeline(timeout="10s", max_active_runs=1, on_failure=[tell])
    def limited() -> int:
        cluster = start()
        stop.teardown(cluster)
        return work(cluster)

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(limited.bind())
        await world.until(facts.AttemptStarted, count=2)
        await turns()
        await world.clock.advance(9)
        assert await run.state() == "running"
        await world.clock.advance(1)
        with pytest.raises(RunFailed, match="the run took longer than its 10 s"):
            await run.result()
        assert world.clock.waiting == 0
    assert closed == ["cluster", "TimeoutError: the run took longer than its 10 s"]
    assert (await world.nodes(run.id))["work"] == "cancelled"
    assert await world.attempts(run.id, "work") == [("cancelled", "timeout")]


# Resources


def heavy(stage: Stage, *, uses: Mapping[str, float], **options: Any) -> Any:
    @task(uses=uses, **options)
    async def stay(number: int) -> int:
        return await stage.stay(number)

    @pipeline
    def lift(number: int) -> int:
        return stay(number)

    return lift


async def test_attempts_never_hold_more_than_there_is() -> None:
    stage, world = Stage(), World(resources={"gpu": 2})
    lift = heavy(stage, uses={"gpu": 1})
    async with world.engine() as engine:
        some = [await engine.submit(lift.bind(number)) for number in range(6)]
        await turns()
        assert stage.on == [0, 1]
        assert [(await world.nodes(run.id))["stay"] for run in some] == ["running"] * 2 + ["queued"] * 4
        for number in range(6):
            stage.go(number)
            assert await some[number].result() == number
    assert stage.most == 2
    assert stage.seen == [0, 1, 2, 3, 4, 5]


async def test_what_becomes_free_is_given_on_at_once() -> None:
    stage, world = Stage(), World(resources={"gpu": 1})
    lift = heavy(stage, uses={"gpu": 1})
    held: list[int] = []
    async with world.engine() as engine:
        limits = engine._runs._limits._resources
        for number in range(3):
            await engine.submit(lift.bind(number))
        await turns()
        asyncio.get_running_loop().call_soon(lambda: held.append(1))
        stage.go(0)
        while 1 not in stage.on:
            assert limits.free("gpu") == 0  # between the two nobody could have taken it
            await turns(1)
        stage.go(1)
        stage.go(2)
    assert held == [1]


async def test_the_oldest_run_comes_first_for_a_resource() -> None:
    stage, world = Stage(), World(resources={"gpu": 1})
    lift = heavy(stage, uses={"gpu": 1})
    async with world.engine() as engine:
        await engine.submit(lift.bind(0))
        await turns()
        await engine.submit(lift.bind(1))
        await world.clock.advance(1)
        await engine.submit(lift.bind(2), priority=1)
        await turns()
        for number in (0, 2, 1):
            stage.go(number)
            await turns()
    assert stage.seen == [0, 2, 1]


async def test_a_failed_or_cancelled_attempt_lets_go_and_a_retry_waits_without() -> None:
    @task(uses={"gpu": 1}, retry=Retry(attempts=2, delay=100))
    async def fails() -> int:
        raise OSError

    @pipeline
    def failing() -> int:
        return fails()

    stage, world = Stage(), World(resources={"gpu": 1})
    lift = heavy(stage, uses={"gpu": 1})
    async with world.engine() as engine:
        await engine.submit(failing.bind())
        await world.until(facts.AttemptFailed)
        await turns()
        run = await engine.submit(lift.bind(1))
        await turns()
        assert stage.on == [1]
        await world.clock.advance(100)
        assert not await world.holds(facts.AttemptFailed, count=2)  # it has its delay behind it, and waits for the GPU
        await run.cancel()
        await world.until(facts.AttemptFailed, count=2)


async def test_a_thread_that_would_not_stop_holds_on_to_what_it_uses() -> None:
    halt = Halt()

    @task(uses={"gpu": 1}, timeout=5)
    def stubborn() -> int:
        halt.here()
        return 1

    @pipeline
    def thread() -> int:
        return stubborn()

    stage, world = Stage(), World(resources={"gpu": 1})
    lift = heavy(stage, uses={"gpu": 1})
    async with world.engine() as engine:
        run = await engine.submit(thread.bind())
        await halt.reached.wait()
        await world.clock.advance(5)
        assert (await run.wait()).state == "failed"
        assert await world.attempts(run.id, "stubborn") == [("failed", "abandoned")]
        other = await engine.submit(lift.bind(1))
        await turns()
        assert stage.on == []
        halt.go()
        await world.until(facts.AttemptStarted, count=2)
        await turns()
        stage.go(1)
        assert await other.result() == 1


async def test_a_node_that_waits_too_long_for_a_resource_fails() -> None:
    stage, world = Stage(), World(resources={"gpu": 1})
    lift = heavy(stage, uses={"gpu": 1}, queue_timeout="1m")
    async with world.engine() as engine:
        first, second = await engine.submit(lift.bind(0)), await engine.submit(lift.bind(1))
        await turns()
        await world.clock.advance(59)
        waiting = await world.node(second.id, "stay")
        assert (waiting.state, waiting.reason) == ("queued", "limit")
        assert all(fact.limited for fact in await world.facts(facts.NodeQueued))
        await world.clock.advance(1)
        with pytest.raises(RunFailed, match="nothing became free for it within 1m"):
            await second.result()
        assert (await world.node(second.id, "stay")).reason == "queue_timeout"
        stage.go(0)
        assert await first.result() == 0
        third = await engine.submit(lift.bind(2))
        await turns()
        assert stage.on == [2]  # who gave up holds nothing and is in nobody's way
        await world.clock.advance(61)
        stage.go(2)
        assert await third.result() == 2


async def test_the_wait_for_a_resource_is_not_begun_anew_by_a_restart() -> None:
    stage, world = Stage(), World(resources={"gpu": 1})
    lift = heavy(stage, uses={"gpu": 1}, queue_timeout="1m")
    async with world.doomed() as engine:
        await engine.submit(lift.bind(0))
        second = (await engine.submit(lift.bind(1))).id
        await turns()
        await world.clock.advance(50)
    async with world.engine(lift) as engine:
        await turns()
        await world.clock.advance(9)
        assert (await world.nodes(second))["stay"] == "queued"
        await world.clock.advance(1)
        assert (await engine.wait(second)).state == "failed"


async def test_after_a_crash_nothing_is_held_by_the_dead() -> None:
    stage, world = Stage(), World(resources={"gpu": 1})
    lift = heavy(stage, uses={"gpu": 1})
    async with world.doomed() as engine:
        for number in range(3):
            await engine.submit(lift.bind(number))
        await turns()
    stage.seen.clear()
    stage.most = 0
    async with world.engine(lift):
        for number in range(3):
            await turns()
            assert stage.on == [number]
            stage.go(number)
        await turns()
        assert await shown(world) == ["succeeded"] * 3
    assert stage.most == 1


@pytest.mark.parametrize("uses", [{"tpu": 1}, {"gpu": 3}])
async def test_what_could_never_be_had_is_refused_at_once(uses: Mapping[str, float]) -> None:
    lift = heavy(Stage(), uses=uses)
    world = World(resources={"gpu": 2})
    with pytest.raises(DefinitionError, match="there is"):
        world.make(lift)
    async with world.engine() as engine:
        with pytest.raises(DefinitionError, match="there is"):
            await engine.submit(lift.bind(1))


# Rates


async def test_a_rate_bounds_how_many_attempts_start() -> None:
    started: list[float] = []

    @task(limit="2/m")
    async def ask(number: int) -> int:
        started.append(world.clock.monotonic())
        return number

    @pipeline
    def many(numbers: list[int]) -> list[int]:
        return ask.map(number=each(numbers))

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(many.bind([1, 2, 3, 4]))
        await turns()
        assert started == [0, 0]
        assert sorted((await world.nodes(run.id)).values()) == ["queued", "queued", "running", "succeeded", "succeeded"]
        await world.clock.advance(29)
        assert len(started) == 2
        await world.clock.advance(1)
        assert len(started) == 3
        await world.clock.advance(30)
        assert await run.result() == [1, 2, 3, 4]
    assert started == [0, 0, 30, 60]


async def test_retries_count_for_a_rate_too() -> None:
    started: list[float] = []

    @task(limit="1/m", retry=Retry(attempts=3, delay=1))
    async def fails() -> int:
        started.append(world.clock.monotonic())
        raise OSError

    @pipeline
    def failing() -> int:
        return fails()

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(failing.bind())
        for _ in range(130):
            await world.clock.advance(1)
        assert (await run.wait()).state == "failed"
    assert started == [0, 60, 120]


async def test_who_waits_for_a_rate_too_long_fails_and_uses_nothing_up() -> None:
    started: list[int] = []

    @task(limit="1/h", queue_timeout="30m", uses={"gpu": 1})
    async def ask(number: int) -> int:
        started.append(number)
        return number

    @pipeline
    def one(number: int) -> int:
        return ask(number)

    world = World(resources={"gpu": 1})
    async with world.engine() as engine:
        await (await engine.submit(one.bind(1))).result()
        second = await engine.submit(one.bind(2))
        await turns()
        await world.clock.advance(1800)
        assert (await second.wait()).state == "failed"
        await world.clock.advance(1800)
        assert await (await engine.submit(one.bind(3))).result() == 3
    assert started == [1, 3]


# The circuit breaker


@task
async def fails(number: int) -> int:
    if number < 0:
        raise ValueError("no good")
    return number


@pipeline(pause_after=2, max_active_runs=1)
def breaks(number: int) -> int:
    return fails(number)


async def test_after_failures_in_a_row_a_pipeline_is_paused_and_says_so() -> None:
    world = World()
    async with world.engine() as engine:
        for number in (-1, 1, -1, -1):
            await (await engine.submit(breaks.bind(number))).wait()
            await world.clock.advance(1)
        last = await engine.submit(breaks.bind(5))
        await turns()
        assert await shown(world) == ["failed", "succeeded", "failed", "failed", "queued"]
        (row,) = await world.journal.select(PipelineRow)
        assert (row.pipeline, row.paused, row.reason) == ("breaks", True, "its last 2 runs failed")
        await engine.unpause_pipeline("breaks")
        assert await last.result() == 5
        again = await engine.submit(breaks.bind(-1))
        await again.wait()
        await turns()
        assert not (await world.journal.select(PipelineRow))[0].paused  # what failed before doesn't count any more


async def test_events_of_a_paused_pipeline_become_runs_that_wait() -> None:
    world = World()
    trigger = Trigger("t", on=Source("source"), run=breaks, params=lambda one: {"number": one.data["x"]})
    async with world.engine() as engine:
        accept = dispatch(engine, trigger).accept
        for name in ("e1", "e2"):
            await accept("source", Observation(events=(event(name, {"x": -1}),)), b"null")
            await turns()
        await accept("source", Observation(events=(event("e3", {"x": 3}),)), b"null")
        await turns()
        assert await shown(world) == ["failed", "failed", "queued"]
        assert await decisions(world) == [("t", "fired")] * 3
        await engine.unpause_pipeline("breaks")
        assert await engine.result((await runs(world))[2].run) == 3


async def test_failing_in_the_queue_counts_for_the_breaker() -> None:
    stage, world = Stage(), World()
    act = staged(stage, max_active_runs=1, queue_timeout="1m", pause_after=2)
    async with world.engine() as engine:
        for number in range(3):
            await engine.submit(act.bind(number))
        await world.clock.advance(60)
        await turns()
        assert await shown(world) == ["running", "failed", "failed"]
        assert [row.paused for row in await world.journal.select(PipelineRow)] == [True]
        stage.go(0)


async def test_a_crash_before_the_breaker_was_recorded_doesnt_let_the_next_run_go() -> None:
    class Dying(Instrument):
        def reached(self, point: str) -> None:
            if point == "engine.run.ended":
                ended.append(point)
                if len(ended) == 2:
                    world.journal.die()

    ended: list[str] = []
    world = World(instrument=Dying())
    async with world.doomed() as engine:
        for number in (-1, -1, 3):
            await engine.submit(breaks.bind(number))
        await turns(100)
    assert not await world.holds(facts.PipelinePaused)
    world.instrument = Instrument()
    async with world.engine(breaks):
        await turns()
        assert await shown(world) == ["failed", "failed", "queued"]
        assert await world.holds(facts.PipelinePaused)


# Pausing


async def test_a_paused_pipeline_admits_nothing_over_a_restart_until_it_is_unpaused() -> None:
    stage, world = Stage(), World()
    act = staged(stage)
    async with world.doomed(act) as engine:
        first = (await engine.submit(act.bind(0))).id
        await turns()
        await engine.pause_pipeline("act", "we move")
        second = (await engine.submit(act.bind(1))).id
        await turns()
        assert stage.on == [0]  # what runs goes on
    stage.on.clear()
    async with world.engine(act) as engine:
        await turns()
        assert stage.on == [0]
        assert (await engine.state(second)).state == "queued"
        assert (await world.journal.select(PipelineRow))[0].reason == "we move"
        await engine.unpause_pipeline("act")
        await turns()
        assert stage.on == [0, 1]
        stage.go(0)
        stage.go(1)
        assert (await engine.result(first), await engine.result(second)) == (0, 1)


async def test_a_pipeline_that_isnt_there_cant_be_paused() -> None:
    async with World().engine() as engine:
        with pytest.raises(NotFound, match="no pipeline 'nowhere'"):
            await engine.pause_pipeline("nowhere")


async def test_a_queued_run_may_be_paused_and_cancelled() -> None:
    stage, world = Stage(), World()
    act = staged(stage, max_active_runs=1)
    async with world.engine() as engine:
        first, second = [await engine.submit(act.bind(number)) for number in range(2)]
        await engine.pause(second.id)
        stage.go(0)
        await first.wait()
        await turns()
        assert (await second.state(), stage.seen) == ("running", [0])
        await second.cancel()
        assert (await second.wait()).state == "cancelled"


# One node is cancelled


@task(rule="all_done")
async def anyway() -> str:
    return current().node


async def cancelled(world: World, engine: Any, run: Any, node: str) -> None:
    """Cancel a node, and see that the run goes on and ends as failed."""
    await engine.cancel(run.id, node)
    if (await world.nodes(run.id))[node] != "cancelled":
        assert (await world.node(run.id, node)).cancel_requested  # durable, though its body is still to stop
    assert (await run.wait()).state == "failed"
    nodes = await world.nodes(run.id)
    assert (nodes[node], nodes["anyway"]) == ("cancelled", "succeeded")
    with pytest.raises((InvalidRequest, NotFound)):
        await engine.cancel(run.id, node)


@pytest.mark.parametrize("slow", [False, True])
async def test_a_running_node(slow: bool) -> None:
    stage = Stage()

    @task
    async def stay() -> int:
        return await stage.stay(0)

    @pipeline
    def one() -> str:
        return anyway.after(stay())()

    world = World(journal=Late() if slow else None)
    async with world.engine() as engine:
        run = await engine.submit(one.bind())
        await world.until(facts.AttemptStarted)
        await turns()
        await cancelled(world, engine, run, "stay")


@pytest.mark.parametrize("slow", [False, True])
async def test_a_retrying_node_lets_its_run_rest_or_end(slow: bool) -> None:
    @task(retry=Retry(attempts=2, delay="1h"))
    async def tries() -> int:
        raise OSError

    @pipeline
    def one() -> object:
        return [anyway.after(tries())(), approval("Sure?")]

    world = World(journal=Late() if slow else None)
    async with world.engine() as engine:
        run = await engine.submit(one.bind())
        await world.until(facts.AttemptFailed)
        await turns()
        await engine.cancel(run.id, "tries")
        await world.until(facts.RunSuspended)
        await turns()
        assert world.clock.waiting == 0
        await engine.answer(run.id, "approval", True)
        assert (await run.wait()).state == "failed"
    assert await world.nodes(run.id) == {"tries": "cancelled", "anyway": "succeeded", "approval": "succeeded"}


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("limit", [{"uses": {"gpu": 1}}, {"limit": "1/h"}])
async def test_a_node_that_waits_for_a_limit(limit: dict[str, Any], slow: bool) -> None:
    stage = Stage()

    @task(**limit)
    async def stay(number: int) -> int:
        return await stage.stay(number)

    @pipeline
    def one(number: int) -> str:
        return anyway.after(stay(number))()

    world = World(resources={"gpu": 1}, journal=Late() if slow else None)
    async with world.engine() as engine:
        first, second = [await engine.submit(one.bind(number)) for number in range(2)]
        await world.until(facts.NodeQueued, count=2)
        await turns()
        await cancelled(world, engine, second, "stay")
        stage.go(0)
        assert await first.result() == "anyway"
    assert stage.seen == [0]


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("busy", [False, True])
async def test_a_node_that_waits_for_the_world(busy: bool, slow: bool) -> None:
    stage = Stage()

    @task
    async def stay() -> int:
        return await stage.stay(0)

    @pipeline
    def one() -> object:
        return [anyway.after(approval("Sure?"))(), stay()]

    world = World(journal=Late() if slow else None)
    async with world.engine() as engine:
        run = await engine.submit(one.bind())
        if not busy:
            stage.go(0)
            await world.until(facts.RunSuspended)
        await world.until(facts.NodeSuspended)
        await turns()
        await engine.cancel(run.id, "approval")
        assert engine.waiting() == []
        stage.go(0)
        assert (await run.wait()).state == "failed"
    assert await world.nodes(run.id) == {"approval": "cancelled", "anyway": "succeeded", "stay": "succeeded"}


@pytest.mark.parametrize("slow", [False, True])
async def test_a_pending_node_of_a_run_at_rest_and_at_work(slow: bool) -> None:
    @pipeline
    def one() -> object:
        return anyway.after(show(approval("Sure?")))()

    world = World(journal=Late() if slow else None)
    async with world.engine() as engine:
        run = await engine.submit(one.bind())
        await world.until(facts.RunSuspended)
        await turns()
        await engine.cancel(run.id, "show")
        await world.until(facts.RunSuspended, count=2)
        await turns()
        assert await world.nodes(run.id) == {"approval": "suspended", "show": "cancelled", "anyway": "succeeded"}
        await engine.answer(run.id, "approval", True)
        assert (await run.wait()).state == "failed"
    assert await world.nodes(run.id) == {"approval": "succeeded", "show": "cancelled", "anyway": "succeeded"}


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("busy", [False, True])
async def test_a_map_and_an_item_of_it(busy: bool, slow: bool) -> None:
    stage = Stage()

    @task
    async def stay() -> int:
        return await stage.stay(0)

    @pipeline
    def item(number: int) -> object:
        return show(approval("Sure?", show=number))

    @pipeline
    def one(numbers: list[int]) -> object:
        return [anyway.after(item.map(number=each(numbers)))(), stay()]

    world = World(journal=Late() if slow else None)
    async with world.engine() as engine:
        run = await engine.submit(one.bind([1, 2, 3]))
        if not busy:
            stage.go(0)
            await world.until(facts.RunSuspended)
        await world.until(facts.NodeSuspended, count=3)
        await turns()
        await engine.cancel(run.id, "item[1].approval")
        await turns()
        assert [wait.node for wait in engine.waiting()] == ["item[0].approval", "item[2].approval"]
        await turns(100)
        await engine.cancel(run.id, "item")
        stage.go(0)
        assert (await run.wait()).state == "failed"
        assert engine.waiting() == []
    nodes = await world.nodes(run.id)
    assert nodes == {
        **{f"item[{number}].approval": "cancelled" for number in range(3)},
        **{f"item[{number}].show": "upstream_failed" if number == 1 else "cancelled" for number in range(3)},
        "item": "cancelled",
        "anyway": "succeeded",
        "stay": "succeeded",
    }
    assert await world.journal.select(NodeRow, state="suspended") == []


async def test_a_cancelled_map_whose_cancel_a_crash_cut_short_is_cancelled_at_the_next_start() -> None:
    class Dying(Instrument):
        def reached(self, point: str) -> None:
            if point == "engine.cancel_node.after":
                world.journal.die()

    @pipeline
    def item(number: int) -> object:
        return show(approval("Sure?", show=number))

    @pipeline
    def one(numbers: list[int]) -> object:
        return anyway.after(item.map(number=each(numbers)))()

    world = World(instrument=Dying())
    async with world.doomed() as engine:
        run = (await engine.submit(one.bind([1, 2]))).id
        await world.until(facts.RunSuspended)
        await turns()
        await engine.cancel(run, "item")
        await turns()
    assert (await world.run(run)).state == "suspended"
    world.instrument = Instrument()
    async with world.engine(one) as engine:
        assert (await engine.wait(run)).state == "failed"
        assert engine.waiting() == []
    nodes = await world.nodes(run)
    assert (nodes["item"], nodes["item[0].approval"], nodes["anyway"]) == ("cancelled", "cancelled", "succeeded")


async def test_a_node_of_a_run_that_hasnt_begun_or_is_held_cant_be_cancelled_by_itself() -> None:
    stage, world = Stage(), World()
    act = staged(stage, max_active_runs=1)
    async with world.doomed() as engine:
        first, second = [(await engine.submit(act.bind(number))).id for number in range(2)]
        await turns()
        with pytest.raises(InvalidRequest, match="hasn't begun"):
            await engine.cancel(second, "stay")
    async with world.engine() as engine:
        with pytest.raises(InvalidRequest, match="is held"):
            await engine.cancel(first, "stay")
        with pytest.raises(NotFound):
            await engine.cancel("0" * 32, "stay")


async def test_a_node_of_a_run_that_was_woken_and_waits_for_its_turn() -> None:
    @pipeline
    def asks() -> object:
        return anyway.after(show(approval("Sure?")))()

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(asks.bind())
        await world.until(facts.RunSuspended)
        await turns()
        await engine.pause_pipeline("asks")
        await engine.answer(run.id, "approval", True)
        await engine.cancel(run.id, "show")
        with pytest.raises(NotFound, match="no node 'approval'"):
            await engine.cancel(run.id, "approval")
        assert await run.state() == "queued"
        await engine.unpause_pipeline("asks")
        assert (await run.wait()).state == "failed"
    assert await world.nodes(run.id) == {"approval": "succeeded", "show": "cancelled", "anyway": "succeeded"}


async def test_a_node_that_isnt_there_is_not_found_in_a_run_at_rest() -> None:
    @pipeline
    def asks() -> object:
        return show(approval("Sure?"))

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(asks.bind())
        await world.until(facts.RunSuspended)
        await turns()
        with pytest.raises(NotFound, match="no node 'nowhere'"):
            await engine.cancel(run.id, "nowhere")
        assert await run.state() == "suspended"
        await engine.answer(run.id, "approval", True)
        assert await run.result() is True
    assert len(await world.facts(facts.RunWoken)) == 1
