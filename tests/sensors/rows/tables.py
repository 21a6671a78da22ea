"""SQLite files that other programs write, and row sensors that look at them with their time in the test's hand."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio.lowlevel

from eventflow.ports import World
from eventflow.sensors.rows.sensor import RowSensor
from eventflow.system import SystemRandom
from eventflow.testing import VirtualClock
from tests.sensors.outside import Book, Crashed, HandWatcher, outside

KINDS = ("sqlite", "sqlalchemy")


class File:
    """A SQLite file, written by a connection of its own. `kind` says through which library the sensor is to read it."""

    def __init__(self, path: Path, kind: str = "sqlite") -> None:
        self.path = path
        self.kind = kind
        self.connection = sqlite3.connect(path, isolation_level=None, timeout=5)

    @property
    def address(self) -> str | Path:
        return self.path if self.kind == "sqlite" else f"sqlite+pysqlite:///{self.path}"

    def run(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        return self.connection.execute(statement, values).fetchall()

    def add(self, table: str, *rows: Sequence[Any]) -> None:
        for row in rows:
            self.run(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)

    def close(self) -> None:
        self.connection.close()

    def sensor(self, table: str = "t", **told: Any) -> RowSensor:
        return RowSensor("rows", self.address, table, **{"every": "1s", **told})


class Watching:
    """A sensor under way."""

    def __init__(self, sensor: RowSensor, book: Book, world: World, clock: VirtualClock) -> None:
        self.sensor = sensor
        self.book = book
        self.world = world
        self.clock = clock
        self.error: BaseException | None = None

    async def run(self) -> None:
        try:
            async with aclosing(self.sensor.observe(self.book.cursor, self.book, self.world)) as observations:
                async for observation in observations:
                    self.book.commit(observation)
        except Exception as error:  # noqa: BLE001 - the test asks for it
            self.error = error

    async def rest(self) -> None:
        """Return once the sensor waits for time to pass, or has failed."""
        while self.clock.waiting == 0 and self.error is None:
            await anyio.lowlevel.checkpoint()

    async def look(self, seconds: float = 1.0) -> list[str]:
        """Let time pass, and the sensor look, and give all that has fired so far.

        A second at a time: time that passes while a thread is at work is time that the work takes.
        """
        while seconds > 0:
            await self.clock.advance(min(seconds, 1.0))
            await self.rest()
            seconds -= 1.0
        return self.book.ids

    async def told(self) -> list[str]:
        """Let the watcher say that something changed, and give all that has fired so far."""
        assert isinstance(self.world.watcher, HandWatcher)
        self.world.watcher.tell()
        await self.clock.advance(0)
        await self.rest()
        return self.book.ids


@asynccontextmanager
async def watching(
    sensor: RowSensor, book: Book | None = None, *, root: Path | None = None, clock: VirtualClock | None = None
) -> AsyncGenerator[Watching]:
    """Start a sensor, let it look until it rests, and stop it at the end, as a crash would."""
    clock = clock or VirtualClock()
    world = replace(outside("rows", clock=clock, root=root), random=SystemRandom())  # what a start makes up, no other start makes up again
    under_way = Watching(sensor, book or Book(), world, clock)
    task = asyncio.create_task(under_way.run())
    try:
        await under_way.rest()
        yield under_way
    finally:
        task.cancel()
        await asyncio.wait([task])


async def looked(sensor: RowSensor, book: Book, **there: Any) -> list[str]:
    """Start a sensor, let it look until it rests, stop it, and give what it fired. Raises what it raised."""
    before = len(book.ids)
    async with watching(sensor, book, **there) as under_way:
        if under_way.error is not None:
            raise under_way.error
    return book.ids[before:]


async def crashing(sensor: RowSensor, book: Book, commits: int) -> None:
    """Let a sensor look until it has committed so often, and die at the next commit, if it comes to one."""
    book.commits_left = commits
    with suppress(Crashed):
        await looked(sensor, book)
    book.commits_left = None
