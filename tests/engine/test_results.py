"""What whoever waits for a run is told of an end that isn't a result."""

from __future__ import annotations

import anyio
import pytest

from eventflow import RunCancelled, RunFailed, pipeline, task
from tests.engine.world import World, turns


@task
async def endless() -> None:
    await anyio.sleep_forever()


async def test_a_run_that_takes_too_long_says_so_and_blames_no_result() -> None:
    @pipeline(timeout="5s")
    def bounded() -> None:
        endless()

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(bounded.bind())
        await world.clock.until_waiting()
        await world.clock.advance(5)
        with pytest.raises(RunFailed, match=r"of bounded: TimeoutError: the run took longer than its 5 s$"):
            await run.result()


async def test_a_run_that_waits_in_the_queue_for_too_long_says_so() -> None:
    @pipeline(max_active_runs=1, queue_timeout="5s")
    def busy() -> None:
        endless()

    world = World()
    async with world.engine() as engine:
        await engine.submit(busy.bind())
        queued = await engine.submit(busy.bind())
        await world.clock.until_waiting()
        await world.clock.advance(5)
        with pytest.raises(RunFailed, match=r"of busy: QueueTimeout: the run waited in the queue for longer than 5s$"):
            await queued.result()


async def test_a_run_that_another_one_took_the_place_of_says_by_which_rule() -> None:
    @pipeline(max_active_runs=1, on_overlap="skip")
    def alone() -> None:
        endless()

    async with World().engine() as engine:
        await engine.submit(alone.bind())
        skipped = await engine.submit(alone.bind())
        with pytest.raises(RunCancelled, match=r"of alone was cancelled: on_overlap=skip$"):
            await skipped.result()


async def test_a_run_of_which_a_node_was_cancelled_names_it() -> None:
    @pipeline
    def lonely() -> None:
        endless()

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(lonely.bind())
        await turns()
        await engine.cancel(run.id, "endless")
        with pytest.raises(RunFailed, match=r"of lonely: node 'endless' was cancelled$"):
            await run.result()
