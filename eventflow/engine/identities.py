"""The identities of one source, as the journal has them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from eventflow.ports import Journal
from eventflow.projections import SeenRow


class JournalSeen:
    """The `Seen` port on a journal."""

    def __init__(self, journal: Journal, source: str) -> None:
        self._journal = journal
        self._source = source

    async def all(self) -> Mapping[str, int | None]:
        return {row.id: row.forgotten_at for row in await self._journal.select(SeenRow, source=self._source)}

    async def of(self, ids: Collection[str]) -> frozenset[str]:
        if not ids:
            return frozenset()
        return frozenset(row.id for row in await self._journal.select(SeenRow, source=self._source, id=tuple(ids)))
