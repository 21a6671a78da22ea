"""SQL made mechanically from `projections.TABLES`: one statement per shape of a change or a question, made once and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple, TypeAlias, cast

from msgspec.structs import astuple, fields

from eventflow.journal.tables import Key, key_of
from eventflow.ports import Above, Below, Ending, RowT
from eventflow.projections import TABLES, Change, Delete, Insert, Put, Row, Update

Statement: TypeAlias = tuple[str, tuple[object, ...]]
"""A statement and its parameters."""


def write(change: Change) -> Statement:
    """Give the statement that makes a change. An update whose guard fails, or whose row is missing, changes no row."""
    if isinstance(change, Update):
        return _update(change)
    if isinstance(change, Delete):
        return _delete_text(change.table), change.key
    return _insert_text(type(change.row), "INSERT" if isinstance(change, Insert) else "INSERT OR REPLACE"), astuple(change.row)


def target(change: Change) -> tuple[str, Key]:
    """Give the table and the primary key of the row that a change is about."""
    if isinstance(change, Insert | Put):
        return TABLES[type(change.row)][0], key_of(change.row)
    return TABLES[change.table][0], change.key


class Question(NamedTuple):
    """A statement that reads rows of a table, its parameters, and what `temp.wanted` must hold for it: (a tuple's place, a value in it)."""

    text: str
    parameters: tuple[object, ...]
    wanted: tuple[tuple[int, object], ...]


def question(
    table: type[Row], equals: Mapping[str, object], *, order: str | None = None, descending: bool = False, limit: int | None = None
) -> Question:
    """Give the question that `Journal.select` asks."""
    shape = tuple((column, _kind(value)) for column, value in equals.items())
    parameters: list[object] = []
    wanted: list[tuple[int, object]] = []
    for place, value in enumerate(equals.values()):
        if isinstance(value, tuple):
            parameters.append(place)
            wanted += ((place, one) for one in cast("tuple[object, ...]", value))
        elif isinstance(value, Below | Above):
            parameters.append(value.limit)
        elif isinstance(value, Ending):
            parameters.append(f"*{value.text}")
        elif value is not None:
            parameters.append(value)
    return Question(_select_text(table, shape, order, descending), (*parameters, -1 if limit is None else limit), tuple(wanted))


def row_maker(table: type[RowT]) -> Callable[[tuple[Any, ...]], RowT]:
    """Give the function that makes a row from its columns as SQLite gives them: it knows no truth values, only 0 and 1."""
    truths = _TRUTHS[table]

    def make(columns: tuple[Any, ...]) -> RowT:
        if not truths:
            return table(*columns)
        return table(*(bool(value) if index in truths else value for index, value in enumerate(columns)))

    return make


def _update(change: Update) -> Statement:
    values, expect = change.values, change.expect
    counts = tuple(map(len, expect.values()))
    text = _update_text(change.table, tuple(values), tuple(expect), counts)
    return text, (*values.values(), *change.key, *chain.from_iterable(expect.values()))


@lru_cache(maxsize=256)
def _update_text(table: type[Row], values: tuple[str, ...], expect: tuple[str, ...], counts: tuple[int, ...]) -> str:
    name, key = TABLES[table]
    # An update that sets nothing is a guard alone, and still counts the rows that fit. Touching a key column would move the row.
    idle = table.__struct_fields__[-1]
    setting = ", ".join(f'"{column}" = ?' for column in values) or f'"{idle}" = "{idle}"'
    guards = map(_one_of, expect, counts)
    return f"UPDATE {name} SET {setting} WHERE {' AND '.join([*_equal(key), *guards])}"  # noqa: S608 - names of our own tables and columns


@lru_cache(maxsize=64)
def _delete_text(table: type[Row]) -> str:
    name, key = TABLES[table]
    return f"DELETE FROM {name} WHERE {' AND '.join(_equal(key))}"  # noqa: S608 - names of our own tables and columns


@lru_cache(maxsize=64)
def _insert_text(table: type[Row], verb: str) -> str:
    columns = table.__struct_fields__
    places = ", ".join("?" * len(columns))
    return f"{verb} INTO {TABLES[table][0]} ({_listed(columns)}) VALUES ({places})"


@lru_cache(maxsize=1024)
def _select_text(table: type[Row], shape: tuple[tuple[str, str], ...], order: str | None, descending: bool) -> str:  # noqa: FBT001 - part of a shape
    name, key = TABLES[table]
    columns = table.__struct_fields__
    for asked in (*(column for column, _ in shape), *([order] if order else [])):
        if asked not in columns:
            raise AttributeError(f"{name} has no column {asked!r}")
    where = " AND ".join(_KINDS[kind].format(column) for column, kind in shape) or "TRUE"
    direction = " DESC" if descending else ""
    ordering = ", ".join(f'"{column}"{direction}' for column in dict.fromkeys([*([order] if order else []), *key]))
    return f"SELECT {_listed(columns)} FROM {name} WHERE {where} ORDER BY {ordering} LIMIT ?"  # noqa: S608 - names of our own tables and columns


def _kind(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, Below | Above | Ending):
        return type(value).__name__
    if not isinstance(value, tuple):
        return "one"
    return "some or none" if None in value else "some"


def _equal(columns: tuple[str, ...]) -> list[str]:
    return [f'"{column}" = ?' for column in columns]


def _one_of(column: str, count: int) -> str:
    """Give a condition that also holds for NULL where None is among the values, which `=` and `IN` don't."""
    same = f'"{column}" IS ?'
    return f"({' OR '.join([same] * count)})" if count else "FALSE"


def _listed(columns: tuple[str, ...]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


# Any number of values travels in a table, so that the statement stays the same and no limit on parameters is met. (A JSON array would do,
# but SQLite ends a string of JSON at its first NUL.)
_KINDS = {
    "none": '"{0}" IS NULL',
    "one": '"{0}" = ?',
    "Below": '"{0}" < ?',
    "Above": '"{0}" > ?',
    "Ending": '"{0}" GLOB ?',
    "some": '"{0}" IN (SELECT value FROM temp.wanted WHERE place = ?)',
    "some or none": '("{0}" IN (SELECT value FROM temp.wanted WHERE place = ?) OR "{0}" IS NULL)',
}

_TRUTHS = {table: frozenset(index for index, field in enumerate(fields(table)) if field.type is bool) for table in TABLES}
