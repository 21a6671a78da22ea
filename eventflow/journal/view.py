"""Reading a journal that nobody need be running for: what a command line does without a daemon."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio

from eventflow.errors import JournalDamaged, JournalError, JournalVersion
from eventflow.facts import Fact, Record
from eventflow.journal import mark
from eventflow.journal.connection import aside, connect, open_connection
from eventflow.journal.faults import understood
from eventflow.journal.mark import Level
from eventflow.journal.migrations import check_version, version_of
from eventflow.journal.place import Place
from eventflow.journal.preparation import ADVICE
from eventflow.journal.queries import MIGRATIONS, QUERIES
from eventflow.journal.reader import Reader, read_seq
from eventflow.journal.verify import find_place
from eventflow.ports import Clock, RowT

LOOK_EVERY = 0.5
"""Seconds between two looks for new facts."""


@asynccontextmanager
async def read_sqlite(folder: Path, *, clock: Clock) -> AsyncGenerator[SqliteView]:
    """Read the journal in a state folder, without the right or the wish to write it. A daemon may be writing at the same time.

    Raises `NotFound` where there is none, `JournalVersion` where it isn't of our version, `JournalDenied` or `JournalDamaged`.
    """
    place = await aside(partial(find_place, folder), inline=False)
    known = await aside(partial(mark.read, place.mark), inline=False)  # before the journal, which may go on meanwhile
    with understood(place.folder):
        connection = await open_connection(partial(connect, place.journal, mode="ro"), inline=False)
    try:
        reader = Reader(connection, place.folder, _bear)
        await reader.ask(partial(_check_same_version, place=place))
        await reader.ask(partial(_check_whole, place=place, known=known))
        yield SqliteView(reader, clock, await reader.ask(read_seq))
    finally:
        with anyio.CancelScope(shield=True):
            await connection.close()


class SqliteView:
    """The half of the `Journal` port that only reads."""

    def __init__(self, reader: Reader, clock: Clock, seq: int) -> None:
        self._reader = reader
        self._clock = clock
        self._seq = seq

    async def select(
        self, table: type[RowT], *, order: str | None = None, descending: bool = False, limit: int | None = None, **equals: object
    ) -> list[RowT]:
        """Give the rows of a table whose columns have the values given."""
        return await self._reader.select(table, equals, order=order, descending=descending, limit=limit)

    async def facts(self, seqs: Collection[int]) -> dict[int, Fact]:
        """Give the facts at these places."""
        return await self._reader.facts(seqs)

    async def records(self, after: int, *, limit: int, run: str | None = None) -> list[Record]:
        """Give up to `limit` records behind `after`, in order."""
        return await self._reader.records(after, limit=limit, run=run)

    @property
    def seq(self) -> int:
        """The place of the last fact that was there when last looked: at the start, and in `changed`."""
        return self._seq

    async def changed(self, after: int) -> None:
        """Return once there is a fact behind `after`. Nobody tells us, so this looks from time to time."""
        while True:
            self._seq = await self._reader.ask(read_seq)
            if self._seq > after:
                return
            await self._clock.sleep(LOOK_EVERY)


def _check_same_version(connection: sqlite3.Connection, place: Place) -> None:
    check_version(connection, place)
    version = version_of(connection)
    if version < MIGRATIONS[-1].number:
        raise JournalVersion(
            f"the journal in {place.folder} was written by an older eventflow (version {version}); `eventflow serve` brings it up to date"
        )


def _check_whole(connection: sqlite3.Connection, place: Place, known: Level | None) -> None:
    journal, _, seq = connection.execute(QUERIES["journal"]).fetchone()
    loss = None if known is None or known.seq == 0 else mark.loss(place.folder, Level(journal, seq), known)
    if loss is not None:
        raise JournalDamaged(f"{loss}; {ADVICE}")


def _bear(_failure: JournalError) -> None:
    """Do nothing: each question to a view fails by itself."""
