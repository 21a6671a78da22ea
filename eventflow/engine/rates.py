"""Limits on how many attempts start in what time, such as `30/m`: each a bucket of tokens, of which a start takes one.

A bucket holds as many tokens as the limit counts, and is refilled evenly: of `30/m` up to thirty may start at once, and then one each two
seconds.
"""

from __future__ import annotations

import asyncio
import itertools
from bisect import bisect_left, insort
from typing import NamedTuple

from eventflow.definition.options import rate
from eventflow.ports import Clock, Timer

EARLY = 1e-6
"""How many seconds before its instant a timer may call: what is smaller is lost in rounding."""


class Rates:
    """The buckets of all tasks.

    Where an earlier process may have emptied the buckets, they are empty at first (`full=False`), so that the rate holds over restarts too.
    """

    def __init__(self, clock: Clock, *, full: bool) -> None:
        self._clock = clock
        self._full = full
        self._began = clock.monotonic()
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    async def take(self, name: str, limit: str, order: int = 0) -> None:
        """Return once something of this name may start under its limit. The smallest `order` comes first, and then who came first.

        Cancelled, it takes nothing. Raises `ValueError` for a limit that is no rate.
        """
        bucket = self._buckets.get((name, limit)) or self._bucket(name, limit)
        await bucket.take(order)

    def _bucket(self, name: str, limit: str) -> _Bucket:
        count, period = rate(limit)
        bucket = _Bucket(self._clock, count, period / count, self._began if self._full else self._began + period)
        return self._buckets.setdefault((name, limit), bucket)


class _Ticket(NamedTuple):
    """Somebody in line. No two have arrived at once, so that comparing them ends there."""

    order: int
    arrival: int
    given: asyncio.Event


class _Bucket:
    """Up to `count` tokens, of which a new one comes each `interval` seconds. All that changes in it is the instant at which it is full."""

    def __init__(self, clock: Clock, count: int, interval: float, full_at: float) -> None:
        self._clock = clock
        self._interval = interval
        self._full_at = full_at
        self._without_one = (count - 1) * interval
        self._line: list[_Ticket] = []
        self._arrivals = itertools.count()
        self._timer: Timer | None = None

    async def take(self, order: int) -> None:
        ticket = _Ticket(order, next(self._arrivals), asyncio.Event())
        insort(self._line, ticket)
        self._give()
        try:
            await ticket.given.wait()
        except BaseException:  # a cancellation, which may come after the token was given
            self._take_back(ticket)
            raise

    def _give(self) -> None:
        """Give what tokens there are to the first in line, and come again when there is the next one."""
        now = self._clock.monotonic()
        while self._line and self._due <= now + EARLY:
            self._full_at = max(self._full_at, now) + self._interval
            self._line.pop(0).given.set()
        if self._line and self._timer is None:
            self._timer = self._clock.call_later(self._due - now, self._come_again)

    def _take_back(self, ticket: _Ticket) -> None:
        if ticket.given.is_set():
            self._full_at -= self._interval
        else:
            del self._line[bisect_left(self._line, ticket)]
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._give()

    def _come_again(self) -> None:
        self._timer = None
        self._give()

    @property
    def _due(self) -> float:
        """The instant at which there is a token: now, where it has passed."""
        return self._full_at - self._without_one
