"""Where a row sensor stands, in words."""

from __future__ import annotations

from typing import cast

from eventflow import escapes
from eventflow.sensors.rows.options import RowOptions


def in_words(options: RowOptions, cursor: object) -> str:
    """Say what a cursor of a row sensor means, in one line."""
    if options.claims:
        return "rows that are free, as they come"
    if options.on == "match":
        return f"rows with {' and '.join(map(str, options.where))}"
    known = cast("dict[str, object]", cursor) if isinstance(cursor, dict) else {}
    if "words" in known:
        return escapes.line(known["words"])
    by, at = known.get("by"), known.get("at")
    if not isinstance(by, list) or not isinstance(at, list):
        return "the beginning"
    columns, place = cast("list[str]", by), cast("list[object]", at)
    return "up to " + ", ".join(f"{escapes.line(column)} {_shown(value)}" for column, value in zip(columns, place, strict=False))


def _shown(value: object) -> str:
    if isinstance(value, dict):
        (value,) = cast("dict[str, object]", value).values()
    return escapes.line(value if isinstance(value, str) else repr(value))
