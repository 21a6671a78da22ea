"""What the tests of schedules share: a schedule under way, with its time in the test's hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import anyio.lowlevel

from eventflow.durations import SECOND, instant_of
from eventflow.ports import JournalView, Sensor
from eventflow.testing import VirtualClock
from tests.sensors.outside import Book, outside


def at(text: str) -> int:
    """Give an instant, microseconds UTC: a text without an offset is in UTC."""
    when = datetime.fromisoformat(text)
    return instant_of(when if when.tzinfo else when.replace(tzinfo=UTC))


def clock_at(text: str) -> VirtualClock:
    return VirtualClock(at(text))


class Ticking:
    """A sensor of time under way."""

    def __init__(self, sensor: Sensor[Any], book: Book, clock: VirtualClock, journal: JournalView | None) -> None:
        self.sensor = sensor
        self.book = book
        self.clock = clock
        self.journal = journal
        self.error: Exception | None = None
        self.over = False

    async def run(self) -> None:
        world = outside(self.sensor.name, clock=self.clock, journal=self.journal)
        observations: Any = self.sensor.observe(self.book.cursor, self.book, world)
        try:
            async with aclosing(observations):
                async for observation in observations:
                    assert len(observation.events) + len(observation.missed) <= 501
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
        """Let time pass, and give the ids of all that has fired so far."""
        await self.clock.advance(seconds)
        await self.rest()
        return self.book.ids

    async def to(self, text: str) -> list[str]:
        """Let time pass until the wall clock shows this."""
        return await self.after((at(text) - self.clock.now()) / SECOND)

    async def set(self, text: str) -> list[str]:
        """Have somebody set the wall clock, or the machine sleep until then, and give it the half minute in which it looks."""
        self.clock.jump((at(text) - self.clock.now()) / SECOND - 30)
        return await self.after(30)


@asynccontextmanager
async def ticking(
    sensor: Sensor[Any], clock: VirtualClock | str, book: Book | None = None, *, journal: JournalView | None = None
) -> AsyncGenerator[Ticking]:
    """Start a sensor, and let it have its first look."""
    under_way = Ticking(sensor, book or Book(), clock_at(clock) if isinstance(clock, str) else clock, journal)
    task = asyncio.create_task(under_way.run())
    try:
        await under_way.rest()
        yield under_way
    finally:
        task.cancel()
        await asyncio.wait([task])
