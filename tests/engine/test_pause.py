"""A paused run starts nothing more, lets go on what runs, and forgets nothing of it: not in a crash, not while it waits for the world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from eventflow import Retry, approval, each, facts, pipeline, task, when
from eventflow.errors import InvalidRequest, NotFound
from tests.engine.world import Hurdle, World, holding, turns


class Gates:
    """Bodies that wait to be let through."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.go = anyio.Event()

    async def pass_through(self, name: str) -> None:
        self.begun.append(name)
        await self.go.wait()


def chain(gates: Gates) -> Any:
    @task
    async def first(value: int) -> int:
        await gates.pass_through("first")
        return value

    @task
    async def second(value: int) -> int:
        gates.begun.append("second")
        return value

    @pipeline
    def chained(value: int) -> int:
        return second(first(value))

    return chained


async def test_what_runs_goes_on_and_what_comes_next_waits_for_unpause() -> None:
    gates, world = Gates(), World()
    chained = chain(gates)
    async with world.engine() as engine:
        run = await engine.submit(chained.bind(1))
        await world.until(facts.AttemptStarted)
        await engine.pause(run.id)
        assert (await world.run(run.id)).paused  # durable when the answer is there
        gates.go.set()
        await world.until(facts.AttemptSucceeded)
        await turns()
        assert gates.begun == ["first"]
        assert (await world.run(run.id)).state == "running"
        await engine.unpause(run.id)
        assert await run.result() == 1


async def test_a_pause_outlives_the_process() -> None:
    gates, world = Gates(), World()
    chained = chain(gates)
    async with world.doomed(chained) as engine:
        run = await engine.submit(chained.bind(1))
        await world.until(facts.AttemptStarted)
        await engine.pause(run.id)
    gates.go.set()
    async with world.engine(chained) as engine:
        await turns()
        assert gates.begun == ["first"]
        await engine.unpause(run.id)
        assert await engine.result(run.id) == 1


async def test_what_needs_no_start_goes_on_in_a_paused_run() -> None:
    gates, world = Gates(), World()

    @task
    async def fails() -> int:
        await gates.pass_through("fails")
        raise ValueError

    @task
    async def give(value: int) -> int:
        return value

    @pipeline
    def falling() -> int:
        return give(give(fails()))

    async with world.engine() as engine:
        run = await engine.submit(falling.bind())
        await world.until(facts.AttemptStarted)
        await engine.pause(run.id)
        gates.go.set()
        assert (await run.wait()).state == "failed"
    assert (await world.nodes(run.id)) == {"fails": "failed", "give": "upstream_failed", "give_2": "upstream_failed"}


async def test_retries_items_predicates_and_branches_wait_too() -> None:
    gates, world = Gates(), World()
    asked: list[str] = []

    @task
    async def first() -> list[int]:
        await gates.pass_through("first")
        return [1, 2]

    @task(retry=Retry(attempts=2, delay=5))
    async def flaky() -> int:
        gates.begun.append("flaky")
        if gates.begun.count("flaky") == 1:
            raise OSError
        return 1

    @task
    async def give(value: int) -> int:
        gates.begun.append("give")
        return value

    def yes(states: Mapping[str, str]) -> bool:
        asked.append("yes")
        return True

    @pipeline
    def several() -> Any:
        values = first()
        flaky()
        give.map(each(values))
        give.options(rule=yes, name="voted").after(values)(1)
        with when(values):
            give.options(name="inside")(1)

    async with world.engine() as engine:
        run = await engine.submit(several.bind())
        await world.until(facts.AttemptFailed)
        await engine.pause(run.id)
        gates.go.set()
        await world.clock.advance(60)
        assert sorted(gates.begun) == ["first", "flaky"]
        await engine.unpause(run.id)
        await engine.unpause(run.id)
        assert (await run.wait()).state == "succeeded"
    assert sorted(gates.begun) == ["first", "flaky", "flaky", "give", "give", "give", "give"]
    assert asked == ["yes"]


async def test_a_paused_run_is_cancelled_all_the_same_and_closed() -> None:
    gates, world = Gates(), World()

    @task
    async def open_it() -> int:
        return 1

    @task
    async def close_it(value: int) -> None:
        gates.begun.append("close")

    @task
    async def use(value: int) -> int:
        await gates.pass_through("use")
        return value

    @pipeline
    def closing() -> int:
        opened = open_it()
        close_it.teardown(opened)
        return use(opened)

    async with world.engine() as engine:
        run = await engine.submit(closing.bind())
        await world.until(facts.AttemptStarted, count=2)
        await engine.pause(run.id)
        await engine.cancel(run.id)
        assert (await run.wait()).state == "cancelled"
    assert gates.begun == ["use", "close"]
    assert await world.nodes(run.id) == {"open_it": "succeeded", "use": "cancelled", "close_it": "succeeded"}


async def test_pausing_twice_is_one_fact_and_what_has_ended_can_not_be_paused() -> None:
    gates, world = Gates(), World()
    chained = chain(gates)
    async with world.engine() as engine:
        run = await engine.submit(chained.bind(1))
        await engine.pause(run.id)
        await engine.pause(run.id)
        assert len(await world.facts(facts.RunPaused)) == 1
        await engine.unpause(run.id)
        gates.go.set()
        await run.wait()
        with pytest.raises(InvalidRequest, match="is succeeded: only a run that hasn't ended is paused"):
            await engine.pause(run.id)
        with pytest.raises(InvalidRequest, match="is succeeded: only a run that hasn't ended is let go on"):
            await engine.unpause(run.id)
        with pytest.raises(NotFound, match="there is no run nowhere"):
            await engine.pause("nowhere")


async def test_a_run_that_ended_paused_can_not_be_paused_again() -> None:
    gates, world = Gates(), World()
    chained = chain(gates)
    async with world.engine() as engine:
        run = await engine.submit(chained.bind(1))
        await engine.pause(run.id)
        await run.cancel()
        await run.wait()
        with pytest.raises(InvalidRequest, match="is cancelled: only a run that hasn't ended is paused"):
            await engine.pause(run.id)


async def test_a_run_that_ends_while_it_is_to_be_paused_is_named_with_how_it_ended() -> None:
    gates, world = Gates(), World()
    chained = chain(gates)
    world.journal = hurdle = Hurdle(world.journal, "commit", holding(facts.RunPaused))
    async with world.engine() as engine, anyio.create_task_group() as tasks:
        run = await engine.submit(chained.bind(1))
        refused: list[InvalidRequest] = []

        async def pause() -> None:
            with pytest.raises(InvalidRequest) as caught:
                await engine.pause(run.id)
            refused.append(caught.value)

        tasks.start_soon(pause)
        await hurdle.reached.wait()
        await run.cancel()
        await run.wait()
        hurdle.open.set()
    assert [str(error) for error in refused] == [f"run {run.id[-8:]} is cancelled: only a run that hasn't ended is paused"]


@pytest.mark.parametrize("dies", [False, True])
async def test_a_paused_run_that_also_waits_for_a_person_goes_on_with_the_rest_when_it_is_unpaused(dies: bool) -> None:
    gates, world = Gates(), World()

    @task
    async def first() -> int:
        await gates.pass_through("first")
        return 1

    @task
    async def second(value: int) -> int:
        gates.begun.append("second")
        return value

    @pipeline
    def waiting() -> int:
        approval("Deploy?")
        return second(first())

    async with world.doomed(waiting) as engine:
        run = await engine.submit(waiting.bind())
        await world.until(facts.AttemptStarted)
        await world.until(facts.NodeSuspended)
        await engine.pause(run.id)
        gates.go.set()
        await world.until(facts.AttemptSucceeded)
        await turns()
        if not dies:
            await engine.unpause(run.id)
            await world.until(facts.AttemptSucceeded, count=2)
    async with world.engine(waiting) as engine:
        await engine.unpause(run.id)
        await world.until(facts.AttemptSucceeded, count=2)
        await world.until(facts.RunSuspended)
    assert gates.begun == ["first", "second"]
