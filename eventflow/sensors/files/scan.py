"""A look at a folder: the identity of every file that is there."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote_from_bytes, unquote_to_bytes

from eventflow.mounts import Mounts, has_own_inodes
from eventflow.sensors.files.globs import Globs

ASIDE = ".eventflow-"
"""How the names begin that a sensor gives to files which it is moving or deleting: they are nobody's new files."""

_SLICE = 2000
"""Files that are looked at in one go: some ten milliseconds on a local disk."""


class Version(NamedTuple):
    """One version of a file: its path, its inode (None where that says nothing), bytes, nanoseconds since 1970."""

    path: str
    inode: int | None
    size: int
    mtime: int


def identity(version: Version) -> str:
    """Give the identity of a version, in which any path survives as ASCII. Journals keep it: never change how it is written."""
    return _identity(quote(version.path), version.inode, version.size, version.mtime)


def version_of(identity: str) -> Version:
    """Give the version that an identity was made of."""
    path, _, rest = identity.rpartition("#")
    inode, size, mtime = rest.split(".")
    return Version(path_of(path), None if inode == "-" else int(inode), int(size), int(mtime))


def path_in(identity: str) -> str:
    """Give the path in an identity, quoted as it is there."""
    return identity.rpartition("#")[0]


def path_of(quoted: str) -> str:
    """Give the path that `quote` wrote."""
    return os.fsdecode(unquote_to_bytes(quoted))


def quote(path: str) -> str:
    """Write a path as it stands in identities: bytes that aren't plain as the escapes of a URL."""
    return quote_from_bytes(os.fsencode(path), safe="/")


def below(folder: str, name: str) -> str:
    """Give the path of something in a folder; the folder "" is the one that paths start from."""
    return f"{folder}/{name}" if folder else name


class Scan:
    """One look at a folder, taken slice by slice. To be used in a worker thread, since every disk may be slow.

    Only regular files count, and nothing is ever opened, so a FIFO or a device can do no harm. A link to a file counts where it leads
    into one of the folders `within`, whose real paths these are; links to folders are never followed, so no loop can arise. A subfolder
    or a file that can't be looked at ends up in `unreadable`, and the rest is seen all the same; only the watched folder itself must be
    readable: `more` raises the `OSError` that says why it isn't. `written` is what the paths in identities begin with. Files whose names
    are for `beside` are found beside the others: they tell about files, and never fire.

    A folder is listed before its files are asked for their versions: what lies beside a file was there before the version was.
    """

    def __init__(
        self,
        folder: str,
        written: str,
        globs: Globs,
        *,
        recursive: bool,
        mounts: Mounts | None = None,
        beside: Callable[[str], bool] | None = None,
        within: Sequence[str] = (),
    ) -> None:
        self.found: dict[str, int | None] = {}
        """The identity of each file, with the instant (nanoseconds) at which this machine's kernel changed its inode last, None where
        another's did. Strings and numbers only: of a folder with 100,000 files the garbage collector notices nothing."""
        self.beside: dict[str, int | None] = {}
        """The same of the files that tell about others."""
        self.unreadable: list[str] = []
        """What could not be looked at, quoted as in identities."""
        self.outside: list[str] = []
        """Links that lead out of the watched folders, quoted as in identities."""
        self.aside: list[str] = []
        """The paths of files that a sensor was moving or deleting."""
        self._folder = folder
        self._written = written
        self._globs = globs
        self._recursive = recursive
        self._mounts = mounts
        self._is_beside = beside or _nothing
        self._within = within
        self._own_inodes: dict[int, bool] = {}
        self._folders = [""]
        self._entries: list[os.DirEntry[str]] = []
        self._entered = ""

    def more(self) -> bool:
        """Look at the next slice; tell whether there is more."""
        room = _SLICE
        while room > 0 and (self._entries or self._folders):
            room -= 1
            if self._entries:
                self._look_at(self._entries.pop())
            else:
                self._enter(self._folders.pop())
        return bool(self._entries or self._folders)

    def _enter(self, folder: str) -> None:
        self._entered = folder
        try:
            self._entries = self._list(folder)
        except OSError as error:
            if not folder:
                raise
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                self.unreadable.append(self._quoted(folder))

    def _list(self, folder: str) -> list[os.DirEntry[str]]:
        files: list[os.DirEntry[str]] = []
        meant = self._globs.names_in(folder)
        with os.scandir(self._path(folder)) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False) or (self._within and entry.is_symlink()):
                    if entry.name.startswith(ASIDE):
                        self.aside.append(entry.path)
                    elif meant(entry.name) or self._is_beside(entry.name):
                        files.append(entry)
                elif self._recursive and entry.is_dir(follow_symlinks=False) and self._globs.enter(below(folder, entry.name)):
                    self._folders.append(below(folder, entry.name))
        return files

    def _look_at(self, entry: os.DirEntry[str]) -> None:
        quoted = self._quoted(below(self._entered, entry.name))
        try:
            now = self._target(entry, quoted) if entry.is_symlink() else entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return
        except OSError:
            self.unreadable.append(quoted)
            return
        if now is not None:
            own = self._own(now.st_dev)
            found = self.beside if self._is_beside(entry.name) else self.found
            found[_identity(quoted, now.st_ino if own else None, now.st_size, now.st_mtime_ns)] = now.st_ctime_ns if own else None

    def _target(self, link: os.DirEntry[str], quoted: str) -> os.stat_result | None:
        """Give what a link leads to, None where that is no file, or not ours."""
        try:
            real = os.path.realpath(link.path, strict=True)
        except OSError:  # it leads nowhere, or to itself
            return None
        now = os.lstat(real)
        if not stat.S_ISREG(now.st_mode):
            return None
        if not any(Path(real).is_relative_to(folder) for folder in self._within):
            self.outside.append(quoted)
            return None
        return now

    def _own(self, device: int) -> bool:
        if device not in self._own_inodes:
            self._mounts = self._mounts or Mounts.read()
            self._own_inodes[device] = has_own_inodes(self._mounts.kind(self._path(self._entered)))
        return self._own_inodes[device]

    def _path(self, folder: str) -> str:
        return below(self._folder, folder) if folder else self._folder

    def _quoted(self, path: str) -> str:
        return quote(below(self._written, path))


def _nothing(_: str) -> bool:
    return False


def _identity(quoted: str, inode: int | None, size: int, mtime: int) -> str:
    return f"{quoted}#{'-' if inode is None else inode}.{size}.{mtime}"
