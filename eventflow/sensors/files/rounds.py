"""How a file sensor goes about its folder: look, tell what is new, rest."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from eventflow import escapes
from eventflow.errors import WatchedFolderMissing, WatchedFolderUnreadable
from eventflow.events import Event, Observation
from eventflow.ports import Hint, Seen, World
from eventflow.sensors.files.globs import Globs
from eventflow.sensors.files.scan import Scan, quote, version_of
from eventflow.sensors.files.settle import Settling
from eventflow.sensors.waiting import news_or
from eventflow.threads import in_loose_thread

T = TypeVar("T")

_CHUNK = 500
"""Events of one observation, which is one transaction."""

_THREAD = "eventflow-look"

_SHORTEST_REST = 0.02
_REST = 3
"""The sensor rests three times as long as it looked, so that neither a huge folder nor a busy writer keeps the machine busy."""


class FileVersion(msgspec.Struct, frozen=True):
    """A file as it was when its event fired: `size` in bytes, `mtime` in nanoseconds since 1970 as its file system says."""

    path: Path
    size: int
    mtime: int


@dataclass(frozen=True, slots=True)
class FileOptions:
    """What a file sensor was told: which files of which folder, and how. `folder` is as it was written, the lengths are in seconds."""

    name: str
    folder: Path
    globs: Globs
    recursive: bool
    settle: float
    ignore_existing: bool
    rescan: float

    @property
    def written(self) -> str:
        """The folder as identities carry it: relative where the user wrote it so, so that a project can be moved."""
        return "" if self.folder == Path() else str(self.folder)


class Rounds:
    """One start of a file sensor. What it remembers runs ahead of the journal by the observation that is being committed, never further."""

    def __init__(self, options: FileOptions, cursor: object, seen: Seen, world: World) -> None:
        self._options = options
        self._root = world.root
        self._folder = world.root / options.folder
        self._cursor = cursor
        self._watched: object = {"folder": quote(options.written)}
        self._seen = seen
        self._clock = world.clock
        self._instrument = world.instrument
        self._unreadable: frozenset[str] = frozenset()
        self._memory = Settling(options.settle)
        self._begun = False
        self._told = world.clock.monotonic()
        self._rest = 0.0

    async def look(self) -> AsyncGenerator[Observation[FileVersion], None]:
        """Look through the folder and yield what is new, oldest first; a heartbeat where nothing was told for as long as `rescan`."""
        scan = Scan(str(self._folder), self._options.written, self._options.globs, recursive=self._options.recursive)
        now, begun = self._clock.now(), self._clock.monotonic()
        while await self._more(scan):
            if self._overdue:
                yield self._observation()
        ended = self._clock.monotonic()
        self._report(frozenset(scan.unreadable))
        first = not self._begun
        if first:
            for observation in await self._begin(scan):
                yield observation
        found = await in_loose_thread(lambda: self._memory.look(scan, begun, ended, now=now if first else None), _THREAD)
        for names in _chunks(found.ready):
            yield await self._fired(names)
        for gone in _chunks(found.gone):
            yield self._observation(forget=gone)
        if self._overdue:
            yield self._observation()
        self._rest = min(max(_SHORTEST_REST, _REST * (ended - begun)), self._options.rescan)

    async def rest(self, news: Hint) -> None:
        """Return when it is time for the next look: at news, when a file may have settled, when a rescan is due."""
        await self._clock.sleep(self._rest)
        due = self._told + self._options.rescan
        due = min(due, self._memory.next or due)
        await news_or(due - self._clock.monotonic(), news, self._clock)

    async def _more(self, scan: Scan) -> bool:
        try:
            return await in_loose_thread(scan.more, _THREAD)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise WatchedFolderMissing(
                f"the folder {escapes.path(self._folder)}, which sensor {self._options.name!r} watches, {_lack(error)}:"
                f" make it, or change the sensor's path. It is looked for every few seconds."
            ) from error
        except OSError as error:
            raise WatchedFolderUnreadable(
                f"the folder {escapes.path(self._folder)}, which sensor {self._options.name!r} watches, can't be listed: {error.strerror}."
                f" Let this user read it and enter it. It is tried again every few seconds."
            ) from error

    def _report(self, unreadable: frozenset[str]) -> None:
        for place in sorted(unreadable - self._unreadable):
            error = WatchedFolderUnreadable(f"{place} can't be looked at, and is passed over: let this user read it and enter its folder")
            self._instrument.troubled(f"sensor {self._options.name}", error)
        self._unreadable = unreadable

    async def _begin(self, scan: Scan) -> list[Observation[FileVersion]]:
        """Compare the first look with the journal.

        What is to be ignored goes into one observation, however much it is, together with the cursor that says that it is done: half of
        it committed, and the next start would take for old what came in between.
        """
        ignore = self._options.ignore_existing and self._cursor != self._watched
        seen = await self._seen.all()
        beginning = await in_loose_thread(lambda: self._memory.begin(scan, seen, ignore=ignore), _THREAD)
        self._begun, self._cursor = True, self._watched
        return [
            self._observation(known=beginning.known),
            *(self._observation(keep=names) for names in _chunks(beginning.keep)),
            *(self._observation(forget=names) for names in _chunks(beginning.forget)),
        ]

    async def _fired(self, names: Sequence[str]) -> Observation[FileVersion]:
        """Make events of files; one that the journal has is a file that was gone and has come back."""
        back = await self._seen.of(names)
        return self._observation(
            events=tuple(self._event(name) for name in names if name not in back),
            keep=tuple(name for name in names if name in back),
        )

    def _event(self, name: str) -> Event[FileVersion]:
        version = version_of(name)
        return Event(
            id=name,
            source=self._options.name,
            type="file",
            subject=escapes.path(version.path),
            time=version.mtime // 1000,
            data=FileVersion(self._root / version.path, version.size, version.mtime),
        )

    def _observation(
        self,
        *,
        events: tuple[Event[FileVersion], ...] = (),
        forget: Sequence[str] = (),
        keep: Sequence[str] = (),
        known: Sequence[str] = (),
    ) -> Observation[FileVersion]:
        self._told = self._clock.monotonic()
        return Observation(events=events, cursor=self._cursor, forget=tuple(forget), keep=tuple(keep), known=tuple(known))

    @property
    def _overdue(self) -> bool:
        return self._clock.monotonic() >= self._told + self._options.rescan


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK))


def _lack(error: OSError) -> str:
    return "is no folder" if isinstance(error, NotADirectoryError) else "is missing"
