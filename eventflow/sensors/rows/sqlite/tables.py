"""What a SQLite database says of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from eventflow.sensors.rows.layout import Table, no_table
from eventflow.sensors.rows.options import RowOptions
from eventflow.sensors.rows.sqlite.connection import SQLite

_TABLES = "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view') AND substr(name, 1, 7) != 'sqlite_'"
_COLUMNS = """SELECT name, type, "notnull", pk FROM pragma_table_xinfo(?) WHERE hidden != 1 ORDER BY cid"""
_INDEXES = """
SELECT list.name, info.name FROM pragma_index_list(?) AS list, pragma_index_info(list.name) AS info
WHERE list."unique" AND NOT list.partial ORDER BY list.seq, info.seqno
"""
_WITHOUT_ROWID = "SELECT 1 FROM pragma_index_list(?) AS list WHERE origin = 'pk'"


@dataclass(frozen=True, slots=True)
class SQLiteTable:
    """A table, and whether its key is SQLite's own row number, which may be used again."""

    table: Table
    numbered: bool


async def find(database: SQLite, options: RowOptions) -> SQLiteTable:
    """Find a table by the name that was written. Raises `SourceUnreachable`, which names those there are."""
    tables = {str(name): str(kind) for name, kind in await database.fetch(_TABLES)}
    folded = {name.casefold(): name for name in tables}
    name = options.table if options.table in tables else folded.get(options.table.casefold())
    if name is None:
        raise no_table(options, tables)
    columns = await database.fetch(_COLUMNS, [name])
    primary = [(cast("int", place), str(column)) for column, _, _, place in columns if place]
    rowid = not await database.fetch(_WITHOUT_ROWID, [name])
    numbered = rowid and len(primary) == 1 and any(place and str(kind).upper() == "INTEGER" for _, kind, _, place in columns)
    table = Table(
        name=name,
        columns={str(column): not required and not (numbered and place) for column, _, required, place in columns},
        primary=tuple(column for _, column in sorted(primary)),
        unique=await _unique(database, name),
        is_view=tables[name] == "view",
    )
    return SQLiteTable(table, numbered)


async def _unique(database: SQLite, name: str) -> tuple[tuple[str, ...], ...]:
    indexes: dict[str, list[str]] = {}
    expressions: set[str] = set()
    for index, column in await database.fetch(_INDEXES, [name]):
        indexes.setdefault(str(index), []).append(str(column))
        if column is None:  # an expression: what it makes of a column may be unique though the column isn't
            expressions.add(str(index))
    return tuple(tuple(columns) for index, columns in indexes.items() if index not in expressions)
