from __future__ import annotations

import math
from typing import Any

import anyio
import pytest

from eventflow import Retry, facts, pipeline, task
from eventflow.durations import SECOND
from eventflow.errors import DefinitionError, RunFailed
from eventflow.testing import SeededRandom
from tests.engine.world import World, turns


class Flaky:
    """A body that fails so many times first, and remembers when it was called."""

    def __init__(self, world: World, failures: int, error: type[Exception] = OSError) -> None:
        self.world = world
        self.left = failures
        self.error = error
        self.at: list[float] = []

    def pipeline(self, retry: Retry) -> Any:
        @task(retry=retry)
        async def flaky() -> int:
            self.at.append(self.world.clock.monotonic())
            self.left -= 1
            if self.left >= 0:
                raise self.error("not yet")
            return len(self.at)

        @pipeline
        def tries() -> int:
            return flaky()

        return tries


async def test_a_node_is_tried_again_until_it_succeeds() -> None:
    world = World()
    flaky = Flaky(world, 2)
    async with world.engine() as engine:
        run = await engine.submit(flaky.pipeline(Retry(attempts=3, delay=10)).bind())
        await world.clock.until_waiting()
        assert (await world.node(run.id, "flaky")).state == "retrying"
        await world.clock.advance(9.999)
        assert flaky.at == [0.0]
        await world.clock.advance(0.001)
        await world.clock.advance(10)
        assert await run.result() == 3
    assert flaky.at == [0.0, 10.0, 20.0]
    assert await world.attempts(run.id, "flaky") == [("failed", "error"), ("failed", "error"), ("succeeded", None)]


async def test_attempts_are_used_up() -> None:
    world = World()
    flaky = Flaky(world, 9)
    async with world.engine() as engine:
        run = await engine.submit(flaky.pipeline(Retry(attempts=3, delay=0)).bind())
        with pytest.raises(RunFailed, match="OSError: not yet"):
            await run.result()
    assert len(flaky.at) == 3


async def test_back_off_grows_up_to_max_delay() -> None:
    world = World()
    flaky = Flaky(world, 5)
    async with world.engine() as engine:
        run = await engine.submit(flaky.pipeline(Retry(attempts=6, delay=2, backoff=3, max_delay=20)).bind())
        await world.clock.until_waiting()
        await world.clock.advance(100)
        assert await run.result() == 6
    waits = [fact.due - at for fact, at in await _failures(world)]
    assert waits == [seconds * SECOND for seconds in (2, 6, 18, 20, 20)]


async def _failures(world: World) -> list[tuple[facts.AttemptFailed, int]]:
    return [(record.fact, record.at) for record in await world.records() if isinstance(record.fact, facts.AttemptFailed)]


async def test_jitter_is_drawn_from_the_random_port() -> None:
    world = World()
    flaky = Flaky(world, 1)
    async with world.engine() as engine:
        run = await engine.submit(flaky.pipeline(Retry(attempts=2, delay=10, jitter=0.5)).bind())
        await world.clock.until_waiting()
        await world.clock.advance(15)
        await run.result()
    same = SeededRandom()
    same.bits(74)
    ((failed, at),) = await _failures(world)
    assert failed.due == at + round(10 * (1 + 0.5 * same.fraction()) * SECOND)


async def test_only_the_named_exceptions_are_tried_again() -> None:
    world = World()
    flaky = Flaky(world, 9, error=KeyError)
    async with world.engine() as engine:
        run = await engine.submit(flaky.pipeline(Retry(attempts=3, delay=0, on=(OSError, ValueError))).bind())
        with pytest.raises(RunFailed, match="KeyError"):
            await run.result()
    assert len(flaky.at) == 1


async def test_a_delay_holds_neither_a_slot_nor_a_task() -> None:
    world = World()
    flaky = Flaky(world, 1)
    async with world.engine() as engine:
        before = anyio.get_running_tasks()
        await engine.submit(flaky.pipeline(Retry(attempts=2, delay=10)).bind())
        await world.clock.until_waiting()
        await turns()
        added = [task.name for task in anyio.get_running_tasks() if task not in before]
        assert len(added) == 1, added


async def test_a_delay_survives_a_restart_and_ends_at_its_own_instant() -> None:
    world = World()
    flaky = Flaky(world, 1)
    tries = flaky.pipeline(Retry(attempts=2, delay=100))
    async with world.doomed(tries) as engine:
        run = await engine.submit(tries.bind())
        await world.clock.until_waiting()
    await world.clock.advance(60)
    async with world.engine(tries) as engine:
        await turns()
        await world.clock.advance(39.9)
        assert flaky.at == [0.0]
        await world.clock.advance(0.1)
        assert await (await engine.find(run.id)).result() == 2
    assert flaky.at == [0.0, 100.0]


async def test_a_delay_that_is_over_at_the_restart_ends_at_once() -> None:
    world = World()
    flaky = Flaky(world, 1)
    tries = flaky.pipeline(Retry(attempts=2, delay=100))
    async with world.doomed(tries) as engine:
        run = await engine.submit(tries.bind())
        await world.clock.until_waiting()
    await world.clock.advance(1000)
    async with world.engine(tries) as engine:
        assert await (await engine.find(run.id)).result() == 2


async def test_failures_are_counted_across_restarts() -> None:
    world = World()
    flaky = Flaky(world, 9)
    tries = flaky.pipeline(Retry(attempts=3, delay=10))
    run = None
    for _ in range(3):  # the clock moves on by one delay in each process
        async with world.doomed(tries) as engine:
            run = run or await engine.submit(tries.bind())
            await world.clock.advance(10)
    assert run is not None
    assert (await world.run(run.id)).state == "failed"
    assert len(flaky.at) == 3


def test_huge_powers_are_bounded() -> None:
    for backoff in (2, 2.0, 1e300):
        assert Retry(delay="1s", backoff=backoff, max_delay="1h").wait(100_000, 0.5) == 3600.0
        assert Retry(delay=0, backoff=backoff).wait(100_000, 0.5) == 0.0


@pytest.mark.parametrize("wrong", [{"backoff": math.nan}, {"backoff": math.inf}, {"jitter": math.nan}, {"jitter": -0.1}, {"backoff": 0.5}])
def test_back_off_and_jitter_are_plain_numbers(wrong: dict[str, float]) -> None:
    with pytest.raises(DefinitionError, match="backoff is at least 1, jitter at least 0"):
        Retry(**wrong)


async def test_the_idempotency_key_stays_the_same_over_attempts() -> None:
    from eventflow import current

    keys: list[tuple[str, int]] = []

    @task(retry=Retry(attempts=3, delay=0))
    def keyed() -> None:
        keys.append((current().idempotency_key, current().attempt))
        if len(keys) < 3:
            raise OSError

    @pipeline
    def one() -> None:
        keyed()

    async with World().engine() as engine:
        run = await engine.submit(one.bind())
        await run.result()
    assert keys == [(f"{run.id}-keyed", number) for number in (1, 2, 3)]
