"""Where a sensor that reads in order stands: its cursor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from eventflow.sensors.rows.lives import Lives, lives
from eventflow.sensors.rows.places import Place, packed, unpacked
from eventflow.sensors.rows.reached import Reached, reached


@dataclass(frozen=True, slots=True)
class Standing:
    """`by` are the columns that order the rows, `at` the place of the last one, `begun` the place behind which anything is of interest."""

    by: tuple[str, ...]
    at: Place | None = None
    begun: Place | None = None
    reached: Reached = field(default_factory=Reached)
    lives: Lives = field(default_factory=Lives)

    def data(self) -> dict[str, object]:
        """Give the cursor."""
        return {
            "by": list(self.by),
            "at": _packed(self.at),
            "from": _packed(self.begun),
            "reached": self.reached.data(),
            "keys": self.lives.data(),
        }


def standing(cursor: object, by: tuple[str, ...]) -> Standing:
    """Read a cursor. One that was written for rows in another order leads to the beginning: the journal knows which rows have fired."""
    known = cast("dict[str, object]", cursor) if isinstance(cursor, dict) else {}
    if known.get("by") != list(by):
        return Standing(by)
    return Standing(
        by,
        _unpacked(known["at"]),
        _unpacked(known["from"]),
        reached(cast("Sequence[Sequence[object]]", known["reached"])),
        lives(cast("Sequence[object]", known["keys"])),
    )


def _packed(place: Place | None) -> object:
    return None if place is None else packed(place)


def _unpacked(data: object) -> Place | None:
    return None if data is None else unpacked(data)
