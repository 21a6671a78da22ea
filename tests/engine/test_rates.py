from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventflow.engine.rates import Rates
from eventflow.testing import VirtualClock
from eventflow.testing.clock import VirtualTimer
from tests.engine.world import turns


class Takers:
    """Those who want to start, and the instants, in seconds, at which they did."""

    def __init__(self, clock: VirtualClock | None = None, *, full: bool = True) -> None:
        self.clock = clock or VirtualClock()
        self.rates = Rates(self.clock, full=full)
        self.started: list[tuple[str, float]] = []

    async def take(self, who: str, limit: str = "3/m", order: int = 0, name: str = "call") -> None:
        await self.rates.take(name, limit, order)
        self.started.append((who, round(self.clock.monotonic(), 3)))

    @property
    def order(self) -> list[str]:
        return [who for who, _ in self.started]

    @property
    def instants(self) -> list[float]:
        return [instant for _, instant in self.started]


async def test_as_many_as_the_limit_counts_start_at_once_and_then_one_each_part_of_the_period() -> None:
    takers = Takers()
    async with anyio.create_task_group() as tasks:
        for number in range(6):
            tasks.start_soon(takers.take, str(number))
        await takers.clock.advance(60)
    assert takers.started == [("0", 0), ("1", 0), ("2", 0), ("3", 20), ("4", 40), ("5", 60)]
    assert takers.clock.waiting == 0


async def test_a_bucket_holds_no_more_than_the_limit_counts_however_long_nothing_starts() -> None:
    takers = Takers()
    await takers.clock.advance(3600)
    async with anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(takers.take, str(number))
        await takers.clock.advance(20)
    assert takers.instants == [3600, 3600, 3600, 3620]


async def test_after_a_restart_a_bucket_is_empty_and_fills_from_the_start_of_the_process_on() -> None:
    takers = Takers(full=False)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(takers.take, "early")
        await takers.clock.advance(40)
        tasks.start_soon(takers.take, "later")
        tasks.start_soon(takers.take, "other", "3/m", 0, "other")
        await turns()
    assert takers.started == [("early", 20), ("later", 40), ("other", 40)]


async def test_names_and_limits_have_buckets_of_their_own() -> None:
    takers = Takers()
    await takers.take("a", "1/h", name="a")
    await takers.take("b", "1/h", name="b")
    await takers.take("c", "1/d", name="a")
    assert takers.instants == [0, 0, 0]


async def test_the_smallest_order_comes_first_and_then_who_came_first() -> None:
    takers = Takers()
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            await takers.take("before")
        for who, order in (("b1", 2), ("a1", 1), ("b2", 2), ("a2", 1)):
            tasks.start_soon(takers.take, who, "3/m", order)
        await takers.clock.advance(80)
    assert takers.order[3:] == ["a1", "a2", "b1", "b2"]


async def test_who_gives_up_takes_nothing_and_holds_nobody_up() -> None:
    takers = Takers()
    impatient = anyio.CancelScope()

    async def give_up() -> None:
        with impatient:
            await takers.take("never", "1/m")

    async with anyio.create_task_group() as tasks:
        await takers.take("first", "1/m")
        tasks.start_soon(give_up)
        tasks.start_soon(takers.take, "second", "1/m")
        await takers.clock.advance(30)
        impatient.cancel()
        await takers.clock.advance(30)
    assert takers.started == [("first", 0), ("second", 60)]


async def test_when_all_have_given_up_no_timer_is_left() -> None:
    takers = Takers(full=False)
    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(takers.take, str(number))
        await turns()
        assert takers.clock.waiting == 1
        tasks.cancel_scope.cancel()
    assert takers.clock.waiting == 0
    assert takers.started == []


class Together(VirtualClock):
    """A clock at whose calls something else happens in the same turn of the loop."""

    also: Callable[[], object] = staticmethod(lambda: None)

    def call_later(self, delay: float, callback: Callable[[], None]) -> VirtualTimer:
        def both() -> None:
            callback()
            self.also()

        return super().call_later(delay, both)


async def test_a_token_that_was_given_to_somebody_cancelled_in_the_same_turn_goes_to_the_next() -> None:
    clock = Together()
    takers = Takers(clock, full=False)
    cancelled = asyncio.create_task(takers.take("cancelled", "1/m"))
    waiting = asyncio.create_task(takers.take("next", "1/m"))
    await turns()
    clock.also = cancelled.cancel
    await clock.advance(60)
    await waiting
    assert takers.started == [("next", 60)]
    assert cancelled.cancelled()


async def test_what_is_no_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="is no rate"):
        await Takers().take("x", "many")


rates = st.tuples(st.integers(1, 50), st.sampled_from("smh"))
pauses = st.lists(st.one_of(st.just(0.0), st.floats(0, 200)), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(rate=rates, pauses=pauses, full=st.booleans())
def test_in_no_stretch_of_time_more_start_than_the_burst_and_the_rate(rate: tuple[int, str], pauses: list[float], full: bool) -> None:
    count, unit = rate
    period = {"s": 1, "m": 60, "h": 3600}[unit]
    instants: list[float] = []

    async def main() -> None:
        clock = VirtualClock()
        rates = Rates(clock, full=full)

        async def take() -> None:
            await rates.take("call", f"{count}/{unit}")
            instants.append(clock.monotonic())

        async with anyio.create_task_group() as tasks:
            for pause in pauses:
                await clock.advance(pause)
                tasks.start_soon(take)
            await clock.advance(period / count * (len(pauses) + count))

    anyio.run(main)
    assert len(instants) == len(pauses)
    assert all(left <= right for left, right in pairwise(instants))
    for first, begin in enumerate(instants):
        for last in range(first, len(instants)):
            assert last - first + 1 <= count + (instants[last] - begin) * count / period + 1e-3
    if not full:
        for number, instant in enumerate(instants, 1):
            assert number <= instant * count / period + 1e-3
