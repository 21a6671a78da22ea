"""A table of PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import cast

from eventflow.ports import Hint, Seen, World
from eventflow.sensors.rows.options import RowOptions
from eventflow.sensors.rows.postgres.claims import Claims
from eventflow.sensors.rows.postgres.connection import Connection, closed, connected, reaching, reading, writing
from eventflow.sensors.rows.postgres.listening import Listening
from eventflow.sensors.rows.postgres.place import Snapshot
from eventflow.sensors.rows.postgres.reading import Pace, Reading
from eventflow.sensors.rows.postgres.statements import Statements
from eventflow.sensors.rows.postgres.table import Described, described
from eventflow.sensors.rows.source import Key, Page, Row
from eventflow.sensors.rows.watched import Watched

_SNAPSHOT = "SELECT pg_current_snapshot()::text AS snapshot"

# Who owns the server may not let us know. A standby has no timeline of its own: what was read there is there also once it is promoted.
_ALLOWED = """
SELECT has_function_privilege(to_regprocedure('pg_catalog.pg_control_system()'), 'execute')
   AND has_function_privilege(to_regprocedure('pg_catalog.pg_walfile_name(pg_lsn)'), 'execute') AS allowed
"""
_HISTORY = """
SELECT (SELECT system_identifier FROM pg_control_system())::text AS cluster,
       CASE WHEN pg_is_in_recovery() THEN '-' ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END AS timeline
"""

_OLDEST = """
SELECT 'process ' || pid AS who, to_char(xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS since
FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND $1::bigint = $2::bigint - (($2::bigint - backend_xid::text::bigint) & 4294967295)
UNION ALL
SELECT 'the prepared transaction ' || gid, to_char(prepared AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')
FROM pg_prepared_xacts WHERE $1::bigint = $2::bigint - (($2::bigint - transaction::text::bigint) & 4294967295)
"""


async def open_postgres(options: RowOptions, seen: Seen, world: World, *, pace: Pace | None = None) -> PostgresSource:
    """Connect, and look the table up. Raises `SourceUnreachable` where the server or the table isn't there, or they don't fit."""
    url = _address(options)
    connection = await connected(url)
    try:
        async with reading(connection, url):
            table = await described(connection, options)
            statements = Statements(options, table)
            history = await _history(connection)
    except BaseException:
        await closed(connection)
        raise
    how = pace or Pace(settle=options.settle)
    reader = Reading(connection, statements, seen, clock=world.clock, pace=how, history=history, forgets=options.on == "update")
    listening = Listening(url, options.notify, world.clock)
    return PostgresSource(options, connection, table, reader, listening)


class PostgresSource:
    """One table, with a connection that reads it and another one that listens. See `Source` for what each call does."""

    def __init__(self, options: RowOptions, connection: Connection, table: Described, reader: Reading, listening: Listening) -> None:
        self._options = options
        self._url = _address(options)
        self._connection = connection
        self._table = table
        self._sql = reader.statements
        self._reading = reader
        self._listening = listening
        self._claims = Claims(connection, options, table, reader.statements)
        self._last: str | None = None

    @property
    def watched(self) -> Watched:
        return Watched(self._table.quoted, self._table.layout.key, self._table.layout.fixed)

    async def existing(self, cursor: object, limit: int) -> Page:  # noqa: ARG002 - a snapshot tells it at once
        async with self._look() as snapshot:
            return Page(cursor=await self._reading.end(snapshot))

    async def read(self, cursor: object, limit: int) -> Page:
        await self._listening.keep()
        snapshot = await self._snapshot()
        if self._reading.quiet(cursor, snapshot):
            return Page(cursor=cursor, lagging=await self._lagging(snapshot))
        async with self._look() as snapshot:
            page = await self._reading.look(cursor, snapshot, limit)
        return replace(page, lagging=await self._lagging(snapshot))

    async def matching(self, after: Key | None, limit: int) -> list[Key]:
        query, values = self._sql.keys(None if after is None else after.values, limit)
        async with self._look():
            records = await self._connection.fetch(query, *values)
        return [Key(self._sql.fields.name(record), self._sql.fields.key_of(record)) for record in records]

    async def rows(self, keys: list[Key]) -> list[Row]:
        query, values = self._sql.by_key([key.values for key in keys])
        async with self._look():
            records = await self._connection.fetch(query, *values)
        found = {row.identity: row for row in map(self._sql.fields.row, records)}
        return [found[key.identity] for key in keys if key.identity in found]

    async def changed(self) -> bool:
        await self._listening.keep()
        before, self._last = self._last, (await self._snapshot()).text
        return before != self._last

    async def claim(self, mark: str, limit: int, least: int) -> list[Row]:
        async with writing(self._connection, self._url):
            return await self._claims.claim(mark, limit, least)

    async def claimed(self, prefix: str, limit: int) -> list[Row]:
        async with self._look():
            return await self._claims.claimed(prefix, limit)

    async def release(self, rows: list[Row]) -> None:
        async with writing(self._connection, self._url):
            await self._claims.release(rows)

    def news(self) -> Hint:
        return self._listening.news

    async def check(self) -> None:
        async with self._look() as snapshot:
            if not self._options.claims:
                for query, values in self._sql.tried(snapshot.xmax):
                    await self._connection.fetch(query, *values)
        if self._options.claims:
            async with writing(self._connection, self._url):
                await self._claims.check()

    async def close(self) -> None:
        await self._listening.close()
        await closed(self._connection)

    @asynccontextmanager
    async def _look(self) -> AsyncGenerator[Snapshot]:
        async with reading(self._connection, self._url):
            yield await self._snapshot()

    async def _snapshot(self) -> Snapshot:
        with reaching(self._url):
            record = await self._connection.fetchrow(_SNAPSHOT)
        return Snapshot.of(str(cast("Mapping[str, object]", record)["snapshot"]))

    async def _lagging(self, snapshot: Snapshot) -> str | None:
        """Say what makes looking dear. The same for as long as it lasts: each change is a fact."""
        if self._reading.past.held(snapshot):
            with reaching(self._url):
                oldest = await self._connection.fetchrow(_OLDEST, snapshot.xmin, snapshot.xmax)
            who, since = ("somebody", "long") if oldest is None else (oldest["who"], f"{oldest['since']} UTC")
            return f"{who} has kept a transaction open since {since}: until it ends, what was written since is looked at again and again"
        if self._reading.is_large and not self._sql.ordered:
            column = self._table.layout.order[0]
            return f"no index of {self._options.table!r} begins with {column!r}: its rows are read by their key, and found late"
        return None


async def _history(connection: Connection) -> str:
    """Name the cluster and its timeline."""
    allowed = await connection.fetchrow(_ALLOWED)
    if allowed is None or not allowed["allowed"]:
        return "/"
    record = cast("Mapping[str, object]", await connection.fetchrow(_HISTORY))
    return f"{record['cluster']}/{record['timeline']}"


def _address(options: RowOptions) -> str:
    return "" if options.database.address is None else options.database.address.reveal()
