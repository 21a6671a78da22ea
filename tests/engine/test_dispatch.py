"""From events to decisions, in one transaction."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from eventflow import Event, EventflowError, Observation, Trigger, ValueNotStorable, codec, facts, pipeline, task
from eventflow.engine.engine import Engine
from eventflow.errors import DefinitionError, EngineClosed, JournalFull, Refused
from eventflow.facts import Record, Unit
from eventflow.journal.memory import MemoryJournal
from eventflow.ports import Instrument
from eventflow.projections import CursorRow, DecisionRow, EventRow, SeenRow
from tests.engine.sources import START, Source, decisions, dispatch, event, kinds, runs, seeing
from tests.engine.world import Hurdle, Journaled, World, holding, turns

FIRES = ["EventRecorded", "GraphRecorded", "RunSubmitted", "DecisionMade"]
AGAIN = ["EventRecorded", "RunSubmitted", "DecisionMade"]


@task
async def show(x: int) -> int:
    return x


@pipeline
def shows(x: int) -> int:
    return show(x)


@pipeline(max_active_runs=1)
def one_by_one(x: int) -> int:
    return show(x)


@pipeline
def other(x: int) -> int:
    return show(x)


source = Source("source")
fires = Trigger("fires", on=source, run=shows)


class Units(Instrument):
    """Remembers the facts of each unit that was committed."""

    def __init__(self) -> None:
        self.units: list[list[facts.Fact]] = []

    def committed(self, records: Sequence[Record]) -> None:
        self.units.append([record.fact for record in records])

    def of_events(self) -> list[list[str]]:
        """Give the units that tell of anything but a run's course."""
        return [kinds(unit) for unit in self.units if isinstance(unit[0], _ABOUT_EVENTS)]


_ABOUT_EVENTS = (
    facts.EventRecorded | facts.EventRepeated | facts.CursorMoved | facts.IdentitiesKnown | facts.IdentitiesForgotten | facts.IdentitiesKept
)


async def accepted(*observations: Observation[Any], triggers: Sequence[Trigger[Any]] = (fires,), world: World | None = None) -> Units:
    """Take observations one after the other, and give the units that were committed."""
    units = Units()
    world = world or World(instrument=units)
    async with world.engine() as engine:
        await accept_all(engine, *observations, triggers=triggers)
    return units


async def accept_all(engine: Engine, *observations: Observation[Any], triggers: Sequence[Trigger[Any]] = (fires,)) -> bytes:
    taking, cursor = dispatch(engine, *triggers), START
    for observation in observations:
        cursor = await taking.accept("source", observation, cursor)
    return cursor


# One transaction


async def test_event_identity_cursor_decision_and_run_are_one_unit() -> None:
    units = await accepted(seeing("a", cursor=1))
    assert units.of_events() == [[*FIRES, "CursorMoved"]]


async def test_many_events_at_two_triggers_are_one_unit() -> None:
    triggers = [fires, Trigger("second", on=source, run=other), Trigger("third", on=source, run=shows, where=lambda _: False)]
    units = await accepted(seeing("a", "b", cursor=1, known=("k",)), triggers=triggers)
    first = [*FIRES, "GraphRecorded", "RunSubmitted", "DecisionMade", "DecisionMade"]
    second = ["EventRecorded", "RunSubmitted", "DecisionMade", "RunSubmitted", "DecisionMade", "DecisionMade"]
    assert units.of_events() == [[*first, *second, "IdentitiesKnown", "CursorMoved"]]


async def test_the_journal_tells_of_event_and_decision_and_run_by_the_same_ids() -> None:
    world = World()
    async with world.engine() as engine:
        await accept_all(engine, Observation(events=(event("a", subject="s", time=7, type="kind"),)))
    (seen,) = await world.journal.select(SeenRow)
    (row,) = await world.journal.select(EventRow)
    (decision,) = await world.journal.select(DecisionRow)
    (run,) = await runs(world)
    assert (row.source, row.id, row.type, row.subject, row.time) == ("source", "a", "kind", "s", 7)
    assert row.received_at == world.clock.now()
    assert (seen.source, seen.id, seen.event) == ("source", "a", row.event)
    assert (decision.event, decision.trigger, decision.outcome, decision.run) == (row.event, "fires", "fired", run.run)
    assert (run.event, run.trigger, run.pipeline) == (row.event, "fires", "shows")


async def test_a_run_that_fired_is_taken_up_by_the_engine() -> None:
    world = World()
    async with world.engine() as engine:
        await accept_all(engine, Observation(events=(event("a", {"x": 41}),)))
        (run,) = await runs(world)
        assert await engine.result(run.run) == 41


async def test_an_event_without_a_trigger_is_recorded_all_the_same() -> None:
    units = await accepted(seeing("a"), triggers=[])
    assert units.of_events() == [["EventRecorded"]]


async def test_an_event_is_decided_by_the_triggers_of_its_own_sensor_only() -> None:
    world = World()
    elsewhere = Trigger("elsewhere", on=Source("elsewhere"), run=shows)
    async with world.engine() as engine:
        taking = dispatch(engine, fires, elsewhere)
        await taking.accept("source", seeing("a"), START)
        await taking.accept("elsewhere", Observation(events=(event("a", source="elsewhere"),)), START)
    assert await decisions(world) == [("fires", "fired"), ("elsewhere", "fired")]
    assert [(row.source, row.id) for row in await world.journal.select(SeenRow)] == [("elsewhere", "a"), ("source", "a")]


async def test_a_trigger_that_refuses_does_not_keep_another_from_firing() -> None:
    world = World()
    broken = Trigger("broken", on=source, run=shows, where=lambda _: 1 / 0)
    async with world.engine() as engine:
        await accept_all(engine, seeing("a", "b"), triggers=[broken, fires])
    assert await decisions(world) == [("broken", "refused"), ("fires", "fired")] * 2


async def test_a_wrong_pipeline_is_told_before_anything_is_observed() -> None:
    @pipeline
    def empty(x: int) -> int:
        return x

    async with World().engine() as engine:
        with pytest.raises(DefinitionError, match="has no tasks"):
            dispatch(engine, Trigger("t", on=source, run=empty))


# Cursor and heartbeat


async def test_a_heartbeat_without_change_commits_nothing() -> None:
    units = await accepted(Observation(), seeing(cursor=1), seeing(cursor=1), Observation(cursor=1))
    assert units.of_events() == [["CursorMoved"]]


async def test_the_cursor_moves_only_when_it_has_changed() -> None:
    units = await accepted(seeing("a", cursor={"at": 1, "of": 2}), seeing("b", cursor={"of": 2, "at": 1}), seeing("c", cursor={"at": 2}))
    assert units.of_events() == [[*FIRES, "CursorMoved"], AGAIN, [*AGAIN, "CursorMoved"]]


async def test_the_new_cursor_is_given_and_kept() -> None:
    world = World()
    async with world.engine() as engine:
        assert await accept_all(engine, seeing(cursor=[1, "é"])) == codec.canonical([1, "é"])
    (row,) = await world.journal.select(CursorRow)
    (moved,) = (await world.journal.facts([row.seq])).values()
    assert isinstance(moved, facts.CursorMoved)
    assert codec.decode(moved.cursor) == [1, "é"]


@pytest.mark.parametrize(
    "cursor", [math.nan, [math.inf], object(), (1, 2), {1: 2}], ids=["nan", "infinity", "object", "tuple", "number as key"]
)
async def test_a_cursor_that_would_come_back_as_something_else_is_refused(cursor: object) -> None:
    world = World()
    async with world.engine() as engine:
        with pytest.raises(ValueNotStorable, match="sensor 'source' yielded a cursor that can't be stored"):
            await accept_all(engine, seeing("a", cursor=cursor))
    assert await world.records() == []


# Repeated events


class Asked:
    """A trigger's functions, which remember what they were asked about."""

    def __init__(self) -> None:
        self.about: list[str] = []
        self.trigger = Trigger("fires", on=source, run=shows, where=self._where, params=self._params)

    def _where(self, happened: Event[Any]) -> bool:
        self.about.append(f"where {happened.id}")
        return True

    def _params(self, happened: Event[Any]) -> dict[str, object]:
        self.about.append(f"params {happened.id}")
        return {"x": 1}


async def test_an_event_that_comes_again_is_passed_over_and_nothing_is_decided_or_asked_anew() -> None:
    asked = Asked()
    units = await accepted(seeing("a"), seeing("a", "b"), triggers=[asked.trigger])
    assert units.of_events() == [FIRES, AGAIN]
    assert asked.about == ["where a", "params a", "where b", "params b"]


async def test_an_event_that_comes_again_after_a_restart_is_not_asked_about() -> None:
    asked, world = Asked(), World()
    for _ in range(2):
        async with world.engine() as engine:
            await accept_all(engine, seeing("a"), triggers=[asked.trigger])
    assert asked.about == ["where a", "params a"]
    assert await decisions(world) == [("fires", "fired")]


async def test_the_first_of_two_events_of_one_identity_in_one_observation_counts() -> None:
    world = World()
    async with world.engine() as engine:
        await accept_all(engine, Observation(events=(event("a", {"x": 1}), event("b", {"x": 2}), event("a", {"x": 3}))))
    assert [fact.id for fact in await world.facts(facts.EventRecorded)] == ["a", "b"]
    assert [msgspec.json.decode(fact.arguments) for fact in await world.facts(facts.RunSubmitted)] == [{"x": 1}, {"x": 2}]


async def taken_meanwhile(asked: Asked, observation: Observation[Any], *taken: str) -> World:
    """Have identities taken between the look at the journal and the commit."""
    world = World()
    inner = world.journal
    hurdle = Hurdle(inner, "commit", holding(facts.EventRecorded, facts.IdentitiesKnown))
    world.journal = hurdle
    async with world.engine() as engine, anyio.create_task_group() as tasks:
        tasks.start_soon(accept_with, engine, observation, asked.trigger)
        await hurdle.reached.wait()
        await inner.commit(Unit(1, (facts.IdentitiesKnown("source", taken),)))
        hurdle.open.set()
    return world


async def accept_with(engine: Engine, observation: Observation[Any], trigger: Trigger[Any]) -> None:
    await dispatch(engine, trigger).accept("source", observation, START)


async def test_a_repetition_found_at_the_commit_is_passed_over_and_keeps_the_others() -> None:
    asked = Asked()
    world = await taken_meanwhile(asked, seeing("a", "b", "c", "d", cursor=1), "a", "c")
    assert await world.facts(facts.EventRepeated) == []
    assert [fact.id for fact in await world.facts(facts.EventRecorded)] == ["b", "d"]
    assert await decisions(world) == [("fires", "fired")] * 2
    assert len(await runs(world)) == 2
    assert len(await world.facts(facts.CursorMoved)) == 1


async def test_the_plan_made_anew_asks_nobody_anew() -> None:
    asked = Asked()
    await taken_meanwhile(asked, seeing("a", "b"), "a")
    assert asked.about == ["where a", "params a", "where b", "params b"]


async def test_the_graph_is_recorded_even_where_the_event_that_brought_it_was_a_repetition() -> None:
    world = await taken_meanwhile(Asked(), seeing("a", "b"), "a")
    assert len(await world.facts(facts.GraphRecorded)) == 1
    (run,) = await runs(world)
    assert run.state in ("queued", "running", "succeeded")


async def test_a_known_identity_found_taken_at_the_commit_is_left_out() -> None:
    world = await taken_meanwhile(Asked(), Observation(known=("a", "b")), "a")
    assert sorted(row.id for row in await world.journal.select(SeenRow)) == ["a", "b"]


async def test_a_refusal_about_anything_else_is_raised() -> None:
    class Refusing(MemoryJournal):
        async def commit(self, _unit: Unit) -> int:
            raise Refused("runs", ("r",))

    async with World(journal=Refusing()).engine() as engine:
        with pytest.raises(Refused, match="runs"):
            await accept_all(engine, seeing("a"))


# Identities


async def test_known_identities_are_taken_without_firing() -> None:
    world = World()
    async with world.engine() as engine:
        await accept_all(engine, Observation(known=("a", "b", "a")), seeing("a", "c"))
    assert [fact.id for fact in await world.facts(facts.EventRecorded)] == ["c"]
    assert sorted(row.id for row in await world.journal.select(SeenRow)) == ["a", "b", "c"]


async def test_what_is_known_already_is_not_told_again() -> None:
    units = await accepted(Observation(known=("a", "b")), Observation(known=("b", "a")), Observation(known=("b", "c")))
    assert [unit for unit in units.units if unit] == [
        [facts.IdentitiesKnown("source", ("a", "b"))],
        [facts.IdentitiesKnown("source", ("c",))],
    ]


async def test_an_event_that_is_called_known_in_its_own_observation_still_fires() -> None:
    units = await accepted(seeing("a", known=("a", "b")))
    assert units.of_events() == [[*FIRES, "IdentitiesKnown"]]


async def test_a_forgotten_identity_is_still_refused_as_a_repetition() -> None:
    world = World()
    async with world.engine() as engine:
        await accept_all(engine, seeing("a"), Observation(forget=("a",)), seeing("a"))
    assert len(await runs(world)) == 1
    (row,) = await world.journal.select(SeenRow)
    assert row.forgotten_at == world.clock.now()


async def test_a_kept_identity_is_no_longer_forgotten() -> None:
    world = World()
    async with world.engine() as engine:
        await accept_all(engine, seeing("a"), Observation(forget=("a",)), Observation(keep=("a",)))
    (row,) = await world.journal.select(SeenRow)
    assert row.forgotten_at is None


async def test_an_event_may_come_and_go_in_one_observation() -> None:
    world = World()
    async with world.engine() as engine:
        await accept_all(engine, seeing("a", forget=("a",)))
    (row,) = await world.journal.select(SeenRow)
    assert row.forgotten_at == world.clock.now()
    assert len(await runs(world)) == 1


@pytest.mark.parametrize("told", [{"forget": ("x",)}, {"keep": ("x",)}], ids=["forget", "keep"])
async def test_an_identity_that_the_journal_does_not_have_is_left_out_and_said(told: Any) -> None:
    seen = Journaled()
    world = World(instrument=seen)
    async with world.engine() as engine:
        await accept_all(engine, seeing("a", cursor=1, **told))
    assert [fact.id for fact in await world.facts(facts.EventRecorded)] == ["a"]
    assert [str(error) for _, error in seen.troubles] == ["it tells that 'x' is gone or back, but the journal has no such identity"]


@pytest.mark.parametrize("told", [{"forget": ("7",)}, {"keep": ("7",)}], ids=["forget", "keep"])
async def test_an_identity_in_a_range_is_taken_for_good(told: Any) -> None:
    seen = Journaled()
    world = World(instrument=seen)
    ranged = facts.IdentitiesCompacted("source", 1, 1, 20)
    await world.journal.commit(Unit(1, (ranged,)))
    async with world.engine() as engine:
        await accept_all(engine, seeing("7", "21", cursor=1, **told))
    assert [fact.id for fact in await world.facts(facts.EventRecorded)] == ["21"]
    assert (await world.facts(facts.IdentitiesForgotten, facts.IdentitiesKept), seen.troubles) == ([], [])


async def test_an_observation_without_a_cursor_leaves_it_where_it_is() -> None:
    world = World()
    async with world.engine() as engine:
        cursor = await dispatch(engine).accept("source", seeing("a", cursor=7), START)
        assert await dispatch(engine).accept("source", Observation(events=(event("b"),)), cursor) == cursor == b"7"
    assert len(await world.facts(facts.CursorMoved)) == 1


# What sensors may not yield


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"id": ""}, "without an id of its own, or with another source"),
        ({"source": "elsewhere"}, "without an id of its own, or with another source"),
        ({"id": 5}, "an identity that can't be stored: Expected `str`, got `int`"),
        ({"type": None}, "what can't be stored: Expected `str`, got `null`"),
        ({"time": "now"}, "what can't be stored: Expected `int`, got `str`"),
        ({"subject": b"x"}, "what can't be stored: Expected `str | null`, got `bytes`"),
        ({"time": 1.5e15}, "what can't be stored: Expected `int`, got `float`"),
        ({"subject": "\udcff"}, "what can't be stored"),
        ({"data": object()}, "event 'bad' with data that can't be stored: builtins.object can't be written as JSON"),
        ({"data": {"rate": math.nan}}, "event 'bad' with data that can't be stored: the value holds NaN or an infinity at ['rate']"),
        ({"data": Source("s")}, "event 'bad' with data that can't be stored"),
    ],
    ids=["no id", "source", "id", "type", "time", "bytes", "seconds", "half a character", "object", "nan", "class"],
)
async def test_an_event_that_can_not_be_recorded_is_refused_with_its_whole_observation(wrong: Any, said: str) -> None:
    world = World()
    async with world.engine() as engine:
        with pytest.raises(EventflowError, match=f"sensor 'source' yielded .*{re.escape(said)}"):
            await accept_all(engine, Observation(events=(event("good"), event(**{"name": "bad", "data": 1} | renamed(wrong))), cursor=1))
    assert await world.records() == []


def renamed(fields: dict[str, Any]) -> dict[str, Any]:
    return {"name" if key == "id" else key: value for key, value in fields.items()}


@pytest.mark.parametrize("wrong", [None, [event()], event(), "x"], ids=["nothing", "list", "event", "text"])
async def test_what_is_no_observation_is_refused(wrong: Any) -> None:
    async with World().engine() as engine:
        with pytest.raises(EventflowError, match=r"sensor 'source' yielded .* where an Observation belongs"):
            await accept_all(engine, wrong)


async def test_what_is_no_event_is_refused() -> None:
    wrong: Any = {"id": "a"}
    async with World().engine() as engine:
        with pytest.raises(EventflowError, match="sensor 'source' yielded dict where an Event belongs"):
            await accept_all(engine, Observation(events=(wrong,)))


@pytest.mark.parametrize("told", ["known", "forget", "keep"])
@pytest.mark.parametrize("names", [(5,), (None,), "abc", ("\udcff",)], ids=["number", "nothing", "text", "half a character"])
async def test_identities_are_texts(told: str, names: Any) -> None:
    world = World()
    async with world.engine() as engine:
        with pytest.raises(ValueNotStorable, match="sensor 'source' yielded what can't be stored"):
            await accept_all(engine, Observation(**{told: names}))
    assert await world.records() == []


async def test_identities_in_a_list_do_as_well() -> None:
    listed: Any = ["a"]
    world = World()
    async with world.engine() as engine:
        await accept_all(engine, Observation(known=listed), Observation(forget=listed), Observation(keep=listed))
    assert [fact.ids for fact in await world.facts()] == [("a",)] * 3


async def test_paths_survive_in_plain_data() -> None:
    world = World()
    data = {"path": Path("a b"), "all": [Path("c")]}
    async with world.engine() as engine:
        await accept_all(engine, Observation(events=(event("a", data),)), triggers=[])
    (recorded,) = await world.facts(facts.EventRecorded)
    assert codec.decode(recorded.data) == data


# Order


async def test_runs_start_in_the_order_of_their_events_within_one_observation_and_across() -> None:
    world = World()
    triggers = [Trigger("t", on=source, run=one_by_one, params=lambda happened: {"x": int(happened.id)})]
    async with world.engine() as engine:
        await accept_all(engine, seeing("5", "3", "4"), seeing("9", "1"), triggers=triggers)
        await world.until(facts.RunSucceeded, count=5)
    submitted = {fact.run: msgspec.json.decode(fact.arguments)["x"] for fact in await world.facts(facts.RunSubmitted)}
    assert list(submitted.values()) == [5, 3, 4, 9, 1]
    assert [submitted[fact.run] for fact in await world.facts(facts.RunStarted)] == [5, 3, 4, 9, 1]
    assert [submitted[fact.run] for fact in await world.facts(facts.RunSucceeded)] == [5, 3, 4, 9, 1]


async def test_the_order_outlives_a_crash() -> None:
    world = World()
    triggers = [Trigger("t", on=source, run=one_by_one, params=lambda happened: {"x": int(happened.id)})]
    async with world.doomed() as engine:
        await accept_all(engine, seeing("5", "3", "4"), seeing("9", "1"), triggers=triggers)
    async with world.engine(one_by_one) as engine:
        await accept_all(engine, seeing("2", "0"), triggers=triggers)
        await world.until(facts.RunSucceeded, count=7)
    submitted = {fact.run: msgspec.json.decode(fact.arguments)["x"] for fact in await world.facts(facts.RunSubmitted)}
    assert [submitted[fact.run] for fact in await world.facts(facts.RunSucceeded)] == [5, 3, 4, 9, 1, 2, 0]


# Crashes, and an engine that takes nothing


class Crash(BaseException):
    """The process dies here."""


class Dies(Instrument):
    def __init__(self, point: str) -> None:
        self._point: str | None = point

    def reached(self, point: str) -> None:
        if point == self._point:
            self._point = None
            raise Crash


async def crash_at(point: str) -> World:
    world = World(instrument=Dies(point))
    async with world.doomed() as engine:
        with pytest.raises(Crash):
            await accept_all(engine, seeing("a", cursor=1))
    return world


async def test_a_crash_between_commit_and_start_leaves_a_run_that_is_executed_once() -> None:
    world = await crash_at("engine.dispatch.after")
    assert [run.state for run in await runs(world)] == ["queued"]
    async with world.engine(shows) as engine:
        (run,) = await runs(world)
        assert await engine.result(run.run) == 1
        await accept_all(engine, seeing("a", cursor=1))
        await turns()
    assert len(await world.facts(facts.RunSubmitted)) == len(await world.facts(facts.AttemptStarted)) == 1


async def test_a_crash_before_the_commit_leaves_nothing_and_the_event_is_found_again() -> None:
    world = await crash_at("engine.dispatch.before")
    assert await world.records() == []
    async with world.engine(shows) as engine:
        await accept_all(engine, seeing("a", cursor=1))
        await world.until(facts.RunSucceeded)
    assert await decisions(world) == [("fires", "fired")]


async def test_a_closing_engine_takes_no_event() -> None:
    world = World()
    async with world.engine() as engine:
        await engine.close(0)
        with pytest.raises(EngineClosed):
            await accept_all(engine, seeing("a", cursor=1))
    assert await world.records() == []


class Disk(MemoryJournal):
    """A journal whose disk may be full."""

    is_full = True

    @property
    def full(self) -> bool:
        return self.is_full


async def test_on_a_full_disk_nothing_is_taken_and_nothing_is_lost() -> None:
    disk = Disk()
    world = World(journal=disk)
    async with world.engine() as engine:
        with pytest.raises(JournalFull):
            await accept_all(engine, seeing("a", "b", cursor=1))
        assert await world.records() == []
        disk.is_full = False
        await accept_all(engine, seeing("a", "b", cursor=1))
    assert await decisions(world) == [("fires", "fired")] * 2
