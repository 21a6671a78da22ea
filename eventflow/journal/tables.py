"""The tables of the projections in memory, each a dict of rows by primary key. `MemoryJournal` keeps them, `verify` compares with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeAlias, cast

from msgspec.structs import replace

from eventflow.errors import Refused
from eventflow.ports import Above, Below, Ending, RowT
from eventflow.projections import TABLES, Change, Delete, Insert, Put, Row, Update

Key: TypeAlias = tuple[Any, ...]


class Tables:
    """All tables, each a dict of rows by primary key."""

    def __init__(self) -> None:
        self._rows: dict[type[Row], dict[Key, Row]] = {table: {} for table in TABLES}

    def apply(self, changes: Sequence[Change]) -> None:
        """Make all of these changes, or none: raises `Refused`, or whatever went wrong, with the tables as they were."""
        undo: list[tuple[dict[Key, Row], Key, Row | None]] = []
        try:
            for change in changes:
                rows, key, row = self._step(change)
                undo.append((rows, key, rows.get(key)))
                _set(rows, key, row)
        except BaseException:  # whatever it is: half a unit never stays
            for rows, key, row in reversed(undo):
                _set(rows, key, row)
            raise

    def select(
        self,
        table: type[RowT],
        equals: Mapping[str, object],
        *,
        order: str | None = None,
        descending: bool = False,
        limit: int | None = None,
    ) -> list[RowT]:
        """Give the rows of a table, filtered and sorted as the port says."""
        found = [row for row in self._candidates(table, equals) if _fits(row, equals)]
        found.sort(key=_order(table, order), reverse=descending)
        return found if limit is None else found[:limit]

    def all(self, table: type[RowT]) -> dict[Key, RowT]:
        """Give a copy of a whole table."""
        return cast("dict[Key, RowT]", dict(self._rows[table]))

    def _candidates(self, table: type[RowT], equals: Mapping[str, object]) -> Iterable[RowT]:
        """Give the one row that can match where a whole primary key is asked for, else all."""
        rows = cast("dict[Key, RowT]", self._rows[table])
        key = tuple(equals.get(column) for column in TABLES[table][1])
        if None in key or any(isinstance(part, tuple | Below | Above | Ending) for part in key):
            return rows.values()
        return [rows[key]] if key in rows else []

    def _step(self, change: Change) -> tuple[dict[Key, Row], Key, Row | None]:
        """Give where a change is made, and what is there afterwards."""
        if isinstance(change, Insert | Put):
            table = type(change.row)
            rows, key = self._rows[table], key_of(change.row)
            if isinstance(change, Insert) and key in rows:
                raise Refused(TABLES[table][0], key)
            return rows, key, change.row
        rows = self._rows[change.table]
        return rows, change.key, None if isinstance(change, Delete) else _updated(rows, change)


def _updated(rows: dict[Key, Row], change: Update) -> Row:
    row = rows.get(change.key)
    if row is None or any(getattr(row, column) not in values for column, values in change.expect.items()):
        raise Refused(TABLES[change.table][0], change.key)
    return replace(row, **change.values) if change.values else row


def _set(rows: dict[Key, Row], key: Key, row: Row | None) -> None:
    if row is None:
        rows.pop(key, None)
    else:
        rows[key] = row


def key_of(row: Row) -> Key:
    """Give a row's primary key."""
    return _KEYS[type(row)](row)


def _key_getter(columns: tuple[str, ...]) -> Callable[[Row], Key]:
    if len(columns) == 1:
        column = attrgetter(columns[0])
        return lambda row: (column(row),)
    return attrgetter(*columns)


def _fits(row: Row, equals: Mapping[str, object]) -> bool:
    return all(_matches(getattr(row, column), asked) for column, asked in equals.items())


def _matches(value: object, asked: object) -> bool:
    match asked:
        case tuple():
            return value in cast("tuple[object, ...]", asked)
        case Below(limit):
            return isinstance(value, int) and value < limit
        case Above(limit):
            return isinstance(value, int) and value > limit
        case Ending(text):
            return isinstance(value, str) and value.endswith(text)
        case _:
            return value == asked


def _order(table: type[Row], column: str | None) -> Callable[[Row], Key]:
    """Sort as SQL does: nothing before everything, and equals by primary key."""
    key = _KEYS[table]
    if column is None:
        return key
    value_of = attrgetter(column)

    def place(row: Row) -> Key:
        value = value_of(row)
        return (value is not None, 0 if value is None else value, *key(row))

    return place


_KEYS = {table: _key_getter(columns) for table, (_, columns) in TABLES.items()}
