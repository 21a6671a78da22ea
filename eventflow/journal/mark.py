"""The high-water mark: how far the journal had come, told in a file of its own.

SQLite takes a damaged or shortened log for its proper end and says nothing. The mark is what shows that something is missing. It is
written after each commit and synced each second, so it is never ahead of a journal whose disk keeps its promises, and behind it by a second
at most.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from eventflow.durable import sync

_SIZE = 128  # well within one disk sector: such a write is never torn


class Level(NamedTuple):
    """A journal's id, and the place of its last fact as the mark knows it."""

    journal: str
    seq: int


class Mark:
    """The mark of a journal that is being written."""

    def __init__(self, path: Path, journal: str) -> None:
        self._journal = journal
        self._descriptor = os.open(path, os.O_WRONLY)

    def write(self, seq: int) -> None:
        """Tell how far the journal has come. Raises `OSError`."""
        os.pwrite(self._descriptor, _text(Level(self._journal, seq)), 0)

    def sync(self) -> None:
        """Make what was written last survive a power failure. Raises `OSError`."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file, without syncing it."""
        os.close(self._descriptor)


def read(path: Path) -> Level | None:
    """Give what a mark says, or None where there is none or it can't be understood."""
    try:
        return _level(path.read_bytes())
    except FileNotFoundError:
        return None


def loss(folder: Path, level: Level, known: Level) -> str | None:
    """Say what is missing of the journal in a folder, which is at `level`, where its mark knows better; None where nothing is."""
    if known.journal != level.journal:
        return f"the journal in {folder} is another one than before, which had come to fact {known.seq}; this one ends at {level.seq}"
    if known.seq > level.seq:
        lost = known.seq - level.seq
        return f"the journal in {folder} ends at fact {level.seq}, though it had come to fact {known.seq}: {lost} are lost"
    return None


def create(path: Path, level: Level) -> None:
    """Write a mark whole and durably, in place of whatever is there. Raises `OSError`."""
    aside = path.with_name(path.name + ".new")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(_text(level))
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    sync(path.parent)


def _text(level: Level) -> bytes:
    told = f"eventflow 1 {level.journal} {level.seq}"
    return f"{told} {_sum(told)}".ljust(_SIZE - 1).encode() + b"\n"


def _level(raw: bytes) -> Level | None:
    told, _, checksum = raw.decode("ascii", "replace").rstrip().rpartition(" ")
    if _sum(told) != checksum:
        return None
    _, _, journal, seq = told.split(" ")
    return Level(journal, int(seq))


def _sum(told: str) -> str:
    return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()
