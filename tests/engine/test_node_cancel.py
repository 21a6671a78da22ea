"""One node of a run is cancelled: at any moment, whatever it is doing, and once it is acknowledged it stays so over any crash."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any

import anyio
import pytest

from eventflow import Retry, approval, each, facts, maybe, pipeline, skip, task, when
from eventflow.errors import InvalidRequest, NotFound, Refused, RunFailed
from eventflow.facts import Unit
from eventflow.journal.memory import MemoryJournal
from tests.engine.world import World, of_run, turns


class Lagging(MemoryJournal):
    """A journal that tells late what has long happened, as one does that syncs a disk."""

    async def commit(self, unit: Unit) -> int:
        refused: Refused | None = None
        seq = 0
        try:
            seq = self._commit(unit)
        except Refused as error:
            refused = error
        await turns(2)
        if refused is not None:
            raise refused
        return seq


@task
async def give(value: int) -> int:
    return value


@task
async def forever(value: int = 0) -> int:
    await anyio.sleep_forever()
    return value


@task
async def either(value: int | None) -> int | None:
    return value


ENDS = (
    facts.AttemptSucceeded,
    facts.AttemptCancelled,
    facts.AttemptSkipped,
    facts.NodeFailed,
    facts.NodeFellBack,
    facts.NodeUpstreamFailed,
    facts.NodeCancelled,
    facts.NodeSkipped,
    facts.BranchDecided,
    facts.MapEnded,
    facts.NodeAnswered,
)


async def assert_each_node_ended_once(world: World, run: str) -> None:
    ended = [fact.node for fact in of_run(await world.records(), run) if isinstance(fact, ENDS)]
    assert len(ended) == len(set(ended)), ended


async def test_a_running_node_is_cancelled_alone_and_the_run_fails_with_it() -> None:
    @pipeline
    def split() -> Any:
        return [give(forever()), give.options(name="beside")(1)]

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(split.bind())
        await world.until(facts.AttemptSucceeded)
        await engine.cancel(run.id, "forever")
        with pytest.raises(RunFailed, match="node 'forever' was cancelled"):
            await run.result()
    assert await world.nodes(run.id) == {"forever": "cancelled", "give": "upstream_failed", "beside": "succeeded"}
    assert await world.attempts(run.id, "forever") == [("cancelled", "cancelled")]


async def test_a_node_that_has_not_begun_is_cancelled() -> None:
    @pipeline
    def chain() -> int:
        return give.options(name="last")(give(forever()))

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(chain.bind())
        await world.until(facts.AttemptStarted)
        await engine.cancel(run.id, "give")
        await world.until(facts.NodeUpstreamFailed)
        assert await world.nodes(run.id) == {"forever": "running", "give": "cancelled", "last": "upstream_failed"}
        await engine.cancel(run.id, "forever")
        assert (await run.wait()).state == "failed"
    await assert_each_node_ended_once(world, run.id)


async def test_a_retrying_node_is_cancelled_and_not_tried_again() -> None:
    @task(retry=Retry(attempts=5, delay=100))
    async def fails() -> int:
        raise OSError

    @pipeline
    def retrying() -> int:
        return fails()

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(retrying.bind())
        await world.until(facts.AttemptFailed)
        await engine.cancel(run.id, "fails")
        assert (await run.wait()).state == "failed"
        await world.clock.advance(1000)
    assert await world.nodes(run.id) == {"fails": "cancelled"}
    assert len(await world.facts(facts.AttemptStarted)) == 1


async def test_a_map_is_cancelled_with_its_items_and_an_item_alone() -> None:
    @pipeline
    def mapped() -> Any:
        return either.options(rule="all_done")(maybe(forever.options(min_success=0.0).map(value=each([1, 2]))))

    world = World()
    async with world.engine() as engine:
        whole, single = [await engine.submit(mapped.bind()) for _ in range(2)]
        await world.until(facts.AttemptStarted, count=4)
        await engine.cancel(whole.id, "forever")
        assert (await whole.wait()).state == "failed"
        await engine.cancel(single.id, "forever[1]")
        await turns()
        assert (await world.nodes(single.id))["forever"] == "running"
        await engine.cancel(single.id, "forever[0]")
        assert (await single.wait()).state == "succeeded"
    assert await world.nodes(whole.id) == {**dict.fromkeys(["forever", "forever[0]", "forever[1]"], "cancelled"), "either": "succeeded"}
    assert (await world.nodes(single.id))["forever"] == "succeeded"


async def test_rules_see_a_cancelled_node_as_one_that_did_not_come_to_a_good_end() -> None:
    @pipeline
    def watched() -> Any:
        return either.options(rule="all_failed")(maybe(forever()))

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(watched.bind())
        await world.until(facts.AttemptStarted)
        await engine.cancel(run.id, "forever")
        assert (await run.wait()).state == "failed"
    assert await world.nodes(run.id) == {"forever": "cancelled", "either": "succeeded"}


async def test_only_a_node_that_is_there_and_has_not_ended_can_be_cancelled() -> None:
    @pipeline
    def split() -> Any:
        return [give(1), forever()]

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(split.bind())
        await world.until(facts.AttemptSucceeded)
        for name in ("give", "nowhere"):
            with pytest.raises(NotFound, match=f"has no node '{name}' that can be cancelled"):
                await engine.cancel(run.id, name)
        await run.cancel()
        await run.wait()


# At any moment


@task(retry=Retry(attempts=2, delay=0))
async def second_time(value: int) -> int:
    if not value:
        raise OSError
    await turns(3)
    return value


@task
async def begin() -> int:
    await turns(3)
    return 1


@task
async def leave(value: int) -> int:
    skip()


def yes(_: Mapping[str, str]) -> bool:
    return True


@pipeline
def inner(value: int) -> int:
    return give(second_time(value))


@pipeline
def everything() -> Any:
    approval("Deploy?")
    first = begin()
    with when(first, 2):
        left = give.options(name="left")(first)
    with when(first):
        right = second_time.options(name="right")(first)
    gone = leave(first)
    asked = give.options(name="asked", rule=yes).after(gone)(3)
    late = give.options(name="late", rule="one_failed").after(first)(3)
    items = inner.options(min_success=0.0).map(value=each([0, 1]))
    few = give.options(name="few", max_active_items=1).map(each([1, 2, 3]))
    return [maybe(one) for one in (left, right, asked, late, items, few)]


NAMES = (
    *("begin", "when_begin", "left", "when_begin_2", "right", "leave", "asked", "late", "inner", "few", "approval"),
    *("inner[0].second_time", "inner[0].give", "inner[1].second_time", "inner[1].give", "few[0]", "few[1]", "few[2]"),
)


async def cancelled_at(moment: int, name: str | None, journal: MemoryJournal) -> str | None:
    """Cancel a node, or the run, after so many turns of the loop. Give the state that it came to, None where it had ended before."""
    world = World(journal=journal)
    async with world.engine() as engine:
        run = await engine.submit(everything.bind())
        await turns(moment)
        try:
            await engine.cancel(run.id, name)
        except (NotFound, InvalidRequest):
            return None
        if name != "approval":
            await engine.cancel(run.id)
        for _ in range(20):
            if (await world.run(run.id)).state in ("failed", "succeeded", "cancelled"):
                break
            await world.clock.advance(10)
        assert (await world.run(run.id)).state in ("failed", "cancelled"), (moment, await world.nodes(run.id))
        assert engine.waiting() == []
    await assert_each_node_ended_once(world, run.id)
    return (await world.node(run.id, name)).state if name else (await world.run(run.id)).state


@pytest.mark.parametrize("name", NAMES)
async def test_at_any_moment_a_node_can_be_cancelled_and_the_run_ends(name: str) -> None:
    found = [await cancelled_at(moment, name, MemoryJournal()) for moment in range(30)]
    assert {*found} - {None} == {"cancelled"}


@pytest.mark.parametrize("name", NAMES)
async def test_at_any_moment_a_node_can_be_cancelled_with_a_journal_that_takes_its_time(name: str) -> None:
    # What has been recorded already, but not yet told, stands.
    found = [await cancelled_at(moment, name, Lagging()) for moment in range(0, 90, 2)]
    assert "cancelled" in found
    assert {*found} - {None, "cancelled"} <= {"succeeded", "skipped", "failed", "upstream_failed"}


@pytest.mark.parametrize("journal", [MemoryJournal, Lagging])
async def test_at_any_moment_a_run_can_be_cancelled(journal: Any) -> None:
    for moment in range(90):
        assert await cancelled_at(moment, None, journal()) == "cancelled"


async def test_a_cancel_that_is_acknowledged_stands_after_a_crash_at_any_fact() -> None:
    @task(retry=Retry(attempts=5, delay=100))
    async def fails() -> int:
        raise OSError

    @pipeline
    def several() -> Any:
        return [maybe(forever()), maybe(fails())]

    first = World()
    async with first.engine() as engine:
        run = await engine.submit(several.bind())
        await first.until(facts.AttemptFailed)
        for name in ("forever", "fails"):
            await engine.cancel(run.id, name)
        await run.wait()
        whole = await first.nodes(run.id)
        happened = [record.fact for record in await first.records()]
    asked = [number for number, fact in enumerate(happened, 1) if isinstance(fact, facts.NodeCancelRequested)]
    assert len(asked) == 2
    for length in range(asked[-1], len(happened) + 1):
        world = World()
        for fact in happened[:length]:
            await world.journal.commit(Unit(world.clock.now(), (fact,)))
        async with world.engine(several) as engine:
            assert (await engine.wait(run.id)).state == "failed"
        assert await world.nodes(run.id) == whole == {"forever": "cancelled", "fails": "cancelled"}


@pipeline
def asking() -> Any:
    return [maybe(approval("Deploy?")), maybe(forever())]


async def succeeds(call: Awaitable[None], *, after: int) -> bool:
    """Tell whether a call is taken, so many turns of the loop from now."""
    await turns(after)
    try:
        await call
    except (InvalidRequest, NotFound):
        return False
    return True


@pytest.mark.parametrize("name", [None, "approval"])
@pytest.mark.parametrize("ahead", range(-15, 16))
async def test_of_an_answer_and_a_cancel_at_the_same_time_the_first_one_stands(ahead: int, name: str | None) -> None:
    world = World(journal=Lagging())
    async with world.engine() as engine:
        run = await engine.submit(asking.bind())
        await world.until(facts.NodeSuspended)
        await world.until(facts.AttemptStarted)
        await turns(10)
        async with anyio.create_task_group() as tasks:
            answered = tasks.create_task(succeeds(engine.answer(run.id, "approval", True, by="Eve"), after=max(ahead, 0)))
            tasks.create_task(succeeds(engine.cancel(run.id, name), after=max(-ahead, 0)))
        await engine.cancel(run.id)
        assert (await run.wait()).state == "cancelled"
    await assert_each_node_ended_once(world, run.id)
    assert (await world.node(run.id, "approval")).state == ("succeeded" if answered.return_value else "cancelled")
