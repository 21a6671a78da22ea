"""The bare limit: asyncio tasks gated by futures, and group commit on aiosqlite, with nothing between them.

One `started` and one `finished` fact and one row for each task, WAL + FULL, one transaction and so one sync for each batch. No graph
that is checked, no values, no retries, no cancellation, no recovery: what the engine lacks to this limit is what all of that costs.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import aiosqlite
import msgspec
import watchfiles

SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE facts (seq INTEGER PRIMARY KEY, at INTEGER, kind TEXT, body BLOB) STRICT;
CREATE TABLE tasks (task TEXT PRIMARY KEY, state TEXT, seq INTEGER) STRICT, WITHOUT ROWID;
"""


class Fact(NamedTuple):
    """What happened to a task. `waiter` is told once that is durable."""

    kind: str
    task: str
    at: int
    waiter: asyncio.Future[None] | None = None


class Store:
    """Takes facts, and writes in one transaction whatever was given while the last one was under way."""

    def __init__(self, database: aiosqlite.Connection) -> None:
        self._database = database
        self._queue: list[Fact] = []
        self._news = asyncio.Event()
        self._seq = 0

    def started(self, task: str) -> None:
        self._put(Fact("started", task, time.time_ns()))

    async def finished(self, task: str) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._put(Fact("finished", task, time.time_ns(), waiter))
        await waiter

    async def write(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            batch, self._queue = self._queue, []
            # One hop to the thread for the whole transaction: the fastest way there is, if not a public one.
            await self._database._execute(lambda batch=batch: self._commit(self._database._conn, batch))  # noqa: SLF001
            for fact in batch:
                if fact.waiter is not None:
                    fact.waiter.set_result(None)

    def _put(self, fact: Fact) -> None:
        self._queue.append(fact)
        self._news.set()

    def _commit(self, connection: sqlite3.Connection, batch: Sequence[Fact]) -> None:
        first, self._seq = self._seq + 1, self._seq + len(batch)
        facts = [(seq, fact.at, fact.kind, msgspec.json.encode({"task": fact.task})) for seq, fact in enumerate(batch, first)]
        rows = [(fact.task, fact.kind, seq) for seq, fact in enumerate(batch, first) if fact.kind == "finished"]
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO facts VALUES (?, ?, ?, ?)", facts)
        connection.executemany("INSERT INTO tasks VALUES (?, ?, ?)", rows)
        connection.execute("COMMIT")


@asynccontextmanager
async def open_store(folder: Path) -> AsyncGenerator[Store]:
    async with aiosqlite.connect(folder / "bare.db", isolation_level=None) as database:
        await database.executescript(SCHEMA)
        store = Store(database)
        writer = asyncio.create_task(store.write())
        yield store
        writer.cancel()


async def run(store: Store, upstream: Sequence[Sequence[int]], name: str = "task") -> None:
    """Run a graph in which task n waits on the tasks `upstream[n]`."""
    outcomes = [asyncio.get_running_loop().create_future() for _ in upstream]

    async def task(number: int, waits_on: Sequence[int]) -> None:
        for before in waits_on:
            await outcomes[before]
        key = f"{name}-{number}"
        store.started(key)
        await _body()
        await store.finished(key)
        outcomes[number].set_result(None)

    async with asyncio.TaskGroup() as tasks:
        for number, waits_on in enumerate(upstream):
            tasks.create_task(task(number, waits_on))


async def watch(folder: Path, arrived: Callable[[Path], None], stop: asyncio.Event) -> None:
    """Call a coroutine for each file that appears in a folder; the library is set as quick as the engine sets it."""

    async def body(path: Path) -> None:
        arrived(path)

    async with asyncio.TaskGroup() as tasks:
        async for changes in watchfiles.awatch(folder, watch_filter=None, debounce=50, step=5, rust_timeout=200, stop_event=stop):
            for _, path in changes:
                tasks.create_task(body(Path(path)))


async def _body() -> None:
    pass
