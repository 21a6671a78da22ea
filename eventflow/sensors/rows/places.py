"""Places in a table: the values of the columns by which its rows are read, on their way into a cursor and out of it."""

from __future__ import annotations

import base64
import math
from datetime import date, datetime, time
from decimal import Decimal
from typing import cast
from uuid import UUID

from eventflow.errors import SourceUnreachable

Place = tuple[object, ...]
"""The values of a row's `Layout.order`, as its database gives them."""


def packed(place: Place) -> list[object]:
    """Give a place as data that JSON carries, and from which `unpacked` gives the same place. Other types raise `SourceUnreachable`."""
    return [_packed(value) for value in place]


def unpacked(data: object) -> Place:
    """Give the place that was packed."""
    return tuple(_unpacked(value) for value in cast("list[object]", data))


def _packed(value: object) -> object:
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, str):
        return value if _is_text(value) else {"text": base64.b64encode(value.encode("utf-8", "surrogateescape")).decode("ascii")}
    for name, (kind, write, _) in _KINDS.items():
        if isinstance(value, kind):
            return {name: write(cast("object", value))}
    raise SourceUnreachable(f"rows can't be read in the order of a {type(value).__name__}: use a column of numbers, texts, dates or bytes")


def _unpacked(data: object) -> object:
    if not isinstance(data, dict):
        return data
    ((name, written),) = cast("dict[str, str]", data).items()
    if name == "text":
        return base64.b64decode(written).decode("utf-8", "surrogateescape")
    return _KINDS[name][2](written)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _bytes(value: object) -> str:
    return base64.b64encode(bytes(cast("bytes", value))).decode("ascii")


def _iso(value: object) -> str:
    return cast("date | time", value).isoformat()


# A datetime is a date as well, so it comes first.
_KINDS = {
    "float": (float, repr, float),
    "bytes": ((bytes, bytearray, memoryview), _bytes, base64.b64decode),
    "instant": (datetime, _iso, datetime.fromisoformat),
    "date": (date, _iso, date.fromisoformat),
    "time": (time, _iso, time.fromisoformat),
    "decimal": (Decimal, str, Decimal),
    "uuid": (UUID, str, UUID),
}
