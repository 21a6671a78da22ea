"""Values of user code in one line: compact JSON, in which a path stands as people write it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from eventflow import codec, escapes
from eventflow.server.answers import ShownValue
from eventflow.server.views.values import clipped


def value(given: ShownValue, limit: int = 300) -> str:
    """Give a value as one line, cut at so many characters."""
    return given.artifact or clipped(readable(msgspec.json.encode(given.json)), limit)


def arguments(raw: msgspec.Raw) -> list[tuple[str, str]]:
    """Give each argument of a run with its value."""
    return [(name, clipped(readable(one), 300)) for name, one in msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).items()]


def readable(raw: bytes | msgspec.Raw) -> str:
    """Give JSON as one line of printable text."""
    plain = codec.decode(raw)
    return escapes.path(plain) if isinstance(plain, Path) else escapes.json(bytes(raw).decode())
