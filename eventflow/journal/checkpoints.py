"""Copying SQLite's log into the main file: when it is time, and what becomes of errors.

SQLite could do it by itself after a commit, but would then hide a failing disk until the next start.
"""

from __future__ import annotations

import sqlite3

from eventflow.errors import JournalDamaged, JournalError, JournalFull
from eventflow.journal.connection import Connection
from eventflow.journal.faults import JournalLocked, meaning
from eventflow.journal.queries import QUERIES
from eventflow.journal.shared import Shared

DUE_PAGES = 4_000
"""After how many pages of four kilobytes, by estimate, the log is copied: it stays near 16 MiB."""

ALARM_SIZE = 64 * 1024 * 1024
"""The size of the log, in bytes, from which on it is a trouble: some reader or the disk keeps it from being copied."""

_FRAME = 4096 + 24
_PAGES_OF_BATCH, _ROWS_OF_PAGE = 6, 10  # measured: what a batch of one unit writes, and how many rows share a page in a large one
_TRIES = 3


class Checkpoints:
    """Keeps the log of a journal short."""

    def __init__(self, shared: Shared, connection: Connection) -> None:
        self._connection = connection
        self._folder = shared.place.folder
        self._instruments = shared.instruments
        self._pages = 0.0
        self._failed = 0
        self._alarmed = False

    def wrote(self, rows: int) -> bool:
        """Count a batch of so many rows, and tell whether it is time."""
        self._pages += _PAGES_OF_BATCH + rows / _ROWS_OF_PAGE
        return self._pages >= DUE_PAGES

    async def make(self) -> None:
        """Copy the log, if anything was written since. Raises `JournalDamaged` when the disk has failed three times on end."""
        if not self._pages:
            return
        self._pages = 0.0
        self._instruments.reached("journal.checkpoint.before")
        try:
            frames = await self._connection.run(_copy)
        except (sqlite3.Error, OSError) as error:
            self._count(meaning(error, self._folder), error)
            return
        self._failed = 0
        self._watch(frames * _FRAME)
        self._instruments.reached("journal.checkpoint.after")

    async def make_last(self) -> None:
        """Copy and empty the log at the end. An error only means that the next start will do it."""
        self._instruments.reached("journal.checkpoint.before")
        try:
            await self._connection.run(_copy_all)
        except (sqlite3.Error, OSError) as error:
            self._instruments.troubled("journal.checkpoint", meaning(error, self._folder))
        self._instruments.reached("journal.checkpoint.after")

    def _count(self, failure: JournalError, error: BaseException) -> None:
        self._instruments.troubled("journal.checkpoint", failure)
        if isinstance(failure, JournalFull | JournalLocked):
            return
        self._failed += 1
        if self._failed >= _TRIES:
            raise failure from error

    def _watch(self, size: int) -> None:
        big = size >= ALARM_SIZE
        if big and not self._alarmed:
            told = f"the journal's log in {self._folder} has grown to {size >> 20} MiB: is some program reading it without an end?"
            self._instruments.troubled("journal.log", JournalDamaged(told))
        self._alarmed = big


def _copy(connection: sqlite3.Connection) -> int:
    """Copy what readers allow, and give the frames that the log still holds for them."""
    _, frames, copied = connection.execute(QUERIES["checkpoint"]).fetchone()
    return frames if copied < frames else 0


def _copy_all(connection: sqlite3.Connection) -> None:
    connection.execute(QUERIES["checkpoint_all"]).fetchall()
