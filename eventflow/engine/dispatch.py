"""From events to decisions, in one transaction.

The events of an observation, their identities, what each trigger decided, the runs that fired, and the sensor's cursor are committed
together or not at all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from eventflow import facts, states
from eventflow.engine import observed
from eventflow.engine.decisions import decide
from eventflow.engine.identities import JournalSeen
from eventflow.engine.intake import Intake
from eventflow.errors import EventflowError, Refused
from eventflow.events import Event, Observation
from eventflow.facts import Fact, Unit
from eventflow.ports import Ports
from eventflow.projections import SeenRow
from eventflow.triggers import Trigger

MISSED = "it was due while nobody looked, and its sensor's catch-up leaves it out"
"""Why a trigger passes over an event that was missed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be committed, but for which of the identities are taken: what was decided on each event, and `told`, the rest.

    `known` are identities without events. Those in `missed` end no wait. With `is_pushed`, nobody will say when the events are gone from
    their source: their identities are kept for the retention from now on, and it is noted that somebody sent one again. A sensor that
    looks again sees much again, which is nothing to note.
    """

    source: str
    decided: Mapping[str, Sequence[Fact]]
    known: Sequence[str] = ()
    told: Sequence[Fact] = ()
    missed: Collection[str] = ()
    is_pushed: bool = False

    def facts(self, taken: Collection[str]) -> list[Fact]:
        """Give what is to be committed where these identities are taken."""
        happened: list[Fact] = []
        for name, planned in self.decided.items():
            happened += planned if name not in taken else (facts.EventRepeated(self.source, name),) if self.is_pushed else ()
        if free := tuple(name for name in self.known if name not in taken):
            happened.append(facts.IdentitiesKnown(self.source, free))
        if self.is_pushed and (fresh := tuple(name for name in self.decided if name not in taken)):
            happened.append(facts.IdentitiesForgotten(self.source, fresh))
        return [*_each_graph_once(happened), *self.told]

    def repeated(self, refused: Refused, taken: Collection[str]) -> str:
        """Give the identity that turned out to be taken."""
        if refused.table != "seen":
            raise refused
        name = str(refused.key[1])
        if name in taken or name not in (*self.decided, *self.known):
            raise refused
        return name


class Dispatch:
    """Takes what sensors saw, and fires what the triggers say."""

    def __init__(self, ports: Ports, intake: Intake, triggers: Iterable[Trigger[Any]]) -> None:
        self._ports = ports
        self._intake = intake
        self._triggers: dict[str, list[Trigger[Any]]] = {}
        for trigger in triggers:
            intake.add(trigger.run)
            self._triggers.setdefault(trigger.source, []).append(trigger)

    async def accept(self, source: str, observation: Observation[Any], cursor: bytes) -> bytes:
        """Commit an observation of a sensor, whose cursor so far is `cursor` (canonical JSON), and give its new one.

        An event that is known already is passed over, and no trigger is asked about it; what was decided on the others stands,
        even where a repetition comes out only at the commit. Raises `EventflowError` for what is no observation, for an event without
        identity; `ValueNotStorable` for what JSON can't carry. An identity to forget or keep that the journal doesn't have is left out.
        """
        observed.check_observation(source, observation)
        moved = observed.cursor(source, observation.cursor, cursor)
        events = observed.by_identity(source, observation.events)
        missed = observed.by_identity(source, (event for event in observation.missed if event.id not in events))
        known = observed.known(source, observation)
        taken = set(await JournalSeen(self._ports.journal, source).of((*events, *missed, *known)))
        decided = {name: () if name in taken else self.decide(event) for name, event in events.items()}
        passed = {name: () if name in taken else self._pass_over(event) for name, event in missed.items()}
        told = (*await self._marks(source, observation, {*events, *missed, *known} - taken), *_moved(source, cursor, moved))
        await self.commit(Plan(source, {**decided, **passed}, known, told, frozenset(missed)), taken)
        return moved

    def decide(self, event: Event[Any]) -> tuple[Fact, ...]:
        """Give an event, with what its triggers decide about it, as facts. Raises `ValueNotStorable`."""
        name = self._intake.new_id()
        recorded = observed.recorded(event.source, event, name)
        return (recorded, *(fact for trigger in self._of(event) for fact in decide(trigger, event, name, self._intake)))

    async def commit(self, plan: Plan, taken: set[str], on_repeated: Callable[[str], Awaitable[None]] | None = None) -> None:
        """Commit a plan, of whose identities some are known to be taken; those that turn out to be are added.

        `on_repeated` is asked about each of these first: what it raises leaves nothing of the plan.
        """
        while happened := plan.facts(taken):
            try:
                await self._commit(happened, plan.missed)
            except Refused as refused:
                name = plan.repeated(refused, taken)
                if on_repeated is not None:
                    await on_repeated(name)
                taken.add(name)
            else:
                break

    async def _marks(self, source: str, observation: Observation[Any], new: Collection[str]) -> list[Fact]:
        """Give what an observation says of identities that are taken, but for those that are taken for good, or not at all."""
        marks = observed.marks(source, observation)
        names = tuple(name for mark in marks for name in mark.ids if name not in new)
        if not names:
            return [*marks]
        known = {row.id for row in await self._ports.journal.select(SeenRow, source=source, id=names)} | {*new}
        absent = set(names) - known
        for name in sorted(absent - await JournalSeen(self._ports.journal, source).of(absent)):
            error = EventflowError(f"it tells that {name!r} is gone or back, but the journal has no such identity")
            self._ports.instrument.troubled(f"sensor {source}", error)
        marked = (msgspec.structs.replace(mark, ids=tuple(name for name in mark.ids if name in known)) for mark in marks)
        return [mark for mark in marked if mark.ids]

    def _pass_over(self, event: Event[Any]) -> tuple[Fact, ...]:
        name = self._intake.new_id()
        passed = (facts.DecisionMade(name, trigger.name, states.FILTERED, reason=MISSED) for trigger in self._of(event))
        return (observed.recorded(event.source, event, name), *passed)

    def _of(self, event: Event[Any]) -> Sequence[Trigger[Any]]:
        return self._triggers.get(event.source, ())

    async def _commit(self, happened: Sequence[Fact], missed: Collection[str]) -> None:
        self._ports.instrument.reached("engine.dispatch.before")
        seq = await self._ports.journal.commit(Unit(self._ports.clock.now(), tuple(happened)))
        self._ports.instrument.reached("engine.dispatch.after")
        self._intake.on_events([fact for fact in happened if isinstance(fact, facts.EventRecorded) and fact.id not in missed])
        for place, fact in enumerate(happened, seq - len(happened) + 1):
            if isinstance(fact, facts.RunSubmitted):
                self._intake.submitted(fact, place)


def _moved(source: str, before: bytes, after: bytes) -> list[Fact]:
    return [] if before == after else [facts.CursorMoved(source, msgspec.Raw(after))]


def _each_graph_once(happened: Iterable[Fact]) -> Iterable[Fact]:
    graphs: set[str] = set()
    for fact in happened:
        if isinstance(fact, facts.GraphRecorded):
            if fact.digest in graphs:
                continue
            graphs.add(fact.digest)
        yield fact
