"""Identifiers: UUIDv7 (RFC 9562), written as 32 hexadecimal digits, so that ids sort by the time they were made."""

from __future__ import annotations

import re

SHORT = 8
"""How many digits people see and type. They are the last ones: the first ones of a UUIDv7 are a clock and look all alike."""

LONGEST_NAME = 64

NAME_RULE = f"use a-z, 0-9, _ and -, beginning with a letter or _, at most {LONGEST_NAME} characters"
"""What people are told of names."""

_ID = re.compile(r"[0-9a-f]{32}")
_NAME = re.compile(rf"[a-z_][a-z0-9_-]{{0,{LONGEST_NAME - 1}}}")


def uuid7(now: int, bits: int) -> str:
    """Make an id from an instant (microseconds UTC) and 74 random bits."""
    milliseconds = now // 1000
    high = (bits >> 62) & 0xFFF
    low = bits & ((1 << 62) - 1)
    return f"{(milliseconds & (1 << 48) - 1) << 80 | 7 << 76 | high << 64 | 2 << 62 | low:032x}"


def short(identifier: str) -> str:
    """Give the part of an id that people see."""
    return identifier[-SHORT:]


def is_id(value: str) -> bool:
    """Tell whether a text is a whole id, and so safe as the name of a file."""
    return _ID.fullmatch(value) is not None


def is_name(value: str) -> bool:
    """Tell whether a text may name a pipeline, a task, a node, a sensor or a trigger."""
    return _NAME.fullmatch(value) is not None


def misnamed(value: object, kind: str) -> str | None:
    """Give why something can't name a thing of some kind, such as `sensor`; None where it can."""
    return None if isinstance(value, str) and is_name(value) else f"{value!r} can't name a {kind}: {NAME_RULE}"


def whole_number(identity: str) -> int | None:
    """Give an identity as the number that it is written as, if it is one that a range can hold: `4711`, not `04711` or `+4711`."""
    if not (identity.isascii() and identity.isdigit() and len(identity) <= 18) or (identity[0] == "0" and identity != "0"):
        return None
    return int(identity)
