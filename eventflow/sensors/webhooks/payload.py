"""What a delivery says: payloads that fit their schema, and the identity of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from eventflow import codec
from eventflow.errors import ValueNotStorable
from eventflow.sensors.paths import Absent, JSONPath
from eventflow.sensors.webhooks.delivery import LONGEST_WORD
from eventflow.sensors.webhooks.received import Unfit

Dedup = str | Callable[[Any], str | int]
"""What tells an event from the others: where it stands in the payload, such as `data.id`, or a function of the payload."""

Identify = JSONPath | Callable[[Any], str | int]
"""The same, read."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A payload with what its sender says of it. `plain` is the payload without any type, for looking into it."""

    data: Any
    plain: object
    id: str
    kind: str | None = None
    subject: str | None = None
    time: int | None = None


def fitted(raw: bytes, plain: object, schema: Any) -> Any:
    """Give a payload as its schema wants it. Refuses one that doesn't fit."""
    if schema is Any:
        return plain
    try:
        return codec.decode(raw, schema)
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        raise Unfit(422, f"its payload doesn't fit: {error}") from error
    except Exception as error:  # a schema's own code, such as __post_init__, may raise anything
        raise Unfit(422, f"its payload doesn't fit: {type(error).__name__}: {error}") from error


def check_storable(data: object) -> None:
    """Refuse a payload that would not come out of the journal as it went in."""
    try:
        codec.encode(data, Any if type(data) in (dict, list) else type(data))
    except ValueNotStorable as error:
        raise Unfit(422, f"its payload can't be kept as it is: {error}") from error


def identity(dedup: Identify, data: Any, plain: object) -> str:
    """Give what a payload itself says that tells it from others. Refuses a payload that doesn't say it."""
    if isinstance(dedup, JSONPath):
        return _named(_at(dedup, plain), f"at {dedup.written!r}")
    try:
        said = dedup(data)
    except Exception as error:  # the user's: whatever it raises refuses this delivery alone
        raise Unfit(422, f"its identity can't be told: dedup raised {type(error).__name__}: {error}") from error
    return _named(said, "by dedup")


def _at(place: JSONPath, plain: object) -> object:
    try:
        return place.of(plain)
    except Absent:  # what it says of the payload is nobody's business: the refusal names the place
        return None


def _named(said: object, where: str) -> str:
    if isinstance(said, int) and not isinstance(said, bool) and abs(said) < 10**LONGEST_WORD:
        return str(said)
    if not isinstance(said, str) or not 0 < len(said) <= LONGEST_WORD or not said.isprintable():
        raise Unfit(422, f"its identity {where} is no number and no short text, so nobody could tell whether it has come before")
    return said
