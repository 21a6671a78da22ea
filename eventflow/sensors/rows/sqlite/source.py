"""Rows of a SQLite file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import anyio

from eventflow import escapes
from eventflow.errors import SourceUnreachable
from eventflow.ports import Hint, Seen, World
from eventflow.sensors.rows.cells import Reading, digest
from eventflow.sensors.rows.keyset import Keyset
from eventflow.sensors.rows.layout import Layout, layout
from eventflow.sensors.rows.options import RowOptions
from eventflow.sensors.rows.places import Place
from eventflow.sensors.rows.records import Found, Spot
from eventflow.sensors.rows.source import Key, Page, Row
from eventflow.sensors.rows.sqlite.connection import SQLite
from eventflow.sensors.rows.sqlite.statements import Statements
from eventflow.sensors.rows.sqlite.tables import find
from eventflow.sensors.rows.values import identity
from eventflow.sensors.rows.watched import Watched
from eventflow.threads import in_thread

_SLOW = 0.5
"""Seconds after which reading some rows is slow enough to ask why."""


async def open_sqlite(options: RowOptions, seen: Seen, world: World) -> SQLiteSource:
    """Open a table of a SQLite file. Raises `SourceUnreachable` where the file, the table or a column isn't there."""
    path = world.root / cast("Path", options.database.path)
    database = await SQLite.opened(path, writes=options.claims)
    try:
        table = await find(database, options)
        records = SQLiteRecords(database, layout(table.table, options), options, numbered=table.numbered)
    except BaseException:
        with anyio.CancelScope(shield=True):
            await database.close()
        raise
    return SQLiteSource(database, records, options, seen, world)


class SQLiteSource:
    """The `Source` of a SQLite file."""

    def __init__(self, database: SQLite, records: SQLiteRecords, options: RowOptions, seen: Seen, world: World) -> None:
        self._database = database
        self._records = records
        self._statements = records.statements
        self._outbox = options.mode == "outbox"
        self._version: int | None = None
        self._keyset = Keyset(records, options, seen, world.clock, whole=True)
        self._open = ExitStack()
        self._writes = options.claims
        self._path = world.root / cast("Path", options.database.path)
        self._news = self._open.enter_context(world.watcher.watch(self._path.parent, recursive=False))

    @property
    def watched(self) -> Watched:
        return Watched(self._records.layout.table, self._records.layout.key)

    async def existing(self, cursor: object, limit: int) -> Page:
        return await self._keyset.existing(cursor, limit)

    async def read(self, cursor: object, limit: int) -> Page:
        return await self._keyset.read(cursor, limit, changed=await self.changed())

    async def matching(self, after: Key | None, limit: int) -> list[Key]:
        found = await self._database.fetch(*self._statements.matching(None if after is None else after.values, limit))
        return [Key(identity(values), values) for values in found]

    async def rows(self, keys: list[Key]) -> list[Row]:
        return await self._keyset.rows([key.values for key in keys])

    async def changed(self) -> bool:
        before, self._version = self._version, await self._database.version()
        return before != self._version

    async def claim(self, mark: str, limit: int, least: int) -> list[Row]:
        ((free,),) = await self._database.fetch(*self._statements.free(least))
        if cast("int", free) < least:
            return []
        await self._database.fetch(*self._statements.claim(mark, limit, least))
        return await self.claimed(mark, limit)

    async def claimed(self, prefix: str, limit: int) -> list[Row]:
        found = await self._database.fetch(*self._statements.claimed(prefix, limit))
        return [self._records.reading.claimed(row) for row in found]

    async def release(self, rows: list[Row]) -> None:
        for claim in dict.fromkeys(row.claim for row in rows):
            keys = [row.key for row in rows if row.claim == claim]
            await self._database.fetch(*self._statements.release(claim, keys, delete=self._outbox))

    def news(self) -> Hint:
        return self._news

    async def check(self) -> None:
        await self._database.version()
        if self._writes and not await in_thread(os.access, self._path, os.W_OK):
            raise SourceUnreachable(f"the database {escapes.path(self._path)} can't be written by this user, and claiming writes into it")

    async def close(self) -> None:
        self._open.close()
        await self._database.close()


class SQLiteRecords:
    """The `Records` of a table in a SQLite file."""

    def __init__(self, database: SQLite, layout: Layout, options: RowOptions, *, numbered: bool) -> None:
        self._database = database
        self._layout = layout
        self._numbered = numbered and len(layout.key) == 1
        self._shown = f"table {layout.table!r} in {options.database.shown}"
        self._unnamed: bool | None = None
        self.reading = Reading(layout)
        self.statements = Statements(layout, options.where)

    @property
    def layout(self) -> Layout:
        return self._layout

    @property
    def counts(self) -> bool:
        return self._numbered

    async def behind(self, after: Place | None, limit: int) -> list[Found]:
        return [self.reading.found(row) for row in await self._database.fetch(*self.statements.behind(after, limit))]

    async def spots(self, since: object, after: Place | None, until: Place, limit: int) -> list[Spot]:
        return [self.reading.spot(row) for row in await self._database.fetch(*self.statements.spots(since, after, until, limit))]

    async def there(self, after: Place | None, until: Place, limit: int) -> list[Spot]:
        return [self.reading.spot(row) for row in await self._database.fetch(*self.statements.there(after, until, limit))]

    async def fetch(self, keys: Sequence[tuple[object, ...]]) -> list[Found]:
        return [self.reading.found(row) for row in await self._database.fetch(*self.statements.fetch(keys))]

    async def last(self) -> Place | None:
        rows = await self._database.fetch(*self.statements.last())
        return rows[0] if rows else None

    async def largest(self) -> int | None:
        ((largest,),) = await self._database.fetch(*self.statements.largest())
        return cast("int | None", largest)

    async def digests(self, keys: Sequence[int]) -> dict[int, str]:
        if not keys:
            return {}
        rows = await self._database.fetch(*self.statements.fixed(keys))
        return {cast("int", key): digest(fixed) for key, *fixed in rows}

    async def complaint(self, seconds: float) -> str | None:
        if self._unnamed is not False:
            ((unnamed,),) = await self._database.fetch(*self.statements.unnamed())
            self._unnamed = bool(unnamed)
        if self._unnamed:
            return f"{self._shown} has rows without a key ({', '.join(self._layout.key)} is NULL): they can't be told apart, and never fire"
        if seconds < _SLOW or await self._is_indexed():
            return None
        columns = ", ".join(self._layout.order)
        return f"{self._shown} has no index on ({columns}): each look reads all of it. CREATE INDEX makes it quick"

    async def _is_indexed(self) -> bool:
        text, values = self.statements.behind(await self.last(), 1)
        plan = await self._database.fetch(f"EXPLAIN QUERY PLAN {text}", values)
        return not any("USE TEMP B-TREE" in str(step[-1]) or str(step[-1]).startswith("SCAN") for step in plan)
