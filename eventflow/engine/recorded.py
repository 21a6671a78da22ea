"""What the journal knows of runs, read and put together: for taking them up again, and for showing them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eventflow import facts, states
from eventflow.definition import graph as graphs
from eventflow.definition.graph import Graph
from eventflow.engine.checkpoints import Saved
from eventflow.engine.failures import lost
from eventflow.engine.frame import Past
from eventflow.engine.outcome import Outcome
from eventflow.errors import JournalDamaged, NotFound
from eventflow.facts import Fact
from eventflow.ports import Journal, JournalView
from eventflow.projections import AttemptRow, CheckpointRow, GraphRow, NodeRow, RunRow


@dataclass(frozen=True)
class RecordedRun:
    """What is recorded of a run: its graph, its arguments (canonical JSON), and the rows of its nodes."""

    graph: Graph
    given: bytes
    nodes: Sequence[NodeRow]

    def ran_since(self, started_at: int | None) -> int:
        """Give for how many microseconds the run is known to have run since an instant: to the last thing that happened in it."""
        last = max((row.ended_at or row.started_at or 0 for row in self.nodes), default=0)
        return 0 if started_at is None else max(0, last - started_at)


async def run_row(journal: JournalView, run: str) -> RunRow:
    """Give the row of a run. Raises `NotFound`."""
    rows = await journal.select(RunRow, run=run)
    if not rows:
        raise NotFound(f"there is no run {run}")
    return rows[0]


async def recorded_run(journal: JournalView, run: RunRow) -> RecordedRun:
    """Read what is recorded of a run. Raises `JournalDamaged` where a part of it is missing."""
    rows = await journal.select(GraphRow, digest=run.graph)
    found = await journal.facts([run.seq, *(row.seq for row in rows)])
    submitted, recorded = found.get(run.seq), found.get(rows[0].seq) if rows else None
    if not isinstance(submitted, facts.RunSubmitted) or not isinstance(recorded, facts.GraphRecorded):
        raise JournalDamaged(f"the journal holds run {run.run} without its arguments or its graph: run `eventflow journal verify`")
    return RecordedRun(graphs.decode(recorded.graph), bytes(submitted.arguments), await journal.select(NodeRow, run=run.run))


async def past(journal: Journal, run: str) -> dict[str, Past]:
    """Give what each node of a run that has begun had come to, those that have ended in that order."""
    nodes = await journal.select(NodeRow, run=run, order="ended_at")
    failed = [(row.node, row.attempt) for row in await journal.select(AttemptRow, run=run, state=states.FAILED)]
    since = {row.node: row.fallback or 0 for row in nodes}
    failures = Counter(node for node, attempt in failed if attempt > since.get(node, 0))
    checkpoints = {row.node: row for row in await journal.select(CheckpointRow, run=run)}
    found = await journal.facts([*fact_seqs(nodes), *(row.seq for row in checkpoints.values())])
    return {row.node: _past(row, failures[row.node], found, checkpoints.get(row.node)) for row in nodes}


def fact_seqs(nodes: Iterable[NodeRow]) -> list[int]:
    """Give the places of the facts that hold what nodes came to, and the items of maps."""
    return [seq for row in nodes for seq in (row.result_seq, row.items_seq) if seq is not None]


def _past(row: NodeRow, failures: int, found: dict[int, Fact], checkpoint: CheckpointRow | None) -> Past:
    expanded = None if row.items_seq is None else found.get(row.items_seq)
    items = expanded.items if isinstance(expanded, facts.MapExpanded) else None
    if row.state in states.ENDED_NODE:
        return Past(row.state, outcome=_outcome(row, None if row.result_seq is None else found.get(row.result_seq)), items=items)
    return Past(
        row.state,
        attempt=row.attempt,
        failures=failures,
        crashes=row.crashes,
        due=row.due if row.state == states.RETRYING else None,
        queued_until=row.due if row.state == states.QUEUED else None,
        fallback=row.fallback is not None,
        items=items,
        is_unwanted=row.cancel_requested,
        saved=_saved(None if checkpoint is None else found.get(checkpoint.seq)),
    )


def _outcome(row: NodeRow, fact: Fact | None) -> Outcome:
    match fact:
        case facts.AttemptFailed() if row.state == states.FAILED:
            return Outcome(row.state, row.node, failure=fact.failure)
        case facts.NodeFailed() | facts.MapEnded():
            return Outcome(row.state, row.node, failure=fact.failure)
        case facts.AttemptSucceeded() | facts.NodeFellBack() | facts.NodeAnswered() | facts.NodeReused():
            return Outcome(row.state, row.node, result=fact.result)
        case _ if row.state == states.SKIPPED:
            return Outcome(row.state, row.node, by=row.reason)
        case _ if row.state == states.SUCCEEDED:
            return Outcome(row.state, row.node)
        case _:
            return Outcome(row.state, row.node, failure=lost(row.reason or row.state))


def _saved(fact: Fact | None) -> Saved:
    return Saved(fact.position, fact.state) if isinstance(fact, facts.CheckpointSaved) else Saved()
