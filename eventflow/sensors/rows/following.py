"""New rows, and new versions of rows: reading on from where the journal stands."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from eventflow.events import Observation
from eventflow.ports import Seen, World
from eventflow.sensors.rows.existing import passed_over
from eventflow.sensors.rows.options import RowOptions
from eventflow.sensors.rows.source import Page, Source
from eventflow.sensors.rows.telling import PAGE, Data, Telling
from eventflow.sensors.waiting import news_or


class Following:
    """Tells each row once, or each version of a row."""

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
        news = source.news()
        while True:
            page = await source.read(self.cursor, PAGE)
            self.cursor = page.cursor
            events = tuple(map(self._telling.row, page.rows))
            forget = await forgotten(page, self._seen)
            yield Observation(events=events, cursor=self.cursor, forget=forget, keep=page.returned, known=page.known, lagging=page.lagging)
            if page.again != 0:
                await news_or(until(page, self._options.every), news, self._clock)


async def forgotten(page: Page, seen: Seen) -> tuple[str, ...]:
    """Give what the journal need not keep for ever, of what it has."""
    return tuple(await seen.of(page.settled)) if page.settled else ()


def until(page: Page, every: float) -> float:
    """Give in how many seconds the source is to be read again, even without news."""
    return every if page.again is None else min(page.again, every)
