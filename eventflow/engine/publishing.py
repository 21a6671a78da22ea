"""Events that are handed to the engine instead of being seen by it: deliveries of webhooks, and what a person or a program publishes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio

from eventflow import facts, ids
from eventflow.engine import observed
from eventflow.engine.dispatch import Dispatch, Plan
from eventflow.engine.identities import JournalSeen
from eventflow.engine.intake import Intake
from eventflow.engine.retention import Retention
from eventflow.errors import EventConflict, EventflowError, InvalidRequest, ValueNotStorable
from eventflow.events import Event
from eventflow.facts import Fact
from eventflow.ports import Ports
from eventflow.projections import DecisionRow, EventRow, SeenRow


@dataclass(frozen=True, slots=True)
class Published:
    """What became of an event that was published: its id in the journal, and the runs that it fired.

    Where it is a `duplicate` these are the first one's; `event` is None where that one was only known, or is long gone.
    """

    event: str | None
    runs: tuple[str, ...]
    duplicate: bool


MOST = 1_000
"""Events that are published together, at most: they are one transaction."""


class Publishing:
    """Takes events by hand: each durable, with what its triggers decided, before its publisher hears of it."""

    def __init__(self, ports: Ports, intake: Intake, dispatch: Dispatch, *, watched: Collection[str], retention: int) -> None:
        self._ports = ports
        self._intake = intake
        self._dispatch = dispatch
        self._watched = frozenset(watched)
        self._kept = retention
        self._retentions: dict[str, Retention] = {}
        self._under_way: dict[tuple[str, str], anyio.Event] = {}

    async def publish(self, events: Sequence[Event[Any]]) -> list[Published]:
        """Commit events of one source, all of them or none, and give what became of each.

        Raises `EventConflict` where an identity is taken by an event that says something else, `InvalidRequest` for what is no event,
        `EngineClosed`, and `JournalFull`.
        """
        self._intake.check_open()
        source, given = _checked(events)
        async with self._alone(source, given):
            await self._retain(source)
            taken = set(await JournalSeen(self._ports.journal, source).of(tuple(given)))
            known = await self._published(source, given, taken)
            decided = {name: () if name in taken else self._dispatch.decide(event) for name, event in given.items()}

            async def compare(name: str) -> None:
                known.update(await self._published(source, given, [name]))

            await self._dispatch.commit(Plan(source, decided, is_pushed=True), taken, compare)
        known |= {name: _fired(happened) for name, happened in decided.items() if name not in taken}
        return [known[event.id] for event in events]

    async def _retain(self, source: str) -> None:
        """Free the identities whose time is over of a source that no sensor watches, which would do it else."""
        if source not in self._watched:
            await self._retentions.setdefault(source, Retention(self._ports, source, self._kept)).look()

    @asynccontextmanager
    async def _alone(self, source: str, names: Iterable[str]) -> AsyncGenerator[None]:
        """Let one delivery of an identity go on at a time: the triggers are asked about the first alone."""
        keys = [(source, name) for name in names]
        while busy := next((self._under_way[key] for key in keys if key in self._under_way), None):
            await busy.wait()
        done = anyio.Event()
        self._under_way.update(dict.fromkeys(keys, done))
        try:
            yield
        finally:
            for key in keys:
                del self._under_way[key]
            done.set()

    async def _published(self, source: str, given: Mapping[str, Event[Any]], taken: Iterable[str]) -> dict[str, Published]:
        """Give what became of events whose identities were taken before. Raises `EventConflict`."""
        journal, names = self._ports.journal, tuple(taken)
        seen = {row.id: row.event for row in await journal.select(SeenRow, source=source, id=names)} if names else {}
        by_name = {name: seen.get(name) for name in names}
        wanted = tuple(event for event in by_name.values() if event is not None)
        rows = {row.event: row for row in await journal.select(EventRow, event=wanted)} if wanted else {}
        bodies = await journal.facts([row.seq for row in rows.values()])
        decisions = await journal.select(DecisionRow, event=wanted, order="seq") if wanted else []
        for name, event in by_name.items():
            first = bodies.get(rows[event].seq) if event in rows else None
            if isinstance(first, facts.EventRecorded) and not _is_same(first, given[name]):
                raise EventConflict(
                    f"event {name!r} of {source} is known with another content (event {ids.short(first.event)}): nothing was recorded"
                )
        return {
            name: Published(event, tuple(row.run for row in decisions if row.event == event and row.run), duplicate=True)
            for name, event in by_name.items()
        }


def _checked(events: Sequence[Event[Any]]) -> tuple[str, Mapping[str, Event[Any]]]:
    """Give the source of events, and the events by their ids. Raises `InvalidRequest`."""
    for event in events:
        _check(event)
    if len({event.source for event in events}) != 1 or len(events) > MOST:
        raise InvalidRequest(f"events that are published together are of one source, and at most {MOST:,}")
    source = events[0].source
    try:
        given = observed.by_identity(source, events)
    except ValueNotStorable as error:
        raise InvalidRequest(str(error)) from error
    except EventflowError as error:
        raise InvalidRequest("an event needs an id of its own: by that it is known where it comes twice") from error
    for event in events:
        first = given[event.id]
        if event is not first and not _is_same(observed.recorded(source, first, ""), event):
            raise EventConflict(f"two events with the id {event.id!r} say different things: nothing was recorded")
    return source, given


def _check(event: object) -> None:
    if not isinstance(event, Event):
        raise InvalidRequest(f"{type(event).__name__} is no event: publish an Event(id=..., source=..., type=..., time=..., data=...)")
    if mistake := ids.misnamed(event.source, "source of events"):
        raise InvalidRequest(mistake)


def _is_same(first: facts.EventRecorded, event: Event[Any]) -> bool:
    try:
        again = observed.recorded(event.source, event, first.event)
    except ValueNotStorable:
        return False
    return (first.type, first.subject, bytes(first.data)) == (again.type, again.subject, bytes(again.data))


def _fired(happened: Sequence[Fact]) -> Published:
    event = next(fact.event for fact in happened if isinstance(fact, facts.EventRecorded))
    runs = tuple(fact.run for fact in happened if isinstance(fact, facts.DecisionMade) and fact.run is not None)
    return Published(event, runs, duplicate=False)
