from __future__ import annotations

import anyio

from eventflow.testing import SeededRandom, VirtualClock
from tests.engine.world import turns


async def test_it_stands_still_until_it_is_moved() -> None:
    clock = VirtualClock(start=1_000_000)
    await turns()
    assert (clock.now(), clock.monotonic()) == (1_000_000, 0.0)
    await clock.advance(2.5)
    assert (clock.now(), clock.monotonic()) == (3_500_000, 2.5)


async def test_calls_come_in_their_order_each_at_its_own_instant() -> None:
    clock, calls = VirtualClock(), []
    for delay, name in ((3.0, "c"), (1.0, "a"), (3.0, "d"), (2.0, "b"), (9.0, "later")):
        clock.call_later(delay, lambda name=name: calls.append((name, clock.monotonic())))
    await clock.advance(5)
    assert calls == [("a", 1.0), ("b", 2.0), ("c", 3.0), ("d", 3.0)]
    assert clock.monotonic() == 5.0
    assert clock.waiting == 1


async def test_a_call_made_by_a_call_comes_in_the_same_move_if_it_is_due() -> None:
    clock, calls = VirtualClock(), []

    def first() -> None:
        clock.call_later(1, lambda: calls.append(clock.monotonic()))
        clock.call_later(10, lambda: calls.append(clock.monotonic()))

    clock.call_later(1, first)
    await clock.advance(5)
    assert calls == [2.0]


async def test_a_cancelled_call_doesnt_come() -> None:
    clock, calls = VirtualClock(), []
    timer = clock.call_later(1, lambda: calls.append("came"))
    assert clock.waiting == 1
    timer.cancel()
    assert clock.waiting == 0
    await clock.advance(2)
    assert calls == []


async def test_sleepers_wake_when_their_time_has_come() -> None:
    clock, woken = VirtualClock(), []

    async def sleeper(delay: float) -> None:
        await clock.sleep(delay)
        woken.append((delay, clock.monotonic()))
        await clock.sleep(delay)
        woken.append((delay, clock.monotonic()))

    async with anyio.create_task_group() as tasks:
        for delay in (2, 3):
            tasks.start_soon(sleeper, delay)
        await clock.until_waiting(2)
        await clock.advance(4)
        assert woken == [(2, 2.0), (3, 3.0), (2, 4.0)]
        await clock.advance(2)
    assert woken[-1] == (3, 6.0)


async def test_a_sleeper_that_is_cancelled_leaves_no_call() -> None:
    clock = VirtualClock()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(clock.sleep, 5)
        await clock.until_waiting()
        tasks.cancel_scope.cancel()
    assert clock.waiting == 0


async def test_no_time_is_no_wait() -> None:
    clock = VirtualClock()
    await clock.sleep(0)
    await clock.sleep(-1)
    assert clock.waiting == 0


async def test_the_wall_clock_can_jump_without_moving_timers() -> None:
    clock, calls = VirtualClock(start=10_000_000), []
    clock.call_later(5, lambda: calls.append(clock.now()))
    clock.jump(-7)
    assert (clock.now(), clock.monotonic()) == (3_000_000, 0.0)
    await clock.advance(4.9)
    assert calls == []
    await clock.advance(0.1)
    assert calls == [8_000_000]


def test_chance_repeats_with_its_seed() -> None:
    first, same, other = SeededRandom(1), SeededRandom(1), SeededRandom(2)
    drawn = [(first.bits(74), first.fraction()) for _ in range(5)]
    assert drawn == [(same.bits(74), same.fraction()) for _ in range(5)]
    assert drawn != [(other.bits(74), other.fraction()) for _ in range(5)]
    assert all(0 <= fraction < 1 and bits < 1 << 74 for bits, fraction in drawn)
