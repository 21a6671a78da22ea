"""Events as answers: a listing's entries with what was decided, and one event with its data."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from eventflow import facts
from eventflow.errors import JournalDamaged
from eventflow.ports import JournalView
from eventflow.projections import DecisionRow, EventRow
from eventflow.secret import without_secrets
from eventflow.server.answers import DecisionEntry, EventDetail, EventEntry


async def entries(journal: JournalView, rows: Sequence[EventRow]) -> list[EventEntry]:
    """Give events as they stand in a listing."""
    decisions = await journal.select(DecisionRow, event=tuple(row.event for row in rows)) if rows else []
    by_event: dict[str, list[DecisionEntry]] = {}
    for row in sorted(decisions, key=lambda row: row.seq):
        by_event.setdefault(row.event, []).append(_decision(row))
    return [_entry(row, by_event.get(row.event, [])) for row in rows]


async def detail(journal: JournalView, row: EventRow) -> EventDetail:
    """Give an event with its data. Raises `JournalDamaged` where the journal holds its row and not its fact."""
    fact = (await journal.facts([row.seq])).get(row.seq)
    if not isinstance(fact, facts.EventRecorded):
        raise JournalDamaged(f"the journal holds event {row.event} without its data: run `eventflow journal verify`")
    (known,) = await entries(journal, [row])
    return EventDetail(event=known, data=msgspec.Raw(bytes(fact.data)))


def _decision(row: DecisionRow) -> DecisionEntry:
    reason = None if row.reason is None else without_secrets(row.reason)
    return DecisionEntry(row.trigger, row.outcome, row.decided_at, row.run, reason)


def _entry(row: EventRow, decisions: list[DecisionEntry]) -> EventEntry:
    return EventEntry(
        event=row.event,
        seq=row.seq,
        source=row.source,
        id=row.id,
        type=row.type,
        subject=row.subject,
        time=row.time,
        received_at=row.received_at,
        decisions=decisions,
    )
