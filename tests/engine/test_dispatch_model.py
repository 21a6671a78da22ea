"""Dispatch against a model of a few lines: any observations, any crashes, and each event ends in exactly one decision per trigger."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from eventflow import Event, Observation, Trigger, codec, facts, pipeline, states, task
from eventflow.engine.dispatch import Dispatch
from eventflow.engine.retention import RETENTION, Retention
from eventflow.ports import Instrument
from eventflow.projections import DecisionRow, EventRow, RunRow, SeenRow
from tests.engine.sources import START, Source, event
from tests.engine.world import World

NAMES = "abcdef"
DAY = 86_400.0
BEFORE, AFTER = "engine.dispatch.before", "engine.dispatch.after"


@task
async def show(x: str) -> str:
    return x


@pipeline(max_active_runs=1)
def in_turn(x: str) -> str:
    return show(x)


@pipeline
def at_once(x: str) -> str:
    return show(x)


class Crash(BaseException):
    """The process dies here."""


class Dies(Instrument):
    def __init__(self) -> None:
        self.at: str | None = None

    def reached(self, point: str) -> None:
        if point == self.at:
            self.at = None
            raise Crash


@dataclass(frozen=True)
class Step:
    """An observation, where the process dies at it, and how many days later the next one comes."""

    events: tuple[str, ...]
    known: tuple[str, ...]
    forget: tuple[str, ...]
    keep: tuple[str, ...]
    cursor: int | None
    crash: str | None
    days: int

    @property
    def observation(self) -> Observation[Any]:
        events = tuple(event(name, {"x": name}) for name in self.events)
        return Observation(events=events, known=self.known, forget=self.forget, keep=self.keep, cursor=self.cursor)


names = st.lists(st.sampled_from(NAMES), max_size=3).map(tuple)
rare = st.one_of(st.just(()), names)
crash = st.sampled_from([None, None, BEFORE, AFTER])
steps = st.lists(
    st.builds(
        Step,
        events=st.lists(st.sampled_from(NAMES), max_size=5).map(tuple),
        known=rare,
        forget=rare,
        keep=rare,
        cursor=st.one_of(st.none(), st.integers(0, 3)),
        crash=crash,
        days=st.sampled_from([0, 0, 0, 1, 31]),
    ),
    max_size=8,
)


@dataclass
class Model:
    """What the journal should hold: each identity with when it was forgotten, what was decided in order, and the last cursor."""

    now: int = 0
    seen: dict[str, int | None] = field(default_factory=dict)
    decided: list[tuple[str, str, str]] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    cursor: int | None = None

    def ask(self, step: Step) -> list[str]:
        """Tell which events are new: only about these are the triggers asked."""
        fresh = [name for name in dict.fromkeys(step.events) if name not in self.seen]
        self.asked.update(fresh)
        return fresh

    def accept(self, step: Step, fresh: list[str]) -> None:
        """Take a step whole. What it says of identities that nobody knows is left out."""
        after = self.seen | {name: None for name in (*fresh, *step.known) if name not in self.seen}
        gone, back = ([name for name in names if name in after] for names in (step.forget, step.keep))
        self.seen = after | dict.fromkeys(gone, self.now) | dict.fromkeys(back)
        self.cursor = step.cursor
        self.decided += [(name, trigger, outcome) for name in fresh for trigger, outcome in outcomes(name)]

    def expire(self, now: int) -> None:
        self.now = now
        self.seen = {name: gone for name, gone in self.seen.items() if gone is None or gone >= now - RETENTION}


def outcomes(name: str) -> list[tuple[str, str]]:
    """Tell what the triggers below say."""
    return [("every", "fired"), ("some", {"a": "filtered", "b": "filtered", "c": "refused"}.get(name, "fired"))]


class Process:
    """What is tested: it may die at any observation, and is started again on the same journal."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self._dies = Dies()
        self.world = World(instrument=self._dies)
        source = Source("source")
        self._triggers = [
            Trigger("every", on=source, run=in_turn, where=self._count),
            Trigger("some", on=source, run=at_once, where=lambda happened: happened.id not in "ab", params=params),
        ]

    async def take(self, step: Step, crash: str | None) -> str:
        """Start, take one observation, let what it fired come to its end, and die: `taken`, or the point of an earlier death."""
        self._dies.at = crash
        async with self.world.doomed(in_turn, at_once) as engine:
            try:
                await Retention(engine.ports, "source").look()
                await Dispatch(engine.ports, engine.intake, self._triggers).accept("source", step.observation, await self._cursor())
            except Crash:
                return crash or ""
            else:
                await self.rest()
                return "taken"
            finally:
                self._dies.at = None

    async def rest(self) -> None:
        """Wait until every run has ended."""
        seq = self.world.journal.seq
        while await self.world.journal.select(RunRow, state=tuple(states.OPEN_RUN)):
            await self.world.journal.changed(seq)
            seq = self.world.journal.seq

    async def _cursor(self) -> bytes:
        moved = await self.world.facts(facts.CursorMoved)
        return bytes(moved[-1].cursor) if moved else START

    def _count(self, happened: Event[Any]) -> bool:
        self.asked[happened.id] += 1
        return True


def params(happened: Event[Any]) -> dict[str, object]:
    if happened.id == "c":
        raise ValueError("no luck")
    return {"x": happened.id}


@settings(max_examples=300, deadline=None)
@given(steps)
def test_whatever_comes_and_whatever_crashes_the_journal_agrees_with_the_model(course: list[Step]) -> None:
    anyio.run(_agree, course)


async def _agree(course: list[Step]) -> None:
    process, model = Process(), Model()
    for step in course:
        await process.world.clock.advance(step.days * DAY)
        model.expire(process.world.clock.now())
        for crash in {step.crash: None, None: None}:  # after a death the sensor tells the same again
            outcome = await process.take(step, crash)
            fresh = model.ask(step)
            if outcome != BEFORE:
                model.accept(step, fresh)
    async with process.world.engine(in_turn, at_once):
        await process.rest()
    await _check_events(process, model)
    await _check_runs(process.world)


async def _check_events(process: Process, model: Model) -> None:
    journal = process.world.journal
    ids = {row.event: row.id for row in await journal.select(EventRow)}
    decided = [(ids[row.event], row.trigger, row.outcome) for row in await journal.select(DecisionRow, order="seq")]
    assert decided == model.decided
    assert {row.id: row.forgotten_at for row in await journal.select(SeenRow)} == model.seen
    assert process.asked == model.asked
    cursors = [codec.decode(fact.cursor) for fact in await process.world.facts(facts.CursorMoved)]
    assert [None, *cursors][-1] == model.cursor
    assert all(before != after for before, after in pairwise([None, *cursors]))


async def _check_runs(world: World) -> None:
    fired = {row.run: row for row in await world.journal.select(DecisionRow, outcome="fired")}
    ran = {row.run: row for row in await world.journal.select(RunRow)}
    assert len(fired) == len(await world.journal.select(DecisionRow, outcome="fired"))
    assert fired.keys() == ran.keys()
    assert all((row.event, row.trigger, row.state) == (fired[run].event, fired[run].trigger, "succeeded") for run, row in ran.items())
    assert len(await world.facts(facts.AttemptStarted)) == len(ran)
    for name in ("in_turn", "at_once"):
        submitted = [fact.run for fact in await world.facts(facts.RunSubmitted) if fact.pipeline == name]
        assert [fact.run for fact in await world.facts(facts.RunStarted) if fact.run in submitted] == submitted
