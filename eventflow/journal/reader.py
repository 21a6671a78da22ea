"""Reading a SQLite journal: each question is a function of a raw connection, and a method that asks it where the connection runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from eventflow.errors import JournalDamaged, JournalError
from eventflow.facts import Fact, Record, decode
from eventflow.journal.connection import Connection
from eventflow.journal.faults import meaning
from eventflow.journal.queries import QUERIES
from eventflow.journal.statements import Question, question, row_maker
from eventflow.ports import RowT

T = TypeVar("T")


class Reader:
    """Answers the questions of the `Journal` port from a connection that writes nothing."""

    def __init__(self, connection: Connection, folder: Path, fail: Callable[[JournalError], None]) -> None:
        self._connection = connection
        self._folder = folder
        self._fail = fail

    async def select(
        self, table: type[RowT], equals: Mapping[str, object], *, order: str | None, descending: bool, limit: int | None
    ) -> list[RowT]:
        """Give rows of a table."""
        asked = question(table, equals, order=order, descending=descending, limit=limit)
        return await self.ask(partial(read_rows, table=table, asked=asked))

    async def facts(self, seqs: Collection[int]) -> dict[int, Fact]:
        """Give the facts at these places."""
        return await self.ask(partial(read_facts, seqs=seqs)) if seqs else {}

    async def records(self, after: int, *, limit: int, run: str | None) -> list[Record]:
        """Give a page of records."""
        return await self.ask(partial(read_records, after=after, limit=limit, run=run))

    async def ask(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """Ask anything. Damage makes the whole journal fail: what can't be read can't be trusted."""
        try:
            return await self._connection.run(step)
        except (sqlite3.DatabaseError, OSError, msgspec.MsgspecError) as error:
            failure = meaning(error, self._folder)
            if isinstance(failure, JournalDamaged):
                self._fail(failure)
            raise failure from error


def read_rows(connection: sqlite3.Connection, table: type[RowT], asked: Question) -> list[RowT]:
    """Give the rows that a question finds."""
    make = row_maker(table)
    if not asked.wanted:
        return list(map(make, connection.execute(asked.text, asked.parameters)))
    connection.executemany(QUERIES["want"], asked.wanted)
    try:
        return list(map(make, connection.execute(asked.text, asked.parameters)))
    finally:
        connection.execute(QUERIES["want_nothing"])


def read_facts(connection: sqlite3.Connection, seqs: Collection[int]) -> dict[int, Fact]:
    """Give the facts at some places."""
    rows = connection.execute(QUERIES["facts"], (msgspec.json.encode(list(seqs)).decode(),))
    return {seq: decode(body) for seq, body in rows}


def read_records(connection: sqlite3.Connection, after: int, limit: int, run: str | None = None) -> list[Record]:
    """Give a page of records, of one run or of all."""
    if run is None:
        rows = connection.execute(QUERIES["records"], (after, limit))
    else:
        rows = connection.execute(QUERIES["records_of_run"], (run, after, limit))
    return [Record(seq, at, decode(body)) for seq, at, body in rows]


def read_seq(connection: sqlite3.Connection) -> int:
    """Give the place of the last fact."""
    return connection.execute(QUERIES["seq"]).fetchone()[0]
