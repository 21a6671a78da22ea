"""Which of the ticks that are due fire, and which are only recorded as missed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from eventflow.durations import SECOND
from eventflow.ports import Clock
from eventflow.sensors.schedules.ticks import Ticks

PUNCTUAL = 60 * SECOND
"""How late a tick may be and still be on time: microseconds."""

SINGLY = 1000
"""How many missed ticks are recorded one by one, the newest of them; older ones are summed up."""

COUNTED = 100_000
"""Up to how many of these are counted."""

_SLICE = 500


@dataclass(frozen=True, slots=True)
class Older:
    """Missed ticks that are not recorded one by one: how many, the first and the last."""

    count: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """Ticks that are due, oldest first: those that were missed, and those that fire, which come after them."""

    older: Older | None
    missed: Sequence[int]
    fire: Sequence[int]


async def backlog(ticks: Ticks, until: int, now: int, keep: int, clock: Clock) -> Backlog:
    """Divide the ticks that are due by now, later than `until`: the newest `keep` of them fire."""
    due = itertools.takewhile(lambda tick: tick > until, ticks.before(now + 1))
    newest = list(itertools.islice(due, keep + SINGLY))[::-1]
    place = max(len(newest) - keep, 0)
    older = await _older(ticks, until, newest[0], clock) if len(newest) == keep + SINGLY else None
    return Backlog(older, newest[:place], newest[place:])


async def _older(ticks: Ticks, until: int, end: int, clock: Clock) -> Older | None:
    last = next(ticks.before(end), until)
    if last <= until:
        return None
    counted = itertools.takewhile(lambda tick: tick < end, itertools.islice(ticks.after(until), COUNTED))
    first, count = next(counted), 1
    while found := _length(itertools.islice(counted, _SLICE)):
        count += found
        await clock.sleep(0)  # counting a year of seconds must hold up nobody
    return Older(count, first, last)


def _length(ticks: Iterator[int]) -> int:
    return sum(1 for _ in ticks)
