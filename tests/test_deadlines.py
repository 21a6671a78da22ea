"""Deadlines by the engine's clock."""

from __future__ import annotations

import asyncio

import pytest

from eventflow.deadlines import DeadlinePassed, within
from eventflow.testing import VirtualClock


async def test_what_is_done_in_time_is_left_alone() -> None:
    clock = VirtualClock()
    with within(5, clock):
        await asyncio.sleep(0)
    await clock.advance(10)
    await asyncio.sleep(0)


async def test_what_takes_longer_is_cancelled() -> None:
    clock = VirtualClock()
    waiting = asyncio.create_task(_waits(clock))
    await clock.advance(4.9)
    assert not waiting.done()
    await clock.advance(0.2)
    with pytest.raises(DeadlinePassed):
        await waiting


async def test_a_timeout_of_what_is_inside_is_its_own() -> None:
    with pytest.raises(TimeoutError) as caught, within(5, VirtualClock()):
        raise TimeoutError
    assert not isinstance(caught.value, DeadlinePassed)


async def test_who_is_cancelled_by_another_has_not_passed_its_deadline() -> None:
    clock = VirtualClock()
    waiting = asyncio.create_task(_waits(clock))
    await clock.advance(1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def _waits(clock: VirtualClock) -> None:
    with within(5, clock):
        await asyncio.Event().wait()
