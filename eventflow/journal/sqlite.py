"""The journal on SQLite: every commit is synced, and many commits share one sync."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import anyio

from eventflow.errors import JournalError, ValueNotStorable
from eventflow.facts import Fact, Record, Unit, encode
from eventflow.journal import lock
from eventflow.journal.batch import Draft
from eventflow.journal.connection import Connection, aside, connect, open_connection
from eventflow.journal.faults import understood
from eventflow.journal.mark import Mark
from eventflow.journal.place import Place, take_place
from eventflow.journal.preparation import check_library, prepare, set_safety
from eventflow.journal.progress import Progress
from eventflow.journal.queries import QUERIES
from eventflow.journal.reader import Reader
from eventflow.journal.shared import Shared
from eventflow.journal.upkeep import Upkeep
from eventflow.journal.writer import Writer
from eventflow.ports import Clock, Instrument, Instruments, RowT


@asynccontextmanager
async def open_sqlite(
    folder: Path,
    *,
    clock: Clock,
    instruments: Sequence[Instrument] = (),
    durability: Literal["full", "relaxed"] = "full",
    anywhere: bool = False,
    inline: bool = False,
) -> AsyncGenerator[SqliteJournal]:
    """Own the journal in a state folder, which is made where it isn't there, until the block is left.

    `durability="relaxed"` syncs once a second instead of at each commit: a power failure may then take the last second with it, a crash of
    the process still nothing. `anywhere` takes a network file system. `inline` uses no thread, and so blocks the loop: for simulations.

    The points `journal.create.*`, `journal.migrate.*` and `journal.batch.{before,written,committed}` are reached on the journal's thread:
    an instrument that does more there than end the process must be able to bear it.

    Raises `JournalOwned`, `JournalDamaged`, `JournalVersion`, `JournalDenied`, `JournalMisplaced` or `JournalFull`. Where the journal fails
    later, the block is cancelled and the error raised from it.
    """
    together = Instruments(instruments)
    together.reached("journal.open.before")
    check_library()
    place = await aside(partial(take_place, folder, anywhere=anywhere), inline=inline)
    held = await aside(partial(lock.take, place, clock.now()), inline=inline)
    try:
        relaxed = durability == "relaxed"
        warnings = await aside(partial(prepare, place, together.reached, relaxed=relaxed), inline=inline)
        async with _running(place, clock, together, relaxed=relaxed, inline=inline) as journal:
            for warning in warnings:
                together.troubled("journal.open", warning)
            together.reached("journal.open.after")
            yield journal
    finally:
        held.release()


class SqliteJournal:
    """The `Journal` port on SQLite."""

    def __init__(self, writer: Writer, reader: Reader, progress: Progress, instruments: Instrument) -> None:
        self._writer = writer
        self._reader = reader
        self._progress = progress
        self._instruments = instruments

    async def commit(self, unit: Unit) -> int:
        """Commit a unit, and return once it would survive a power failure."""
        self._instruments.reached("journal.commit.before")
        waiter = asyncio.get_running_loop().create_future()
        self._writer.put(_draft(unit), waiter)
        seq = await waiter
        self._instruments.reached("journal.commit.after")
        return seq

    def enqueue(self, unit: Unit) -> None:
        """Have a unit committed without waiting."""
        self._writer.put(_draft(unit))

    async def select(
        self, table: type[RowT], *, order: str | None = None, descending: bool = False, limit: int | None = None, **equals: object
    ) -> list[RowT]:
        """Give the rows of a table whose columns have the values given."""
        self._progress.check()
        return await self._reader.select(table, equals, order=order, descending=descending, limit=limit)

    async def facts(self, seqs: Collection[int]) -> dict[int, Fact]:
        """Give the facts at these places."""
        self._progress.check()
        return await self._reader.facts(seqs)

    async def records(self, after: int, *, limit: int, run: str | None = None) -> list[Record]:
        """Give up to `limit` records behind `after`, in order."""
        self._progress.check()
        return await self._reader.records(after, limit=limit, run=run)

    @property
    def seq(self) -> int:
        """The place of the last committed fact."""
        return self._progress.seq

    async def changed(self, after: int) -> None:
        """Return once there is a fact behind `after`."""
        await self._progress.wait(after)

    @property
    def full(self) -> bool:
        """Whether the disk is full."""
        return self._writer.full


class _Claim(NamedTuple):
    """What the owner of a journal knows of it: its id, the epoch in which it may write, and its last place."""

    journal: str
    epoch: int
    seq: int


@asynccontextmanager
async def _running(place: Place, clock: Clock, instruments: Instruments, *, relaxed: bool, inline: bool) -> AsyncGenerator[SqliteJournal]:
    """Run the tasks of a journal around a block, and raise what ends it as it is, not as the group that our own tasks make of it."""
    async with _opened(place, clock, instruments, relaxed=relaxed, inline=inline) as (shared, writer, reader):
        upkeep = Upkeep(shared, reader, writer.fail)
        error: BaseException | None = None
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(writer.run)
                group.start_soon(upkeep.keep_mark, writer.checkpoints if relaxed else None)
                group.start_soon(upkeep.keep_looking)
                try:
                    yield SqliteJournal(writer, reader, shared.progress, instruments)
                finally:
                    with anyio.CancelScope(shield=True):
                        await _finish(shared, writer, upkeep)
                    group.cancel_scope.cancel()
        except BaseExceptionGroup as failures:
            error = shared.progress.failure or _only(failures)
        if error is not None:
            raise error


async def _finish(shared: Shared, writer: Writer, upkeep: Upkeep) -> None:
    """Write the queue, sync the mark, empty the log. After a failure nothing is touched any more."""
    shared.instruments.reached("journal.close.before")
    await writer.close()
    if shared.progress.failure is None:
        await upkeep.sync_mark()
        await writer.checkpoints.make_last()
    shared.instruments.reached("journal.close.after")


@asynccontextmanager
async def _opened(
    place: Place, clock: Clock, instruments: Instruments, *, relaxed: bool, inline: bool
) -> AsyncGenerator[tuple[Shared, Writer, Reader]]:
    """Open the writing and the reading connection, and close them in the order that fits what happened."""
    opened: list[Connection] = []
    progress = Progress()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(_close, opened, progress)
        with understood(place.folder):
            opened.append(await open_connection(partial(_connect_writer, place, relaxed=relaxed), inline=inline))
            claim = await opened[0].run(_claim)
            opened.append(await open_connection(partial(connect, place.journal, mode="ro"), inline=inline))
            mark = Mark(place.mark, claim.journal)
        stack.callback(mark.close)
        progress.advance(claim.seq)
        shared = Shared(place, progress, mark, clock, instruments)
        writer = Writer(shared, opened[0], claim.epoch)
        yield shared, writer, Reader(opened[1], place.folder, writer.fail)


async def _close(opened: Sequence[Connection], progress: Progress) -> None:
    # The last to close copies the log, unless it can only read. After a failure nobody shall: the log is the evidence.
    order = reversed(opened) if progress.failure is None else opened
    progress.fail(JournalError("the journal is closed"))
    with anyio.CancelScope(shield=True):
        for connection in order:
            await connection.close()


def _connect_writer(place: Place, *, relaxed: bool) -> sqlite3.Connection:
    connection = connect(place.journal)
    try:
        set_safety(connection, relaxed=relaxed)
        connection.execute(f"PRAGMA journal_size_limit = {16 << 20}")
        connection.execute("PRAGMA cache_size = -16000")
    except BaseException:
        connection.close()
        raise
    return connection


def _claim(connection: sqlite3.Connection) -> _Claim:
    """Take the journal over: from here on no earlier owner can write it."""
    connection.execute(QUERIES["begin"])
    connection.execute(QUERIES["next_epoch"])
    claim = _Claim(*connection.execute(QUERIES["journal"]).fetchone())
    connection.execute("COMMIT")
    return claim


def _draft(unit: Unit) -> Draft:
    try:
        return Draft(unit, tuple(map(encode, unit.facts)))
    except (UnicodeError, OverflowError) as error:
        raise ValueNotStorable(f"the journal can't hold this unit: {error}") from error


def _only(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """Take off the group in which our own task group wraps an error of the block."""
    return failures.exceptions[0] if len(failures.exceptions) == 1 else failures
