"""How long the identities of events are kept that are gone from their source."""

from __future__ import annotations

import math

from eventflow import durations, facts
from eventflow.facts import Unit
from eventflow.ports import Ports
from eventflow.projections import SeenRow

RETENTION = durations.microseconds("30d")
"""How long the identity of an event that is gone from its source is kept."""

_PAUSE = durations.seconds("1d")
_CHUNK = 500


class Retention:
    """Frees the identities of one source whose time is over.

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
        expired = await self._expired()
        for start in range(0, len(expired), _CHUNK):
            happened = facts.IdentitiesExpired(self._source, tuple(expired[start : start + _CHUNK]))
            await self._ports.journal.commit(Unit(self._ports.clock.now(), (happened,)))

    async def _expired(self) -> list[str]:
        before = self._ports.clock.now() - RETENTION
        rows = await self._ports.journal.select(SeenRow, source=self._source)
        return [row.id for row in rows if row.forgotten_at is not None and row.forgotten_at < before]
