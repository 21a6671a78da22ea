"""Many rows as one event, once there are enough of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from eventflow.events import Observation
from eventflow.ports import Seen, World
from eventflow.sensors.rows.existing import passed_over
from eventflow.sensors.rows.following import forgotten, until
from eventflow.sensors.rows.options import RowOptions
from eventflow.sensors.rows.source import Key, Row, Source
from eventflow.sensors.rows.telling import PAGE, Data, Telling
from eventflow.sensors.waiting import news_or


class Batching:
    """Gathers rows until there are `at_least` so many, and tells them as one event.

    What has been gathered is memory: the journal's cursor stays before it, and after a restart it is read again. The event, and each row's
    identity as one that is taken, are committed together.
    """

    def __init__(self, options: RowOptions, cursor: object, seen: Seen, world: World) -> None:
        self._options = options
        self.cursor = cursor
        self._seen = seen
        self._clock = world.clock
        self._telling = Telling(options, world)

    async def look(self, source: Source) -> AsyncGenerator[Observation[Data], None]:
        """Yield what the source has, for ever."""
        if self._options.ignore_existing:
            async with aclosing(passed_over(self.cursor, source)) as pages:
                async for page in pages:
                    self.cursor = page.cursor
                    yield Observation(cursor=self.cursor, known=page.known)
        news, reached = source.news(), self.cursor
        known: tuple[str, ...] = ()
        gathered: dict[str, Row] = {}
        while True:
            page = await source.read(reached, PAGE)
            reached, known = page.cursor, known + page.known
            gathered.update((row.identity, row) for row in page.rows)
            if len(gathered) >= self._options.at_least:
                gathered = await self._as_they_are(gathered, source)
            forget = await forgotten(page, self._seen)
            if 0 < len(gathered) < self._options.at_least:
                yield Observation(cursor=self.cursor, forget=forget, keep=page.returned, lagging=page.lagging)
            else:
                rows = list(gathered.values())
                events = (self._telling.rows(rows),) if rows else ()
                self.cursor = reached
                yield Observation(
                    events=events, cursor=reached, forget=forget, keep=page.returned, known=(*known, *gathered), lagging=page.lagging
                )
                gathered, known = {}, ()
            if page.again != 0:
                await news_or(until(page, self._options.every), news, self._clock)

    async def _as_they_are(self, gathered: dict[str, Row], source: Source) -> dict[str, Row]:
        """Read the rows once more: some may have been changed or deleted while they waited, or gone back to a version that has fired."""
        keys = [Key(row.identity, row.key) for row in gathered.values()]
        rows = [row for start in range(0, len(keys), PAGE) for row in await source.rows(keys[start : start + PAGE])]
        taken = await self._seen.of([row.identity for row in rows])
        return {row.identity: row for row in rows if row.identity not in taken}
