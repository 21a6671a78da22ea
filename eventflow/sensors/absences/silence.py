"""Absence by a length of time: nothing has come for so long."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime

import msgspec

from eventflow import durations
from eventflow.durations import SECOND
from eventflow.events import Event, Observation
from eventflow.ports import Seen, World
from eventflow.sensors.absences.witness import Absence, Watched, Witness
from eventflow.sensors.schedules.patience import HEARTBEAT, wall_clock
from eventflow.sensors.schedules.zones import zone_named


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The cursor: since when this sensor looks (microseconds UTC), and after which event, by its place in the journal, it fired."""

    looks_since: int
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    """About what to ask, and after how many microseconds. `grace` is in seconds."""

    watched: Watched
    within: int
    zone: str
    grace: float

    @property
    def in_short(self) -> str:
        """The length of time in a few words."""
        return f"within {durations.text(self.within / SECOND)}"

    def observe(self, cursor: object, seen: Seen, world: World) -> AsyncGenerator[Observation[Absence], None]:  # noqa: ARG002 - as by deadlines
        """Yield each silence once, and heartbeats."""
        return _Life(self, cursor, world).observe()

    def upcoming(self, after: datetime, count: int) -> list[datetime]:  # noqa: ARG002 - as by deadlines
        """Give nothing: what is to come depends on what comes."""
        return []

    def in_words(self, cursor: object) -> str:
        """Say after what the last silence was."""
        told = _told_of(cursor)
        if told is None:
            return "it has not looked yet"
        if told.after is None:
            return "no silence yet"
        return f"the silence after fact {told.after}" if told.after else "the silence before the first event"

    def is_over(self, now: int) -> bool:  # noqa: ARG002 - as by deadlines
        """Tell that it never is."""
        return False


class _Life:
    """Looks at the clock and the journal for one life of an absence sensor."""

    def __init__(self, options: Silence, cursor: object, world: World) -> None:
        self._options = options
        self._world = world
        self._witness = Witness(options.watched, zone_named(options.zone), world)
        self._told = _told_of(cursor) or Told(looks_since=world.clock.now())

    async def observe(self) -> AsyncGenerator[Observation[Absence], None]:
        yield self._said()
        await self._world.clock.sleep(self._options.grace)  # the watched sensor may have to find first what came while nobody looked
        while True:
            newest = await self._witness.newest()
            place, begin = (newest.seq, newest.received_at) if newest else (0, 0)
            begin = max(begin, self._told.looks_since)
            due = begin + self._options.within
            if self._told.after != place and self._world.clock.now() >= due:
                self._told = msgspec.structs.replace(self._told, after=place)
                yield self._said(self._witness.absence(begin, due, begin, newest))
            else:
                yield self._said()
            over = self._told.after == place
            await wall_clock(None if over else due, self._world.clock, min(HEARTBEAT, self._options.within / SECOND))

    def _said(self, *absences: Event[Absence]) -> Observation[Absence]:
        cursor = msgspec.to_builtins(self._told)
        return Observation(events=absences, forget=tuple(event.id for event in absences), cursor=cursor)


def _told_of(cursor: object) -> Told | None:
    """Give what a cursor holds; None for no cursor, and for one of another kind of sensor that had the name before."""
    try:
        return msgspec.convert(cursor, Told)
    except msgspec.ValidationError:
        return None
