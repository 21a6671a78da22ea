"""What a sensor remembers of a folder between two looks, and which files are ready. Pure: it sees scans and instants, never a disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from eventflow.sensors.files.scan import Scan, Version, version_of

_EARLY = 0.001
"""Seconds by which a look may come too early: timers do."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What the first look of a start says of the identities that the journal has."""

    known: tuple[str, ...]
    keep: tuple[str, ...]
    forget: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the folder says: files that have become ready, oldest first, and identities that are gone."""

    ready: tuple[str, ...]
    gone: tuple[str, ...]


class Settling:
    """Tells when a file is complete: when two looks, at least `settle` seconds apart by the clock that never jumps, find the same version.

    Stamps on files are not asked, because other machines' clocks write them and `cp -p` makes them up. The one exception is the first look
    of a start: a file whose inode this machine's own kernel last changed `settle` ago or earlier, by the same wall clock that we read, is
    ready at once, so that what came while the daemon was down need not wait. Nobody can set that stamp.
    """

    def __init__(self, settle: float) -> None:
        self._settle = settle
        self._taken: set[str] = set()
        self._due: dict[str, float] = {}

    def begin(self, scan: Scan, seen: Mapping[str, int | None], *, ignore: bool) -> Beginning:
        """Take what the journal has seen as taken, and with `ignore` whatever is there."""
        self._taken = {name for name in scan.found if ignore or name in seen}
        return Beginning(
            known=tuple(name for name in scan.found if ignore and name not in seen),
            keep=tuple(name for name in scan.found if seen.get(name) is not None),
            forget=_gone((name for name, gone in seen.items() if gone is None), scan),
        )

    def look(self, scan: Scan, begun: float, ended: float, *, now: int | None = None) -> Look:
        """Compare a scan, which lasted from `begun` to `ended`, with the looks before. What it gives as ready is taken from here on.

        `now` is the wall-clock instant (microseconds) at which the first look of a start began.
        """
        before, first = self._due, ended + self._settle
        waiting = {name: before.get(name, first) for name in scan.found if name not in self._taken}
        ready = [name for name, due in waiting.items() if due <= begun + _EARLY or self._lay_there(scan.found[name], now)]
        gone = _gone(self._taken, scan)
        for name in ready:
            del waiting[name]
        self._due = waiting
        self._taken.update(ready)
        self._taken.difference_update(gone)
        return Look(tuple(sorted(ready, key=_age)), gone)

    @property
    def next(self) -> float | None:
        """When the next file may be ready, by the clock that never jumps, or None while no file waits."""
        return min(self._due.values(), default=None)

    def _lay_there(self, touched: int | None, now: int | None) -> bool:
        """Tell whether, at the first look of a start, a file had not been touched for long enough."""
        if self._settle == 0:
            return True
        return now is not None and touched is not None and now * 1000 - touched >= self._settle * 1e9


def _gone(names: Iterable[str], scan: Scan) -> tuple[str, ...]:
    """Give those that the scan did not find, except where it could not look: nobody knows whether they are gone."""
    gone = tuple(name for name in names if name not in scan.found)
    hidden = tuple(f"{path}{end}" for path in scan.unreadable for end in "/#")
    return tuple(name for name in gone if not name.startswith(hidden)) if hidden else gone


def _age(name: str) -> tuple[int, str]:
    version: Version = version_of(name)
    return version.mtime, version.path
