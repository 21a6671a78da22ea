"""Reading rows in the order of a column and the key, and passing over none, on databases that don't tell when a row was committed.

Rows are read on from the last one. That alone would lose rows: one whose number or time was taken before another's may be committed after
it. So the sensor looks back as well: over what it reached within the last `settle` seconds, and, where `whole` holds, over the whole
table, in the time that is left. A look back reads keys alone, and asks the journal which of them have not fired.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import cast

from eventflow.ports import Clock, Seen
from eventflow.sensors.rows.lookback import LookBack, Stretch
from eventflow.sensors.rows.options import RowOptions
from eventflow.sensors.rows.places import Place
from eventflow.sensors.rows.records import Found, Records, Spot
from eventflow.sensors.rows.source import Page, Row
from eventflow.sensors.rows.standing import Standing, standing
from eventflow.sensors.rows.values import identity, versioned
from eventflow.sensors.rows.versions import Change, Versions

_REST = 10
_WHOLE_REST = 20
"""How many times longer than it looked back the sensor rests, before it looks back again: over the last rows, and over the whole table."""

_STEPS = 8
_SHORTEST_STEP = 0.25
"""Places are remembered in eight steps of `settle`, and not more often than each quarter of a second."""


class Keyset:
    """Reads one table from one start of the sensor on. What it remembers beside the cursor only saves work."""

    def __init__(self, records: Records, options: RowOptions, seen: Seen, clock: Clock, *, whole: bool) -> None:
        self._records = records
        self._settle = options.settle
        self._versions = Versions(seen) if options.on == "update" else None
        self._seen = seen
        self._clock = clock
        self._opened = clock.monotonic()
        self._watched: float | None = None
        self._covered = -math.inf
        self._more = False
        self._filtered = bool(options.where)
        self._passed: tuple[Place | None, Place] | None = None
        self._now_named = self._standing(None)
        self._late = LookBack(records, seen, clock, self._name, _REST)
        self._all = LookBack(records, seen, clock, self._name, _WHOLE_REST) if whole else None
        self._oldest = -math.inf

    async def existing(self, cursor: object, limit: int) -> Page:
        """Give the next rows that are there and not to fire: whatever lies up to the place that is the last one when this is begun."""
        self._now_named = known = self._standing(cursor)
        until = await self._records.last() if known.noting is None else known.noting
        spots = [] if until is None else await self._records.there(known.at, until, limit)
        names = tuple(map(self._name, spots))
        if until is not None and len(spots) == limit:
            return Page(known=names, cursor=replace(known, at=spots[-1].place, noting=until).data())
        if self._records.counts and (largest := await self._records.largest()) is not None:
            known = replace(known, lives=known.lives.handed_out(await self._records.digests([largest])))
        return Page(known=names, cursor=replace(known, at=until, noting=None, reached=known.reached.back_to(until, 0.0)).data())

    async def read(self, cursor: object, limit: int, *, changed: bool) -> Page:
        """Give the next rows behind a cursor, and late ones. `changed` tells whether the database may have changed since the last call."""
        before = known = self._standing(cursor)
        self._start(known)
        if changed:
            self._note_change()
            known = await self._without_lives_that_ended(known)
        elif not self._more and not self._back_due:
            return Page(cursor=cursor, again=self._again)
        self._now_named = known
        share = limit // 2 if self._back_due else limit
        begun = self._clock.monotonic()
        last = await self._records.last() if self._filtered else None
        found = await self._records.behind(self._end(known), share)
        complaint = await self._records.complaint(self._clock.monotonic() - begun)
        late = await self._look_back(known, limit - len(found))
        self._more = len(found) == share
        rows = [self._row(one) for one in (*late, *found)]
        taken = await self._seen.of([row.identity for row in rows])
        fresh = tuple(row for row in rows if row.identity not in taken)
        versions = await self._versions_of(rows, taken)
        moved = self._moved(known, late, found)
        self._passed = None if self._more or last is None else (moved.at, last)
        after = cursor if moved == before and cursor is not None else moved.data()
        again = 0.0 if self._more else self._again
        return Page(fresh, after, again=again, settled=versions.left, returned=versions.returned, lagging=complaint)

    async def rows(self, keys: Sequence[tuple[object, ...]]) -> list[Row]:
        """Give the rows with these keys that are still there."""
        return [self._row(found) for found in await self._records.fetch(keys)]

    def _standing(self, cursor: object) -> Standing:
        return standing(cursor, self._records.layout.order, self._records.layout.fixed)

    def _end(self, known: Standing) -> Place | None:
        """Give the place up to which all was read: that of the last row that fulfils the condition, or of one behind it that doesn't."""
        return self._passed[1] if self._passed is not None and self._passed[0] == known.at else known.at

    def _start(self, known: Standing) -> None:
        if self._watched is None:
            self._watched = known.reached.now

    @property
    def _now(self) -> float:
        """Seconds of watching, over all starts."""
        return (self._watched or 0.0) + self._clock.monotonic() - self._opened

    @property
    def _backs(self) -> tuple[LookBack, ...]:
        return (self._late,) if self._all is None else (self._late, self._all)

    @property
    def _back_due(self) -> bool:
        return any(back.again == 0.0 for back in self._backs)

    @property
    def _again(self) -> float | None:
        return min((again for back in self._backs if (again := back.again) is not None), default=None)

    def _note_change(self) -> None:
        for back in self._backs:
            back.changed()

    async def _without_lives_that_ended(self, known: Standing) -> Standing:
        """Find keys that were let go, and are used again or may be: their rows are still to be read."""
        if not self._records.counts:
            return known
        lives = known.lives
        if any(digest for _, digest in lives.tail):
            lives = lives.compared(await self._records.digests([key for key, _ in lives.tail]))
        lives = lives.left(await self._records.largest())
        if lives == known.lives:
            return known
        lowest = min((above for above, _, turn in lives.again if turn > known.lives.turn), default=None)
        known = replace(known, lives=lives)
        if known.at is None or lowest is None or self._records.layout.order != self._records.layout.key or (lowest,) >= known.at:
            return known
        at: Place = (lowest,)
        return replace(known, at=at, reached=known.reached.back_to(at, self._now))

    async def _look_back(self, known: Standing, room: int) -> list[Found]:
        """Do one step of each look back that is due, and give the late rows that it found."""
        until = self._end(known)
        if until is None:
            for back in self._backs:
                back.nothing_there()
        if until is None or room <= 0:
            return []
        if self._late.wanted:
            self._oldest = self._covered - self._settle
            self._covered = self._now
            self._late.begin(Stretch(known.reached.before(self._oldest), until))
        if self._all is not None and self._all.wanted:
            self._all.begin(Stretch(None, until))
        spots: dict[Place, Spot] = {}
        for back in self._backs:
            spots.update((spot.place, spot) for spot in await back.step(room - len(spots)))
        return await self._records.fetch([spot.key for spot in spots.values()]) if spots else []

    async def _versions_of(self, rows: Sequence[Row], taken: Collection[str]) -> Change:
        """Note the versions of rows that were read, and of those that a look back found to have fired."""
        if self._versions is None:
            return Change()
        met = [name for back in self._backs for name in back.known]
        return await self._versions.note([*met, *(row.identity for row in rows)], {*met, *taken})

    def _moved(self, known: Standing, late: Sequence[Found], found: Sequence[Found]) -> Standing:
        if self._records.counts and (late or found):
            handed = {cast("int", one.spot.key[0]): one.digest for one in (*late, *found)}
            known = replace(known, lives=known.lives.handed_out(handed))
        if not found:
            return known
        at = found[-1].spot.place
        step = max(self._settle / _STEPS, _SHORTEST_STEP)
        return replace(known, at=at, reached=known.reached.on_to(at, self._now, step=step, oldest=self._oldest))

    def _row(self, found: Found) -> Row:
        return Row(self._name(found.spot), found.spot.key, found.data, found.time)

    def _name(self, spot: Spot) -> str:
        key = spot.key[0]
        counted = self._records.counts and isinstance(key, int)
        name = self._now_named.lives.name(key) if counted and isinstance(key, int) else identity(spot.key)
        return name if self._versions is None else versioned(name, spot.version)
