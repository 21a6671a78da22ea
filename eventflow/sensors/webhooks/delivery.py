"""A delivery as it came: its headers, its body, and when."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

LONGEST_WORD = 256
"""The most characters of an id, a type or a subject."""

_WORD = re.compile(rb"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


class Headers:
    """The headers of a delivery. One that is given twice counts as missing: nobody could say which of them was meant."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._values: dict[bytes, list[bytes]] = {}
        for name, value in raw:
            self._values.setdefault(name.lower(), []).append(value)

    def __contains__(self, name: str) -> bool:
        return name.encode() in self._values

    def get(self, name: str) -> bytes | None:
        """Give the value of a header, whose name is written in small letters; None where it is missing, or given twice."""
        values = self._values.get(name.encode(), ())
        return values[0] if len(values) == 1 else None

    def word(self, name: str) -> str | None:
        """Give a header that is a short printable ASCII text; None where it is missing, or anything else."""
        value = self.get(name)
        if value is None or len(value) > LONGEST_WORD or _WORD.fullmatch(value) is None:
            return None
        return value.decode("ascii")


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a sender sent. `now` is when it came, microseconds UTC."""

    headers: Headers
    body: bytes
    now: int
