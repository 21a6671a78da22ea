"""What becomes of a run that the last process left open: a pure plan from what is recorded. The plan runs nothing.

A plan is facts to commit and, where the run goes on, what each node had come to. The engine then feeds the run through its normal start.
Planning twice, or after a crash during the recovery itself, gives the same end: a lost attempt is no longer running once it is recorded.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import msgspec

from eventflow import codec, facts, states
from eventflow.definition import graph as graphs
from eventflow.definition.bodies import Body
from eventflow.definition.graph import Binding, Graph, Node, outputs
from eventflow.definition.pipelines import Definition
from eventflow.engine.inputs import NAMED, POSITIONAL
from eventflow.errors import ParameterError
from eventflow.facts import Fact
from eventflow.projections import NodeRow, RunRow


@dataclass(frozen=True)
class Plan:
    """What recovery does with one run: the facts to commit first, whether it goes on, and with which graph."""

    facts: tuple[Fact, ...]
    resumes: bool
    graph: Graph


def plan(run: RunRow, nodes: Sequence[NodeRow], graph: Graph, given: bytes, definition: Definition | None) -> Plan:
    """Plan the recovery of an open run, whose arguments are `given`. `definition` is today's pipeline, None where it is gone."""
    if run.cancel_requested:
        return Plan(cancelled(run.run, nodes, graph), resumes=False, graph=graph)
    lost = _lost(run.run, nodes, definition)
    misfit = None if definition is None else _misfit(run, nodes, graph, given, definition)
    if definition is None or misfit is not None:
        reason = misfit or f"there is no pipeline {run.pipeline!r} in the code any more"
        held = () if run.state == states.HELD else (facts.RunHeld(run.run, reason),)
        return Plan((*lost, *held), resumes=False, graph=graph)
    released = (facts.RunReleased(run.run),) if run.state == states.HELD else ()
    renewed, noted = _renewed(run, nodes, graph, definition)
    return Plan((*lost, *released, *noted), resumes=True, graph=renewed)


def cancelled(run: str, nodes: Sequence[NodeRow], graph: Graph) -> tuple[Fact, ...]:
    """Give the facts by which a run that nothing executes is cancelled."""
    return (*_cancelled_nodes(run, nodes, graph), facts.RunCancelled(run))


# Attempts that died with the process


def _lost(run: str, nodes: Sequence[NodeRow], definition: Definition | None) -> list[Fact]:
    found: list[Fact] = []
    for row in nodes:
        crashes = row.crashes
        if row.state == states.RUNNING:
            crashes += 1
            found.append(facts.AttemptLost(run, row.node, row.attempt, row.started_at or 0, states.CRASH, crashes))
        elif row.state != states.RETRYING or row.reason != states.CRASH:
            continue
        body = None if definition is None else definition.bodies.get(row.node)
        verdict = None if body is None else _verdict(body, crashes)
        if verdict is not None:
            found.append(facts.NodeFailed(run, row.node, verdict))
    return found


def _verdict(body: Body, crashes: int) -> str | None:
    # Also asked for an attempt that was found lost while the run was held: then nobody knew its options.
    if body.options.at_most_once:
        return states.UNKNOWN
    return states.POISONED if crashes >= body.options.max_crashes else None


def _cancelled_nodes(run: str, nodes: Sequence[NodeRow], graph: Graph) -> list[Fact]:
    rows = {row.node: row for row in nodes}
    found: list[Fact] = []
    for node in graph.nodes:
        row = rows.get(node.name)
        if row is None:
            found.append(facts.NodeCancelled(run, node.name))
        elif row.state == states.RUNNING:
            found.append(facts.AttemptCancelled(run, node.name, row.attempt, row.started_at or 0, states.CRASH))
        elif row.state == states.RETRYING:
            found.append(facts.NodeCancelled(run, node.name, row.attempt))
    return found


# Code that has changed


def _misfit(run: RunRow, nodes: Sequence[NodeRow], graph: Graph, given: bytes, definition: Definition) -> str | None:
    wanted = [*([] if graph.result is None else [graph.result])]
    for node in _unended(nodes, graph):
        body = definition.bodies.get(node.name)
        if body is None:
            return f"node {node.name!r}, which hasn't ended, is no longer in pipeline {run.pipeline!r}"
        refusal = _refusal(node, body)
        if refusal is not None:
            return f"what the run hands to node {node.name!r} no longer fits its task: {refusal}"
        wanted += node.inputs.values()
    return _unreadable(run, given, wanted, definition)


def _unreadable(run: RunRow, given: bytes, wanted: Sequence[Binding], definition: Definition) -> str | None:
    """Tell which value can't be read any more, because nothing says of what type it is."""
    for name in chain.from_iterable(map(outputs, wanted)):
        if name not in definition.bodies:
            return f"the result of node {name!r} is still needed, but the node is no longer in pipeline {run.pipeline!r}"
    try:
        definition.parameters.decode(given)
    except ParameterError as error:
        return f"its arguments no longer fit: {error}"
    return None


def _refusal(node: Node, body: Body) -> str | None:
    collected = {POSITIONAL, NAMED} & set(node.inputs)
    if not collected <= set(body.inputs):
        return f"it no longer takes {' and '.join(sorted(collected - set(body.inputs)))}"
    named = dict.fromkeys(set(node.inputs) - collected)
    try:
        inspect.signature(body.fn).bind(**named)
    except TypeError as error:
        return str(error)
    return None


def _renewed(run: RunRow, nodes: Sequence[NodeRow], graph: Graph, definition: Definition) -> tuple[Graph, tuple[Fact, ...]]:
    today = {node.name: node for node in definition.graph.nodes}
    changed = {
        node.name: msgspec.structs.replace(node, task=today[node.name].task, fingerprint=today[node.name].fingerprint)
        for node in _unended(nodes, graph)
        if today[node.name].fingerprint != node.fingerprint
    }
    if not changed:
        return graph, ()
    renewed = msgspec.structs.replace(graph, nodes=tuple(changed.get(node.name, node) for node in graph.nodes))
    raw = graphs.encode(renewed)
    version = codec.digest(raw)
    return renewed, (facts.GraphRecorded(version, msgspec.Raw(raw)), facts.CodeChanged(run.run, version, tuple(changed)))


def _unended(nodes: Sequence[NodeRow], graph: Graph) -> list[Node]:
    ended = {row.node for row in nodes if row.state in states.ENDED_NODE}
    return [node for node in graph.nodes if node.name not in ended]
