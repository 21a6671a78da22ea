"""Looking back: reading once more where rows may have come in late, without their contents, and asking the journal which it lacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from eventflow.ports import Clock, Seen
from eventflow.sensors.rows.places import Place
from eventflow.sensors.rows.records import Records, Spot

_CHUNK = 1000
"""Places that are looked at in one step."""

_PACE = 3
"""Between two steps of one look back it rests three times as long as a step takes."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is looked through: rows from the place that was reached `since` on, those of an equal beginning included, up to `until`."""

    since: Place | None
    until: Place


class LookBack:
    """Looks through a stretch, a step at a time, whenever something has changed since the last time.

    It rests `rest` times as long as it looked, so that a long stretch delays rows that come late and nothing else.
    """

    def __init__(self, records: Records, seen: Seen, clock: Clock, name: Callable[[Spot], str], rest: int) -> None:
        self._records = records
        self._seen = seen
        self._clock = clock
        self._name = name
        self._rest = rest
        self._dirty = True
        self._stretch: Stretch | None = None
        self._after: Place | None = None
        self._worked = 0.0
        self._due = clock.monotonic()
        self.known: list[str] = []

    def changed(self) -> None:
        """Note that rows may have come in."""
        self._dirty = True

    def nothing_there(self) -> None:
        """Note that there is nothing yet to look back at."""
        self._dirty = False

    @property
    def under_way(self) -> bool:
        """Whether a stretch has been begun and not ended."""
        return self._stretch is not None

    @property
    def wanted(self) -> bool:
        """Whether it is time to begin."""
        return self._stretch is None and self._dirty and self._clock.monotonic() >= self._due

    @property
    def again(self) -> float | None:
        """In how many seconds the next step is due, if any is."""
        if self._stretch is None and not self._dirty:
            return None
        return max(0.0, self._due - self._clock.monotonic())

    def begin(self, stretch: Stretch) -> None:
        """Begin with a stretch. What comes in from now on is for the next time."""
        self._dirty, self._stretch, self._after, self._worked = False, stretch, None, 0.0

    async def step(self, room: int) -> list[Spot]:
        """Give rows that the journal lacks, at most `room`, from the next places. `known` are then the identities of the others."""
        self.known = []
        if room <= 0 or self._stretch is None or self._clock.monotonic() < self._due:
            return []
        begun = self._clock.monotonic()
        lacking = await self._look(self._stretch, room)
        took = self._clock.monotonic() - begun
        self._worked += took
        self._due = self._clock.monotonic() + (_PACE * took if self.under_way else self._rest * self._worked)
        return lacking

    async def _look(self, stretch: Stretch, room: int) -> list[Spot]:
        since = None if stretch.since is None else stretch.since[0]
        spots = await self._records.spots(since, self._after, stretch.until, _CHUNK)
        names = [self._name(spot) for spot in spots]
        taken = await self._seen.of(names)
        lacking = [spot for spot, name in zip(spots, names, strict=True) if name not in taken]
        self.known = [name for name in names if name in taken]
        if len(lacking) > room:
            self._after = lacking[room - 1].place
        elif len(spots) < _CHUNK:
            self._stretch = None
        else:
            self._after = spots[-1].place
        return lacking[:room]
