"""All that is known of what happened: what the journal holds, what the ledger saw, and what the code promises."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from eventflow import facts, states
from eventflow.definition import graph as graphs
from eventflow.definition.bodies import Body
from eventflow.definition.graph import Node, path_of, walk
from eventflow.definition.pipelines import Pipeline
from eventflow.facts import Fact, Record
from eventflow.projections import Row
from eventflow.testing.ledger import BodyStarted, Entry

F = TypeVar("F", bound=Fact)
E = TypeVar("E", bound=Entry)

NodeName = tuple[str, str]
"""A run and a node of it."""


class End(NamedTuple):
    """The end of a node: the place and the instant of its fact, and the state."""

    seq: int
    at: int
    state: str


@dataclass(frozen=True)
class Evidence:
    """The journal's records and rows, the ledger's entries, and what the code promises.

    `triggers` names the triggers of each source. `finished` says that everything has been given the time to end.
    """

    records: Sequence[Record]
    rows: Mapping[type[Row], Sequence[Row]]
    entries: Sequence[Entry]
    pipelines: Mapping[str, Pipeline[..., Any]] = field(default_factory=dict[str, Pipeline[..., Any]])
    triggers: Mapping[str, Collection[str]] = field(default_factory=dict[str, Collection[str]])
    finished: bool = True

    def facts(self, kind: type[F]) -> list[F]:
        """Give the facts of one kind, in order."""
        return [record.fact for record in self.records if isinstance(record.fact, kind)]

    def written(self, kind: type[E]) -> list[E]:
        """Give the ledger's entries of one kind, in order."""
        return [entry for entry in self.entries if isinstance(entry, kind)]

    @cached_property
    def submitted(self) -> dict[str, facts.RunSubmitted]:
        """The submission of each run."""
        return {fact.run: fact for fact in self.facts(facts.RunSubmitted)}

    @cached_property
    def results(self) -> dict[NodeName, list[Record]]:
        """The results of each node's attempts."""
        found: dict[NodeName, list[Record]] = {}
        for record in self.records:
            if isinstance(record.fact, facts.AttemptSucceeded):
                found.setdefault((record.fact.run, record.fact.node), []).append(record)
        return found

    @cached_property
    def ends(self) -> dict[NodeName, list[End]]:
        """The ends of each node. There should be one."""
        found: dict[NodeName, list[End]] = {}
        for record in self.records:
            if (state := _end(record.fact)) is not None:
                found.setdefault((record.fact.run, record.fact.node), []).append(End(record.seq, record.at, state))  # type: ignore[union-attr]
        return found

    @cached_property
    def bodies(self) -> dict[NodeName, list[BodyStarted]]:
        """Each time that the body of a node was begun."""
        found: dict[NodeName, list[BodyStarted]] = {}
        for entry in self.written(BodyStarted):
            found.setdefault((entry.run, entry.node), []).append(entry)
        return found

    @cached_property
    def graphs(self) -> dict[str, dict[str, Node]]:
        """For each run, the nodes of its graph by path. New code changes nothing of what is asked of them here."""
        recorded = {fact.digest: dict(walk(graphs.decode(fact.graph).nodes)) for fact in self.facts(facts.GraphRecorded)}
        return {run: recorded[submitted.graph] for run, submitted in self.submitted.items() if submitted.graph in recorded}

    def node(self, name: NodeName) -> Node | None:
        """Give a node as it stands in its run's graph, where that is known."""
        return self.graphs.get(name[0], {}).get(path_of(name[1]))

    def body(self, name: NodeName) -> Body | None:
        """Give a node's function and options in the code, where that was given and the node is a task."""
        submitted = self.submitted.get(name[0])
        pipeline = None if submitted is None else self.pipelines.get(submitted.pipeline)
        body = None if pipeline is None else pipeline.definition.bodies.get(path_of(name[1]))
        return body if isinstance(body, Body) else None


def _end(fact: Fact) -> str | None:
    """Give the state in which a fact leaves its node for good."""
    match fact:
        case facts.BranchDecided(taken=False):
            return states.SKIPPED
        case facts.MapEnded(failure=facts.Failure()):
            return states.FAILED
        case _:
            to = states.NODE[type(fact)].to if type(fact) in states.NODE else None
            return to if to in states.ENDED_NODE else None
