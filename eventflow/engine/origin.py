"""The run that a rerun takes results from, as the journal holds it: what is needed to tell what still stands of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from eventflow import facts, states
from eventflow.definition.graph import Child, Graph, path_of, walk
from eventflow.engine.items import items_from
from eventflow.engine.recorded import fact_seqs, recorded_run
from eventflow.engine.values import Values
from eventflow.facts import Fact, Value
from eventflow.ports import JournalView
from eventflow.projections import NodeRow, RunRow

_PAGE = 1000


@dataclass(frozen=True)
class Origin:
    """A run that has ended: its graph, its arguments (canonical JSON), and what its nodes came to, by their names.

    `facts` are those that hold results and items, by their place. `items` names the items of each map that was expanded. `children` are the
    versions of the pipelines that nodes had run and waited for. `changed` gives, by path, the place of the fact behind which a node's code
    was another.
    """

    run: RunRow
    graph: Graph
    given: bytes
    rows: Mapping[str, NodeRow]
    facts: Mapping[int, Fact]
    items: Mapping[str, Sequence[str]]
    children: Mapping[str, str]
    changed: Mapping[str, int]

    def fact(self, node: str) -> Fact | None:
        """Give the fact that holds a node's result or its last failure."""
        row = self.rows.get(node)
        return None if row is None or row.result_seq is None else self.facts.get(row.result_seq)

    def expanded(self, node: str) -> facts.MapExpanded | None:
        """Give the fact that holds a map's items."""
        row = self.rows.get(node)
        fact = None if row is None or row.items_seq is None else self.facts.get(row.items_seq)
        return fact if isinstance(fact, facts.MapExpanded) else None

    def result(self, node: str) -> Value | None:
        """Give the result of a node that succeeded; a map and a branch have none of their own."""
        fact = self.fact(node)
        return fact.result if isinstance(fact, _Giving) else None


async def origin(journal: JournalView, values: Values, run: RunRow) -> Origin:
    """Read a run that has ended. Raises `JournalDamaged` where a part of it is missing."""
    recorded = await recorded_run(journal, run)
    rows = {row.node: row for row in recorded.nodes}
    found = await journal.facts(fact_seqs(recorded.nodes))
    expanded = [fact for fact in found.values() if isinstance(fact, facts.MapExpanded)]
    return Origin(
        run,
        recorded.graph,
        recorded.given,
        rows,
        found,
        {fact.node: await _names(values, fact) for fact in expanded},
        await _children(journal, recorded.graph, rows, found),
        await _changed(journal, run),
    )


async def _names(values: Values, expanded: facts.MapExpanded) -> Sequence[str]:
    snapshot = await values.read(expanded.items)
    recorded = items_from(snapshot.data)
    return [recorded.key(index) for index in range(expanded.count)]


async def _children(journal: JournalView, graph: Graph, rows: Mapping[str, NodeRow], found: Mapping[int, Fact]) -> dict[str, str]:
    paths = {path for path, node in walk(graph.nodes) if isinstance(node.does, Child) and node.does.wait}
    ended = [row for row in rows.values() if paths and path_of(row.node) in paths and row.state == states.SUCCEEDED]
    runs = {row.node: await _child(journal, row, found.get(row.result_seq or 0)) for row in ended}
    versions = {row.run: row.graph for row in await journal.select(RunRow, run=tuple(filter(None, runs.values())))} if runs else {}
    return {node: versions[run] for node, run in runs.items() if run in versions}


async def _child(journal: JournalView, row: NodeRow, fact: Fact | None) -> str | None:
    """Name the run of which a node has its result."""
    if not isinstance(fact, facts.NodeReused):
        return row.reason
    rows = await journal.select(NodeRow, run=fact.source, node=row.node)
    return rows[0].reason if rows else None


async def _changed(journal: JournalView, run: RunRow) -> dict[str, int]:
    submitted = (await journal.facts([run.seq])).get(run.seq)
    if isinstance(submitted, facts.RunSubmitted) and submitted.graph == run.graph:
        return {}
    changed: dict[str, int] = {}
    page = await journal.records(run.seq, limit=_PAGE, run=run.run)
    while page:
        changed |= {path: record.seq for record in page for path in _paths(record.fact)}
        page = await journal.records(page[-1].seq, limit=_PAGE, run=run.run)
    return changed


def _paths(fact: Fact) -> Iterable[str]:
    return fact.nodes if isinstance(fact, facts.CodeChanged) else ()


_Giving = facts.AttemptSucceeded | facts.NodeFellBack | facts.NodeAnswered | facts.NodeReused
