"""A clock that stands still until a test moves it."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

import anyio
import anyio.lowlevel

from eventflow.durations import SECOND


class VirtualTimer:
    """A call that comes when the clock has been moved far enough."""

    __slots__ = ("callback", "due")

    def __init__(self, due: float, callback: Callable[[], None]) -> None:
        self.due = due
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class VirtualClock:
    """The `Clock` port for tests: `advance` moves it, and everything due by then happens, in order and each at its own instant."""

    def __init__(self, start: int = 1_700_000_000 * SECOND) -> None:
        self._start = start
        self._elapsed = 0.0
        self._order = itertools.count()
        self._timers: list[tuple[float, int, VirtualTimer]] = []

    def now(self) -> int:
        return self._start + round(self._elapsed * SECOND)

    def monotonic(self) -> float:
        return self._elapsed

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward or back, as an administrator would: no timer moves."""
        self._start += round(seconds * SECOND)

    def call_later(self, delay: float, callback: Callable[[], None]) -> VirtualTimer:
        timer = VirtualTimer(self._elapsed + delay, callback)
        heapq.heappush(self._timers, (timer.due, next(self._order), timer))
        return timer

    async def sleep(self, delay: float) -> None:
        if delay <= 0:
            await anyio.lowlevel.checkpoint()
            return
        over = anyio.Event()
        timer = self.call_later(delay, over.set)
        try:
            await over.wait()
        finally:
            timer.cancel()

    @property
    def waiting(self) -> int:
        """How many calls are still to come."""
        return sum(timer.callback is not None for _, _, timer in self._timers)

    async def advance(self, seconds: float) -> None:
        """Move the clock, let what is due happen, and let the loop come to rest after each step as far as it does without threads."""
        end = self._elapsed + seconds
        await self._settle()
        while self._timers and self._timers[0][0] <= end:
            due, _, timer = heapq.heappop(self._timers)
            if timer.callback is None:
                continue
            self._elapsed = max(self._elapsed, due)
            callback, timer.callback = timer.callback, None
            callback()
            await self._settle()
        self._elapsed = end
        await self._settle()

    async def until_waiting(self, count: int = 1) -> None:
        """Return once at least `count` calls are to come: what a test waits for before it moves the clock."""
        while self.waiting < count:
            await anyio.lowlevel.checkpoint()

    @staticmethod
    async def _settle() -> None:
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
