"""How long the identities of events are kept that are gone from their source, and how the others are kept small."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from eventflow import durations, facts
from eventflow.durations import Duration
from eventflow.facts import Fact, Unit
from eventflow.ids import whole_number
from eventflow.ports import Below, Ports
from eventflow.projections import SeenRangeRow, SeenRow

RETENTION = durations.microseconds("30d")
"""How long the identity of an event that is gone from its source is kept, unless something else is said."""

SHORTEST = durations.seconds("7d")
"""The shortest that may be said, in seconds: senders come again for days."""

_PAUSE = durations.seconds("1d")
_CHUNK = 500
_PAGE = 20_000
"""Identities that are read at once: a source may have millions."""

_SHORTEST_RANGE = 16
"""Fewer whole numbers in a row stay as they are."""


def checked_retention(retention: Duration) -> int:
    """Give a retention in microseconds. Raises `ValueError` for one that is too short, or is no length of time."""
    if durations.seconds(retention) < SHORTEST:
        raise ValueError(f"retention={retention!r} is too short: use at least '7d', for senders come again for days")
    return durations.microseconds(retention)


class Retention:
    """Frees the identities of one source whose time is over, and makes ranges of those that are whole numbers and taken for good.

    It looks where its sensor rests, between two observations: never between a sensor's own look at the identities and the commit of what
    it made of them. `kept` is the retention in microseconds.
    """

    def __init__(self, ports: Ports, source: str, kept: int = RETENTION) -> None:
        self._ports = ports
        self._source = source
        self._kept = kept
        self._due = -math.inf

    async def look(self) -> None:
        """Free what is to be freed, if a day has passed since the last look."""
        now = self._ports.clock.monotonic()
        if now < self._due:
            return
        self._due = now + _PAUSE
        while expired := await self._expired():
            await self._commit(facts.IdentitiesExpired(self._source, expired))
        while compacted := await self._compacted():
            for ranges in compacted:
                await self._commit(ranges)

    async def _expired(self) -> tuple[str, ...]:
        before = Below(self._ports.clock.now() - self._kept)
        rows = await self._ports.journal.select(SeenRow, source=self._source, forgotten_at=before, order="forgotten_at", limit=_CHUNK)
        return tuple(row.id for row in rows)

    async def _compacted(self) -> list[facts.IdentitiesCompacted]:
        """Give what becomes ranges of the first identities: those that begin with a digit are among the first."""
        rows = await self._ports.journal.select(SeenRow, source=self._source, forgotten_at=None, limit=_PAGE)
        numbers = sorted(number for row in rows if (number := whole_number(row.id)) is not None)
        ranges = await self._ports.journal.select(SeenRangeRow, source=self._source) if numbers else []
        return list(_compacted(self._source, numbers, {row.high: row.low for row in ranges}))

    async def _commit(self, happened: Fact) -> None:
        await self._ports.journal.commit(Unit(self._ports.clock.now(), (happened,)))


def _compacted(source: str, numbers: Sequence[int], ranges: dict[int, int]) -> Iterator[facts.IdentitiesCompacted]:
    """Give the ranges that numbers, which are sorted, make, each behind a range that there is where it follows on that."""
    for first, last in _in_a_row(numbers):
        low = ranges.pop(first - 1, first)
        if low == first and last - first + 1 < _SHORTEST_RANGE:
            continue
        for start in range(first, last + 1, _CHUNK):
            yield facts.IdentitiesCompacted(source, low, start, min(start + _CHUNK - 1, last))


def _in_a_row(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Give the first and the last number of each stretch without a gap."""
    first = last = None
    for number in numbers:
        if first is None or last is None or number != last + 1:
            if first is not None and last is not None:
                yield first, last
            first = number
        last = number
    if first is not None and last is not None:
        yield first, last
