"""Whose an identity is, where one name has stood for several things: the ids of one server say nothing of those of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from eventflow.ids import whole_number
from eventflow.ports import Seen
from eventflow.sensors.portions import portions

_MARK = 8


@dataclass(frozen=True, slots=True)
class Space:
    """The identities of what is watched now, among all that the sensor's name ever took.

    Those of what was watched first, `unmarked`, stand as they are. Those of anything else begin with a mark of its own: so what comes
    from there is never taken for something that came from elsewhere, and is known again after a time in which something else was watched.
    """

    watched: str
    unmarked: str
    seen: Seen

    @property
    def mark(self) -> str:
        """What its identities begin with."""
        return "" if self.watched == self.unmarked else f"{self.watched[:_MARK]}/"

    def identity(self, own: str) -> str:
        """Give the identity that something has by its own id."""
        return self.mark + own

    async def taken(self, ids: Sequence[str]) -> frozenset[str]:
        """Tell which of these own ids are taken."""
        taken: set[str] = set()
        for some in portions([self.identity(own) for own in ids]):
            taken |= await self.seen.of(some)
        return frozenset(own for own in ids if self.identity(own) in taken)

    async def highest(self, sign: str = "") -> int:
        """Give the highest number that is taken as an own id, behind a sign; 0 where none is."""
        begin = self.identity(sign)
        written = [name.removeprefix(begin) for name in await self.seen.all() if name.startswith(begin)]
        return max((number for one in written if (number := whole_number(one)) is not None), default=0)


async def space_of(cursor: object, watched: str, seen: Seen) -> Space:
    """Give the space of what is watched, by what the cursor says of what was watched first.

    Nothing is unmarked where another kind of sensor had the name: it left a cursor of its own, or at least identities.
    """
    if cursor is None:
        return Space(watched, "" if await seen.all() else watched, seen)
    unmarked = cast("Mapping[str, object]", cursor).get("unmarked") if isinstance(cursor, Mapping) else None
    return Space(watched, unmarked if isinstance(unmarked, str) else "", seen)
