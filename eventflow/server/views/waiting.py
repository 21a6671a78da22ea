"""What runs wait for, as answers: everything that is open, and the little that a listing of runs says of it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET

from eventflow import facts
from eventflow.engine import wanted as wants
from eventflow.engine.wanted import AnswerWanted, ChildWanted, EventWanted
from eventflow.ports import JournalView
from eventflow.projections import RunRow, WaitRow
from eventflow.server.answers import AskedFor, WaitEntry, WaitingEntry


async def waiting(journal: JournalView) -> list[WaitingEntry]:
    """Give every open wait, the oldest first."""
    rows = sorted(await journal.select(WaitRow), key=lambda row: (row.since, row.run, row.node))
    runs = await journal.select(RunRow, run=tuple({row.run for row in rows})) if rows else []
    return await _entries(journal, rows, runs)


async def of_nodes(journal: JournalView, run: RunRow, nodes: Sequence[str]) -> list[WaitingEntry]:
    """Give what some nodes of a run wait for, if they do."""
    return await _entries(journal, await journal.select(WaitRow, run=run.run, node=tuple(nodes)) if nodes else [], [run])


async def waits(journal: JournalView, runs: Sequence[str]) -> dict[str, list[WaitEntry]]:
    """Give what each of some runs waits for, in a few words: the oldest waits of each."""
    rows = await journal.select(WaitRow, run=tuple(runs), order="since") if runs else []
    found: dict[str, list[WaitEntry]] = {}
    for row in rows:
        known = found.setdefault(row.run, [])
        if len(known) < MOST:
            known.append(WaitEntry(row.node, row.kind, row.since, row.due))
    return found


MOST = 3
"""How many of a run's waits a listing names."""


async def _entries(journal: JournalView, rows: Sequence[WaitRow], runs: Sequence[RunRow]) -> list[WaitingEntry]:
    known = {row.run: row for row in runs}
    found = await journal.facts([row.seq for row in rows])
    suspended = ((row, found.get(row.seq)) for row in rows if row.run in known)
    return [_entry(row, known[row.run], fact) for row, fact in suspended if isinstance(fact, facts.NodeSuspended)]


def _entry(row: WaitRow, run: RunRow, fact: facts.NodeSuspended) -> WaitingEntry:
    wanted = wants.decode(fact.wanted)
    asked = wanted if isinstance(wanted, AnswerWanted) else None
    return WaitingEntry(
        run=row.run,
        pipeline=run.pipeline,
        node=row.node,
        kind=row.kind,
        since=row.since,
        due=row.due,
        question=None if asked is None else asked.question,
        form=None if asked is None else asked.form,
        who=[] if asked is None else list(asked.who),
        shown=None if asked is None or asked.shown is UNSET else asked.shown,
        event=AskedFor(wanted.source, wanted.type, wanted.subject, wanted.match) if isinstance(wanted, EventWanted) else None,
        child=wanted.run if isinstance(wanted, ChildWanted) else None,
        has_default=wanted.default is not UNSET,
    )
