"""Waits for events: which event each of them takes.

An event is for one node of a run, and for every run. One that comes while nobody looks, as between a run's submission and the wait, is
found by looking back: events are durable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from eventflow import facts, states
from eventflow.engine.wanted import EventWanted, OpenWait
from eventflow.ports import Below, JournalView
from eventflow.projections import EventRow, NodeRow, RunRow

_PAGE = 200


class Listening:
    """The open waits for events. It calls `take` with a wait and the event that is to end it; no other may be given to it from then on."""

    def __init__(self, journal: JournalView, take: Callable[[OpenWait, facts.EventRecorded], None]) -> None:
        self._journal = journal
        self._take = take
        self._waits: dict[str, dict[OpenWait, None]] = {}
        self._taken: dict[str, set[str]] = {}

    def add(self, wait: OpenWait, wanted: EventWanted) -> None:
        """Listen for a wait."""
        self._waits.setdefault(wanted.source, {})[wait] = None

    def drop(self, wait: OpenWait, wanted: EventWanted) -> None:
        """Listen for a wait no more. Nothing happens where that is so."""
        waits = self._waits.get(wanted.source, {})
        waits.pop(wait, None)
        if not waits:
            self._waits.pop(wanted.source, None)

    def forget(self, run: str) -> None:
        """Note that a run has ended."""
        self._taken.pop(run, None)

    def happened(self, events: Sequence[facts.EventRecorded]) -> None:
        """Have waits end with events that have just become durable."""
        for event in events:
            for wait in tuple(self._waits.get(event.source, ())):
                self._offer(wait, event)

    def give_back(self, run: str, event: facts.EventRecorded) -> None:
        """Leave an event, which the wait that took it could not end with after all, to the other waits of its run."""
        self._taken.get(run, set[str]()).discard(event.event)
        for wait in tuple(self._waits.get(event.source, ())):
            if wait.run == run:
                self._offer(wait, event)

    async def look_back(self, wait: OpenWait, wanted: EventWanted) -> None:
        """Have a wait end with the first event that came since its run was submitted, unless another node of the run has that."""
        rows = await self._journal.select(RunRow, run=wait.run)
        since = rows[0].seq if rows else 0
        # No attempt is made of what waits: the rows of tasks, of which there may be many, aren't read.
        answered = {row.reason for row in await self._journal.select(NodeRow, run=wait.run, state=states.SUCCEEDED, attempt=0)}
        seqs = [row.seq for row in await self._events_since(since, wanted) if row.event not in answered]
        for start in range(0, len(seqs), _PAGE):
            for _, event in sorted((await self._journal.facts(seqs[start : start + _PAGE])).items()):
                if isinstance(event, facts.EventRecorded) and self._offer(wait, event):
                    return

    async def _events_since(self, seq: int, wanted: EventWanted) -> list[EventRow]:
        given = {"source": wanted.source, "type": wanted.type, "subject": wanted.subject}
        equals: dict[str, object] = {name: value for name, value in given.items() if value is not None}
        found: list[EventRow] = []
        while True:
            page = await self._journal.select(EventRow, order="seq", descending=True, limit=_PAGE, **equals)
            found += [row for row in page if row.seq > seq]
            if len(page) < _PAGE or page[-1].seq <= seq:
                return found[::-1]
            equals["seq"] = Below(page[-1].seq)

    def _offer(self, wait: OpenWait, event: facts.EventRecorded) -> bool:
        taken = self._taken.get(wait.run, ())
        if wait.taken or event.event in taken or not isinstance(wait.wanted, EventWanted) or not wait.wanted.is_met_by(event):
            return False
        wait.taken = True
        self._taken.setdefault(wait.run, set()).add(event.event)
        self._take(wait, event)
        return True
