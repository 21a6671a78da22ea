"""What a file sensor was told, checked, as plain data; and what its cursor says."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, cast

from eventflow.durations import Duration, seconds
from eventflow.ports import World
from eventflow.sensors.files.asking import Asked, ReadyTest
from eventflow.sensors.files.closing import Closed
from eventflow.sensors.files.ending import Delete, Ending, Endings, Leave, Move
from eventflow.sensors.files.globs import Globs
from eventflow.sensors.files.identities import Identities
from eventflow.sensors.files.manifests import Listing, Manifest
from eventflow.sensors.files.markers import Marked, Marker
from eventflow.sensors.files.readiness import Readiness, Settled
from eventflow.sensors.files.scan import quote
from eventflow.sensors.files.sweep import Root, Sweep
from eventflow.sensors.options import Identity

Folders: TypeAlias = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
Ready: TypeAlias = Literal["settle", "atomic", "closed"] | Marker | Manifest | ReadyTest

_SETTLE = "2s"


@dataclass(frozen=True, slots=True)
class FileOptions:
    """What a file sensor was told: which files of which folders, and how. The folders are as they were written, lengths are in seconds."""

    name: str
    folders: tuple[Path, ...]
    globs: Globs
    recursive: bool
    ready: Ready
    settle: float
    identity: Identity
    ignore_existing: bool
    rescan: float
    endings: Endings
    follow_links: bool

    def roots(self, world: World) -> list[Root]:
        """Give the folders where they are."""
        return [Root.of(folder, world.root) for folder in self.folders]

    def sweep(self, roots: Sequence[Root], readiness: Readiness) -> Sweep:
        """Give a look at the folders, which is still to begin."""
        return Sweep(roots, self.globs, recursive=self.recursive, beside=readiness.beside, follow=self.follow_links)

    def readiness(self, world: World, fired: Identities, tell: Callable[[], None]) -> Readiness:
        """Give a start of the way of telling which files are complete. It calls `tell` when it has news."""
        if isinstance(self.ready, Marker):
            return Marked(self.ready)
        if isinstance(self.ready, Manifest):
            return Listing(self.ready, world, self.settle, fired, tell)
        if self.ready == "closed":
            return Closed(world, follow=self.follow_links)
        if callable(self.ready):
            return Asked(self.ready, world, tell)
        return Settled()

    def cursor(self, begun: Collection[str]) -> object:
        """Give the cursor that says which folders (quoted) were looked at to the end. Journals keep it: never change how it is written."""
        kind = {} if self.identity == "version" else {"identity": self.identity}
        if len(self.folders) == 1 and begun:
            return {"folder": _quoted(self.folders[0]), **kind}
        return {"folders": sorted(begun), **kind}

    def begun(self, cursor: object) -> frozenset[str]:
        """Give the folders that a cursor says were looked at to the end, as far as they are still watched."""
        told = cast("dict[str, object]", cursor) if isinstance(cursor, dict) else {}
        folders = told.get("folders", [told.get("folder")])
        if told.get("identity", "version") != self.identity or not isinstance(folders, list):
            return frozenset()
        return frozenset(cast("list[str]", folders)) & {_quoted(folder) for folder in self.folders}

    def has_begun(self, folder: Path, begun: Collection[str]) -> bool:
        """Tell whether a folder is among those (quoted) that were looked at to the end."""
        return _quoted(folder) in begun


def checked_folders(path: Folders) -> tuple[Path, ...]:
    """Give the folders, each once. Raises `ValueError`, as all of these do, for what can't be meant."""
    written = [os.fspath(path)] if isinstance(path, str | os.PathLike) else [os.fspath(folder) for folder in path]
    for folder in written:
        if not folder or "\0" in folder:
            raise ValueError(f"path={folder!r} is no folder's name")
    if not written:
        raise ValueError("path=[] is no folder: give at least one")
    folders = tuple(Path(folder) for folder in written)
    for place, folder in enumerate(folders):
        if folder in folders[:place]:
            raise ValueError(f"path names the folder {str(folder)!r} twice")
    return folders


def checked_globs(match: str | Sequence[str], *, recursive: bool) -> Globs:
    """Give the patterns."""
    globs = Globs(match)
    if globs.reach_below and not recursive:
        raise ValueError(f"match={match!r} reaches into subfolders: say recursive=True as well")
    return globs


def checked_ready(ready: object) -> Ready:
    """Give how readiness is told."""
    if ready not in ("settle", "atomic", "closed") and not isinstance(ready, Marker | Manifest) and not _is_async(ready):
        raise ValueError(
            f"ready={ready!r} is unknown: use 'settle', 'atomic', 'closed', Marker('.done'), Manifest('*.manifest'),"
            " or your own `async def ready(path: Path) -> bool`"
        )
    return cast("Ready", ready)


def checked_settle(settle: Duration | None, ready: Ready) -> float:
    """Give how long a file must not have changed, in seconds. A rename and a marker are a word that nothing needs to be added to."""
    if ready == "atomic":
        seconds(settle or 0)
        return 0.0
    if settle is None:
        return 0.0 if isinstance(ready, Marker) else seconds(_SETTLE)
    return seconds(settle)


def checked_endings(after: Ending, failed: Ending, ready: Ready, *, follow_links: bool) -> Endings:
    """Give what becomes of files."""
    for option, ending in (("after", after), ("failed", failed)):
        if not isinstance(ending, Leave | Move | Delete):  # pyright: ignore[reportUnnecessaryIsInstance] - what people write isn't what was asked for
            raise ValueError(f"{option}={ending!r} is unknown: use Leave(), Move('done/') or Delete()")
        if follow_links and not isinstance(ending, Leave):
            raise ValueError(f"{option}={ending!r} would take away links and not what they lead to: leave out follow_links=True")
    return Endings(after, failed, ready.ending if isinstance(ready, Marker) else "")


def check_targets(folders: Sequence[Path], globs: Globs, targets: Sequence[Path], *, recursive: bool) -> None:
    """Raise `ValueError` where files are moved into what is watched: there they would fire anew, for ever."""
    for target in targets:
        for folder in folders:
            below = os.path.relpath(target, folder) if target.is_absolute() == folder.is_absolute() else ".."
            if below == "." or (recursive and _is_entered(below, globs)):
                raise ValueError(
                    f"Move({str(target)!r}) leads into {str(folder)!r}, which the sensor watches: there the files would fire again."
                    " Move them to a folder beside it."
                )


def _is_entered(below: str, globs: Globs) -> bool:
    parts = below.split("/")
    return parts[0] != ".." and all(globs.enter("/".join(parts[: place + 1])) for place in range(len(parts)))


def _is_async(ready: object) -> bool:
    return inspect.iscoroutinefunction(ready) or inspect.iscoroutinefunction(getattr(ready, "__call__", None))  # noqa: B004 - whether it is async


def _quoted(folder: Path) -> str:
    return quote(Root.of(folder, Path()).written)
