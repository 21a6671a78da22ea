"""Events that are handed to the engine: each durable with its decisions before its publisher hears of it, and each once."""

from __future__ import annotations

from typing import Any

import anyio
import msgspec
import pytest

from eventflow import Event, Trigger, facts, pipeline, task, wait_for
from eventflow.engine.engine import Engine
from eventflow.engine.publishing import Published
from eventflow.engine.retention import RETENTION, Retention
from eventflow.errors import EngineClosed, EventConflict, InvalidRequest, JournalFull
from eventflow.facts import Unit
from eventflow.journal.memory import MemoryJournal
from eventflow.projections import DecisionRow, SeenRow
from tests.engine.sources import START, Source, dispatch, event, kinds, runs, seeing, supervised
from tests.engine.world import Hurdle, Late, World, holding, turns


@task
async def show(x: int) -> int:
    return x


@pipeline
def shows(x: int) -> int:
    return show(x)


@pipeline
def waits() -> Event[Any]:
    return wait_for("source")


SOURCE = Source("source")
FIRES = Trigger("fires", on=SOURCE, run=shows)


def make(world: World, *triggers: Trigger[Any]) -> Engine:
    return Engine(world.make().ports, world.make()._values, [shows, waits], sensors=[SOURCE], triggers=triggers or [FIRES])


async def test_a_published_event_fires_as_if_its_sensor_had_seen_it() -> None:
    world = World()
    engine = make(world)
    async with engine.running():
        published = await engine.publish(event("a"))
        assert published.duplicate is False
        (run,) = published.runs
        assert await engine.result(run) == 1
    assert [row.event for row in await runs(world)] == [published.event]


async def test_event_identity_decision_and_run_are_one_unit() -> None:
    world = World()
    engine = make(world)
    async with engine.running():
        before = world.journal.seq
        await engine.publish(event("a"))
        unit = [record.fact for record in await world.journal.records(before, limit=9)]
    assert kinds(unit)[:5] == ["EventRecorded", "GraphRecorded", "RunSubmitted", "DecisionMade", "IdentitiesForgotten"]


async def test_the_same_event_again_gives_what_became_of_the_first() -> None:
    world = World()
    engine = make(world)
    async with engine.running():
        first = await engine.publish(event("a"))
        again = await engine.publish(event("a", time=99))
    assert again == Published(first.event, first.runs, duplicate=True)
    assert len(await runs(world)) == 1
    assert len(await world.facts(facts.EventRepeated)) == 1


async def test_the_same_event_is_known_after_a_restart() -> None:
    world = World()
    engine = make(world)
    async with engine.running():
        first = await engine.publish(event("a"))
    engine = make(world)
    async with engine.running():
        again = await engine.publish(event("a"))
    assert (again.event, again.duplicate) == (first.event, True)


@pytest.mark.parametrize("other", [{"data": {"x": 2}}, {"type": "other"}, {"subject": "s"}])
async def test_a_taken_identity_with_another_content_is_refused_and_nothing_recorded(other: dict[str, Any]) -> None:
    world = World()
    engine = make(world)
    async with engine.running():
        await engine.publish(event("a"))
        before = await world.facts(facts.EventRecorded)
        with pytest.raises(EventConflict, match="'a' of source is known with another content"):
            await engine.publish_all([event("b"), event("a", **other)])
        assert await world.facts(facts.EventRecorded) == before


async def test_a_hundred_equal_deliveries_at_once_are_one_event_and_one_question_to_its_triggers() -> None:
    asked: list[str] = []

    def params(seen: Event[Any]) -> dict[str, int]:
        asked.append(seen.id)
        return {"x": 1}

    world, published = World(journal=Late()), list[Published]()
    engine = make(world, Trigger("fires", on=SOURCE, run=shows, params=params))
    async with engine.running(), anyio.create_task_group() as tasks:

        async def publish() -> None:
            published.append(await engine.publish(event("a")))

        for _ in range(100):
            tasks.start_soon(publish)
    assert sorted(one.duplicate for one in published) == [False] + [True] * 99
    assert len({(one.event, one.runs) for one in published}) == 1
    assert asked == ["a"]


async def test_an_event_that_its_sensor_sees_meanwhile_is_a_duplicate() -> None:
    world = World()
    hurdle = Hurdle(world.journal, "commit", holding(facts.EventRecorded))
    world.journal = hurdle
    engine, published = make(world), list[Published]()
    async with engine.running(), anyio.create_task_group() as tasks:

        async def publish() -> None:
            published.append(await engine.publish(event("a")))

        tasks.start_soon(publish)
        await hurdle.reached.wait()
        tasks.start_soon(dispatch(engine, FIRES).accept, "source", seeing("a"), START)
        await turns()
        hurdle.open.set()
    assert len(await runs(world)) == 1
    assert published[0].runs == ((await runs(world))[0].run,)


async def test_events_published_together_are_taken_together() -> None:
    world = World()
    engine = make(world)
    async with engine.running():
        published = await engine.publish_all([event("a"), event("b"), event("a")])
    assert [one.event for one in published] == [published[0].event, published[1].event, published[0].event]
    assert len(await runs(world)) == 2


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([event("")], "needs an id of its own"),
        ([event("a", source="No Name")], "can't name a source of events"),
        ([event("a"), event("b", source="other")], "of one source"),
        ([{"id": "a"}], "dict is no event"),
        ([], "of one source"),
    ],
)
async def test_what_can_not_be_published_is_refused(events: list[Any], said: str) -> None:
    world = World()
    engine = make(world)
    async with engine.running():
        with pytest.raises(InvalidRequest, match=said):
            await engine.publish_all(events)
    assert await world.facts(facts.EventRecorded) == []


async def test_a_stopped_engine_and_a_full_disk_take_no_event() -> None:
    class Full(MemoryJournal):
        full = True

    world = World()
    with pytest.raises(EngineClosed):
        await make(world).publish(event("a"))
    world = World(journal=Full())
    engine = make(world)
    async with engine.running():
        with pytest.raises(JournalFull):
            await engine.publish(event("a"))


async def test_a_source_without_sensor_and_trigger_is_recorded_all_the_same() -> None:
    world = World()
    engine = make(world)
    async with engine.running():
        published = await engine.publish(event("a", source="nobody"))
    assert published.runs == ()
    assert await world.journal.select(DecisionRow) == []
    assert [fact.event for fact in await world.facts(facts.EventRecorded)] == [published.event]


async def test_a_waiting_run_gets_a_published_event() -> None:
    world = World()
    engine = make(world)
    async with engine.running():
        run = await engine.submit(waits.bind())
        await world.until(facts.RunSuspended)
        await engine.publish(event("a"))
        assert (await run.result()).id == "a"


async def test_the_identity_of_a_published_event_is_kept_for_the_retention_and_no_longer() -> None:
    world = World()
    engine = make(world)
    async with engine.running():
        await engine.publish(event("a"))
        await world.clock.advance(RETENTION / 1e6 - 60)
        assert (await engine.publish(event("a"))).duplicate
        await world.clock.advance(120)
        await Retention(engine.ports, "source").look()
        assert await world.journal.select(SeenRow) == []
        assert not (await engine.publish(event("a"))).duplicate


async def test_a_caller_that_is_cancelled_tears_nothing() -> None:
    world = World()
    hurdle = Hurdle(world.journal, "commit", holding(facts.EventRecorded))
    world.journal = hurdle
    engine = make(world)
    async with engine.running():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.publish, event("a"))
            await hurdle.reached.wait()
            tasks.cancel_scope.cancel()
        hurdle.open.set()
        await world.until(facts.RunSucceeded)
        again = await engine.publish(event("a"))
    assert again.duplicate
    assert len(again.runs) == 1


async def test_a_paused_and_a_resumed_sensor_do_not_stop_publishing() -> None:
    world = World()
    engine = make(world)
    async with engine.running(), supervised(engine, []):
        await engine.sensors.pause("source")
        assert (await engine.publish(event("a"))).runs


async def test_two_contents_under_one_id_in_one_batch_are_refused() -> None:
    world = World()
    engine = make(world)
    async with engine.running():
        with pytest.raises(EventConflict, match="two events with the id 'a'"):
            await engine.publish_all([event("a"), event("b"), event("a", {"x": 2})])
    assert await world.facts(facts.EventRecorded) == []


async def test_more_than_a_transaction_bears_is_refused() -> None:
    world = World()
    engine = make(world)
    async with engine.running():
        with pytest.raises(InvalidRequest, match="at most 1,000"):
            await engine.publish_all([event(str(number)) for number in range(1001)])


async def test_a_conflict_that_comes_out_at_the_commit_leaves_nothing_of_the_batch() -> None:
    world = World()
    inner = world.journal
    hurdle = Hurdle(inner, "commit", holding(facts.EventRecorded))
    world.journal = hurdle
    engine, conflicts = make(world), list[EventConflict]()
    async with engine.running(), anyio.create_task_group() as tasks:

        async def publish() -> None:
            try:
                await engine.publish_all([event("a"), event("b")])
            except EventConflict as conflict:
                conflicts.append(conflict)

        tasks.start_soon(publish)
        await hurdle.reached.wait()
        other = facts.EventRecorded("e" * 32, "source", "b", "test", 5, msgspec.Raw(b'{"x":9}'))
        await inner.commit(Unit(1, (other,)))
        hurdle.open.set()
    assert len(conflicts) == 1
    assert [fact.id for fact in await world.facts(facts.EventRecorded)] == ["b"]
    assert await runs(world) == []


async def test_identities_of_a_source_that_no_sensor_watches_are_freed_too() -> None:
    world = World()
    engine = make(world)
    async with engine.running():
        await engine.publish(event("a", source="nobody"))
        await world.clock.advance(RETENTION / 1e6 + 60)
        await engine.publish(event("b", source="nobody"))
    assert [row.id for row in await world.journal.select(SeenRow)] == ["b"]
