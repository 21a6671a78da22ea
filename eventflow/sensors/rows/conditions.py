"""Which rows a sensor is about, as data: `where={"status": "ready", "score": (">=", 0.9)}`. Never SQL."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, cast, get_args

Value = str | int | float | bytes | bool | Decimal | datetime | date
"""What a column can be compared with. It is bound, never written into a statement."""

Comparison = Literal["=", "!=", "<", "<=", ">", ">="]

Where = Mapping[str, Value | list[Value] | tuple[str, Value | None] | None]
"""By column: a value that it equals, a list that it is one of, None for NULL, or a comparison: `("<", 5)`, `("!=", None)`."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What one column must fulfil. With `in`, `values` are those that it may have; with `null` and `not null` there are none; else one."""

    column: str
    operator: Comparison | Literal["in", "null", "not null"]
    values: tuple[Value, ...] = ()

    def __str__(self) -> str:
        if not self.values:
            return f"{self.column} is {self.operator}"
        shown = ", ".join(map(repr, self.values))
        return f"{self.column} {self.operator} {f'({shown})' if self.operator == 'in' else shown}"


def conditions(where: Where | None) -> tuple[Condition, ...]:
    """Read what was written. Raises `ValueError` or `TypeError` for what is no condition."""
    if where is None:
        return ()
    if not isinstance(where, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - SQL text is what people try first
        raise TypeError(f"where={where!r} is no mapping of columns to values, such as {{'status': 'ready'}}: SQL isn't taken")
    return tuple(_condition(column, wanted) for column, wanted in where.items())


def _condition(column: object, wanted: object) -> Condition:
    if not isinstance(column, str) or not column or "\0" in column:
        raise ValueError(f"where has {column!r} where a column's name belongs")
    if wanted is None:
        return Condition(column, "null")
    if isinstance(wanted, list):
        return Condition(column, "in", tuple(_value(column, value) for value in _not_empty(column, cast("list[object]", wanted))))
    if isinstance(wanted, tuple):
        return _compared(column, cast("tuple[object, ...]", wanted))
    return Condition(column, "=", (_value(column, wanted),))


def _compared(column: str, wanted: tuple[object, ...]) -> Condition:
    if len(wanted) != 2 or wanted[0] not in get_args(Comparison):
        raise ValueError(
            f"where: {column}={wanted!r} is no comparison: write it like ('>=', 5), with one of {', '.join(get_args(Comparison))}"
        )
    operator, value = cast("Comparison", wanted[0]), wanted[1]
    if value is None:
        if operator not in ("=", "!="):
            raise ValueError(f"where: {column}={wanted!r}: nothing is smaller or larger than NULL")
        return Condition(column, "null" if operator == "=" else "not null")
    return Condition(column, operator, (_value(column, value),))


def _value(column: str, value: object) -> Value:
    if not isinstance(value, str | int | float | bytes | Decimal | date):
        raise TypeError(f"where: {column} can't be compared with a {type(value).__name__}: use a text, a number, bytes or a date")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"where: {column} can't be compared with {value!r}")
    return value


def _not_empty(column: str, values: list[object]) -> list[object]:
    if not values:
        raise ValueError(f"where: {column}=[] is never fulfilled: give at least one value")
    return values
