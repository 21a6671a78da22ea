"""Where a sensor that reads in order stands: its cursor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from eventflow.sensors.rows.lives import Lives, lives
from eventflow.sensors.rows.places import Place, packed, unpacked
from eventflow.sensors.rows.reached import Reached, reached


@dataclass(frozen=True, slots=True)
class Standing:
    """`by` are the columns that order the rows, `at` the place of the last one, `fixed` the columns that never change in a row.

    While the rows that were there at first are taken note of, `noting` is the place of the last of these.
    """

    by: tuple[str, ...]
    fixed: tuple[str, ...] = ()
    at: Place | None = None
    noting: Place | None = None
    reached: Reached = field(default_factory=Reached)
    lives: Lives = field(default_factory=Lives)

    def data(self) -> dict[str, object]:
        """Give the cursor."""
        return {
            "by": list(self.by),
            "fixed": list(self.fixed),
            "at": _packed(self.at),
            **({} if self.noting is None else {"noting": packed(self.noting)}),
            "reached": self.reached.data(),
            "keys": self.lives.data(),
        }


def standing(cursor: object, by: tuple[str, ...], fixed: tuple[str, ...]) -> Standing:
    """Read a cursor. One that was written for rows in another order leads to the beginning: the journal knows which rows have fired."""
    known = cast("dict[str, object]", cursor) if isinstance(cursor, dict) else {}
    if "by" not in known:
        return Standing(by, fixed)
    keys = lives(cast("Sequence[object]", known["keys"]))
    if known.get("fixed") != list(fixed):  # what is known of the last rows was read of other columns
        keys = replace(keys, tail=())
    if known["by"] != list(by):
        return Standing(by, fixed, lives=keys)
    return Standing(
        by,
        fixed,
        _unpacked(known["at"]),
        _unpacked(known.get("noting")),
        reached(cast("Sequence[Sequence[object]]", known["reached"])),
        keys,
    )


def _packed(place: Place | None) -> object:
    return None if place is None else packed(place)


def _unpacked(data: object) -> Place | None:
    return None if data is None else unpacked(data)
