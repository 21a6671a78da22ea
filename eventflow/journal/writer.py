"""Group commit: whatever asks for durability while a batch is under way rides in the next one, so a sync is paid once for all of them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from typing import TypeAlias

import anyio
import msgspec

from eventflow.errors import EventflowError, JournalDamaged, JournalError, JournalFull
from eventflow.journal.batch import Draft, Written, write_batch
from eventflow.journal.checkpoints import Checkpoints
from eventflow.journal.connection import Connection
from eventflow.journal.faults import FULL, JournalLocked, meaning
from eventflow.journal.progress import again
from eventflow.journal.shared import Shared

Waiter: TypeAlias = "asyncio.Future[int] | None"
"""Who is told what became of a unit; None where nobody waits for it."""

BATCH = 2_000
"""The most units in one batch: more would keep the first of them waiting."""

FULL_PAUSE, LOCKED_PAUSE = 0.5, 0.05
"""After how many seconds a batch is tried again on a full disk, or behind another program's lock (for which SQLite has waited already)."""

_LOCKED_TRIES = 5


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A unit in the queue."""

    draft: Draft
    waiter: Waiter


class Writer:
    """The one task that writes. Its queue is the order of all units."""

    def __init__(self, shared: Shared, connection: Connection, epoch: int) -> None:
        self.full = False
        self.checkpoints = Checkpoints(shared, connection)
        self._folder = shared.place.folder
        self._connection = connection
        self._epoch = epoch
        self._mark = shared.mark
        self._progress = shared.progress
        self._clock = shared.clock
        self._instruments = shared.instruments
        self._queue: list[Entry] = []
        self._under_way: list[Entry] = []
        self._closing = False
        self._broken: JournalError | None = None
        self._news = asyncio.Event()
        self._retry = asyncio.Event()
        self._ended = asyncio.Event()

    def put(self, draft: Draft, waiter: Waiter = None) -> None:
        """Have a unit written in its turn."""
        self._progress.check()
        if self._closing:
            raise JournalError("the journal is closed")
        self._queue.append(Entry(draft, waiter))
        self._news.set()

    def fail(self, failure: JournalError) -> None:
        """Stop for good, because the journal was found damaged elsewhere."""
        self._broken = failure
        self._news.set()

    async def close(self) -> None:
        """Write what is in the queue, take no more, and return when `run` has ended."""
        self._closing = True
        self._news.set()
        self._retry.set()
        await self._ended.wait()

    async def run(self) -> None:
        """Write until `close`. Raises the `JournalError` with which the journal failed; whoever waits has been told the same."""
        with anyio.CancelScope(shield=True):  # it ends by `close` alone, with nothing left in the queue
            try:
                while await self._is_needed():
                    await self._write_next()
            except JournalError as failure:
                self._stop(failure)
                raise
            except Exception as error:  # whatever it is, nobody may believe in a commit any more
                failure = JournalDamaged(f"the journal in {self._folder} stopped: {type(error).__name__}: {error}")
                failure.__cause__ = error
                self._stop(failure)
                raise failure from error
            except BaseException:  # the loop itself is being torn down
                self._stop(JournalError("the journal was closed with its event loop"))
                raise
            finally:
                self._ended.set()

    async def _is_needed(self) -> bool:
        """Wait for something to do. Gives False when all is done."""
        while True:
            if self._broken is not None:
                raise self._broken
            if self._queue:
                return True
            if self._closing:
                return False
            self._news.clear()
            await self._news.wait()

    async def _write_next(self) -> None:
        self._under_way, self._queue = self._queue[:BATCH], self._queue[BATCH:]
        written = await self._written([entry.draft for entry in self._under_way])
        self._settle(self._under_way, written)
        self._under_way = []
        if self.checkpoints.wrote(written.rows):
            await self.checkpoints.make()

    async def _written(self, drafts: Sequence[Draft]) -> Written:
        """Write a batch, and wait out what passes: a full disk, another program's lock. Closing means one more try."""
        tries = 0
        while True:
            last = self._closing
            try:
                written = await self._connection.run(lambda raw: self._write(raw, drafts))
            except (JournalFull, JournalLocked) as failure:
                if last:
                    raise
                tries += 1
                await self._pause(failure, tries)
            else:
                self.full = False
                return written

    def _write(self, raw: sqlite3.Connection, drafts: Sequence[Draft]) -> Written:
        """Write a batch, on the journal's thread."""
        self._instruments.reached("journal.batch.before")
        try:
            written = write_batch(raw, drafts, self._epoch, self._instruments.reached)
        except (sqlite3.Error, OSError) as error:
            raise meaning(error, self._folder) from error
        try:
            self._mark.write(written.seq)
        except OSError as error:
            if error.errno not in FULL:  # a mark that lags behind is still true
                raise meaning(error, self._folder) from error
        return written

    async def _pause(self, failure: JournalError, tries: int) -> None:
        is_full = isinstance(failure, JournalFull)
        if (is_full and not self.full) or (not is_full and tries == _LOCKED_TRIES):
            self._instruments.troubled("journal.batch", failure)
        self.full = is_full
        self._retry.clear()
        timer = self._clock.call_later(FULL_PAUSE if is_full else LOCKED_PAUSE, self._retry.set)
        if not self._closing:
            await self._retry.wait()
        timer.cancel()

    def _settle(self, entries: Sequence[Entry], written: Written) -> None:
        """Tell everybody what became of a batch."""
        self._progress.advance(written.seq)
        refused: EventflowError | None = None
        for entry, result in zip(entries, written.results, strict=True):
            waiter = entry.waiter
            if waiter is None:
                refused = refused or (None if isinstance(result, int) else result)
            elif not waiter.done():
                waiter.set_result(result) if isinstance(result, int) else waiter.set_exception(result)
        if written.records:
            self._instruments.committed(written.records)
        self._instruments.reached("journal.batch.after")
        if refused is not None:
            raise JournalError(f"a unit that can't be refused was refused: {refused}") from refused

    def _stop(self, failure: JournalError) -> None:
        """Acknowledge nothing any more."""
        self._progress.fail(failure)
        for entry in (*self._under_way, *self._queue):
            waiter = entry.waiter
            if waiter is not None and not waiter.done():
                copy = again(failure)
                copy.__cause__ = failure.__cause__
                waiter.set_exception(copy)
        self._under_way, self._queue = [], []
