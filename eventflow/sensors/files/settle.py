"""Which files have lain still for long enough. Pure: it sees identities and instants, never a disk."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

_EARLY = 0.001
"""Seconds by which a look may come too early: timers do."""

_STILL = -math.inf


class Settling:
    """Tells when a file is complete: when two looks, at least `settle` seconds apart by the clock that never jumps, find the same version.

    Stamps on files are not asked, because other machines' clocks write them and `cp -p` makes them up. The one exception is the first look
    of a start: a file whose inode this machine's own kernel last changed `settle` ago or earlier, by the same wall clock that we read, is
    ready at once, so that what came while the daemon was down need not wait. Nobody can set that stamp.
    """

    def __init__(self, settle: float) -> None:
        self._settle = settle
        self._due: dict[str, float] = {}

    def look(
        self, waiting: Iterable[str], touched: Mapping[str, int | None], begun: float, ended: float, *, now: int | None = None
    ) -> list[str]:
        """Give those of the versions that wait which have settled, in a look that lasted from `begun` to `ended`.

        `touched` tells when the kernel changed an inode last (nanoseconds), `now` at which wall-clock instant (microseconds) the first
        look of a start began. What doesn't wait any more is forgotten.
        """
        before, first = self._due, ended + self._settle
        due = {name: before.get(name, first) for name in waiting}
        settled = [name for name, instant in due.items() if instant <= begun + _EARLY or self._lay_there(touched[name], now)]
        due.update(dict.fromkeys(settled, _STILL))
        self._due = due
        return settled

    @property
    def next(self) -> float | None:
        """When the next file may have settled, by the clock that never jumps, or None while none is to settle."""
        return min((instant for instant in self._due.values() if instant != _STILL), default=None)

    def _lay_there(self, touched: int | None, now: int | None) -> bool:
        """Tell whether, at the first look of a start, a file had not been touched for long enough."""
        if self._settle == 0:
            return True
        return now is not None and touched is not None and now * 1000 - touched >= self._settle * 1e9
