"""Taking rows: a mark is written into them, and they are done with later.

Free rows are locked while they are chosen, and rows that somebody else has locked are passed over, so that several may take from one table
without waiting for each other. A row without a key is told by its mark, which then has its number in the claim behind it.
"""
# ruff: noqa: S608 - names are the table's own, quoted by the server; values are bound

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from eventflow.sensors.rows.options import DONE, RowOptions
from eventflow.sensors.rows.postgres.connection import Connection
from eventflow.sensors.rows.postgres.statements import Arguments, Statements
from eventflow.sensors.rows.postgres.table import Described
from eventflow.sensors.rows.source import Row

# Two partitions may have a row at the same place.
_PLACE = "t.tableoid::text || t.ctid::text"


class Claims:
    """The rows of one table as they are taken and done with. Called in a transaction, which its caller commits."""

    def __init__(self, connection: Connection, options: RowOptions, table: Described, statements: Statements) -> None:
        self._connection = connection
        self._outbox = options.mode == "outbox"
        self._sql = statements
        self._name = table.quoted
        self._keyed = bool(table.layout.key)
        self._order = table.several(table.layout.order)
        self._quoted = "NULL" if table.layout.mark is None else table.columns[table.layout.mark].quoted
        self._mark = f"t.{self._quoted}"

    async def claim(self, mark: str, limit: int, least: int) -> list[Row]:
        """Take rows: see `Source.claim`."""
        bound = Arguments()
        place = "" if self._keyed else f', {_PLACE} AS "place", t.ctid::text AS "tid"'
        records = await self._connection.fetch(
            f"SELECT {self._sql.fields.selected}{place} FROM {self._name} AS t WHERE {self._mark} IS NULL AND {self._sql.wanted(bound)} "
            f"ORDER BY {self._by} LIMIT {bound.add(limit)} FOR UPDATE OF t SKIP LOCKED",
            *bound.values,
        )
        if not records or len(records) < least:
            return []
        if self._keyed:
            await self._mark_by_key(mark, [self._sql.fields.key_of(record) for record in records])
        else:
            await self._mark_by_place(mark, [str(record["place"]) for record in records], [str(record["tid"]) for record in records])
        return [self._row(record, mark, f"{mark}/{number}") for number, record in enumerate(records, 1)]

    async def claimed(self, prefix: str, limit: int) -> list[Row]:
        """Give rows that were taken: see `Source.claimed`."""
        claim = f"{self._mark}::text" if self._keyed else f"substring({self._mark} FROM '^(.*)/')"
        records = await self._connection.fetch(
            f'SELECT {self._sql.fields.selected}, {claim} AS "claim", {self._mark}::text AS "mark" FROM {self._name} AS t '
            f"WHERE starts_with({self._mark}, $1::text) AND {self._mark} <> '{DONE}' "
            f"ORDER BY {claim}, length({self._mark}), {self._mark}, {self._by} LIMIT $2",
            prefix,
            limit,
        )
        return [self._row(record, str(record["claim"]), str(record["mark"])) for record in records]

    async def release(self, rows: list[Row]) -> None:
        """Have done with rows: see `Source.release`."""
        for claim in dict.fromkeys(row.claim for row in rows):
            bound = Arguments()
            done = f"DELETE FROM {self._name} AS t" if self._outbox else f"UPDATE {self._name} AS t SET {self._quoted} = '{DONE}'"
            keys = [row.key for row in rows if row.claim == claim]
            if self._keyed:
                theirs = f"{self._mark} = {bound.add(claim)}::text AND {self._sql.with_keys(bound, keys)}"
            else:
                theirs = f"{self._mark} = ANY ({bound.add([str(mark) for (mark,) in keys])}::text[])"
            await self._connection.execute(f"{done} WHERE {theirs}", *bound.values)

    async def check(self) -> None:
        """Try what is done to rows, on none."""
        bound = Arguments()
        await self._connection.fetch(
            f"SELECT {self._sql.fields.selected} FROM {self._name} AS t WHERE {self._sql.wanted(bound)} LIMIT 0", *bound.values
        )
        await self._connection.execute(f"UPDATE {self._name} AS t SET {self._quoted} = $1::text WHERE false", DONE)
        if self._outbox:
            await self._connection.execute(f"DELETE FROM {self._name} AS t WHERE false")

    def _row(self, record: Mapping[str, object], claim: str, mark: str) -> Row:
        row = self._sql.fields.row(record)
        if not self._keyed:
            return replace(row, identity=mark, key=(mark,), claim=claim)
        return replace(row, identity=f"{row.identity}#{claim}", claim=claim)

    async def _mark_by_key(self, mark: str, keys: list[tuple[object, ...]]) -> None:
        bound = Arguments()
        values = f"{self._quoted} = {bound.add(mark)}::text"
        await self._connection.execute(f"UPDATE {self._name} AS t SET {values} WHERE {self._sql.with_keys(bound, keys)}", *bound.values)

    async def _mark_by_place(self, mark: str, places: list[str], tids: list[str]) -> None:
        number = f"array_position($2::text[], {_PLACE})"
        await self._connection.execute(
            f"UPDATE {self._name} AS t SET {self._quoted} = $1::text || '/' || {number} "
            f"WHERE t.ctid = ANY ($3::text[]::tid[]) AND {number} IS NOT NULL",
            mark,
            places,
            tids,
        )

    @property
    def _by(self) -> str:
        return ", ".join(f"t.{column.quoted}" for column in self._order) or "t.tableoid, t.ctid"
