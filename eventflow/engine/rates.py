"""Limits on how many attempts start in what time, such as `30/m`: each a bucket of tokens, of which a start takes one.

A bucket holds as many tokens as the limit counts, and is refilled evenly: of `30/m` up to thirty may start at once, and then one each two
seconds. All that there is to know of it is the instant at which it is full. Each start records that, so the rate holds over restarts.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import NamedTuple

from eventflow.definition.options import rate
from eventflow.durations import SECOND
from eventflow.ports import Clock, Timer
from eventflow.projections import RateRow

EARLY = 1e-6
"""How many seconds before its instant a timer may call: what is smaller is lost in rounding."""


class Token:
    """Leave to start once. It is used or given back; what is done with it after that changes nothing."""

    def __init__(self, name: str, bucket: _Bucket) -> None:
        self._name = name
        self._bucket: _Bucket | None = bucket

    def use(self) -> RateRow | None:
        """Start now. Gives what is to be recorded durably with the start, before it; None where the token is used or given back."""
        bucket, self._bucket = self._bucket, None
        return None if bucket is None else RateRow(self._name, bucket.use())

    def give_back(self) -> None:
        """Leave the start to others."""
        bucket, self._bucket = self._bucket, None
        if bucket is not None:
            bucket.take_back()


class Rates:
    """The buckets of all tasks: full, unless `recall` says otherwise."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.monotonic()
        self._left: dict[str, float] = {}
        self._buckets: dict[str, _Bucket] = {}

    def recall(self, rows: Iterable[RateRow]) -> None:
        """Go on from what is recorded, before anything is taken."""
        now = self._clock.now()
        self._began = self._clock.monotonic()
        self._left = {row.rate: (row.full_at - now) / SECOND for row in rows}

    async def take(self, name: str, limit: str, order: int = 0) -> Token:
        """Return once something of this name may start under its limit. The smallest `order` comes first, and then who came first.

        Cancelled, it takes nothing. Raises `ValueError` for a limit that is no rate.
        """
        key = f"{name} {limit}"
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = self._bucket(key, limit)
        await bucket.take(order)
        return Token(key, bucket)

    def _bucket(self, key: str, limit: str) -> _Bucket:
        count, period = rate(limit)
        # No bucket takes longer than a period to be full: what is recorded says so only where the machine's clock was set back.
        left = min(self._left.get(key, 0.0), period)
        return _Bucket(self._clock, count, period / count, self._began + left)


class _Ticket(NamedTuple):
    """Somebody in line. No two have arrived at once, so that comparing them ends there."""

    order: int
    arrival: int
    given: asyncio.Event


class _Bucket:
    """Up to `count` tokens, of which a new one comes each `interval` seconds.

    A token that is out, and not used yet, is none that could be given, and none that is refilled: who has it may start at any time.
    """

    def __init__(self, clock: Clock, count: int, interval: float, full_at: float) -> None:
        self._clock = clock
        self._count = count
        self._interval = interval
        self._full_at = full_at
        self._out = 0
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
            if ticket.given.is_set():
                self._out -= 1
            else:
                del self._line[bisect_left(self._line, ticket)]
            self._give()
            raise

    def use(self) -> int:
        """Have a token that is out used. Gives when the bucket is full again, by the wall clock (microseconds UTC)."""
        now = self._clock.monotonic()
        self._out -= 1
        self._full_at = max(self._full_at, now) + self._interval
        self._give()
        return self._clock.now() + math.ceil((self._full_at - now) * SECOND)

    def take_back(self) -> None:
        """Have a token that is out back."""
        self._out -= 1
        self._give()

    def _give(self) -> None:
        """Give what tokens there are to the first in line, and come again when there is the next one."""
        now = self._clock.monotonic()
        while self._line and self._due <= now + EARLY:
            self._out += 1
            self._line.pop(0).given.set()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._line and self._due < math.inf:
            self._timer = self._clock.call_later(self._due - now, self._come_again)

    def _come_again(self) -> None:
        self._timer = None
        self._give()

    @property
    def _due(self) -> float:
        """The instant at which there is a token, which may have passed; never, as long as all of them are out."""
        free = self._count - self._out
        return self._full_at - (free - 1) * self._interval if free else math.inf
