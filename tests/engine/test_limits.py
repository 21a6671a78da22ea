"""Rates in real runs: what counts as a start, and what is left of it after the process has ended."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from eventflow import facts, pipeline, task
from eventflow.executors.local import LocalExecutor
from eventflow.projections import RateRow
from tests.engine.world import Hurdle, World, holding, turns


class Caller:
    """A task under a rate, and the instants, in seconds, at which its body was begun."""

    def __init__(self, world: World, limit: str) -> None:
        self.begun: list[float] = []

        @task(limit=limit)
        async def call(number: int) -> int:
            self.begun.append(world.clock.monotonic())
            return number

        @pipeline
        def called(number: int) -> int:
            return call(number)

        self.task = call
        self.pipeline = called

    async def submit(self, engine: Any, count: int) -> None:
        for number in range(count):
            await engine.submit(self.pipeline.bind(number))
        await turns()


@pytest.mark.parametrize("crashes", [False, True])
async def test_a_restart_neither_fills_nor_empties_a_rate(crashes: bool) -> None:
    world = World()
    caller = Caller(world, "3/m")
    async with world.doomed() if crashes else world.engine() as engine:
        await caller.submit(engine, 2)
    await world.clock.advance(10)
    async with world.engine(caller.pipeline) as engine:
        await caller.submit(engine, 3)
        await world.clock.advance(30)
    assert caller.begun == [0, 0, 10, 20, 40]


async def test_a_rate_of_one_a_day_outlives_restarts_every_hour() -> None:
    world = World()
    caller = Caller(world, "1/d")
    async with world.engine() as engine:
        await caller.submit(engine, 2)
    for _ in range(30):
        async with world.engine(caller.pipeline):
            await world.clock.advance(3600)
    assert caller.begun == [0, 24 * 3600]


async def test_after_a_clock_was_set_back_a_task_starts_within_a_period() -> None:
    world = World()
    caller = Caller(world, "1/h")
    async with world.engine() as engine:
        await caller.submit(engine, 1)
    world.clock.jump(-1_000_000)
    async with world.engine(caller.pipeline) as engine:
        await caller.submit(engine, 1)
        await world.clock.advance(3600)
    assert caller.begun == [0, 3600]


async def test_a_start_is_durable_before_its_body() -> None:
    world = World()
    caller = Caller(world, "3/m")
    hurdle = world.journal = Hurdle(world.journal, "commit", holding(facts.AttemptStarted))
    async with world.engine() as engine:
        run = await engine.submit(caller.pipeline.bind(1))
        await hurdle.reached.wait()
        await turns()
        assert caller.begun == []
        hurdle.open.set()
        assert await run.result() == 1


async def test_an_attempt_that_died_has_counted_and_so_does_the_next() -> None:
    world, begun = World(), []

    @task(limit="1/m")
    async def call() -> int:
        begun.append(world.clock.monotonic())
        if len(begun) == 1:
            await world.clock.sleep(1000)
        return 1

    @pipeline
    def called() -> int:
        return call()

    async with world.doomed() as engine:
        run = (await engine.submit(called.bind())).id
        await turns()
    async with world.engine(called) as engine:
        await world.clock.advance(60)
        assert await engine.result(run) == 1
    assert begun == [0, 60]


async def test_a_fallback_counts_for_its_own_task() -> None:
    world = World()
    caller = Caller(world, "1/h")

    @task(fallback=caller.task)
    async def fails(number: int) -> int:
        raise OSError

    @pipeline
    def falls_back(number: int) -> int:
        return fails(number)

    async with world.engine() as engine:
        assert await (await engine.submit(falls_back.bind(7))).result() == 7
        await caller.submit(engine, 1)
        assert caller.begun == [0]
        await world.clock.advance(3600)
    assert caller.begun == [0, 3600]
    assert [row.rate for row in await world.journal.select(RateRow)] == [f"{caller.task.fn.__module__}:{caller.task.fn.__qualname__} 1/h"]


async def test_who_is_cancelled_before_it_has_room_has_used_nothing_up() -> None:
    world, stays, begun = World(executor=LocalExecutor(threads=1)), threading.Event(), []

    @task
    def block() -> None:
        stays.wait()

    @task(limit="1/h")
    def call(number: int) -> int:
        begun.append(number)
        return number

    @pipeline
    def blocked() -> None:
        block()

    @pipeline
    def called(number: int) -> int:
        return call(number)

    async with world.engine() as engine:
        first = await engine.submit(blocked.bind())
        await world.until(facts.AttemptStarted)
        second = await engine.submit(called.bind(2))
        await turns()
        await second.cancel()
        assert (await second.wait()).state == "cancelled"
        stays.set()
        await first.wait()
        assert await (await engine.submit(called.bind(3))).result() == 3
    assert begun == [3]
