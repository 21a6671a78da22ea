"""A connection to SQLite, and the place where its calls run: a thread of its own, or, for simulation, the loop itself."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar, cast
from urllib.parse import quote

import aiosqlite
import anyio

from eventflow.journal.queries import QUERIES
from eventflow.threads import in_thread

T = TypeVar("T")

LOCK_WAIT = 1.0
"""How long, in seconds, a call to SQLite waits for another program's lock before it reports it."""


def connect(path: Path, *, mode: str = "rw") -> sqlite3.Connection:
    """Open a database that is there (`mode` `rw`, or `ro`), without the module's own transactions. Raises `sqlite3.Error`."""
    connection = sqlite3.connect(f"file:{quote(bytes(path))}?mode={mode}", uri=True, isolation_level=None, timeout=LOCK_WAIT)
    try:
        # Only the writer copies the log into the main file, and it chooses when.
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(QUERIES["wanted"])
    except BaseException:
        connection.close()
        raise
    return connection


class Connection(Protocol):
    """A connection whose calls are made one after the other."""

    async def run(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """Call a function of the raw connection, and give what it returns or raises. Cancelled, the function still runs to its end."""
        ...

    async def close(self) -> None:
        """Close it after all calls. Closing it again does nothing."""
        ...


class ThreadConnection:
    """A connection on aiosqlite's thread."""

    def __init__(self, lent: aiosqlite.Connection, raw: sqlite3.Connection, thread: threading.Thread) -> None:
        self._lent = lent
        self._raw = raw
        self._thread = thread
        self._open = True

    async def run(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """Call a function on the thread.

        This is the one place that uses a private part of aiosqlite. Its public methods make one hop to the thread per statement: a
        batch of some thousand statements would be fifty times slower, and a cancellation could come between BEGIN and COMMIT.
        `_execute` makes one hop for a whole function, and does nothing else; a test pins how it is called.
        """
        raw = self._raw
        # A closure, not a `partial`: aiosqlite logs the function it calls, and values must not get into a log.
        return cast("T", await self._lent._execute(lambda: step(raw)))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType]

    async def close(self) -> None:
        """Close the connection and end the thread, which is no daemon: left alone, it would keep the process from ending."""
        if self._open:
            self._open = False
            try:
                await self._lent.close()
            finally:
                self._thread.join()  # it has said its last word already: this waits for an instant


class InlineConnection:
    """A connection whose calls run where they are made, so that one seed gives one history."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw

    async def run(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """Call a function now."""
        return step(self._raw)

    async def close(self) -> None:
        """Close the connection now."""
        self._raw.close()


async def open_connection(opener: Callable[[], sqlite3.Connection], *, inline: bool) -> Connection:
    """Open a connection on a thread of its own, or inline. Whoever opens it must close it."""
    if inline:
        return InlineConnection(opener())
    threads: list[threading.Thread] = []
    opened: list[sqlite3.Connection] = []

    def opening() -> sqlite3.Connection:
        threads.append(threading.current_thread())
        opened.append(opener())
        return opened[0]

    lent = aiosqlite.Connection(opening, iter_chunk_size=1)
    with anyio.CancelScope(shield=True):  # a cancellation half-way would lose the connection, and leave it open
        try:
            await lent
        except BaseException:  # whatever it is, the thread has been told to end: without this it may still speak to a loop that is closed
            await in_thread(threads[0].join)
            raise
    return ThreadConnection(lent, opened[0], threads[0])


async def aside(step: Callable[[], T], *, inline: bool) -> T:
    """Call a function that blocks on some thread, or here where all is inline. Cancelled, it is still waited for."""
    return step() if inline else await in_thread(step)
