"""Rows that begin to fulfil a condition. A row that goes on fulfilling it fires once; it fires again only after it had ceased to.

A row's event is called by its key and by how often it has begun: `7#1`, `7#2`. Which rows fulfil the condition is what the journal keeps:
the identities that are taken and not forgotten. So this costs memory for each row that fulfils the condition now, and a look reads the
keys of all of them.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing

from eventflow.events import Observation
from eventflow.ports import Seen, World
from eventflow.sensors.portions import portions
from eventflow.sensors.rows.options import RowOptions
from eventflow.sensors.rows.source import Key, Source
from eventflow.sensors.rows.telling import PAGE, Data, Telling
from eventflow.sensors.waiting import news_or

_REST = 3
"""The sensor rests three times as long as it looked."""

_BEGUN = {"begun": True}

_OWN = re.compile(r"(?P<name>.+)#(?P<times>[1-9][0-9]{0,17})", re.DOTALL)


class Matching:
    """Compares the rows that fulfil the condition with those that the journal says had."""

    def __init__(self, options: RowOptions, cursor: object, seen: Seen, world: World) -> None:
        self._options = options
        self.cursor = cursor
        self._seen = seen
        self._clock = world.clock
        self._telling = Telling(options, world)
        self._inside: dict[str, str] = {}
        self._times: dict[str, int] = {}

    async def look(self, source: Source) -> AsyncGenerator[Observation[Data], None]:
        """Yield what the source has, for ever."""
        await self._remember()
        if self._options.ignore_existing and self.cursor != _BEGUN:
            self.cursor = _BEGUN
            yield Observation(cursor=_BEGUN, known=await self._all(source))
        news = source.news()
        while True:
            begun = self._clock.monotonic()
            if await source.changed():
                async with aclosing(self._compare(source)) as observations:
                    async for observation in observations:
                        yield observation
            yield Observation(cursor=self.cursor)
            rest = _REST * (self._clock.monotonic() - begun)
            await self._clock.sleep(min(rest, self._options.every))
            await news_or(self._options.every, news, self._clock)

    async def _remember(self) -> None:
        self._inside.clear()
        for identity, gone in (await self._seen.all()).items():
            if (own := _OWN.fullmatch(identity)) is None:  # published by hand, or left by a sensor that had this name
                continue
            name, times = own["name"], int(own["times"])
            self._times[name] = max(times, self._times.get(name, 0))
            if gone is None:
                self._inside[name] = identity

    async def _all(self, source: Source) -> tuple[str, ...]:
        """Take note of all rows that fulfil the condition, as if they had fired."""
        names: list[str] = []
        async with aclosing(_pages(source)) as pages:
            async for keys in pages:
                names += [self._enter(key.identity) for key in keys if key.identity not in self._inside]
        return tuple(names)

    async def _compare(self, source: Source) -> AsyncGenerator[Observation[Data], None]:
        there: set[str] = set()
        async with aclosing(_pages(source)) as pages:
            async for keys in pages:
                there.update(key.identity for key in keys)
                new = [key for key in keys if key.identity not in self._inside]
                rows = await source.rows(new) if new else []
                events = tuple(self._telling.row(row, self._enter(row.identity)) for row in rows)
                yield Observation(events=events, cursor=self.cursor)
        gone = [name for name in self._inside if name not in there]
        for names in portions(gone):
            yield Observation(cursor=self.cursor, forget=tuple(self._inside.pop(name) for name in names))

    def _enter(self, name: str) -> str:
        self._times[name] = self._times.get(name, 0) + 1
        self._inside[name] = f"{name}#{self._times[name]}"
        return self._inside[name]


async def _pages(source: Source) -> AsyncGenerator[list[Key], None]:
    after: Key | None = None
    while True:
        keys = await source.matching(after, PAGE)
        yield keys
        if len(keys) < PAGE:
            return
        after = keys[-1]
