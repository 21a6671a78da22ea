"""Values of columns as plain data that JSON carries, and keys as identities.

| a column's value                | as plain data                                             |
|---------------------------------|-----------------------------------------------------------|
| NULL, text, truth, whole number | itself, however large; text that is no Unicode is escaped |
| fraction                        | itself; `"NaN"`, `"Infinity"`, `"-Infinity"`              |
| exact decimal                   | text, with all its digits: `"10.50"`                      |
| instant, date, time             | ISO 8601 text                                             |
| length of time                  | seconds                                                   |
| bytes                           | base64 text                                               |
| UUID, and whatever else         | text                                                      |
| array, JSON                     | list, dict                                                |
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import cast

from eventflow.durations import SECOND

_DEEPEST = 64
_MOST_DIGITS = 1000
_DECODER = json.JSONDecoder()
_TAGS = frozenset({"$path", "$path64"})
_MARKED = frozenset('@#~"[{')
"""What a text that names a row must not contain to stand as it is: these take apart the parts of an identity."""


def plain(value: object, depth: int = 0) -> object:  # noqa: PLR0911 - one line for each kind of value
    """Give a column's value as data that JSON carries and that comes back equal."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _not_finite(value)
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(cast("bytes", value)).decode("ascii")
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return _composed(value, depth)


def instant(value: object) -> int | None:
    """Give an instant in microseconds UTC, or None for what is none. An instant without a zone is taken as UTC."""
    if not isinstance(value, datetime):
        return None
    aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86400 + since.seconds) * SECOND + since.microseconds


def identity(values: tuple[object, ...]) -> str:
    """Give a key as text: different keys give different texts. A whole number is its digits, and a plain text is itself."""
    if len(values) == 1:
        return _part(values[0])
    return json.dumps([_plain_key(value) for value in values], ensure_ascii=False, separators=(",", ":"))


def versioned(name: str, version: object) -> str:
    """Give the identity of one version of a row."""
    return f"{name}@{_part(version)}"


def unversioned(name: str) -> str | None:
    """Give what `versioned` was given, without the version; None for an identity that isn't of its making."""
    try:
        end = _DECODER.raw_decode(name)[1] if name.startswith(('"', "[", "{")) else name.find("@")
    except ValueError:
        return None
    return name[:end] if end > 0 and name[end : end + 1] == "@" and len(name) > end + 1 else None


def _part(value: object) -> str:
    if _is_whole(value):
        return str(int(cast("int | Decimal", value)))
    known = _plain_key(value)
    if isinstance(known, str) and known and not _MARKED.intersection(known) and not _reads_otherwise(known):
        return known
    return json.dumps(known, ensure_ascii=False)


def _is_whole(value: object) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite() and value.adjusted() <= _MOST_DIGITS and value == value.to_integral_value()
    return isinstance(value, int) and not isinstance(value, bool)


def _plain_key(value: object) -> object:
    """Give a key's value so that different values stay different: bytes are no text, an escaped text isn't one that looks so."""
    known = plain(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return {"bytes": known}
    if isinstance(value, str) and known != value:
        return {"text": base64.b64encode(value.encode("utf-8", "surrogateescape")).decode("ascii")}
    return known


def _reads_otherwise(text: str) -> bool:
    """Tell whether a text could be taken for something else than a text."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _not_finite(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _composed(value: object, depth: int) -> object:
    if depth >= _DEEPEST:
        return "(nested too deeply)"
    if isinstance(value, Enum):
        return plain(value.value, depth + 1)
    if isinstance(value, Mapping):
        known = {str(plain(key)): plain(item, depth + 1) for key, item in cast("Mapping[object, object]", value).items()}
        # What looks like our own tag for a path would come back as a path.
        return json.dumps(known, ensure_ascii=False) if len(known) == 1 and not _TAGS.isdisjoint(known) else known
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item, depth + 1) for item in cast("Iterable[object]", value)]
    if isinstance(value, Decimal):
        return _decimal(value)
    return plain(str(value))


def _decimal(value: Decimal) -> str:
    return _not_finite(float(value)) if not value.is_finite() and not value.is_snan() else str(value)
