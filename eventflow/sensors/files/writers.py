"""Who has a file open for writing, as Linux tells in `/proc`: by a descriptor, or by a shared mapping that outlives its descriptor."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")

_MAPPING = re.compile(rb"^\S+ .w.s \S+ \S+ (?P<inode>\d+) +(?P<path>/.*)$", re.MULTILINE)
_GONE = (FileNotFoundError, ProcessLookupError, NotADirectoryError)


class Inode(NamedTuple):
    """A file, whatever its names."""

    device: int
    number: int


class Writers(NamedTuple):
    """The files that some process may still be writing, and how many processes could not be looked into, being other users'."""

    of: frozenset[Inode]
    hidden: int


def writers(files: Collection[Inode], proc: Path = PROC) -> Writers:
    """Tell which of these files a process of this machine has open for writing, our own included. Blocks: to be called in a thread."""
    written: set[Inode] = set()
    hidden = 0
    numbers = {file.number for file in files}
    for name in os.listdir(proc):  # noqa: PTH208 - there are thousands, and names are all that is wanted
        if name.isdigit():
            try:
                written.update(_written_by(f"{proc}/{name}", numbers))
            except PermissionError:
                hidden += _is_program(f"{proc}/{name}")
            except _GONE:
                continue
    return Writers(frozenset(written & set(files)), hidden)


def _written_by(process: str, numbers: Collection[int]) -> Iterator[Inode]:
    for descriptor in os.listdir(f"{process}/fd"):  # noqa: PTH208 - as above
        with suppress(*_GONE):
            if _may_write(Path(f"{process}/fdinfo/{descriptor}").read_bytes(), numbers):
                yield _inode(f"{process}/fd/{descriptor}")
    for mapping in _MAPPING.finditer(Path(f"{process}/maps").read_bytes()):
        if int(mapping["inode"]) in numbers:
            with suppress(*_GONE):
                yield _inode(f"{process}/root{os.fsdecode(mapping['path'])}")


def _may_write(info: bytes, numbers: Collection[int]) -> bool:
    """Tell whether a descriptor is for writing, and may be one of these inodes: older kernels don't say which it is."""
    told = dict(line.split(b":", 1) for line in info.splitlines() if b":" in line)
    writes = int(told.get(b"flags", b"0"), 8) & os.O_ACCMODE != os.O_RDONLY
    return writes and (b"ino" not in told or int(told[b"ino"]) in numbers)


def _inode(path: str) -> Inode:
    now = os.stat(path)  # noqa: PTH116 - as above
    return Inode(now.st_dev, now.st_ino)


def _is_program(process: str) -> bool:
    """Tell a program from a thread of the kernel, which writes no files of anybody's."""
    try:
        return bool(Path(f"{process}/cmdline").read_bytes())
    except OSError:
        return False
