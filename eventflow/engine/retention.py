"""How long the identities of events are kept that are gone from their source, and how the others are kept small."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from eventflow import durations, facts
from eventflow.engine.identities import whole_number
from eventflow.facts import Fact, Unit
from eventflow.ports import Ports
from eventflow.projections import SeenRangeRow, SeenRow

RETENTION = durations.microseconds("30d")
"""How long the identity of an event that is gone from its source is kept."""

_PAUSE = durations.seconds("1d")
_CHUNK = 500

_SHORTEST_RANGE = 16
"""Fewer whole numbers in a row stay as they are."""


class Retention:
    """Frees the identities of one source whose time is over, and makes ranges of those that are whole numbers and taken for good.

    It looks where its sensor rests, between two observations: never between a sensor's own look at the identities and the commit of what
    it made of them.
    """

    def __init__(self, ports: Ports, source: str) -> None:
        self._ports = ports
        self._source = source
        self._due = -math.inf

    async def look(self) -> None:
        """Free what is to be freed, if a day has passed since the last look."""
        now = self._ports.clock.monotonic()
        if now < self._due:
            return
        self._due = now + _PAUSE
        rows = await self._ports.journal.select(SeenRow, source=self._source)
        expired = self._expired(rows)
        for start in range(0, len(expired), _CHUNK):
            await self._commit(facts.IdentitiesExpired(self._source, tuple(expired[start : start + _CHUNK])))
        ranges = await self._ports.journal.select(SeenRangeRow, source=self._source)
        kept = sorted(number for row in rows if row.forgotten_at is None and (number := whole_number(row.id)) is not None)
        for compacted in _compacted(self._source, kept, {row.high: row.low for row in ranges}):
            await self._commit(compacted)

    def _expired(self, rows: Iterable[SeenRow]) -> list[str]:
        before = self._ports.clock.now() - RETENTION
        return [row.id for row in rows if row.forgotten_at is not None and row.forgotten_at < before]

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
