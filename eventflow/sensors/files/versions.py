"""A version of a file: what an event carries, and by which a task can tell that the file has changed since."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Protocol, TypeAlias

import msgspec

from eventflow import escapes
from eventflow.errors import FileChanged
from eventflow.events import Event
from eventflow.threads import in_loose_thread

BLOCK = 1 << 20
"""Bytes that are read at once."""


class FileVersion(msgspec.Struct, frozen=True):
    """A file as it was when its event fired: `size` in bytes, `mtime` in nanoseconds since 1970 as its file system says.

    `inode` is the file's number on its disk, None where that says nothing, as on network mounts. `content` is the BLAKE2b-256 of what the
    file held, as 64 hexadecimal digits, where the sensor has `identity="content"`, else None.
    """

    path: Path
    size: int
    mtime: int
    inode: int | None = None
    content: str | None = None

    def check(self) -> None:
        """Return where the file is still this version. Raises `FileChanged` where it was changed, replaced or removed since.

        It asks the disk once, which takes microseconds on a local one.
        """
        try:
            now = self.path.stat()
        except OSError as error:
            raise FileChanged(f"the file {escapes.path(self.path)} can't be found as its event saw it: {error.strerror}") from error
        if not fits(self, now):
            raise _changed(self.path)

    async def digest(self) -> str:
        """Give the BLAKE2b-256 of the file as 64 hexadecimal digits. It is read in a thread.

        Raises `FileChanged` where it is no longer this version, before or after reading, and `OSError` where it can't be read.
        """
        return await in_loose_thread(lambda: digest(self.path, self), "eventflow-digest")


FileEvent: TypeAlias = Event[FileVersion]
"""What a file sensor's events are: for the parameters of `where` and `params`."""


class Stamped(Protocol):
    """What tells one version of a file from another."""

    @property
    def inode(self) -> int | None: ...
    @property
    def size(self) -> int: ...
    @property
    def mtime(self) -> int: ...


def fits(version: Stamped, now: os.stat_result) -> bool:
    """Tell whether a file that looks like this now is that version. An inode that isn't known fits any."""
    same = (now.st_size, now.st_mtime_ns) == (version.size, version.mtime)
    return same and stat.S_ISREG(now.st_mode) and version.inode in (None, now.st_ino)


def digest(path: Path, version: Stamped, algorithm: str = "blake2b-256") -> str:
    """Give the digest of a version of a file, in hexadecimal digits. Blocks: to be called in a thread.

    Only a regular file is opened. Raises `FileChanged` and `OSError` as `FileVersion.digest` does.
    """
    summed = _new(algorithm)
    with opened(path, version) as file:
        while block := file.read(BLOCK):
            summed.update(block)
    return summed.hexdigest()


@contextmanager
def opened(path: Path, version: Stamped) -> Generator[FileIO]:
    """Open a version of a file for reading. Raises `FileChanged` where it isn't that version, at the beginning or at the end."""
    if not fits(version, path.stat()):
        raise _changed(path)
    # What was a file a moment ago may be a pipe by now, whose opening would wait for ever: O_NONBLOCK.
    with FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)) as file:
        if not fits(version, os.fstat(file.fileno())):
            raise _changed(path)
        yield file
        if not fits(version, os.fstat(file.fileno())):
            raise _changed(path)


class _Summed(Protocol):
    """What every hash object can do."""

    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


def _new(algorithm: str) -> _Summed:
    if algorithm == "blake2b-256":
        return hashlib.blake2b(digest_size=32)
    return hashlib.new(algorithm, usedforsecurity=False)


def _changed(path: Path) -> FileChanged:
    return FileChanged(f"the file {escapes.path(path)} has changed since its event: a later version fires an event of its own")
