"""How an attempt can end: what bodies raise, time-outs, threads that go on."""

from __future__ import annotations

import asyncio
import linecache
import threading
from typing import Any

import anyio
import pytest

from eventflow import Retry, facts, pipeline, task
from eventflow.context import Interrupted
from eventflow.errors import RunFailed
from eventflow.executors.local import LocalExecutor
from tests.engine.world import Halt, World, turns


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


RAISED: list[BaseException] = [
    ValueError("plain"),
    SystemExit(1),
    KeyboardInterrupt(),
    GeneratorExit(),
    asyncio.CancelledError(),
    StopIteration(4),
    Interrupted(),
    Unspeakable(),
    ExceptionGroup("several", [ValueError("a"), OSError("b")]),
    BaseExceptionGroup("worse", [KeyboardInterrupt(), SystemExit()]),
]


@task
async def one() -> int:
    return 1


@pipeline
def afterwards() -> int:
    return one()


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("kind", ["coroutine", "thread", "timed coroutine", "timed thread"])
async def test_whatever_a_body_raises_fails_its_attempt_and_nothing_else(error: BaseException, kind: str) -> None:
    async def coroutine() -> None:
        raise error

    def function() -> None:
        raise error

    body: Any = coroutine if kind.endswith("coroutine") else function
    raises = task(name="raises", timeout="1m" if kind.startswith("timed") else None)(body)

    @pipeline
    def wrong() -> None:
        raises()

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(wrong.bind())
        with pytest.raises(RunFailed, match="node 'raises' failed"):
            await run.result()
        assert await world.attempts(run.id, "raises") == [("failed", "error")]
        assert await (await engine.submit(afterwards.bind())).result() == 1
    assert world.clock.waiting == 0


async def test_a_body_that_cancels_its_own_task_and_returns_has_returned() -> None:
    @task
    async def cancels() -> int:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return 7

    @task
    async def plus(a: int) -> int:
        await anyio.lowlevel.checkpoint()
        return a + 1

    @pipeline
    def odd() -> int:
        return plus(cancels())

    async with World().engine() as engine:
        assert await (await engine.submit(odd.bind())).result() == 8


async def test_a_coroutine_that_takes_too_long_is_cancelled_and_tried_again() -> None:
    world, ended = World(), []

    @task(timeout="5s", retry=Retry(attempts=2, delay=10))
    async def slow() -> str:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(world.clock.monotonic())
        raise AssertionError

    @pipeline
    def slowly() -> str:
        return slow()

    async with world.engine() as engine:
        run = await engine.submit(slowly.bind())
        await world.clock.until_waiting()
        await world.clock.advance(4.9)
        assert ended == []
        await world.clock.advance(30)
        with pytest.raises(RunFailed, match="TimeoutError: no result within 5s"):
            await run.result()
    assert ended == [5.0, 20.0]
    assert await world.attempts(run.id, "slow") == [("failed", "timeout"), ("failed", "timeout")]


async def test_the_time_doesnt_count_while_a_node_waits_for_a_slot() -> None:
    world, first, second = World(executor=LocalExecutor(threads=1)), Halt(), Halt()
    halts = iter([first, second])

    @task(timeout="5s", retry=Retry(attempts=1))
    def waits() -> int:
        halt = next(halts)
        halt.here()
        return 1

    @task
    def blocks() -> int:
        next(halts).here()
        return 1

    @pipeline
    def both() -> Any:
        return [blocks(), waits()]

    async with world.engine() as engine:
        run = await engine.submit(both.bind())
        await first.reached.wait()
        await world.clock.advance(100)
        first.go()
        await second.reached.wait()
        second.go()
        assert await run.result() == [1, 1]


async def test_a_thread_that_takes_too_long_is_abandoned_and_never_runs_twice_at_once() -> None:
    world, halt = World(executor=LocalExecutor(threads=1)), Halt()
    bodies: list[str] = []

    @task(timeout="5s", retry=Retry(attempts=2, delay=1))
    def slow() -> str:
        bodies.append("begun")
        if bodies.count("begun") == 1:
            halt.here()
        bodies.append("ended")
        return f"result of attempt {bodies.count('begun')}"

    @task
    def other() -> str:
        bodies.append("other")
        return "other"

    @pipeline
    def slowly() -> Any:
        return [slow(), other()]

    async with world.engine() as engine:
        run = await engine.submit(slowly.bind())
        await halt.reached.wait()
        await world.clock.until_waiting()
        await world.clock.advance(5)
        await world.until(facts.AttemptFailed)
        assert await world.attempts(run.id, "slow") == [("failed", "abandoned")]
        await world.clock.advance(100)
        assert bodies == ["begun"]  # the one slot is taken, and the node isn't tried again
        halt.go()
        assert await run.result() == ["result of attempt 2", "other"]
    assert sorted(bodies) == ["begun", "begun", "ended", "ended", "other"]
    assert await world.attempts(run.id, "slow") == [("failed", "abandoned"), ("succeeded", None)]


async def test_the_late_result_of_an_abandoned_thread_is_dropped() -> None:
    world, halt, over = World(), Halt(), threading.Event()

    @task(timeout="5s")
    def slow() -> str:
        halt.here()
        over.set()
        return "late"

    @pipeline
    def slowly() -> str:
        return slow()

    async with world.engine() as engine:
        run = await engine.submit(slowly.bind())
        await halt.reached.wait()
        await world.clock.until_waiting()
        await world.clock.advance(5)
        with pytest.raises(RunFailed, match="no result within 5s"):
            await run.result()
        halt.go()
        over.wait(30)
        await turns()
        assert not await world.holds(facts.AttemptSucceeded)


async def test_an_abandoned_body_is_told_to_stop() -> None:
    from eventflow import current

    world, halt = World(), Halt()
    told: list[bool] = []
    seen = anyio.Event()
    loop = asyncio.get_running_loop()

    @task(timeout="5s")
    def slow() -> None:
        halt.here()
        told.append(current().stopping)
        loop.call_soon_threadsafe(seen.set)

    @pipeline
    def slowly() -> None:
        slow()

    async with world.engine() as engine:
        run = await engine.submit(slowly.bind())
        await halt.reached.wait()
        await world.clock.until_waiting()
        await world.clock.advance(5)
        await run.wait()
        halt.go()
        await seen.wait()
    assert told == [True]


async def test_a_timer_is_gone_with_its_attempt() -> None:
    world = World()

    @task(timeout="1h")
    async def quick() -> int:
        return 1

    @pipeline
    def quickly() -> int:
        return quick()

    async with world.engine() as engine:
        await (await engine.submit(quickly.bind())).result()
        assert world.clock.waiting == 0


async def test_a_failure_names_the_line_of_the_user() -> None:
    @task
    def breaks() -> None:
        raise ValueError("here")  # the line

    @pipeline
    def one_broken() -> None:
        breaks()

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(one_broken.bind())
        await run.wait()
    (failed,) = await world.facts(facts.AttemptFailed)
    where = failed.failure.where
    assert where.startswith(__file__)
    assert linecache.getline(__file__, int(where.rpartition(":")[2])).rstrip().endswith("# the line")
    assert "eventflow/engine" not in failed.failure.traceback
