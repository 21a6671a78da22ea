"""The file sensor: a folder in which each new file, and each new version of one, is an event."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Literal, get_args

from eventflow import escapes
from eventflow.definition.places import naming_the_line, user_place
from eventflow.durations import Duration, seconds
from eventflow.events import Observation
from eventflow.ids import misnamed
from eventflow.ports import Seen, World
from eventflow.sensors.files.globs import Globs
from eventflow.sensors.files.rounds import FileOptions, FileVersion, Rounds

__all__ = ["FileSensor", "FileVersion"]

Ready = Literal["settle", "atomic"]
Existing = Literal["fire", "ignore"]

_LEAST_RESCAN = 0.1


class FileSensor:
    """Fires once for each version of each file that lies in a folder, and never again for it, however long it lies there.

    A version is a path with its inode, size and modification time: a file that is replaced, appended to or touched is a new one. Files
    are never opened, moved or deleted, links are not followed, and files that came while nobody looked are found at the next start.

    `path` is the folder; a relative one is taken from the folder in which the engine started, the project's root. `match` is one shell
    pattern or several (`*` doesn't match a leading dot); with `recursive` subfolders are looked through too. With `ready="settle"` a file
    fires once it has not changed for `settle`: a writer that pauses for longer is caught half-way, so allow for it, or have files renamed
    into the folder when they are complete and say `ready="atomic"`. `existing="ignore"` leaves alone what lies there when the folder is
    first watched. `rescan` is how often the folder is looked through even without news from the kernel: on network mounts, where none
    come, it decides how soon a file is found.

    Raises `DefinitionError`, which names the line, for what can't be meant.
    """

    def __init__(
        self,
        name: str,
        path: str | os.PathLike[str],
        *,
        match: str | Sequence[str] = "*",
        recursive: bool = False,
        ready: Ready = "settle",
        settle: Duration = "2s",
        existing: Existing = "fire",
        rescan: Duration = "60s",
    ) -> None:
        self.place = user_place()
        with naming_the_line():
            self._options = FileOptions(
                name=_name(name),
                folder=_folder(path),
                globs=_globs(match, recursive=recursive),
                recursive=recursive,
                settle=seconds(settle) if _choice("ready", ready, Ready) == "settle" else 0.0,
                ignore_existing=_choice("existing", existing, Existing) == "ignore",
                rescan=_rescan(rescan),
            )

    def __repr__(self) -> str:
        return f"<FileSensor {self.name!r}: {escapes.path(self.path)}>"

    @property
    def name(self) -> str:
        """What its events carry as their source."""
        return self._options.name

    @property
    def path(self) -> Path:
        """The watched folder, as it was written."""
        return self._options.folder

    @property
    def interval(self) -> float:
        """The longest time, in seconds, between two observations of a healthy sensor."""
        return 3 * self._options.rescan + 30

    async def observe(self, cursor: object, seen: Seen, world: World) -> AsyncGenerator[Observation[FileVersion], None]:
        """Yield what is new in the folder, for ever, and a heartbeat at each rescan.

        Raises `WatchedFolderMissing` or `WatchedFolderUnreadable`; a later start goes on as if nothing had been.
        """
        with world.watcher.watch(world.root / self.path, recursive=self._options.recursive) as news:
            rounds = Rounds(self._options, cursor, seen, world)
            while True:
                async with aclosing(rounds.look()) as observations:
                    async for observation in observations:
                        yield observation
                await rounds.rest(news)


def _name(name: str) -> str:
    if mistake := misnamed(name, "sensor"):
        raise ValueError(mistake)
    return name


def _folder(path: str | os.PathLike[str]) -> Path:
    written = os.fspath(path)
    if not written or "\0" in written:
        raise ValueError(f"path={written!r} is no folder's name")
    return Path(written)


def _globs(match: str | Sequence[str], *, recursive: bool) -> Globs:
    globs = Globs(match)
    if globs.reach_below and not recursive:
        raise ValueError(f"match={match!r} reaches into subfolders: say recursive=True as well")
    return globs


def _choice(option: str, value: str, kind: object) -> str:
    allowed = get_args(kind)
    if value not in allowed:
        raise ValueError(f"{option}={value!r} is unknown: use {' or '.join(map(repr, allowed))}")
    return value


def _rescan(rescan: Duration) -> float:
    length = seconds(rescan)
    if length < _LEAST_RESCAN:
        raise ValueError(f"rescan={rescan!r} is too often: use at least '100ms'")
    return length
