"""The identities of one source, as the journal has them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping

from eventflow.ids import whole_number
from eventflow.ports import Above, Below, Journal
from eventflow.projections import SeenRangeRow, SeenRow


class JournalSeen:
    """The `Seen` port on a journal."""

    def __init__(self, journal: Journal, source: str) -> None:
        self._journal = journal
        self._source = source

    async def all(self) -> Mapping[str, int | None]:
        ranges = await self._journal.select(SeenRangeRow, source=self._source)
        compacted = {str(number): None for row in ranges for number in range(row.low, row.high + 1)}
        return {**compacted, **{row.id: row.forgotten_at for row in await self._journal.select(SeenRow, source=self._source)}}

    async def of(self, ids: Collection[str]) -> frozenset[str]:
        if not ids:
            return frozenset()
        taken = {row.id for row in await self._journal.select(SeenRow, source=self._source, id=tuple(ids))}
        numbers = {number: name for name in ids if name not in taken and (number := whole_number(name)) is not None}
        return frozenset(taken | {numbers[number] for number in await self._in_ranges(numbers)} if numbers else taken)

    async def _in_ranges(self, numbers: Collection[int]) -> list[int]:
        least, most = min(numbers), max(numbers)
        ranges = await self._journal.select(SeenRangeRow, source=self._source, order="low", low=Below(most + 1), high=Above(least - 1))
        lows = [row.low for row in ranges]
        return [number for number in numbers if (place := bisect_right(lows, number)) and number <= ranges[place - 1].high]
