"""From events to decisions, in one transaction.

The events of an observation, their identities, what each trigger decided, the runs that fired, and the sensor's cursor are committed
together or not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from eventflow import codec, facts
from eventflow.engine.decisions import decide
from eventflow.engine.identities import JournalSeen
from eventflow.engine.intake import Intake
from eventflow.errors import EventflowError, Refused, ValueNotStorable
from eventflow.events import Event, Observation
from eventflow.facts import Fact, Unit
from eventflow.ports import Ports
from eventflow.triggers import Trigger

FactT = TypeVar("FactT", facts.EventRecorded, facts.IdentitiesKnown, facts.IdentitiesForgotten, facts.IdentitiesKept)


class Dispatch:
    """Takes observations of sensors, and fires what the triggers say."""

    def __init__(self, ports: Ports, intake: Intake, triggers: Iterable[Trigger[Any]]) -> None:
        self._ports = ports
        self._intake = intake
        self._triggers: dict[str, list[Trigger[Any]]] = {}
        for trigger in triggers:
            intake.add(trigger.run)
            self._triggers.setdefault(trigger.on.name, []).append(trigger)

    async def accept(self, source: str, observation: Observation[Any], cursor: bytes) -> bytes:
        """Commit an observation of a sensor, whose cursor so far is `cursor` (canonical JSON), and give its new one.

        An event that is known already is marked as repeated, and no trigger is asked about it; what was decided on the others stands,
        even where a repetition comes out only at the commit. Raises `EventflowError` for what is no observation, for an event without
        identity, and for an identity to forget or keep that the journal doesn't have; `ValueNotStorable` for what JSON can't carry.
        """
        events = _events(source, observation)
        known = _known(source, observation, events)
        moved = _cursor(source, observation.cursor)
        taken = set(await JournalSeen(self._ports.journal, source).of((*events, *known)))
        decided = {name: () if name in taken else self._decide(source, event) for name, event in events.items()}
        told = (*_marks(source, observation), *_moved(source, cursor, moved))
        plan = _Plan(source, decided, known, told)
        while happened := plan.facts(taken):
            try:
                await self._commit(happened)
            except Refused as refused:
                taken.add(plan.repeated(refused, taken))
            else:
                break
        return moved

    def _decide(self, source: str, event: Event[Any]) -> tuple[Fact, ...]:
        name = self._intake.new_id()
        data = _data(source, event)
        recorded = _storable(source, facts.EventRecorded(name, source, event.id, event.type, event.time, data, event.subject))
        decisions = [fact for trigger in self._triggers.get(source, ()) for fact in decide(trigger, event, name, self._intake)]
        return (recorded, *decisions)

    async def _commit(self, happened: Sequence[Fact]) -> None:
        self._ports.instrument.reached("engine.dispatch.before")
        seq = await self._ports.journal.commit(Unit(self._ports.clock.now(), tuple(happened)))
        self._ports.instrument.reached("engine.dispatch.after")
        self._intake.on_events([fact for fact in happened if isinstance(fact, facts.EventRecorded)])
        for place, fact in enumerate(happened, seq - len(happened) + 1):
            if isinstance(fact, facts.RunSubmitted):
                self._intake.submitted(fact, place)


@dataclass(frozen=True, slots=True)
class _Plan:
    """An observation as facts, but for which of its identities are taken: what was decided on each event, and `told`, the rest."""

    source: str
    decided: Mapping[str, Sequence[Fact]]
    known: Sequence[str]
    told: Sequence[Fact]

    def facts(self, taken: Collection[str]) -> list[Fact]:
        happened: list[Fact] = []
        for name, planned in self.decided.items():
            happened += (facts.EventRepeated(self.source, name),) if name in taken else planned
        if free := tuple(name for name in self.known if name not in taken):
            happened.append(facts.IdentitiesKnown(self.source, free))
        return [*_each_graph_once(happened), *self.told]

    def repeated(self, refused: Refused, taken: Collection[str]) -> str:
        """Give the identity that turned out to be taken."""
        if refused.table != "seen":
            raise refused
        name = str(refused.key[1])
        if name in taken or name not in (*self.decided, *self.known):
            message = f"sensor {self.source!r} tells that {name!r} is gone or back, but the journal has no such identity"
            raise EventflowError(message) from refused
        return name


def _events(source: str, observation: Observation[Any]) -> Mapping[str, Event[Any]]:
    """Give the events by their ids, each once: the first, as it would be in two observations."""
    _check(source, observation, Observation)
    events: dict[str, Event[Any]] = {}
    for event in observation.events:
        _check(source, event, Event)
        if not event.id or event.source != source:
            raise EventflowError(f"sensor {source!r} yielded an event without an id of its own, or with another source: {event!r}")
        events.setdefault(event.id, event)
    return events


def _check(source: str, value: object, kind: type[object]) -> None:
    if not isinstance(value, kind):
        raise EventflowError(f"sensor {source!r} yielded {type(value).__name__} where an {kind.__name__} belongs")


def _cursor(source: str, cursor: object) -> bytes:
    try:
        return codec.encode(cursor)
    except ValueNotStorable as error:
        raise ValueNotStorable(f"sensor {source!r} yielded a cursor that can't be stored: {error}") from error


def _data(source: str, event: Event[Any]) -> msgspec.Raw:
    data: object = event.data
    annotation: object = Any if type(data) in (dict, list) else type(data)  # only under Any do paths inside come back as paths
    try:
        return msgspec.Raw(codec.encode(data, annotation))
    except ValueNotStorable as error:
        raise ValueNotStorable(f"sensor {source!r} yielded event {event.id!r} with data that can't be stored: {error}") from error


def _known(source: str, observation: Observation[Any], events: Collection[str]) -> list[str]:
    known = _storable(source, facts.IdentitiesKnown(source, observation.known))
    return [name for name in dict.fromkeys(known.ids) if name not in events]


def _marks(source: str, observation: Observation[Any]) -> list[Fact]:
    forgotten = _storable(source, facts.IdentitiesForgotten(source, observation.forget))
    kept = _storable(source, facts.IdentitiesKept(source, observation.keep))
    return [mark for mark in (forgotten, kept) if mark.ids]


def _moved(source: str, before: bytes, after: bytes) -> list[Fact]:
    return [] if before == after else [facts.CursorMoved(source, msgspec.Raw(after))]


def _storable(source: str, fact: FactT) -> FactT:
    # Sensors are user code. A number for an id would go into the journal, and nobody could read it again.
    try:
        checked = msgspec.convert(msgspec.structs.asdict(fact), type(fact))
        facts.encode(checked)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError) as error:
        raise ValueNotStorable(f"sensor {source!r} yielded what can't be stored: {error}") from error
    return checked


def _each_graph_once(happened: Iterable[Fact]) -> Iterable[Fact]:
    graphs: set[str] = set()
    for fact in happened:
        if isinstance(fact, facts.GraphRecorded):
            if fact.digest in graphs:
                continue
            graphs.add(fact.digest)
        yield fact
