"""Runs as answers: a listing's entries, and one run with everything that is known of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from eventflow import facts, ids, states
from eventflow.definition.graph import Graph, Node, upstream
from eventflow.engine.recorded import recorded_run
from eventflow.errors import NotFound
from eventflow.facts import Fact, Failure
from eventflow.ports import JournalView
from eventflow.projections import AttemptRow, CheckpointRow, NodeRow, RunRow
from eventflow.server.answers import AttemptEntry, CheckpointEntry, NodeDetail, RunDetail, RunEntry, ShownValue
from eventflow.server.views.values import shown


def entry(row: RunRow) -> RunEntry:
    """Give a run as it stands in a listing."""
    return RunEntry(**{name: getattr(row, name) for name in RunEntry.__struct_fields__})


async def detail(journal: JournalView, row: RunRow) -> RunDetail:
    """Give a run with its arguments, nodes and ending."""
    known = await recorded_run(journal, row)
    ending = None if row.result_seq is None else (await journal.facts([row.result_seq])).get(row.result_seq)
    return RunDetail(
        run=entry(row),
        arguments=msgspec.Raw(known.given),
        graph=row.graph,
        nodes=nodes(known.graph, known.nodes, await traces(journal, row.run, known.nodes)),
        result=_result(ending),
        failure=_failure(ending),
    )


async def check_node(journal: JournalView, row: RunRow, name: str) -> None:
    """Raise `NotFound`, naming those there are, where a run has no node of a name."""
    names = [node.name for node in (await recorded_run(journal, row)).graph.nodes]
    if name not in names:
        raise NotFound(f"run {ids.short(row.run)} of {row.pipeline} has no node {name[:64]!r}: there is {', '.join(names[:20])}")


@dataclass(frozen=True)
class Traces:
    """What a run's nodes left beside their rows: attempts that have ended, checkpoints, and the facts that hold results and failures."""

    attempts: Mapping[str, Sequence[AttemptRow]]
    checkpoints: Mapping[str, CheckpointRow]
    facts: Mapping[int, Fact]


async def traces(journal: JournalView, run: str, rows: Collection[NodeRow]) -> Traces:
    """Read what is kept of a run's nodes."""
    attempts = await journal.select(AttemptRow, run=run)
    checkpoints = await journal.select(CheckpointRow, run=run)
    wanted = {row.seq for row in attempts if row.state == states.FAILED} | {row.result_seq for row in rows if row.result_seq is not None}
    by_node: dict[str, list[AttemptRow]] = {}
    for row in attempts:
        by_node.setdefault(row.node, []).append(row)
    return Traces(by_node, {row.node: row for row in checkpoints}, await journal.facts(wanted))


def nodes(graph: Graph, rows: Iterable[NodeRow], known: Traces) -> list[NodeDetail]:
    """Give every node of a graph, in its order; one without a row is pending."""
    by_name = {row.node: row for row in rows}
    return [_node(node, by_name.get(node.name), known) for node in graph.nodes]


def _node(node: Node, row: NodeRow | None, known: Traces) -> NodeDetail:
    at = known.checkpoints.get(node.name)
    ending = None if row is None or row.result_seq is None else known.facts.get(row.result_seq)
    return NodeDetail(
        node=node.name,
        task=node.task,
        upstream=list(upstream(node)),
        state=states.PENDING if row is None else row.state,
        attempts=_attempts(known.attempts.get(node.name, ()), row, known.facts),
        started_at=None if row is None else row.started_at,
        ended_at=None if row is None else row.ended_at,
        due=None if row is None else row.due,
        reason=None if row is None else row.reason,
        checkpoint=None if at is None else CheckpointEntry(at.position, at.saved_at),
        result=_result(ending),
        failure=_failure(ending),
    )


def _attempts(ended: Sequence[AttemptRow], row: NodeRow | None, known: Mapping[int, Fact]) -> list[AttemptEntry]:
    found = [
        AttemptEntry(one.attempt, one.state, one.started_at, one.ended_at, one.reason, _failure(known.get(one.seq)))
        for one in sorted(ended, key=lambda one: one.attempt)
    ]
    if row is not None and row.state == states.RUNNING and row.started_at is not None:
        found.append(AttemptEntry(row.attempt, states.RUNNING, row.started_at, None, None, None))
    return found


def _result(ending: Fact | None) -> ShownValue | None:
    return shown(ending.result) if isinstance(ending, facts.RunSucceeded | facts.AttemptSucceeded) else None


def _failure(ending: Fact | None) -> Failure | None:
    return ending.failure if isinstance(ending, facts.RunFailed | facts.AttemptFailed) else None
