"""Runs as answers: a listing's entries, and one run with everything that is known of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from eventflow import facts, ids, states
from eventflow.definition.graph import Graph, Map, Node, joined, map_of, path_of, scope_of, upstream, walk
from eventflow.engine.recorded import RecordedRun, recorded_run
from eventflow.errors import NotFound
from eventflow.facts import Fact, Failure
from eventflow.ports import JournalView
from eventflow.projections import AttemptRow, CheckpointRow, NodeRow, RunRow
from eventflow.server.answers import AttemptEntry, CheckpointEntry, NodeDetail, RunDetail, RunEntry, ShownValue, WaitingEntry
from eventflow.server.views import items, pipelines, waiting
from eventflow.server.views.items import Listing
from eventflow.server.views.values import shown


async def entries(journal: JournalView, rows: Sequence[RunRow]) -> list[RunEntry]:
    """Give runs as they stand in a listing, with what keeps them."""
    waits = await waiting.waits(journal, [row.run for row in rows if row.state == states.SUSPENDED])
    queued = tuple({row.pipeline for row in rows if row.state == states.QUEUED})
    paused = await pipelines.pauses(journal, queued) if queued else {}
    return [
        msgspec.structs.replace(
            entry(row), waits=waits.get(row.run, []), pipeline_paused=paused.get(row.pipeline) if row.state == states.QUEUED else None
        )
        for row in rows
    ]


def entry(row: RunRow) -> RunEntry:
    """Give what a run's row says of it."""
    known = RunRow.__struct_fields__
    return RunEntry(**{name: getattr(row, name) for name in RunEntry.__struct_fields__ if name in known})


async def detail(journal: JournalView, row: RunRow, wanted: Listing | None = None) -> RunDetail:
    """Give a run with its arguments, nodes and ending, and a page of the nodes inside its maps."""
    known = await recorded_run(journal, row)
    ending = None if row.result_seq is None else (await journal.facts([row.result_seq])).get(row.result_seq)
    (shown,) = await entries(journal, [row])
    listed, more = items.page(known.nodes, wanted or Listing())
    return RunDetail(
        run=shown,
        arguments=msgspec.Raw(known.given),
        graph=row.graph,
        nodes=await nodes(journal, row, known, [node.name for node in known.graph.nodes]),
        maps=await items.counted(journal, known.graph, known.nodes),
        items=await nodes(journal, row, known, [one.node for one in listed]),
        after=listed[-1].node if more else None,
        result=_result(ending),
        failure=_failure(ending),
    )


async def surroundings(journal: JournalView, row: RunRow, name: str) -> list[NodeDetail]:
    """Give a node with those beside it: all of the run's own, or, inside a map, those of its item. Raises `NotFound`."""
    known = await recorded_run(journal, row)
    await _check_node(journal, known, row, name)
    scope = scope_of(name)
    return await nodes(journal, row, known, [joined(scope, node.name) for node in _beside(known.graph, scope)])


async def check_part(journal: JournalView, row: RunRow, name: str) -> None:
    """Raise `NotFound`, naming the nodes there are, for what is no node of a run, no item of a map and no group."""
    known = await recorded_run(journal, row)
    inside = (f"{path_of(name)}.", f"{path_of(name)}[")
    has_parts = any(path.startswith(inside) for path, _ in walk(known.graph.nodes))
    if not (has_parts and await items.is_item(journal, known.nodes, scope_of(name))):
        await _check_node(journal, known, row, name)


@dataclass(frozen=True)
class Traces:
    """What nodes left beside their rows: attempts that have ended, checkpoints, waits, and the facts that hold results and failures."""

    attempts: Mapping[str, Sequence[AttemptRow]]
    checkpoints: Mapping[str, CheckpointRow]
    waits: Mapping[str, WaitingEntry]
    facts: Mapping[int, Fact]


async def nodes(journal: JournalView, run: RunRow, known: RecordedRun, names: Sequence[str]) -> list[NodeDetail]:
    """Give the nodes of these names, in this order; one without a row is pending."""
    wanted = frozenset(names)
    rows = {row.node: row for row in known.nodes if row.node in wanted}
    found = await _traces(journal, run, rows.values())
    paths = dict(walk(known.graph.nodes))
    return [_node(paths[path_of(name)], name, rows.get(name), found) for name in names]


async def _traces(journal: JournalView, run: RunRow, rows: Collection[NodeRow]) -> Traces:
    names = tuple(row.node for row in rows)
    attempts = await journal.select(AttemptRow, run=run.run, node=names)
    checkpoints = await journal.select(CheckpointRow, run=run.run, node=names)
    waits = await waiting.of_nodes(journal, run, [row.node for row in rows if row.state == states.SUSPENDED])
    wanted = {row.seq for row in attempts if row.state == states.FAILED} | {row.result_seq for row in rows if row.result_seq is not None}
    by_node: dict[str, list[AttemptRow]] = {}
    for row in attempts:
        by_node.setdefault(row.node, []).append(row)
    by_name = {one.node: one for one in waits}
    return Traces(by_node, {row.node: row for row in checkpoints}, by_name, await journal.facts(wanted))


async def _check_node(journal: JournalView, known: RecordedRun, row: RunRow, name: str) -> None:
    paths = {path for path, _ in walk(known.graph.nodes)}
    if path_of(name) not in paths or not await items.is_item(journal, known.nodes, scope_of(name)):
        there = ", ".join([node.name for node in known.graph.nodes][:20])
        raise NotFound(f"run {ids.short(row.run)} of {row.pipeline} has no node {name[:64]!r}: there is {there}")


def _beside(graph: Graph, scope: str) -> Sequence[Node]:
    if not scope:
        return graph.nodes
    does = dict(walk(graph.nodes))[map_of(path_of(scope))].does
    return does.nodes if isinstance(does, Map) else ()


def _node(node: Node, name: str, row: NodeRow | None, known: Traces) -> NodeDetail:
    at = known.checkpoints.get(name)
    ending = None if row is None or row.result_seq is None else known.facts.get(row.result_seq)
    return NodeDetail(
        node=name,
        task=node.task,
        upstream=[joined(scope_of(name), one) for one in upstream(node)],
        state=states.PENDING if row is None else row.state,
        attempts=_attempts(known.attempts.get(name, ()), row, known.facts),
        started_at=None if row is None else row.started_at,
        ended_at=None if row is None else row.ended_at,
        due=None if row is None else row.due,
        reason=None if row is None else row.reason,
        checkpoint=None if at is None else CheckpointEntry(at.position, at.saved_at),
        result=_result(ending),
        failure=_failure(ending),
        does=None if node.does is None else str(node.does.__struct_config__.tag),
        role=node.role,
        rule=node.rule,
        within=None if node.within is None else joined(scope_of(name), node.within),
        decided=ending.value if isinstance(ending, facts.BranchDecided) else None,
        wait=known.waits.get(name),
        timed_out=isinstance(ending, facts.NodeAnswered) and ending.timed_out,
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
    match ending:
        case facts.RunSucceeded() | facts.AttemptSucceeded() | facts.NodeFellBack() | facts.NodeAnswered():
            return shown(ending.result)
        case facts.NodeReused(result=result) if result is not None:
            return shown(result)
        case _:
            return None


def _failure(ending: Fact | None) -> Failure | None:
    return ending.failure if isinstance(ending, _FAILING) else None


_FAILING = facts.RunFailed | facts.AttemptFailed | facts.NodeFailed | facts.NodeFellBack | facts.MapEnded
