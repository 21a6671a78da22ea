"""What the journal knows of a watched source: whether something came, and what came last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

from eventflow.events import Event
from eventflow.ports import Above, Below, World
from eventflow.projections import EventRow
from eventflow.sensors.portions import PORTION
from eventflow.sensors.schedules.tick import written
from eventflow.sensors.schedules.zones import moment

ABSENCE = "absence"
"""The type of the event that nothing came."""


@dataclass(frozen=True, slots=True)
class Absence:
    """Nothing came from `of` later than `since` and up to `until`.

    `last_event` is the id, at its source, of the newest event that had come by then, and `last_at` when it was received, if any ever was.
    """

    of: str
    since: datetime
    until: datetime
    last_event: str | None
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class Watched:
    """The events that count: those of a source, of one type and subject if these are given."""

    source: str
    type: str | None
    subject: str | None

    @property
    def columns(self) -> dict[str, object]:
        """Them, as conditions of `select`."""
        named = {"source": self.source, "type": self.type, "subject": self.subject}
        return {column: value for column, value in named.items() if value is not None}


class Witness:
    """Reads the journal for one absence sensor. Instants are microseconds UTC."""

    def __init__(self, watched: Watched, zone: tzinfo, world: World) -> None:
        self._watched = watched
        self._zone = zone
        self._world = world

    async def newest(self, until: int | None = None) -> EventRow | None:
        """Give the event that was received last, up to an instant."""
        by_then = {} if until is None else {"received_at": Below(until + 1)}
        rows = await self._world.journal.select(EventRow, order="seq", descending=True, limit=1, **self._watched.columns, **by_then)
        return rows[0] if rows else None

    async def came(self, since: int, until: int, newest: EventRow | None) -> bool:
        """Tell whether an event was received between two instants, or happened then by its own time and was received later.

        `newest` is the one that was received last by the second instant.
        """
        if newest is not None and newest.received_at > since:
            return True
        seq = 0 if newest is None else newest.seq
        while rows := await self._received_later(seq, until):
            if any(row.time > since for row in rows):
                return True
            seq = rows[-1].seq
        return False

    def absence(self, since: int, until: int, identity: int, newest: EventRow | None) -> Event[Absence]:
        """Give the event that nothing came. The instant `identity` tells it from all other absences."""
        data = Absence(
            of=self._watched.source,
            since=moment(since, self._zone),
            until=moment(until, self._zone),
            last_event=None if newest is None else newest.id,
            last_at=None if newest is None else moment(newest.received_at, self._zone),
        )
        return self._world.event(written(identity), data, type=ABSENCE, subject=self._watched.source, time=until)

    async def _received_later(self, seq: int, until: int) -> list[EventRow]:
        later = {"seq": Above(seq), "time": Below(until + 1), **self._watched.columns}
        return await self._world.journal.select(EventRow, order="seq", descending=False, limit=PORTION, **later)
