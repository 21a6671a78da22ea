"""What PostgreSQL itself says of a table: its columns and key. All names in our SQL come from here, quoted by the server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from eventflow.sensors.rows.layout import Layout, Table, layout, no_table
from eventflow.sensors.rows.options import RowOptions
from eventflow.sensors.rows.postgres.connection import Connection

# Rows of these have no `xmin`.
_VIEWS = ("v", "m", "f")

_FIND = """
SELECT c.oid::bigint AS oid, c.relkind::text AS kind, format('%I.%I', n.nspname, c.relname) AS name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND CASE WHEN $2::text IS NULL THEN c.relname = $1 AND pg_table_is_visible(c.oid)
           ELSE c.relname = $1 AND n.nspname = $2 END
"""

_NEIGHBOURS = """
SELECT CASE WHEN pg_table_is_visible(c.oid) THEN c.relname ELSE format('%s.%s', n.nspname, c.relname) END AS name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
ORDER BY 1 LIMIT 100
"""

_COLUMNS = """
SELECT a.attname AS name, quote_ident(a.attname) AS quoted, format_type(a.atttypid, -1) AS type, a.attnotnull AS filled,
       b.typname::text AS base, b.typtype = 'c' OR b.typcategory = 'A' AS composed
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
WHERE a.attrelid = $1::bigint::oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""

_INDEXES = """
SELECT i.indisprimary AS main,
       i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indimmediate AND i.indisvalid AS unique,
       i.indpred IS NULL AND i.indisvalid AND m.amname = 'btree' AS ordered,
       ARRAY(SELECT a.attname FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
             WHERE k.place <= i.indnkeyatts ORDER BY k.place)::text[] AS columns
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
WHERE i.indrelid = $1::bigint::oid
ORDER BY i.indisprimary DESC, i.indexrelid
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `quoted` is its name in SQL, `type` that of its values in SQL, `base` what these are under a domain.

    `composed` says that they are arrays or composites, `filled` that none is NULL.
    """

    name: str
    quoted: str
    type: str
    base: str
    composed: bool
    filled: bool


@dataclass(frozen=True, slots=True)
class Described:
    """A table as its server knows it, and what the sensor reads of it.

    `quoted` is its name in SQL, `columns` are all of its columns by name, `leads` those by which an index begins.
    """

    quoted: str
    is_view: bool
    columns: Mapping[str, Column]
    leads: frozenset[str]
    layout: Layout

    def several(self, names: Iterable[str]) -> tuple[Column, ...]:
        """Give columns by their names."""
        return tuple(self.columns[name] for name in names)


async def described(connection: Connection, options: RowOptions) -> Described:
    """Look a sensor's table up, by its name or as `schema.name`. Raises `SourceUnreachable` where it isn't there, or doesn't fit."""
    found = await _found(connection, options)
    oid, is_view = found["oid"], found["kind"] in _VIEWS
    columns = {column.name: column for column in [_column(row) for row in await connection.fetch(_COLUMNS, oid)]}
    indexes = await connection.fetch(_INDEXES, oid)
    table = Table(
        name=options.table,
        columns={name: not column.filled for name, column in columns.items()},
        primary=next((_names(index) for index in indexes if index["main"]), ()),
        unique=tuple(_names(index) for index in indexes if index["unique"]),
        is_view=is_view,
    )
    leads = frozenset(name for index in indexes if index["ordered"] for name in _names(index)[:1])
    return Described(str(found["name"]), is_view, columns, leads, layout(table, options))


async def _found(connection: Connection, options: RowOptions) -> Mapping[str, object]:
    # A name may hold dots itself: first as it stands, then as a schema and a name.
    schema, _, bare = options.table.rpartition(".")
    for arguments in ((options.table, None), *([(bare, schema)] if schema else [])):
        if found := await connection.fetchrow(_FIND, *arguments):
            return found
    raise no_table(options, [str(row["name"]) for row in await connection.fetch(_NEIGHBOURS)])


def _column(row: Mapping[str, object]) -> Column:
    return Column(
        name=str(row["name"]),
        quoted=str(row["quoted"]),
        type=str(row["type"]),
        base=str(row["base"]),
        composed=bool(row["composed"]),
        filled=bool(row["filled"]),
    )


def _names(index: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(cast("list[str]", index["columns"]))
