from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest

from eventflow import Retry, facts, pipeline, task
from eventflow.errors import NotFound, RunCancelled, RunFailed
from tests.engine.world import Halt, Hurdle, World, holding, of_run, turns


@task
async def forever() -> int:
    await anyio.sleep_forever()
    return 1


@task
async def quick(value: int = 1) -> int:
    return value


@pipeline(max_active_runs=1)
def endless() -> int:
    return quick(forever())


async def assert_cancelled(world: World, run: Any) -> None:
    with pytest.raises(RunCancelled, match="was cancelled"):
        await run.result()
    assert (await world.run(run.id)).state == "cancelled"
    await assert_one_end_per_node(world, run.id)


ENDS = (facts.AttemptSucceeded, facts.AttemptCancelled, facts.NodeFailed, facts.NodeUpstreamFailed, facts.NodeCancelled)


async def assert_one_end_per_node(world: World, run: str) -> None:
    ended = [fact.node for fact in of_run(await world.records(), run) if isinstance(fact, ENDS)]
    assert len(ended) == len(set(ended)), ended


async def test_a_running_coroutine_is_cancelled() -> None:
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(endless.bind())
        await world.until(facts.AttemptStarted)
        await run.cancel()
        assert (await world.run(run.id)).cancel_requested  # durable when the answer is there
        await assert_cancelled(world, run)
    assert await world.nodes(run.id) == {"forever": "cancelled", "quick": "cancelled"}
    assert await world.attempts(run.id, "forever") == [("cancelled", "cancelled")]


async def test_a_queued_run_is_cancelled_and_those_behind_it_go_on() -> None:
    world = World()
    async with world.engine() as engine:
        first, second, third = [await engine.submit(endless.bind()) for _ in range(3)]
        await world.until(facts.AttemptStarted)
        await second.cancel()
        await assert_cancelled(world, second)
        assert await world.nodes(second.id) == {"forever": "cancelled", "quick": "cancelled"}
        await first.cancel()
        await world.until(facts.AttemptStarted, count=2)
        assert await third.state() == "running"
        await third.cancel()
        await assert_cancelled(world, third)


async def test_a_retrying_node_is_cancelled() -> None:
    @task(retry=Retry(attempts=2, delay=100))
    async def fails() -> None:
        raise OSError

    @pipeline
    def retrying() -> None:
        fails()

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(retrying.bind())
        await world.clock.until_waiting()
        await run.cancel()
        await assert_cancelled(world, run)
        assert world.clock.waiting == 0
    assert await world.nodes(run.id) == {"fails": "cancelled"}


async def test_a_thread_that_goes_on_is_abandoned_and_its_result_dropped() -> None:
    halt = Halt()

    @task
    def stubborn() -> int:
        halt.here()
        return 1

    @pipeline
    def thread() -> int:
        return stubborn()

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(thread.bind())
        await halt.reached.wait()
        await run.cancel()
        await assert_cancelled(world, run)
        assert await world.attempts(run.id, "stubborn") == [("cancelled", "abandoned")]
        halt.go()
        await turns()
    assert not await world.holds(facts.AttemptSucceeded)


async def test_a_thread_that_listens_stops() -> None:
    from eventflow import current

    halt, ended = Halt(), anyio.Event()
    loop = asyncio.get_running_loop()

    @task
    def listens() -> int:
        halt.here()
        try:
            for _ in current().resume(range(1000)):
                pass
        finally:
            loop.call_soon_threadsafe(ended.set)
        return 1

    @pipeline
    def thread() -> int:
        return listens()

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(thread.bind())
        await halt.reached.wait()
        await run.cancel()
        await assert_cancelled(world, run)
        halt.go()
        await ended.wait()
        await turns()
    assert not await world.holds(facts.CheckpointSaved)


async def test_a_node_that_waits_for_a_slot_is_cancelled_without_having_started() -> None:
    from eventflow.executors.local import LocalExecutor

    halt = Halt()

    @task
    def holds() -> None:
        halt.here()

    @pipeline
    def two() -> None:
        holds()
        holds()

    world = World(executor=LocalExecutor(threads=1))
    async with world.engine() as engine:
        run = await engine.submit(two.bind())
        await halt.reached.wait()
        await run.cancel()
        await assert_cancelled(world, run)
        halt.go()
    assert len(await world.facts(facts.AttemptStarted)) == 1


async def test_cancelling_twice_and_after_the_end_changes_nothing() -> None:
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(endless.bind())
        await world.until(facts.AttemptStarted)
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(run.cancel)
        await run.cancel()
        await assert_cancelled(world, run)
        seq = world.journal.seq
        await run.cancel()
        assert world.journal.seq == seq

        @pipeline
        def short() -> int:
            return quick()

        ended = await engine.submit(short.bind())
        await ended.result()
        seq = world.journal.seq
        await ended.cancel()
        assert world.journal.seq == seq
        assert await ended.result() == 1
        with pytest.raises(NotFound):
            await engine.cancel("0" * 32)


@pytest.mark.parametrize("queued", [False, True])
async def test_many_cancels_of_one_run_end_it_once(queued: bool) -> None:
    world = World()
    async with world.engine() as engine:
        blocker = await engine.submit(endless.bind())
        run = await engine.submit(endless.bind()) if queued else blocker
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(run.cancel)
        await assert_cancelled(world, run)
        assert len([fact for fact in await world.facts(facts.RunCancelled) if fact.run == run.id]) == 1
        await blocker.cancel()


async def test_a_cancel_right_after_the_submission_wins() -> None:
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(endless.bind())
        await run.cancel()
        await assert_cancelled(world, run)
        again = await engine.submit(endless.bind())
        await world.until(facts.AttemptStarted)
        await again.cancel()
        await assert_cancelled(world, again)


@pytest.mark.parametrize("moment", range(25))
async def test_a_result_that_arrives_with_the_cancel_stands_or_falls_as_recorded(moment: int) -> None:
    go, world = anyio.Event(), World()

    @task
    async def waits() -> int:
        await go.wait()
        return 1

    @pipeline
    def race() -> int:
        return quick(quick(waits()))

    async with world.engine() as engine:
        run = await engine.submit(race.bind())
        await world.until(facts.AttemptStarted)
        go.set()
        await turns(moment)
        await run.cancel()
        state = (await run.wait()).state
        assert state == ("cancelled" if await world.holds(facts.CancelRequested) else "succeeded")
        await assert_one_end_per_node(world, run.id)


@pytest.mark.parametrize("moment", range(12))
async def test_runs_that_are_cancelled_while_others_are_admitted_and_submitted_leave_the_queue_in_order(moment: int) -> None:
    world = World()

    @pipeline(max_active_runs=1)
    def short(number: int) -> int:
        return quick(number)

    async with world.engine() as engine:
        runs = [await engine.submit(short.bind(number)) for number in range(4)]
        async with anyio.create_task_group() as tasks:
            for run in runs[1:3] * 2:
                tasks.start_soon(run.cancel)
                await turns(moment)
            tasks.start_soon(engine.submit, short.bind(9))
        states = [(await run.wait()).state for run in runs]
        asked = {fact.run for fact in await world.facts(facts.CancelRequested)}
        assert states == ["cancelled" if run.id in asked else "succeeded" for run in runs]
        assert await (await engine.submit(short.bind(5))).result() == 5
        for run in runs:
            await assert_one_end_per_node(world, run.id)
    active = 0
    for fact in await world.facts(facts.RunStarted, facts.RunSucceeded):
        active += 1 if isinstance(fact, facts.RunStarted) else -1 if fact.run not in asked else 0
    started = {fact.run for fact in await world.facts(facts.RunStarted)}
    assert active == len(started & asked)


async def test_a_cancel_that_is_durable_wins_over_an_end_that_isnt_yet() -> None:
    @pipeline
    def short() -> int:
        return quick()

    world = World()
    journal = world.journal
    hurdle = Hurdle(journal, "commit", holding(facts.RunSucceeded))
    world.journal = hurdle
    async with world.engine() as engine:
        run = await engine.submit(short.bind())
        await hurdle.reached.wait()
        await run.cancel()
        hurdle.open.set()
        await assert_cancelled(world, run)
    assert await world.nodes(run.id) == {"quick": "succeeded"}


async def test_the_cancel_is_finished_even_if_its_caller_is_gone() -> None:
    world = World()
    hurdle = Hurdle(world.journal, "commit", holding(facts.CancelRequested))
    world.journal = hurdle
    async with world.engine() as engine:
        run = await engine.submit(endless.bind())
        await world.until(facts.AttemptStarted)
        caller = asyncio.create_task(run.cancel())
        await hurdle.reached.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        hurdle.open.set()
        await assert_cancelled(world, run)


async def test_a_failed_run_stays_failed() -> None:
    @task
    async def fails() -> None:
        raise ValueError

    @pipeline
    def failing() -> None:
        fails()

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(failing.bind())
        await run.wait()
        await run.cancel()
        with pytest.raises(RunFailed):
            await run.result()


async def test_a_cancel_while_the_engine_recovers_waits_for_it() -> None:
    world = World()
    async with world.doomed(endless) as engine:
        run = await engine.submit(endless.bind())
        await world.until(facts.AttemptStarted)
    hurdle = Hurdle(world.journal, "commit", holding(facts.AttemptLost))
    world.journal = hurdle
    engine = world.make(endless)
    async with anyio.create_task_group() as tasks:
        entered, leave = anyio.Event(), anyio.Event()

        async def live() -> None:
            async with engine.running():
                entered.set()
                await leave.wait()

        tasks.start_soon(live)
        await hurdle.reached.wait()
        tasks.start_soon(engine.cancel, run.id)
        await turns()
        assert not entered.is_set()
        hurdle.open.set()
        await entered.wait()
        assert (await engine.wait(run.id)).state == "cancelled"
        await assert_one_end_per_node(world, run.id)
        leave.set()


async def test_a_cancel_that_was_requested_before_the_crash_is_carried_out_after_it() -> None:
    world = World()
    async with world.doomed(endless) as engine:
        run = await engine.submit(endless.bind())
        await world.until(facts.AttemptStarted)
        await world.journal.commit(facts.Unit(world.clock.now(), (facts.CancelRequested(run.id),)))
    async with world.engine(endless) as engine:
        await assert_cancelled(world, await engine.find(run.id))
    assert await world.nodes(run.id) == {"forever": "cancelled", "quick": "cancelled"}
    assert await world.attempts(run.id, "forever") == [("cancelled", "crash")]
