"""Keys that are used again. Pure.

SQLite gives a new row the largest key of its table plus one, so that a row which is deleted at the end of the table leaves its key to the
next one (unless the table was made with AUTOINCREMENT); and a database that was restored from a backup gives all keys since the backup a
second time. Such a row is another row: it must fire, though its key is known.

A key that was let go and is used again is called by its turn: `7`, then `7~1`, `7~2`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

_TAIL = 32
"""How many of the last rows are known by what never changes in them."""

_LOWEST = -(2**63)

_MOST = 100
"""How many stretches of keys are remembered. Where more are let go, the lowest is forgotten: its rows have fired, under whatever name."""


@dataclass(frozen=True, slots=True)
class Lives:
    """What is known of a table's keys.

    `high` is the largest key in use that was handed out, `top` the largest that ever was. `again` are stretches of keys that have been let
    go: above one key, up to another, and their turn. `tail` are the last keys that were handed out, with a digest of what never changes.
    """

    high: int | None = None
    top: int | None = None
    turn: int = 0
    again: tuple[tuple[int, int, int], ...] = ()
    tail: tuple[tuple[int, str], ...] = ()

    def name(self, key: int) -> str:
        """Give the identity of the row that has this key now."""
        turn = next((turn for above, end, turn in reversed(self.again) if above < key <= end), 0)
        return f"{key}~{turn}" if turn else str(key)

    def handed_out(self, rows: Mapping[int, str]) -> Lives:
        """Note that rows are handed out, each with its digest."""
        if not rows:
            return self
        largest = max(rows)
        known = {key: digest for key, digest in rows.items() if digest}
        tail = sorted({**dict(self.tail), **known}.items())[-_TAIL:]
        return replace(self, high=_larger(largest, self.high), top=_larger(largest, self.top), tail=tuple(tail))

    def left(self, largest: int | None) -> Lives:
        """Note the largest key in the table, None where it is empty: larger ones have been let go."""
        if self.high is None or (largest is not None and largest >= self.high):
            return self
        return self._let_go(largest)

    def compared(self, digests: Mapping[int, str]) -> Lives:
        """Note what the rows of the tail look like now: one that looks different is another row, which has taken the key."""
        other = [key for key, digest in self.tail if digests.get(key, digest) != digest]
        if not other:
            return self
        taken = tuple((key - 1, key, self.turn + 1) for key in other)
        tail = tuple((key, digests.get(key, digest)) for key, digest in self.tail)
        return replace(self, turn=self.turn + 1, again=(*self.again, *taken)[-_MOST:], tail=tail)

    def _let_go(self, last: int | None) -> Lives:
        above = _LOWEST if last is None else last
        stretch = (above, _larger(above, self.top), self.turn + 1)
        again = (*(known for known in self.again if known[0] < above), stretch)
        return Lives(last, self.top, self.turn + 1, again[-_MOST:], tuple(one for one in self.tail if one[0] <= above))

    def data(self) -> list[object]:
        """Give this as data that JSON carries."""
        return [self.high, self.top, self.turn, [list(stretch) for stretch in self.again], [list(one) for one in self.tail]]


def lives(data: Sequence[object]) -> Lives:
    """Give what `Lives.data` wrote."""
    high, top, turn, again, tail = cast("tuple[int | None, int | None, int, list[list[int]], list[list[object]]]", data)
    return Lives(
        high,
        top,
        turn,
        tuple((above, end, which) for above, end, which in again),
        tuple((cast("int", key), str(digest)) for key, digest in tail),
    )


def _larger(key: int, other: int | None) -> int:
    return key if other is None else max(key, other)
