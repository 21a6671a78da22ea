"""What the tests of sensors share: a journal of one source, a watcher in the hand, and a sensor under way."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import anyio.lowlevel

from eventflow import codec
from eventflow.events import Event, Observation
from eventflow.ports import Watcher
from eventflow.sensors.files.sensor import FileSensor, FileVersion
from eventflow.testing import VirtualClock
from tests.sensors.outside import Crashed, HandWatcher, Troubles, outside


async def until(true: Callable[[], Any]) -> Any:
    """Return what a condition, which may be async, gives once it is true."""
    while True:
        value = true()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        await asyncio.sleep(0.01)


class Book:
    """Keeps what a sensor yields as a journal would, and refuses what a journal would refuse."""

    def __init__(self) -> None:
        self.cursor: object = None
        self.taken: dict[str, int | None] = {}
        self.events: list[Event[FileVersion]] = []
        self.observations: list[Observation[FileVersion]] = []
        self.commits_left: int | None = None

    async def all(self) -> Mapping[str, int | None]:
        return dict(self.taken)

    async def of(self, ids: Collection[str]) -> frozenset[str]:
        return frozenset(ids) & self.taken.keys()

    def commit(self, seen: Observation[FileVersion]) -> None:
        if self.commits_left is not None:
            self.commits_left -= 1
            if self.commits_left < 0:
                raise Crashed
        fresh = [event.id for event in seen.events] + list(seen.known)
        assert len({*fresh}) == len(fresh)
        assert not self.taken.keys() & {*fresh}
        assert self.taken.keys() >= {*seen.forget, *seen.keep}
        assert len(seen.events) <= 500
        assert len(seen.forget) <= 500
        for event in seen.events:
            assert codec.decode(codec.encode(event.data, FileVersion), FileVersion) == event.data
        for name in (*fresh, *(event.subject or "" for event in seen.events)):
            assert name.encode("utf-8")
            assert name.isprintable()
        self.taken.update(dict.fromkeys(fresh), **dict.fromkeys(seen.forget, 1), **dict.fromkeys(seen.keep))
        self.events += seen.events
        self.observations.append(seen)
        if seen.cursor is not None:
            self.cursor = codec.decode(codec.encode(seen.cursor))

    @property
    def names(self) -> list[str]:
        return [event.data.path.name for event in self.events]

    @property
    def gone(self) -> int:
        return sum(at is not None for at in self.taken.values())

    def expire(self) -> None:
        """The retention of what is gone is over."""
        self.taken = {name: at for name, at in self.taken.items() if at is None}


class Sensing:
    """A sensor under way, with its time in the test's hand."""

    def __init__(self, sensor: FileSensor, book: Book, clock: VirtualClock, watcher: Watcher) -> None:
        self.sensor = sensor
        self.book = book
        self.clock = clock
        self.watcher = watcher
        self.error: Exception | None = None
        self.over = False
        self.troubles = Troubles()

    async def run(self) -> None:
        world = outside(self.sensor.name, clock=self.clock, watcher=self.watcher, instrument=self.troubles)
        try:
            async with aclosing(self.sensor.observe(self.book.cursor, self.book, world)) as observations:
                async for observation in observations:
                    self.book.commit(observation)
        except Exception as error:  # noqa: BLE001 - the test asks for it
            self.error = error
        finally:
            self.over = True  # whatever ended it, such as the test's own time-out: nobody is to wait for it

    async def rest(self) -> None:
        """Return once the sensor waits for time to pass, or has failed."""
        while self.clock.waiting == 0 and not self.over:
            await anyio.lowlevel.checkpoint()

    async def after(self, seconds: float) -> list[str]:
        """Let time pass, in one go, and give the names of all files that have fired so far."""
        await self.clock.advance(seconds)
        await self.rest()
        return self.book.names

    async def told(self) -> list[str]:
        """Let the watcher say that something changed, and the sensor look."""
        await self.after(1)
        assert isinstance(self.watcher, HandWatcher)
        self.watcher.tell()
        await self.clock.advance(0)
        return await self.after(0)


@asynccontextmanager
async def sensing(
    sensor: FileSensor, book: Book | None = None, *, clock: VirtualClock | None = None, watcher: Watcher | None = None
) -> AsyncGenerator[Sensing]:
    """Start a sensor, and let it have its first look."""
    under_way = Sensing(sensor, book or Book(), clock or VirtualClock(), watcher or HandWatcher())
    task = asyncio.create_task(under_way.run())
    try:
        await under_way.rest()
        yield under_way
    finally:
        task.cancel()
        await asyncio.wait([task])
