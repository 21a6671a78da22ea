"""Sizes as people write them: `"64KiB"`, `"1MiB"`, `"25MB"`, or a number of bytes."""

from __future__ import annotations

import re

Size = str | int

_UNITS = {"b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
_WRITTEN = re.compile(r"(?P<count>[0-9]{1,12}) ?(?P<unit>[KMG]?i?B)", re.IGNORECASE)


def size(value: Size) -> int:
    """Give a size in bytes. Raises `ValueError` for what is no size, or is nothing."""
    if isinstance(value, str):
        written = _WRITTEN.fullmatch(value.strip())
        count = int(written["count"]) * _UNITS.get(written["unit"].lower(), 0) if written else 0
    else:
        count = 0 if isinstance(value, bool) or not isinstance(value, int) else value  # pyright: ignore[reportUnnecessaryIsInstance] - what people write
    if count < 1:
        raise ValueError(f"{value!r} is no size: use '64KiB', '1MiB', or a number of bytes")
    return count
