"""What a database says of a table, by way of SQLAlchemy."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Integer, MetaData, inspect
from sqlalchemy import Table as SQLTable
from sqlalchemy.engine import Inspector

from eventflow.errors import SourceUnreachable
from eventflow.sensors.rows.layout import Layout, Table, layout, no_table
from eventflow.sensors.rows.options import RowOptions


@dataclass(frozen=True, slots=True)
class Described:
    """A table as SQLAlchemy has it, and what a sensor reads of it.

    `counts` says whether its key is a whole number, `indexed` whether an index begins with the column by which rows are read.
    """

    table: SQLTable
    layout: Layout
    counts: bool
    indexed: bool


def describe(connection: Connection, options: RowOptions) -> Described:
    """Find a table by the name that was written, `name` or `schema.name`. Raises `SourceUnreachable`, which names those there are."""
    known = inspect(connection)
    schema, name, is_view = _found(known, options)
    table = SQLTable(name, MetaData(), schema=schema, autoload_with=connection, resolve_fks=False)
    primary = tuple(known.get_pk_constraint(name, schema)["constrained_columns"] or ())
    indexes = [tuple(str(column) for column in index["column_names"]) for index in known.get_indexes(name, schema)]
    told = Table(
        name=name,
        columns={column.name: bool(column.nullable) and column.name not in primary for column in table.columns},
        primary=primary,
        unique=_unique(known, name, schema),
        is_view=is_view,
    )
    fitted = layout(told, options)
    if not fitted.key:
        raise SourceUnreachable(f"table {told.name!r} in {options.database.shown} has no primary key: name unique columns with key=...")
    counts = len(fitted.key) == 1 and isinstance(table.c[fitted.key[0]].type, Integer)
    leading = {columns[0] for columns in (primary, *told.unique, *indexes) if columns}
    return Described(table, fitted, counts, fitted.order[0] in leading)


def _found(known: Inspector, options: RowOptions) -> tuple[str | None, str, bool]:
    schema, _, name = options.table.rpartition(".")
    for place, written in ((None, options.table), (schema or None, name)):
        if written in (tables := known.get_table_names(place)):
            return place, written, False
        if written in known.get_view_names(place):
            return place, written, True
        if not schema:
            raise no_table(options, tables)
    raise no_table(options, known.get_table_names())


def _unique(known: Inspector, name: str, schema: str | None) -> tuple[tuple[str, ...], ...]:
    constraints = [tuple(one["column_names"]) for one in known.get_unique_constraints(name, schema)]
    indexes = [
        tuple(str(column) for column in one["column_names"])
        for one in known.get_indexes(name, schema)
        if one["unique"] and None not in one["column_names"] and not any("where" in option for option in one.get("dialect_options", {}))
    ]
    return (*constraints, *indexes)
