from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import cast

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventflow.durations import SECOND
from eventflow.engine.rates import Rates
from eventflow.projections import RateRow
from eventflow.testing import VirtualClock
from eventflow.testing.clock import VirtualTimer
from tests.engine.world import turns


class Takers:
    """Those who want to start, and the instants, in seconds, at which they did."""

    def __init__(self, clock: VirtualClock | None = None, *recorded: RateRow) -> None:
        self.clock = clock or VirtualClock()
        self.rates = Rates(self.clock)
        self.rates.recall(recorded)
        self.started: list[tuple[str, float]] = []
        self.recorded: list[RateRow | None] = []

    async def take(self, who: str, limit: str = "3/m", order: int = 0, name: str = "call") -> None:
        """Start as soon as that is allowed."""
        token = await self.rates.take(name, limit, order)
        self.recorded.append(token.use())
        self.started.append((who, round(self.clock.monotonic(), 3)))

    @property
    def order(self) -> list[str]:
        return [who for who, _ in self.started]

    @property
    def instants(self) -> list[float]:
        return self.instants_of("")

    def instants_of(self, who: str) -> list[float]:
        return [instant for one, instant in self.started if one.startswith(who)]


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


def in_seconds(clock: VirtualClock, seconds: float, rate: str = "call 3/m") -> RateRow:
    """A bucket of which is recorded that it is full so long from now."""
    return RateRow(rate, clock.now() + round(seconds * SECOND))


async def test_a_start_says_when_its_bucket_is_full_again() -> None:
    takers = Takers()
    began = takers.clock.now()
    await takers.take("first")
    await takers.clock.advance(5)
    await takers.take("second")
    await takers.clock.advance(3600)
    await takers.take("last", "1/h", name="other")
    assert takers.recorded == [
        RateRow("call 3/m", began + 20 * SECOND),
        RateRow("call 3/m", began + 40 * SECOND),
        RateRow("other 1/h", takers.clock.now() + 3600 * SECOND),
    ]


async def test_a_bucket_goes_on_from_what_was_recorded() -> None:
    clock = VirtualClock()
    recorded = (in_seconds(clock, 45), in_seconds(clock, -5, "other 3/m"))
    takers = Takers(clock, *recorded, in_seconds(clock, 45, "call 1/h"), in_seconds(clock, 45, "no longer in the code 3/m"))
    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(takers.take, f"call {number}")
        for number in range(4):
            tasks.start_soon(takers.take, f"other {number}", "3/m", 0, "other")
        await clock.advance(45)
    assert takers.instants_of("call") == [5, 25, 45]
    assert takers.instants_of("other") == [0, 0, 0, 20]


async def test_a_clock_that_was_set_back_locks_nothing_out_for_longer_than_a_period() -> None:
    clock = VirtualClock()
    recorded = in_seconds(clock, 30)
    clock.jump(-1_000_000)
    takers = Takers(clock, recorded)
    await clock.advance(10)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(takers.take, "first")
        tasks.start_soon(takers.take, "second")
        await clock.advance(30)
    assert takers.started == [("first", 20), ("second", 40)]


async def test_a_clock_that_is_set_while_the_engine_runs_changes_nothing() -> None:
    takers = Takers()
    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(takers.take, str(number))
        await turns()
        takers.clock.jump(-1_000_000)
        await takers.clock.advance(20)
        takers.clock.jump(+1_000_000)
        await takers.clock.advance(20)
    assert takers.instants == [0, 0, 0, 20, 40]


async def test_who_has_a_token_and_takes_its_time_starts_within_the_rate() -> None:
    takers = Takers()
    late = [await takers.rates.take("call", "3/m") for _ in range(3)]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(takers.take, "next")
        await takers.clock.advance(3600)
        assert (takers.started, takers.clock.waiting) == ([], 0)  # those three may start at any time: nobody else may
        for token in late:
            assert token.use() == RateRow("call 3/m", takers.clock.now() + (late.index(token) + 1) * 20 * SECOND)
        await takers.clock.advance(20)
    assert takers.started == [("next", 3620)]


async def test_a_token_that_is_given_back_goes_to_the_next_and_is_given_back_once() -> None:
    takers = Takers()
    token = await takers.rates.take("call", "1/h")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(takers.take, "next", "1/h")
        tasks.start_soon(takers.take, "last", "1/h")
        await turns()
        assert takers.started == []
        token.give_back()
        token.give_back()
        await turns()
        assert takers.started == [("next", 0)]
        assert token.use() is None
        await takers.clock.advance(3600)
    assert takers.started == [("next", 0), ("last", 3600)]


async def test_a_used_token_is_not_given_back() -> None:
    takers = Takers()
    token = await takers.rates.take("call", "1/h")
    assert token.use() is not None
    token.give_back()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(takers.take, "next", "1/h")
        await takers.clock.advance(3600)
    assert takers.started == [("next", 3600)]


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
    clock = VirtualClock()
    takers = Takers(clock, in_seconds(clock, 60))
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
    takers = Takers(clock, in_seconds(clock, 60, "call 1/m"))
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


# Any order of asking, hesitating, giving up, and of processes that end

PERIODS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Ask:
    """Some want to start. Once one may, he hesitates for so many periods, and then leaves it, where he `leaves`."""

    people: int
    hesitates: float
    leaves: bool


@dataclass(frozen=True)
class Pass:
    """Time passes, in parts of the rate's period."""

    periods: float


@dataclass(frozen=True)
class Restart:
    """The process ends, and the next one begins after so many periods."""

    periods: float


steps = st.lists(
    st.one_of(
        st.builds(Ask, st.integers(1, 6), st.sampled_from([0.0, 0.0, 0.0, 0.4, 3.0]), st.sampled_from([False, False, False, True])),
        st.builds(Pass, st.floats(0, 0.3)),
        st.builds(Pass, st.floats(0, 3)),
        st.builds(Restart, st.one_of(st.just(0.0), st.floats(0, 1.5))),
    ),
    min_size=8,
    max_size=40,
)


class Scene:
    """One task and its rate over several processes. `tokens` are what an ideal bucket would hold, `row` is what is recorded."""

    def __init__(self, count: int, unit: str) -> None:
        self.clock = VirtualClock()
        self.limit, self.count, self.period = f"{count}/{unit}", count, PERIODS[unit]
        self.rates = Rates(self.clock)
        self.tokens, self.seen = float(count), 0.0
        self.row: RateRow | None = None
        self.out = self.waiting = 0

    async def ask(self, step: Ask) -> None:
        self.waiting += 1
        try:
            token = await self.rates.take("call", self.limit)
        finally:
            self.waiting -= 1
        self.out += 1
        try:
            await self.clock.sleep(step.hesitates * self.period)
            if not step.leaves:
                self.row = token.use()
                self.start()
        finally:
            self.out -= 1
            token.give_back()

    def start(self) -> None:
        self.refill()
        assert self.tokens >= 1 - 1e-3, "more start than the rate allows"
        self.tokens -= 1

    def refill(self) -> None:
        now = self.clock.monotonic()
        self.tokens = min(self.count, self.tokens + (now - self.seen) * self.count / self.period)
        self.seen = now

    def check(self) -> None:
        self.refill()
        assert not self.waiting or self.tokens - self.out < 1 + 1e-3, "somebody waits who could start"

    async def live(self, steps: Iterator[Ask | Pass]) -> None:
        """Be one process, up to its end."""
        async with anyio.create_task_group() as tasks:
            for step in steps:
                if isinstance(step, Ask):
                    for _ in range(step.people):
                        tasks.start_soon(self.ask, step)
                    await turns()
                else:
                    await self.clock.advance(step.periods * self.period)
                self.check()
            tasks.cancel_scope.cancel()

    async def follow(self, steps: list[Ask | Pass | Restart]) -> None:
        for restart, of_one in groupby(steps, lambda step: isinstance(step, Restart)):
            if restart:
                for step in of_one:
                    await self.clock.advance(cast("Restart", step).periods * self.period)
                self.rates = Rates(self.clock)
                self.rates.recall([] if self.row is None else [self.row])
            else:
                await self.live(cast("Iterator[Ask | Pass]", of_one))


@settings(max_examples=150, deadline=None)
@given(count=st.integers(1, 12), unit=st.sampled_from("smh"), steps=steps)
def test_over_restarts_as_many_start_as_the_rate_allows_and_never_more(count: int, unit: str, steps: list[Ask | Pass | Restart]) -> None:
    async def main() -> None:
        await Scene(count, unit).follow(steps)

    anyio.run(main)
