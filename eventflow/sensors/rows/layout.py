"""How a table is made, as its database tells, and what a sensor reads of it. Names of columns come from here and from nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from eventflow.errors import SourceUnreachable
from eventflow.sensors.rows.options import RowOptions


@dataclass(frozen=True, slots=True)
class Table:
    """What a database says of a table. `columns` tells of each whether it may be NULL; `unique` are the column sets of unique indexes."""

    name: str
    columns: Mapping[str, bool]
    primary: tuple[str, ...]
    unique: tuple[tuple[str, ...], ...] = ()
    is_view: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """What a sensor reads of a table, in the table's own names.

    `order` is what rows are read by: the cursor column and the key, each column once. `filled` are columns of these that might be NULL: a
    row fires once it has a value in each. `columns` are those that an event carries. Without a key, `key` and `order` are empty.
    """

    table: str
    key: tuple[str, ...]
    order: tuple[str, ...]
    filled: tuple[str, ...]
    columns: tuple[str, ...]
    fixed: tuple[str, ...]
    version: str | None
    mark: str | None
    names: Mapping[str, str]

    @property
    def spot(self) -> tuple[str, ...]:
        """The columns that tell where a row is, and which one."""
        return (*self.order, *self.key, *(() if self.version is None else (self.version,)))

    @property
    def row(self) -> tuple[str, ...]:
        """The columns of a whole row."""
        return (*self.spot, *self.fixed, *self.columns)

    def name(self, written: str) -> str:
        """Give the table's own name of a column that the sensor's author wrote."""
        return self.names[written]


def layout(table: Table, options: RowOptions) -> Layout:
    """Fit a sensor to a table. Raises `SourceUnreachable`, which names what is there, where they don't fit."""
    names = _names(table, options)
    key = _key(table, options, names)
    first = () if options.order is None else (names[options.order],)
    order = tuple(dict.fromkeys((*first, *key)))
    version = None if options.order is None or options.on != "update" else names[options.order]
    return Layout(
        table=table.name,
        key=key,
        order=order,
        filled=tuple(column for column in order if table.columns[column]),
        columns=tuple(names[column] for column in options.columns) or _carried(table, options, names),
        fixed=tuple(names[column] for column in options.fixed),
        version=version,
        mark=None if options.mark is None else names[options.mark],
        names=names,
    )


def no_table(options: RowOptions, there: Iterable[str]) -> SourceUnreachable:
    """Say that the table isn't there, and which ones are."""
    return SourceUnreachable(
        f"{options.database.shown} has no table {options.table!r}, which sensor {options.name!r} watches: {_listed('it has', there)}"
    )


def _names(table: Table, options: RowOptions) -> dict[str, str]:
    names: dict[str, str] = {}
    folded = {column.casefold(): column for column in table.columns}
    for option, columns in options.named.items():
        for column in columns:
            found = column if column in table.columns else folded.get(column.casefold())
            if found is None:
                raise SourceUnreachable(
                    f"table {table.name!r} in {options.database.shown} has no column {column!r}, which {option}= of sensor {options.name!r}"
                    f" names: {_listed('it has', table.columns)}"
                )
            names[column] = found
    return names


def _key(table: Table, options: RowOptions, names: Mapping[str, str]) -> tuple[str, ...]:
    key = tuple(names[column] for column in options.key) or table.primary
    if not key and not options.claims:
        raise SourceUnreachable(
            f"{_kind(table)} {table.name!r} in {options.database.shown} has no primary key, so that its rows can't be told apart:"
            f" give it one, name columns that are unique with key=..., or have the sensor take rows with mode='claim'"
        )
    if options.key and not table.is_view and not _unique(key, table):
        raise SourceUnreachable(
            f"key={list(key)} of sensor {options.name!r} doesn't tell rows of {table.name!r} apart: no primary key and no unique index of"
            f" {options.database.shown} stands on these columns alone"
        )
    return key


def _unique(key: tuple[str, ...], table: Table) -> bool:
    proofs = [columns for columns in (table.primary, *table.unique) if columns]
    return any(set(columns) <= set(key) for columns in proofs)


def _carried(table: Table, options: RowOptions, names: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(column for column in table.columns if options.mark is None or column != names[options.mark])


def _kind(table: Table) -> str:
    return "view" if table.is_view else "table"


def _listed(lead: str, names: Iterable[str]) -> str:
    every: Sequence[str] = sorted(names)
    if not every:
        return f"{lead} none"
    more = f" and {len(every) - 20} more" if len(every) > 20 else ""
    return f"{lead} {', '.join(every[:20])}{more}"
