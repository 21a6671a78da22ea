"""What runs wait for, as answers: everything that is open, and the little that a listing of runs says of it."""

from __future__ import annotations

from collections.abc import Sequence

from eventflow import facts
from eventflow.engine import wanted as wants
from eventflow.engine.wanted import AnswerWanted, ChildWanted, EventWanted
from eventflow.ports import JournalView
from eventflow.projections import RunRow, WaitRow
from eventflow.server.answers import AskedFor, WaitEntry, WaitingEntry


async def waiting(journal: JournalView) -> list[WaitingEntry]:
    """Give every open wait, the oldest first."""
    rows = sorted(await journal.select(WaitRow), key=lambda row: (row.since, row.run, row.node))
    runs = {row.run: row for row in await journal.select(RunRow, run=tuple({row.run for row in rows}))} if rows else {}
    found = await journal.facts([row.seq for row in rows])
    suspended = ((row, found.get(row.seq)) for row in rows if row.run in runs)
    return [_entry(row, runs[row.run], fact) for row, fact in suspended if isinstance(fact, facts.NodeSuspended)]


async def of_run(journal: JournalView, run: str, node: str) -> WaitingEntry | None:
    """Give what one node waits for, if it does."""
    rows = await journal.select(WaitRow, run=run, node=node)
    runs = await journal.select(RunRow, run=run) if rows else []
    fact = (await journal.facts([rows[0].seq])).get(rows[0].seq) if rows else None
    return _entry(rows[0], runs[0], fact) if runs and isinstance(fact, facts.NodeSuspended) else None


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
        shown=None if asked is None else asked.shown,
        event=AskedFor(wanted.source, wanted.type, wanted.subject, wanted.match) if isinstance(wanted, EventWanted) else None,
        child=wanted.run if isinstance(wanted, ChildWanted) else None,
        has_default=wanted.default is not None,
    )
