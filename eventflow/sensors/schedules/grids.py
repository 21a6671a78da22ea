"""The three ways to name instants: by cron texts, by a length of time, one by one. Each can be walked forward and back."""

from __future__ import annotations

import heapq
import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta, tzinfo
from typing import Protocol

from eventflow.sensors.schedules.cron import Cron
from eventflow.sensors.schedules.days import PATIENCE, Days
from eventflow.sensors.schedules.zones import Fold, Gap, earliest, instants, latest, local, sway

_YEARS = range(1000, 9000)  # within these no arithmetic on instants and zones can fail
_DAY = timedelta(days=1)


class Grid(Protocol):
    """Instants, in microseconds UTC, without end in either direction where nothing else is said."""

    def after(self, instant: int) -> Iterator[int]:
        """Give those later than an instant, in order, each once."""
        ...

    def before(self, instant: int) -> Iterator[int]:
        """Give those earlier than an instant, latest first, each once."""
        ...


class CronGrid:
    """The instants at which a zone's clocks show what one of several cron texts names, under a policy for days when they are moved."""

    def __init__(self, crons: Sequence[Cron], zone: tzinfo, dst: str) -> None:
        self._zone = zone
        self._crons = [(cron, cron.meaning(dst)) for cron in crons]

    def after(self, instant: int) -> Iterator[int]:
        # Where clocks are put back, local times from before the instant come again.
        begin = local(instant, self._zone) - sway(instant, self._zone)
        found = [_rising(cron.after(begin), self._zone, meaning) for cron, meaning in self._crons]
        return _once(tick for tick in heapq.merge(*found) if tick > instant)

    def before(self, instant: int) -> Iterator[int]:
        end = local(instant, self._zone) + sway(instant, self._zone) + timedelta(seconds=1)
        found = [_falling(cron.before(end), self._zone, meaning) for cron, meaning in self._crons]
        return _once(tick for tick in heapq.merge(*found, reverse=True) if tick < instant)


class EveryGrid:
    """Instants that are equally far apart, however clocks are moved, but for days on which it may not fire."""

    def __init__(self, length: int, anchor: int, zone: tzinfo, days: Days) -> None:
        self._length = length
        self._anchor = anchor
        self._zone = zone
        self._days = days

    def after(self, instant: int) -> Iterator[int]:
        place, passed_over = self._first_from(instant + 1), 0
        while passed_over < PATIENCE and (shown := self._local(place)) is not None and shown.date() <= self._days.last:
            if self._days.allow(shown.date()):
                yield self._instant(place)
                place, passed_over = place + 1, 0
            else:
                place, passed_over = self._behind(place, shown.date()), passed_over + 1

    def before(self, instant: int) -> Iterator[int]:
        place, passed_over = self._first_from(instant) - 1, 0
        while passed_over < PATIENCE and (shown := self._local(place)) is not None and shown.date() >= self._days.first:
            if self._days.allow(shown.date()):
                yield self._instant(place)
                place, passed_over = place - 1, 0
            else:
                place, passed_over = self._in_front_of(place, shown.date()), passed_over + 1

    def _behind(self, place: int, day: date) -> int:
        """Give the place to go on from, after one on a day that is left out."""
        first, last = self._days.passed_over(day)
        if latest(_midnight(first), self._zone) > self._instant(place):
            return place + 1  # clocks will be put back into the day before
        return max(place + 1, self._first_from(earliest(_midnight(last + _DAY), self._zone)))

    def _in_front_of(self, place: int, day: date) -> int:
        """Give the place to go on from, before one on a day that is left out."""
        first, last = self._days.passed_over(day)
        if earliest(_midnight(last + _DAY), self._zone) < self._instant(place):
            return place - 1  # clocks were put back into the day before
        begin = latest(_midnight(first), self._zone)
        if begin > self._instant(place):
            begin = earliest(_midnight(first), self._zone)
        return min(place, self._first_from(begin)) - 1

    def _instant(self, place: int) -> int:
        return self._anchor + place * self._length

    def _first_from(self, instant: int) -> int:
        return -((self._anchor - instant) // self._length)

    def _local(self, place: int) -> datetime | None:
        try:
            shown = local(self._instant(place), self._zone)
        except OverflowError:
            return None
        return shown if shown.year in _YEARS else None


class AtGrid:
    """Instants that are named one by one, but for days on which it may not fire."""

    def __init__(self, at: Iterable[int], zone: tzinfo, days: Days) -> None:
        self._at = [instant for instant in sorted(set(at)) if days.allow(local(instant, zone).date())]

    def after(self, instant: int) -> Iterator[int]:
        return iter(self._at[bisect_right(self._at, instant) :])

    def before(self, instant: int) -> Iterator[int]:
        return reversed(self._at[: bisect_left(self._at, instant)])


def _rising(locals_: Iterable[datetime], zone: tzinfo, meaning: tuple[Gap, Fold]) -> Iterator[int]:
    """Give the instants of local times in order: where clocks are moved, a later local time may mean an earlier instant."""
    waiting: list[int] = []
    for when in itertools.takewhile(_is_safe, locals_):
        passed = earliest(when, zone)
        while waiting and waiting[0] < passed:
            yield heapq.heappop(waiting)
        for instant in instants(when, zone, *meaning):
            heapq.heappush(waiting, instant)
    yield from sorted(waiting)


def _falling(locals_: Iterable[datetime], zone: tzinfo, meaning: tuple[Gap, Fold]) -> Iterator[int]:
    """Give the instants of local times that come latest first, latest first."""
    shifts = meaning[0] == "shift"
    waiting: list[int] = []
    for when in itertools.takewhile(_is_safe, locals_):
        passed = latest(when, zone)
        if shifts:  # times from within a gap may lie behind those which follow it
            passed += sway(passed, zone) // timedelta(microseconds=1)
        while waiting and -waiting[0] > passed:
            yield -heapq.heappop(waiting)
        for instant in instants(when, zone, *meaning):
            heapq.heappush(waiting, -instant)
    yield from (-instant for instant in sorted(waiting))


def _once(ticks: Iterable[int]) -> Iterator[int]:
    return (tick for tick, _ in itertools.groupby(ticks))


def _is_safe(when: datetime) -> bool:
    return when.year in _YEARS


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - local times have no zone
