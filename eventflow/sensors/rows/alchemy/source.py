"""Rows of any database that SQLAlchemy knows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import anyio
from sqlalchemy import Connection, Select

from eventflow.ports import Hint, Seen, World
from eventflow.sensors.rows.alchemy.connection import Alchemy
from eventflow.sensors.rows.alchemy.statements import Statements
from eventflow.sensors.rows.alchemy.tables import Described, describe
from eventflow.sensors.rows.cells import Cells, Reading, digest
from eventflow.sensors.rows.keyset import Keyset
from eventflow.sensors.rows.layout import Layout
from eventflow.sensors.rows.options import RowOptions
from eventflow.sensors.rows.places import Place
from eventflow.sensors.rows.records import Found, Spot
from eventflow.sensors.rows.source import Key, Page, Row
from eventflow.sensors.rows.values import identity
from eventflow.sensors.rows.watched import Watched
from eventflow.sensors.waiting import News

_SLOW = 0.5
"""Seconds after which reading some rows is slow enough to ask why."""


async def open_alchemy(options: RowOptions, seen: Seen, world: World) -> AlchemySource:
    """Open a table of a database. Raises `SourceUnreachable` where the database, the table or a column isn't there."""
    database = Alchemy(options.database, writes=options.claims)
    try:
        records = AlchemyRecords(database, await database.run(lambda connection: describe(connection, options)), options)
    except BaseException:
        with anyio.CancelScope(shield=True):
            await database.close()
        raise
    return AlchemySource(database, records, options, seen, world)


class AlchemySource:
    """The `Source` of a database that SQLAlchemy knows."""

    def __init__(self, database: Alchemy, records: AlchemyRecords, options: RowOptions, seen: Seen, world: World) -> None:
        self._database = database
        self._records = records
        self._statements = records.statements
        self._outbox = options.mode == "outbox"
        self._keyset = Keyset(records, options, seen, world.clock, whole=_is_whole(records, options))
        self._news = News()
        self._clock = world.clock
        self._every = options.every
        self._looked = -math.inf
        self._going_on = False

    @property
    def watched(self) -> Watched:
        return Watched(self._records.table, self._records.layout.key)

    async def existing(self, cursor: object, limit: int) -> Page:
        return await self._keyset.existing(cursor, limit)

    async def read(self, cursor: object, limit: int) -> Page:
        # What goes on with a look is no new look, unless it takes long: else each would give cause for another.
        now = self._clock.monotonic()
        changed = not self._going_on or now - self._looked >= self._every
        self._looked = now if changed else self._looked
        page = await self._keyset.read(cursor, limit, changed=changed)
        self._going_on = page.again is not None
        return page

    async def matching(self, after: Key | None, limit: int) -> list[Key]:
        found = await self._records.ask(self._statements.matching(None if after is None else after.values, limit))
        return [Key(identity(values), values) for values in found]

    async def rows(self, keys: list[Key]) -> list[Row]:
        return await self._keyset.rows([key.values for key in keys])

    async def changed(self) -> bool:
        return True

    async def claim(self, mark: str, limit: int, least: int) -> list[Row]:
        def take(connection: Connection) -> None:
            keys = [tuple(row) for row in connection.execute(self._statements.free(limit))]
            if len(keys) >= least:
                connection.execute(self._statements.claim(mark, keys))

        await self._database.run(take)
        return await self.claimed(mark, limit)

    async def claimed(self, prefix: str, limit: int) -> list[Row]:
        found = map(self._records.reading.claimed, await self._records.ask(self._statements.claimed(prefix, limit)))
        return [row for row in found if row.claim.startswith(prefix)]  # some databases take upper and lower case for the same

    async def release(self, rows: list[Row]) -> None:
        finish = self._statements.delete if self._outbox else self._statements.release
        for claim in dict.fromkeys(row.claim for row in rows):
            statement = finish(claim, [row.key for row in rows if row.claim == claim])
            await self._database.run(lambda connection, statement=statement: connection.execute(statement).close())

    def news(self) -> Hint:
        return self._news

    async def check(self) -> None:
        await self._records.behind(None, 1)

    async def close(self) -> None:
        await self._database.close()


def _is_whole(records: AlchemyRecords, options: RowOptions) -> bool:
    """Tell whether rows may come in anywhere, however long ago the places around them were reached."""
    return options.on == "update" or (options.order is None and not records.counts)


class AlchemyRecords:
    """The `Records` of a table in a database that SQLAlchemy knows."""

    def __init__(self, database: Alchemy, described: Described, options: RowOptions) -> None:
        self._database = database
        self._layout = described.layout
        self._counts = described.counts
        self._indexed = described.indexed
        self.table = str(described.table.fullname)  # a plain text, which a cursor can hold
        self._shown = f"table {options.table!r} in {options.database.shown}"
        self.reading = Reading(described.layout)
        self.statements = Statements(described.table, described.layout, options.where)

    @property
    def layout(self) -> Layout:
        return self._layout

    @property
    def counts(self) -> bool:
        return self._counts

    async def ask(self, statement: Select[Any]) -> list[Cells]:
        """Give the rows of a statement."""
        return await self._database.run(lambda connection: [tuple(row) for row in connection.execute(statement)])

    async def behind(self, after: Place | None, limit: int) -> list[Found]:
        return list(map(self.reading.found, await self.ask(self.statements.behind(after, limit))))

    async def spots(self, since: object, after: Place | None, until: Place, limit: int) -> list[Spot]:
        return list(map(self.reading.spot, await self.ask(self.statements.spots(since, after, until, limit))))

    async def there(self, after: Place | None, until: Place, limit: int) -> list[Spot]:
        return list(map(self.reading.spot, await self.ask(self.statements.there(after, until, limit))))

    async def fetch(self, keys: Sequence[tuple[object, ...]]) -> list[Found]:
        return list(map(self.reading.found, await self.ask(self.statements.fetch(keys))))

    async def last(self) -> Place | None:
        rows = await self.ask(self.statements.last())
        return rows[0] if rows else None

    async def largest(self) -> int | None:
        ((largest,),) = await self.ask(self.statements.largest())
        return cast("int | None", largest)

    async def digests(self, keys: Sequence[int]) -> dict[int, str]:
        rows = await self.ask(self.statements.fixed([(key,) for key in keys])) if keys else []
        return {cast("int", key): digest(fixed) for key, *fixed in rows}

    async def complaint(self, seconds: float) -> str | None:
        if self._indexed or seconds < _SLOW:
            return None
        return f"{self._shown} has no index on ({', '.join(self._layout.order)}): each look reads all of it. CREATE INDEX makes it quick"
