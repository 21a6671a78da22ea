"""How long transactions have been open, told from the snapshots that were seen."""

from __future__ import annotations

from eventflow.ports import Clock
from eventflow.sensors.rows.postgres.place import Snapshot

_SAMPLES = 50


class Past:
    """The snapshots of the last `settle` seconds."""

    def __init__(self, clock: Clock, settle: float) -> None:
        self._clock = clock
        self._settle = settle
        self._samples: list[tuple[float, int]] = []
        self._oldest: tuple[int, float] | None = None

    def note(self, snapshot: Snapshot) -> None:
        """Remember a snapshot."""
        now = self._clock.monotonic()
        if not self._samples or now - self._samples[-1][0] >= self._settle / _SAMPLES:
            self._samples.append((now, snapshot.xmax))
        while len(self._samples) > 1 and self._samples[1][0] <= now - self._settle:
            del self._samples[0]
        if self._oldest is None or self._oldest[0] != snapshot.xmin:
            self._oldest = (snapshot.xmin, now)

    def done(self, snapshot: Snapshot) -> int:
        """Give the number below which every transaction has ended, or has been open for `settle`."""
        seen, number = self._samples[0]
        return max(snapshot.xmin, number) if self._clock.monotonic() - seen >= self._settle else snapshot.xmin

    def held(self, snapshot: Snapshot) -> bool:
        """Whether a transaction holds others back: it was the oldest one open `settle` ago, and still is."""
        number, since = self._oldest or (0, 0.0)
        return number == snapshot.xmin < snapshot.xmax and self._clock.monotonic() - since >= self._settle
