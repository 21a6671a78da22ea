"""What the tests of HTTP sensors share: single looks, over restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from eventflow.errors import SensorError
from eventflow.ports import Clock, Sensor, World
from eventflow.testing import VirtualClock
from tests.sensors.outside import Book, outside, watch


async def look(sensor: Sensor[Any], book: Book, *, world: World | None = None, observations: int = 1) -> list[Any]:
    """Start the sensor, let it yield so many observations, close it as a crash would, and give the data of the events that came."""
    before = len(book.observations)
    events = len(book.events)
    await watch(sensor, book, world or outside(sensor.name), lambda book: len(book.observations) - before >= observations)
    return [event.data for event in book.events[events:]]


async def until(true: Callable[[], bool]) -> None:
    """Return once something is true."""
    while not true():  # noqa: ASYNC110 - what tests look at sets no event
        await asyncio.sleep(0.001)


class HurriedClock(VirtualClock):
    """Time that passes at once whenever somebody sleeps, and not otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, delay: float) -> None:
        self.slept.append(delay)
        await self.advance(delay)


async def trouble(sensor: Sensor[Any], book: Book | None = None, *, clock: Clock | None = None) -> SensorError:
    """Give the error that a look ends with."""
    with pytest.raises(SensorError) as caught:
        await look(sensor, book or Book(), world=outside(sensor.name, clock=clock))
    return caught.value
