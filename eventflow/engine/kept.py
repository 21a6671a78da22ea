"""The facts with which a rerun begins: what it takes over of the run before it, each node behind those that it depends on.

Results are the very same values: a big one is an artifact, which both runs name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from eventflow import facts, states
from eventflow.definition.graph import HOOK, Graph, Map, Node, item_of, joined
from eventflow.engine.failures import lost
from eventflow.engine.inputs import Reader, available
from eventflow.engine.origin import Origin
from eventflow.engine.outcome import Outcome
from eventflow.engine.reruns import Judged
from eventflow.facts import Fact, Failure
from eventflow.projections import NodeRow


def kept(run: str, graph: Graph, origin: Origin, judged: Judged) -> tuple[Fact, ...]:
    """Give what the new `run` takes over, as it was judged for today's `graph`."""
    return tuple(_Keeper(run, origin, judged).keep(graph.nodes, ""))


@dataclass(frozen=True)
class _Keeper:
    run: str
    origin: Origin
    judged: Judged

    def keep(self, nodes: Sequence[Node], scope: str) -> Iterator[Fact]:
        for node in nodes:
            name = joined(scope, node.name)
            expanded = self.origin.expanded(name) if name in self.judged.expanded else None
            if isinstance(node.does, Map) and expanded is not None:
                yield facts.MapExpanded(self.run, name, expanded.count, expanded.items)
                for key in self.origin.items[name]:
                    yield from self.keep(node.does.nodes, item_of(name, key))
            entry, row = self.judged.entries.get(name), self.origin.rows.get(name)
            if entry is not None and row is not None and self.judged.kept(name):
                yield self._end(node, row)

    def _end(self, node: Node, row: NodeRow) -> Fact:
        match row.state, node.does:
            case states.SUCCEEDED | states.FAILED, Map() as map_ if row.node in self.judged.expanded:
                return facts.MapEnded(self.run, row.node, self._succeeded(map_, row.node), self._failure(row))
            case states.CANCELLED, _:
                return facts.NodeCancelled(self.run, row.node, begun=row.node in self.judged.expanded)
            case states.SUCCEEDED, _:
                return self._succeeded_node(row)
            case states.SKIPPED, _:
                return self._decided(row) or facts.NodeSkipped(self.run, row.node, row.reason or row.node)
            case states.UPSTREAM_FAILED, _:
                return facts.NodeUpstreamFailed(self.run, row.node, row.reason or row.node)
            case _:
                return facts.NodeFailed(self.run, row.node, row.reason or states.FAILED, self._failure(row), begun=False)

    def _succeeded_node(self, row: NodeRow) -> Fact:
        fact = self.origin.fact(row.node)
        source = fact.source if isinstance(fact, facts.NodeReused) else self.origin.run.run
        return self._decided(row) or facts.NodeReused(self.run, row.node, source, self.origin.result(row.node))

    def _decided(self, row: NodeRow) -> Fact | None:
        fact = self.origin.fact(row.node)
        return facts.BranchDecided(self.run, row.node, fact.taken, fact.value) if isinstance(fact, facts.BranchDecided) else None

    def _failure(self, row: NodeRow) -> Failure | None:
        if row.state == states.SUCCEEDED:
            return None
        fact = self.origin.fact(row.node)
        told = fact.failure if isinstance(fact, facts.AttemptFailed | facts.NodeFailed | facts.MapEnded) else None
        return told or lost(row.reason or states.FAILED)

    def _succeeded(self, map_: Map, name: str) -> int:
        return sum(_Item(self.origin, item_of(name, key)).is_well(map_) for key in self.origin.items[name])


@dataclass(frozen=True)
class _Item:
    """How the nodes of one item have ended."""

    origin: Origin
    name: str

    def outcome(self, node: str) -> Outcome:
        row = self.origin.rows.get(joined(self.name, node))
        return Outcome(states.PENDING if row is None else row.state, node)

    def is_well(self, map_: Map) -> bool:
        ends = (self.outcome(node.name).state for node in map_.nodes if node.role != HOOK)
        is_there = map_.result is None or available(map_.result, cast("Reader", self))
        return is_there and all(end in (states.SUCCEEDED, states.SKIPPED) for end in ends)
