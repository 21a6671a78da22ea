"""Rows that are taken by marking them, so that nobody else takes them; and, as an outbox, deleted once the journal has them.

    free --mark--> claimed --told--> in the journal --release--> done, or deleted

Each arrow is one transaction. A crash after any of them is made good at the next start: rows with this sensor's mark are told again, which
the journal knows for a repetition or takes, and are then released.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import cast

from eventflow import ids
from eventflow.events import Event, Observation
from eventflow.ports import Seen, World
from eventflow.sensors.rows.options import LARGEST_BATCH, RowOptions
from eventflow.sensors.rows.source import Row, Source
from eventflow.sensors.rows.telling import PAGE, Data, Telling
from eventflow.sensors.waiting import news_or


class Claiming:
    """Takes free rows, tells them, and has done with them.

    Where it stands is in the rows' own marks. Its cursor is a random text that makes these marks its journal's own: it is committed before
    the first row is taken, and never changes.
    """

    def __init__(self, options: RowOptions, cursor: object, seen: Seen, world: World) -> None:
        self._options = options
        self._seen = seen
        self._world = world
        self._telling = Telling(options, world)
        self._released: tuple[str, ...] = ()
        self.cursor: object = cursor if isinstance(cursor, dict) and "claims" in cursor else None

    async def look(self, source: Source) -> AsyncGenerator[Observation[Data], None]:
        """Yield what the source has, for ever."""
        if self.cursor is None:
            self.cursor = {"claims": f"{self._world.random.bits(64):016x}"}
            yield self._observation()
        while rows := await source.claimed(self._prefix, LARGEST_BATCH):
            claim = [row for row in rows if row.claim == rows[0].claim]
            yield await self._told(claim)
            await self._release(claim, source)
        news = source.news()
        while True:
            free = await source.changed()
            while free and (rows := await self._claim(source)):
                yield await self._told(rows)
                await self._release(rows, source)
            yield self._observation()
            await news_or(self._options.every, news, self._world.clock)

    @property
    def _prefix(self) -> str:
        """What the marks of this journal's sensor begin with: another project may run the same code on the same table."""
        return f"{self._options.name}:{cast('dict[str, str]', self.cursor)['claims']}:"

    async def _claim(self, source: Source) -> list[Row]:
        mark = self._prefix + ids.uuid7(self._world.clock.now(), self._world.random.bits(74))
        return await source.claim(mark, max(PAGE, self._options.at_least), self._options.at_least)

    async def _told(self, rows: list[Row]) -> Observation[Data]:
        taken = await self._seen.of([row.identity for row in rows])
        fresh = [row for row in rows if row.identity not in taken]
        if self._options.at_least == 1:
            return self._observation(tuple(map(self._telling.row, fresh)))
        return self._observation((self._telling.rows(fresh),) if fresh else (), tuple(row.identity for row in fresh))

    async def _release(self, rows: list[Row], source: Source) -> None:
        """Have done with rows: the journal has them. Their names need not be kept for good, as no row is claimed twice."""
        await source.release(rows)
        self._released = tuple(row.identity for row in rows)

    def _observation(self, events: tuple[Event[Data], ...] = (), known: tuple[str, ...] = ()) -> Observation[Data]:
        forget, self._released = self._released, ()
        return Observation(events=events, cursor=self.cursor, known=known, forget=forget)
