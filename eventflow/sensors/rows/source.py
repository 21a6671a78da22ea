"""What the row sensor asks of a database: one protocol, and one implementation of it for each kind of database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from eventflow.ports import Hint
from eventflow.sensors.rows.watched import Watched


@dataclass(frozen=True, slots=True)
class Row:
    """One row, as plain data.

    `identity` tells it from all other rows of its table, for the table's life: its key as text, in update mode with the version behind it,
    for a row that was claimed with the claim behind it. `key` is what the source finds it by again. `time` is the instant that the row
    gives itself in its cursor or version column (microseconds UTC), where that column's type says that it is one. `claim` is the mark that
    was put on the row: rows that were claimed at once share it.
    """

    identity: str
    key: tuple[object, ...]
    data: dict[str, object]
    time: int | None = None
    claim: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows that the journal hasn't seen, in the order in which they are to fire, and where to go on once they are committed.

    `again` is in how many seconds to read again even without news: 0 where there is more, None where there is nothing more to find.
    `settled` names identities of rows that will never be read again, or that their rows no longer have; `returned` such as rows have again.
    `known` names rows that are there and that are not to fire, with `existing="ignore"`, where a cursor alone can't pass them over: they
    are to be committed with it. `lagging` says, for people, why rows must wait.
    """

    rows: tuple[Row, ...] = ()
    cursor: object = None
    again: float | None = None
    settled: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    lagging: str | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """The key of a row that matches: what finds it again, and what names it."""

    identity: str
    values: tuple[object, ...] = field(hash=False)


class Source(Protocol):
    """One table, with a connection to its database, from one start of the sensor to its end.

    No transaction is open between two calls, also where a call was cancelled. Calls are made one after the other. Every call raises
    `SourceUnreachable` where the database can't be reached or doesn't answer, the table has gone, or it has changed so that it can't be
    read as it was; and `Replaced` where the database is no longer the one that was opened, and is to be opened anew. No message holds a
    credential.
    """

    @property
    def watched(self) -> Watched:
        """The table, and by what its rows are told apart."""
        ...

    async def existing(self, cursor: object, limit: int) -> Page:
        """Give a page of rows that are `known` and not to fire, and the cursor behind them: what `existing="ignore"` begins with.

        The first cursor is None. One that holds `noting` isn't the last.
        """
        ...

    async def read(self, cursor: object, limit: int) -> Page:
        """Give the next rows behind a cursor that matches what is committed (None: from the beginning), at most `limit` of them.

        Rows that the journal has seen are left out: the source was given a `Seen` when it was opened. A page without rows has the cursor
        that it was asked with, unless the old one is of no more use. Where nothing has happened in the database this costs next to
        nothing. Called for `on="insert"` and `on="update"`.
        """
        ...

    async def matching(self, after: Key | None, limit: int) -> list[Key]:
        """Give the keys of the rows that fulfil the condition now, in the order of their keys, at most `limit`, behind `after`.

        Called for `on="match"`.
        """
        ...

    async def rows(self, keys: list[Key]) -> list[Row]:
        """Give the rows with these keys, those that are still there and fulfil the condition, in this order. Called for `on="match"`."""
        ...

    async def changed(self) -> bool:
        """Tell whether anything may have changed since this was asked last: True where that can't be told cheaply, and the first time.

        Called for `on="match"` and for claiming.
        """
        ...

    async def claim(self, mark: str, limit: int, least: int) -> list[Row]:
        """Take free rows that fulfil the condition, at most `limit`, by writing `mark` into them; none where there are fewer than `least`.

        When it returns, the marks are committed. Called only with `mode="claim"` and `"outbox"`.
        """
        ...

    async def claimed(self, prefix: str, limit: int) -> list[Row]:
        """Give rows whose mark begins with `prefix`, those of one mark beside each other, at most `limit`."""
        ...

    async def release(self, rows: list[Row]) -> None:
        """Have done with claimed rows, those that still bear their claim: mark them as done, or, with `mode="outbox"`, delete them."""
        ...

    def news(self) -> Hint:
        """Give what tells that something may have changed. It may never say a word: the sensor asks by itself from time to time."""
        ...

    async def check(self) -> None:
        """Return where the sensor could work with this table. Changes nothing. Raises `EventflowError` that says what doesn't fit."""
        ...

    async def close(self) -> None:
        """Close the connection, and what belongs to it. Closing it again does nothing."""
        ...


class Replaced(Exception):
    """The database is another one than that which was opened: a file was renamed over it, or a server was restored. Open it again."""
