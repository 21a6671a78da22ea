"""Lengths of time as people write them: `"250ms"`, `"10s"`, `"5m"`, `"2h"`, `"1d"`, `"1h30m"`, a number of seconds, a `timedelta`.

The journal keeps all of them, and all instants, as whole microseconds.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

_EXPECTED = "a duration such as '10s', '5m', '2h', '1h30m', or a number of seconds"

Duration = str | int | float | timedelta

SECOND = 1_000_000
"""Microseconds in a second."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""The instant 0."""

LONGEST = 1000 * 365.25 * 86400
"""Seconds in a thousand years: an instant so far away still fits into int64 microseconds."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)\s*")


def seconds(value: Duration) -> float:
    """Give a duration in seconds. Raises `ValueError` for what is no duration, is negative, or is longer than any use."""
    if isinstance(value, timedelta):
        length = value.total_seconds()
    elif isinstance(value, str):
        length = _parse(value)
    elif isinstance(value, bool) or not isinstance(value, int | float):  # pyright: ignore[reportUnnecessaryIsInstance]  # what people write isn't what was asked for
        raise ValueError(f"{value!r} is not {_EXPECTED}")
    else:
        length = float(value)
    if not math.isfinite(length) or length < 0:
        raise ValueError(f"{value!r} is not {_EXPECTED}")
    if length > LONGEST:
        raise ValueError(f"{value!r} is longer than a thousand years")
    return length


def microseconds(value: Duration) -> int:
    """Give a duration in whole microseconds. Raises `ValueError` as `seconds` does."""
    return round(seconds(value) * SECOND)


def instant_of(when: datetime) -> int:
    """Give the instant, in microseconds UTC, of a `datetime` that has a zone."""
    return (when - EPOCH) // timedelta(microseconds=1)


def text(length: float) -> str:
    """Write a length in seconds for a person: `0.004` gives `4ms`, `75` gives `1m15s`."""
    if length < 1:
        return f"{length * 1000:.0f}ms"
    if length < 60:
        return f"{length:.1f}s"
    whole = round(length)
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2])


def _parse(value: str) -> float:
    written = value.strip().lower()
    total, end = 0.0, 0
    for part in _PART.finditer(written):
        if part.start() != end:
            break
        total += float(part[1]) * _UNITS[part[2]]
        end = part.end()
    if not written or end != len(written):
        raise ValueError(f"{value!r} is not {_EXPECTED}")
    return total
