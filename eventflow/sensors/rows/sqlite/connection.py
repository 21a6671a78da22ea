"""A connection to a SQLite file, on aiosqlite's thread. Each call is one statement, a transaction by itself: none is ever left open."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self, cast
from urllib.parse import quote

import aiosqlite
import anyio

from eventflow import escapes
from eventflow.errors import SourceUnreachable
from eventflow.sensors.rows.source import Replaced
from eventflow.threads import in_thread

_LOCK_WAIT = 1.0
_TRIES = 10
"""How long, in seconds, one call waits for another program's lock, and how many calls are made before that is given up."""

_ESCAPED = "surrogateescape"


class Text(bytes):
    """A text that is no UTF-8, as its bytes: what is bound must be what was read."""


class SQLite:
    """One connection to one file."""

    def __init__(self, path: Path, lent: aiosqlite.Connection, thread: threading.Thread, inode: tuple[int, int]) -> None:
        self._path = path
        self._lent = lent
        self._thread = thread
        self._inode = inode
        self._open = True

    @classmethod
    async def opened(cls, path: Path, *, writes: bool) -> Self:
        """Open a file that is there. Raises `SourceUnreachable` where it isn't, can't be read, or is no database."""
        threads: list[threading.Thread] = []
        inodes: list[tuple[int, int]] = []

        def opening() -> sqlite3.Connection:
            threads.append(threading.current_thread())
            inodes.append(_inode(path))
            return _connected(path, writes=writes)

        lent = aiosqlite.Connection(opening, iter_chunk_size=1)
        with anyio.CancelScope(shield=True):  # a cancellation half-way would lose the connection, and leave it open
            try:
                await lent
            except (sqlite3.Error, OSError) as error:
                threads[0].join()  # it has been told to end: this waits for an instant
                raise unreachable(path, error) from error
        return cls(path, lent, threads[0], inodes[0])

    async def fetch(self, statement: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """Run a statement and give its rows. Texts that are no UTF-8 come with their bytes escaped as Python does it."""
        for _ in range(_TRIES - 1):
            try:
                return await self._fetch(statement, values)
            except sqlite3.OperationalError as error:
                if not _busy(error):
                    raise unreachable(self._path, error) from error
            except sqlite3.Error as error:
                raise unreachable(self._path, error) from error
        try:
            return await self._fetch(statement, values)
        except sqlite3.Error as error:
            raise unreachable(self._path, error) from error

    async def version(self) -> int:
        """Give a number that changes when another connection commits. Raises `Replaced` where the file is another one by now."""
        if await in_thread(_inode_of, self._path) != self._inode:
            raise Replaced
        ((number,),) = await self.fetch("PRAGMA data_version")
        return cast("int", number)

    async def close(self) -> None:
        """Close the connection and end its thread, which is no daemon: left alone, it would keep the process from ending."""
        if self._open:
            self._open = False
            await self._lent.interrupt()
            try:
                await self._lent.close()
            finally:
                self._thread.join()  # it has said its last word already: this waits for an instant

    async def _fetch(self, statement: str, values: Sequence[object]) -> list[tuple[object, ...]]:
        bound = tuple(_bound(value) for value in values)
        return cast("list[tuple[object, ...]]", await self._lent.execute_fetchall(statement, bound))


def placeholder(value: object) -> str:
    """Give what stands for a value in a statement."""
    return "CAST(? AS TEXT)" if isinstance(_bound(value), Text) else "?"


def unreachable(path: Path, error: Exception) -> SourceUnreachable:
    """Say what is wrong with a database."""
    shown = escapes.path(path)
    if isinstance(error, FileNotFoundError):
        return SourceUnreachable(f"the database {shown} isn't there", 2.0)
    name = _name(error)
    told = escapes.line(getattr(error, "strerror", None) or error)
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")) or isinstance(error, PermissionError):
        return SourceUnreachable(
            f"the database {shown} can't be opened ({told}): let this user read it, and write into its folder,"
            f" where SQLite keeps files that tell readers and writers of each other"
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return SourceUnreachable(f"the database {shown} has been locked by another program for {_TRIES * _LOCK_WAIT:.0f} seconds", 1.0)
    return SourceUnreachable(f"the database {shown} doesn't do what it is asked: {told}")


def _connected(path: Path, *, writes: bool) -> sqlite3.Connection:
    """Open the file read-only; where it needs a repair that only a writer may do, as one that may write and doesn't."""
    if writes:
        return _tried(path, "rw", "PRAGMA query_only = OFF")
    try:
        return _tried(path, "ro", "PRAGMA query_only = ON")
    except sqlite3.OperationalError as error:
        if not _name(error).startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")):
            raise
        return _tried(path, "rw", "PRAGMA query_only = ON")


def _tried(path: Path, mode: str, right: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(bytes(path))}?mode={mode}", uri=True, isolation_level=None, timeout=_LOCK_WAIT)
    try:
        connection.text_factory = _text
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(right)
        connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", _ESCAPED)


def _bound(value: object) -> object:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return Text(value.encode("utf-8", _ESCAPED))
    return value


def _busy(error: sqlite3.OperationalError) -> bool:
    return _name(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def _name(error: Exception) -> str:
    return str(getattr(error, "sqlite_errorname", ""))  # Python raises some by itself, which have none


def _inode(path: Path) -> tuple[int, int]:
    stat = os.stat(path)  # noqa: PTH116 - as bare as the calls around it
    return stat.st_dev, stat.st_ino


def _inode_of(path: Path) -> tuple[int, int] | None:
    try:
        return _inode(path)
    except OSError:  # gone, or its folder: what comes in its place is another
        return None
