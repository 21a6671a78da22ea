from __future__ import annotations

import threading

import anyio

from eventflow.logs.writer import CLOSING, Writer
from eventflow.system import SystemClock
from eventflow.testing import VirtualClock


async def test_everything_is_written_in_order_before_the_end() -> None:
    written: list[int] = []
    async with Writer(written.extend, SystemClock(), "test") as writer:
        for number in range(5000):
            writer.put(number)
    assert written == list(range(5000))


async def test_handing_over_never_waits_for_the_writing() -> None:
    gate = threading.Event()
    written: list[int] = []

    def write(items: list[int]) -> None:
        gate.wait()
        written.extend(items)

    async with Writer(write, SystemClock(), "test") as writer:
        writer.put(1)
        writer.put(2)
        assert written == []
        gate.set()
    assert written == [1, 2]


async def test_threads_hand_over_too() -> None:
    written: list[int] = []
    async with Writer(written.extend, SystemClock(), "test") as writer:
        threads = [threading.Thread(target=writer.put, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(written) == list(range(20))


async def test_a_disk_that_never_answers_does_not_hold_the_end() -> None:
    gate, clock = threading.Event(), VirtualClock()

    async def let_time_pass() -> None:
        await clock.until_waiting()
        await clock.advance(CLOSING)

    try:
        async with anyio.create_task_group() as tasks, Writer(lambda _: gate.wait() and None, clock, "test") as writer:
            writer.put(1)
            tasks.start_soon(let_time_pass)
    finally:
        gate.set()
