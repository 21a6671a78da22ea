"""How far a sensor has read, and when: from here comes how far it must look back for rows that are committed late.

Pure. Time is counted in seconds of watching: it stands still while nobody watches, so that a row which was under way when the sensor
stopped is still looked for after the next start, and no clock that jumps can shorten the look back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from eventflow.sensors.rows.places import Place, packed, unpacked


@dataclass(frozen=True, slots=True)
class Reached:
    """Places that were reached, oldest first, each with the second of watching by which it had been. None is the beginning."""

    marks: tuple[tuple[float, Place | None], ...] = ((0.0, None),)

    @property
    def now(self) -> float:
        """The last second of watching that is known of."""
        return self.marks[-1][0]

    def on_to(self, place: Place | None, now: float, *, step: float, oldest: float) -> Reached:
        """Give this with one more place, and without what nobody will ask for: it is asked for instants from `oldest` on.

        Within `step` seconds it takes the last one's stead: then it only looks as if that had been reached later.
        """
        kept = self.marks[:-1] if len(self.marks) > 1 and now - self.marks[-2][0] < step else self.marks
        return Reached(_needed((*kept, (now, place)), oldest))

    def back_to(self, place: Place | None, now: float) -> Reached:
        """Give this for a table whose end has gone: nothing behind `place` was ever reached."""
        kept = tuple((second, known) for second, known in self.marks if known is None or (place is not None and _no_later(known, place)))
        return Reached((*(kept or ((0.0, None),)), (now, place)))

    def before(self, instant: float) -> Place | None:
        """Give the last place that had been reached at an instant, or the first one known; None is the beginning."""
        return next((place for second, place in reversed(self.marks) if second <= instant), self.marks[0][1])

    def data(self) -> list[object]:
        """Give this as data that JSON carries."""
        return [[round(second, 3), None if place is None else packed(place)] for second, place in self.marks]


def reached(data: Sequence[Sequence[object]]) -> Reached:
    """Give what `Reached.data` wrote."""
    return Reached(tuple((cast("float", second), None if place is None else unpacked(place)) for second, place in data))


def _needed(marks: tuple[tuple[float, Place | None], ...], oldest: float) -> tuple[tuple[float, Place | None], ...]:
    behind = [index for index, (second, _) in enumerate(marks) if second <= oldest]
    return marks[behind[-1] :] if behind else marks


def _no_later(known: Place, place: Place) -> bool:
    return cast("tuple[int, ...]", known) <= cast("tuple[int, ...]", place)
