"""The identities of one source, as the journal has them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from eventflow.ports import Journal
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
        numbers = [(number, name) for name in ids if name not in taken and (number := whole_number(name)) is not None]
        if numbers:
            ranges = await self._journal.select(SeenRangeRow, source=self._source)
            taken |= {name for number, name in numbers if any(row.low <= number <= row.high for row in ranges)}
        return frozenset(taken)


def whole_number(identity: str) -> int | None:
    """Give an identity as the number that it is written as, if it is one that a range can hold: `4711`, not `04711` or `+4711`."""
    if not (identity.isascii() and identity.isdigit() and len(identity) <= 18) or (identity[0] == "0" and identity != "0"):
        return None
    return int(identity)
