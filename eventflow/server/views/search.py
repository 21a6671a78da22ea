"""Finding runs and events: by a whole id or by its last digits, and page by page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from eventflow import ids
from eventflow.durations import SECOND
from eventflow.errors import Ambiguous, InvalidRequest, NotFound
from eventflow.ports import Below, Ending, JournalView
from eventflow.projections import DecisionRow, EventRow, RunRow

SHORTEST = 4
"""The fewest last digits by which something is looked for."""

_DIGITS = re.compile(r"[0-9a-f]{1,32}")
_LISTED = 10

RowT = TypeVar("RowT", RunRow, EventRow, DecisionRow)
FoundT = TypeVar("FoundT", bound=RunRow | EventRow)


async def find_run(journal: JournalView, typed: str) -> RunRow:
    """Give the run that an id or its last digits name. Raises `NotFound`, `Ambiguous`, `InvalidRequest`."""
    return _only(typed, await _runs(journal, _digits(typed, "run")), "run")


async def find_event(journal: JournalView, typed: str) -> EventRow:
    """Give the event that an id or its last digits name. Raises `NotFound`, `Ambiguous`, `InvalidRequest`."""
    return _only(typed, await _events(journal, _digits(typed, "event")), "event")


async def find(journal: JournalView, typed: str) -> RunRow | EventRow:
    """Give the run or event that an id or its last digits name. Raises `NotFound`, `Ambiguous`, `InvalidRequest`."""
    digits = _digits(typed, "run or event")
    return _only(typed, [*await _runs(journal, digits), *await _events(journal, digits)], "run or event")


async def newest(
    journal: JournalView, table: type[RowT], *, limit: int, before: int | None, equals: Mapping[str, str | tuple[str, ...]] | None = None
) -> list[RowT]:
    """Give up to `limit` rows, the newest first, of those whose `seq` is below `before`."""
    conditions: dict[str, object] = {**(equals or {})}
    if before is not None:
        conditions["seq"] = Below(before)
    return await journal.select(table, order="seq", descending=True, limit=limit, **conditions)  # pyright: ignore[reportArgumentType]


async def decided(journal: JournalView, outcome: str, *, source: str | None, limit: int, before: int | None) -> list[EventRow]:
    """Give up to `limit` events of which some trigger decided so, of one source or of all: the newest first, those below `before`.

    What is decided about an event is committed right behind it, and before the next event: both have one order.
    """
    if source is None:
        return await _decided(journal, outcome, limit, before)
    return await _decided_of(journal, outcome, source, limit, before)


async def _decided(journal: JournalView, outcome: str, limit: int, before: int | None) -> list[EventRow]:
    found: dict[str, None] = {}  # several triggers may have decided so about one event
    while len(found) < limit:
        page = await newest(journal, DecisionRow, limit=limit, before=before, equals={"outcome": outcome})
        found.update(dict.fromkeys(row.event for row in page))
        if len(page) < limit:
            break
        before = page[-1].seq
    rows = await journal.select(EventRow, event=tuple(found)[:limit]) if found else []
    return sorted(rows, key=lambda row: row.seq, reverse=True)


async def _decided_of(journal: JournalView, outcome: str, source: str, limit: int, before: int | None) -> list[EventRow]:
    """Go through the events of a source, and pass over stretches in which nothing was decided so about any event."""
    found: list[EventRow] = []
    while len(found) < limit:
        nearest = await newest(journal, DecisionRow, limit=1, before=before, equals={"outcome": outcome})
        page = await newest(journal, EventRow, limit=limit, before=nearest[0].seq, equals={"source": source}) if nearest else []
        # Of these few by their primary key: asked for the outcome as well, SQLite might go through all that were decided so.
        decisions = await journal.select(DecisionRow, event=tuple(row.event for row in page)) if page else []
        wanted = {row.event for row in decisions if row.outcome == outcome}
        found += [row for row in page if row.event in wanted]
        if len(page) < limit:
            break
        before = page[-1].seq
    return found[:limit]


def _digits(typed: str, what: str) -> str:
    digits = typed.lower()
    if _DIGITS.fullmatch(digits) is None:
        raise NotFound(f"{typed[:64]!r} names no {what}: an id is made of the digits 0-9 and a-f")
    if len(digits) < SHORTEST:
        raise InvalidRequest(f"{typed!r} is too short: give at least the last {SHORTEST} digits of the id")
    return digits


async def _runs(journal: JournalView, digits: str) -> list[RunRow]:
    return await journal.select(RunRow, order="seq", descending=True, run=digits if ids.is_id(digits) else Ending(digits))


async def _events(journal: JournalView, digits: str) -> list[EventRow]:
    return await journal.select(EventRow, order="seq", descending=True, event=digits if ids.is_id(digits) else Ending(digits))


def _only(typed: str, found: Sequence[FoundT], what: str) -> FoundT:
    if not found:
        raise NotFound(f"there is no {what} {typed}")
    if len(found) > 1:
        candidates = "; ".join(map(_candidate, found[:_LISTED]))
        more = f"; and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
        raise Ambiguous(f"{typed} fits {len(found)} ids, type more digits: {candidates}{more}")
    return found[0]


def _candidate(row: RunRow | EventRow) -> str:
    if isinstance(row, RunRow):
        return f"run {row.run} ({row.pipeline}, {row.state}, {_instant(row.created_at)})"
    return f"event {row.event} ({row.type} from {row.source}, {_instant(row.received_at)})"


def _instant(at: int) -> str:
    return datetime.fromtimestamp(at / SECOND, UTC).isoformat(sep=" ", timespec="seconds")
