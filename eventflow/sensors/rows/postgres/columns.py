"""A column's values on their way out of PostgreSQL, and a condition's values on their way in.

What leaves does so in a form that can't fail on this side: PostgreSQL knows dates before Christ, `infinity`, `NaN` and numbers of a
thousand digits, which Python's own types don't. Everything is then made plain like the values of any other database.

| PostgreSQL                                    | as plain data                                                  |
|-----------------------------------------------|----------------------------------------------------------------|
| boolean, integers, text, enum                 | itself                                                         |
| real, double precision                        | itself; `"NaN"`, `"Infinity"`, `"-Infinity"`                   |
| numeric, money                                | text with all its digits, `"10.50"`; `"NaN"`, `"Infinity"`     |
| timestamptz, timestamp, date, time            | ISO 8601 text, with zone in UTC; `"infinity"`, `"-infinity"`   |
| interval                                      | ISO 8601 text, `"P1M"`: a month has no length in seconds       |
| bytea                                         | base64 text                                                    |
| uuid, ranges, inet, bits, geometry and others | the text that PostgreSQL writes                                |
| json, jsonb                                   | the data; text where JSON can't carry it here                  |
| arrays, composites                            | list, dict, of values as `to_jsonb` gives them; numeric is text|
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Literal

import msgspec

from eventflow import codec
from eventflow.errors import ValueNotStorable
from eventflow.sensors.rows.conditions import Condition, Value
from eventflow.sensors.rows.postgres.table import Column
from eventflow.sensors.rows.values import plain

WHOLE = frozenset({"int2", "int4", "int8"})
INSTANTS = frozenset({"timestamptz", "timestamp", "date"})

_NATIVE = WHOLE | {"bool", "float4", "float8"}
_DATA = frozenset({"json", "jsonb"})


def selected(column: Column, place: str = "t") -> str:
    """Give the expression by which a column is read: its type is then one of five that every driver can read."""
    name = f"{place}.{column.quoted}"
    match _way(column):
        case "native":
            # A domain over a type isn't the type.
            return f"{name}::{column.base}"
        case "bytes":
            return f"{name}::bytea"
        case "json":
            return f"to_jsonb({name}::text[])::text" if column.base in ("_numeric", "_money") else f"to_jsonb({name})::text"
        case "data" | "text":
            return f"{name}::text"


def as_plain(column: Column) -> Callable[[object], object]:
    """Give the function that makes what was selected plain."""
    return _PLAIN[_way(column)]


def key_value(column: Column, text: str) -> object:
    """Give what names a row: a number by its digits, bytes as bytes, everything else as PostgreSQL writes it."""
    if column.base in WHOLE:
        return int(text)
    return bytes.fromhex(text[2:]) if column.base == "bytea" else text


def instant_of(column: Column, place: str = "t") -> str:
    """Give the expression for the instant that a column holds, in microseconds UTC; NULL where it holds none that Python knows."""
    if column.base not in INSTANTS:
        return "NULL::bigint"
    name = f"{place}.{column.quoted}"
    return f"CASE WHEN {name} BETWEEN '0001-01-02' AND '9999-12-30' THEN (extract(epoch FROM {name}) * 1000000)::bigint END"


def condition(wanted: Condition, column: Column, number: int) -> tuple[str, object] | tuple[str]:
    """Give a condition's SQL, and its one argument, where it has one, to be bound as `$number`."""
    name = f"t.{column.quoted}"
    match wanted.operator:
        case "null":
            return (f"{name} IS NULL",)
        case "not null":
            return (f"{name} IS NOT NULL",)
        case "in":
            return f"{name} = ANY (${number}::text[]::{column.type}[])", [_written(value, column) for value in wanted.values]
        case operator:
            return f"{name} {operator} ${number}::text::{column.type}", _written(wanted.values[0], column)


def _way(column: Column) -> Literal["native", "bytes", "data", "json", "text"]:
    if column.base in _NATIVE:
        return "native"
    if column.base == "bytea":
        return "bytes"
    if column.base in _DATA:
        return "data"
    return "json" if column.composed or column.base in ("timestamptz", "timestamp", "date", "time", "timetz") else "text"


def _written(value: Value, column: Column) -> str:
    if isinstance(value, bool):
        return str(value).lower() if column.base == "bool" else str(int(value))
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    return value.isoformat() if isinstance(value, date) else str(value)


def _of_json(written: object) -> object:
    """Read JSON whatever is in it: what can't be read here, or not carried by the journal, stays text."""
    if not isinstance(written, str):
        return plain(written)
    try:
        known = plain(msgspec.json.decode(written))
        codec.encode(known)
    except (msgspec.MsgspecError, RecursionError, ValueNotStorable):
        return plain(written)
    return known


_PLAIN: Mapping[str, Callable[[object], object]] = {"native": plain, "bytes": plain, "text": plain, "data": _of_json, "json": _of_json}
