"""A look at all the folders of a sensor."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from eventflow.sensors.files.globs import Globs
from eventflow.sensors.files.scan import Scan, Version, identity, path_of, quote, version_of
from eventflow.sensors.files.versions import fits


class Root(NamedTuple):
    """A watched folder: where it is, and what the paths in identities begin with.

    That is relative where the user wrote it so, so that a project can be moved.
    """

    folder: Path
    written: str

    @classmethod
    def of(cls, written: Path, root: Path) -> Root:
        """Give a folder as it was written, which starts from `root` where it is relative."""
        return cls(root / written, "" if written == Path() else str(written))

    @property
    def quoted(self) -> str:
        """What the paths in identities begin with, as it stands there."""
        return quote(self.written)


class Sweep:
    """One look at several folders, taken slice by slice. To be used in a worker thread, since every disk may be slow.

    A folder that can't be listed ends up in `missing`, with the reason, and hides what was in it: the others are looked at all the same.
    """

    def __init__(
        self, roots: Sequence[Root], globs: Globs, *, recursive: bool, beside: Callable[[str], bool] | None = None, follow: bool = False
    ) -> None:
        self.found: dict[str, int | None] = {}
        """As in `Scan`, of all folders."""
        self.beside: dict[str, int | None] = {}
        """As in `Scan`, of all folders."""
        self.scans: list[tuple[Root, Scan]] = []
        """The folders that were looked at."""
        self.missing: list[tuple[Root, OSError]] = []
        """The folders that could not be."""
        self._steps = self._look(roots, globs, recursive=recursive, beside=beside, follow=follow)

    def more(self) -> bool:
        """Look at the next slice; tell whether there is more."""
        return next(self._steps, None) is not None

    @property
    def unreadable(self) -> list[str]:
        """What could not be looked at, quoted as in identities."""
        return [root.quoted for root, _ in self.missing] + [path for _, scan in self.scans for path in scan.unreadable]

    @property
    def outside(self) -> list[str]:
        """Links that lead out of the watched folders, quoted as in identities."""
        return [path for _, scan in self.scans for path in scan.outside]

    def _look(
        self, roots: Sequence[Root], globs: Globs, *, recursive: bool, beside: Callable[[str], bool] | None, follow: bool
    ) -> Iterator[bool]:
        within = [os.path.realpath(root.folder) for root in roots] if follow else []
        for root in roots:
            scan = Scan(str(root.folder), root.written, globs, recursive=recursive, beside=beside, within=within)
            try:
                while scan.more():
                    yield True
            except OSError as error:
                self.missing.append((root, error))
                continue
            self.scans.append((root, scan))
            self.found.update(scan.found)
            self.beside.update(scan.beside)
            yield True


def version_at(quoted: str, root: Path) -> str | None:
    """Give the identity of the version of a file that lies at a quoted path, None where there is none. Blocks, as `is_still` does."""
    path = path_of(quoted)
    try:
        now = os.stat(root / path, follow_symlinks=False)  # noqa: PTH116 - there can be many
    except OSError:
        return None
    return identity(Version(path, now.st_ino, now.st_size, now.st_mtime_ns)) if stat.S_ISREG(now.st_mode) else None


def is_still(version: str, root: Path, *, follow: bool = False) -> bool:
    """Tell whether a file is still the version that it was. Blocks: to be called in a thread."""
    told = version_of(version)
    try:
        now = os.stat(root / told.path, follow_symlinks=follow)  # noqa: PTH116 - as above
    except OSError:
        return False
    return fits(told, now)
