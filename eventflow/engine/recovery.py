"""What becomes of a run that the last process left open: a pure plan from what is recorded. The plan runs nothing.

A plan is facts to commit and, where the run goes on, what each node had come to. The engine then feeds the run through its normal start.
Planning twice, or after a crash during the recovery itself, gives the same end: a lost attempt is no longer running once it is recorded.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from eventflow import codec, facts, states
from eventflow.definition import graph as graphs
from eventflow.definition.bodies import AnyBody, Body, BranchBody, ChildBody, MapBody, WaitBody
from eventflow.definition.graph import TASK, Branch, Child, Graph, Map, Node, Wait, joined, outputs, path_of, scope_of, walk
from eventflow.definition.pipelines import Definition
from eventflow.engine.inputs import NAMED, POSITIONAL
from eventflow.errors import ParameterError
from eventflow.facts import Fact
from eventflow.projections import NodeRow, RunRow


@dataclass(frozen=True)
class Plan:
    """What recovery does with one run: the facts to commit first, whether it goes on, and with which graph.

    One that is to be cancelled is `cancelled`: it goes on only to be closed, or, where there is nothing to close, is ended by these facts.
    `reason` says why it is held, `changed` which nodes take new code.
    """

    facts: tuple[Fact, ...]
    resumes: bool
    graph: Graph
    cancelled: bool = False
    reason: str | None = None
    changed: tuple[str, ...] = ()


def plan(run: RunRow, nodes: Sequence[NodeRow], graph: Graph, given: bytes, definition: Definition | None, *, holds: bool = False) -> Plan:
    """Plan the recovery of an open run, whose arguments are `given`. `definition` is today's pipeline, None where it is gone.

    With `holds` a run whose unfinished nodes have new code waits for a person.
    """
    misfit = None if definition is None else _misfit(run, nodes, graph, given, definition)
    fits = definition is not None and misfit is None
    if run.cancel_requested:
        return _closed(run, nodes, graph, fits=fits)
    lost = _lost(run.run, nodes, definition)
    if definition is not None and misfit is None and holds and (changed := _changed(nodes, graph, definition)):
        misfit = f"its pipeline holds runs whose code has changed: {', '.join(changed)}"
    if definition is None or misfit is not None:
        reason = misfit or f"there is no pipeline {run.pipeline!r} in the code any more"
        held = () if run.state == states.HELD else (facts.RunHeld(run.run, reason),)
        return Plan((*lost, *held), resumes=False, graph=graph, reason=reason)
    released = (facts.RunReleased(run.run),) if run.state == states.HELD else ()
    changed = _changed(nodes, graph, definition)
    renewed, noted = _renewed(run, graph, changed)
    return Plan((*lost, *released, *noted), resumes=True, graph=renewed, changed=tuple(changed))


def cancelled(run: str, nodes: Sequence[NodeRow], graph: Graph) -> tuple[Fact, ...]:
    """Give the facts by which a run that nothing executes is cancelled."""
    return (*cancelled_nodes(run, nodes, graph.nodes), facts.RunCancelled(run))


def cancelled_nodes(run: str, rows: Sequence[NodeRow], nodes: Sequence[Node]) -> list[Fact]:
    """Give the facts by which what hasn't ended of some nodes, and of their `rows`, is cancelled."""
    known = {row.node for row in rows}
    begun = [_cancelled_node(run, row) for row in rows if row.state not in states.ENDED_NODE]
    return [*begun, *(facts.NodeCancelled(run, node.name) for node in nodes if node.name not in known)]


def cancelled_node(run: str, rows: Sequence[NodeRow], graph: Graph, node: str) -> list[Fact] | None:
    """Give the facts by which one node of a run that nothing executes is cancelled: of a map none, since that is cancelled where it goes
    on, item by item. None where no such node is open.
    """
    row = next((row for row in rows if row.node == node), None)
    if row is None:
        return [facts.NodeCancelled(run, node)] if node in {one.name for one in graph.nodes} else None
    if row.state in states.ENDED_NODE:
        return None
    return [] if _is_map(row) else [_cancelled_node(run, row)]


def has_unwanted_map(rows: Iterable[NodeRow]) -> bool:
    """Tell whether a map is to be cancelled, which its run does where it goes on."""
    return any(row.cancel_requested and _is_map(row) for row in rows)


def _closed(run: RunRow, nodes: Sequence[NodeRow], graph: Graph, *, fits: bool) -> Plan:
    """Plan the end of a run that is to be cancelled: where it has begun, its closing nodes run first, those of its items too."""
    closing = {path for path, node in walk(graph.nodes) if node.role != TASK}
    if not closing or not fits or run.started_at is None:
        return Plan(cancelled(run.run, nodes, graph), resumes=False, graph=graph, cancelled=True)
    main = [node for node in graph.nodes if node.role == TASK]
    rows = [row for row in nodes if path_of(row.node) not in closing]
    lost = [_lost_attempt(run.run, row) for row in nodes if path_of(row.node) in closing and _was_running(row)]
    released = (facts.RunReleased(run.run),) if run.state == states.HELD else ()
    woken = (facts.RunWoken(run.run),) if run.state == states.SUSPENDED else ()
    return Plan((*cancelled_nodes(run.run, rows, main), *lost, *released, *woken), resumes=True, graph=graph, cancelled=True)


# Attempts that died with the process


def _lost(run: str, nodes: Sequence[NodeRow], definition: Definition | None) -> list[Fact]:
    found: list[Fact] = []
    for row in nodes:
        if row.cancel_requested and row.state not in states.ENDED_NODE and not _is_map(row):
            found.append(_cancelled_node(run, row))
            continue
        crashes = row.crashes
        if _was_running(row):
            crashes += 1
            found.append(_lost_attempt(run, row))
        elif row.state != states.RETRYING or row.reason != states.CRASH:
            continue
        body = None if definition is None else definition.bodies.get(path_of(row.node))
        verdict = _verdict(body, crashes) if isinstance(body, Body) else None
        if verdict is not None:
            found.append(facts.NodeFailed(run, row.node, verdict))
    return found


def _was_running(row: NodeRow) -> bool:
    return row.state == states.RUNNING and not _is_map(row)


def _is_map(row: NodeRow) -> bool:
    # A running map has no attempt: it goes on with its items.
    return row.state == states.RUNNING and row.attempt == 0


def _lost_attempt(run: str, row: NodeRow) -> facts.AttemptLost:
    return facts.AttemptLost(run, row.node, row.attempt, row.started_at or 0, states.CRASH, row.crashes + 1)


def _verdict(body: Body, crashes: int) -> str | None:
    # Also asked for an attempt that was found lost while the run was held: then nobody knew its options.
    if body.options.at_most_once:
        return states.UNKNOWN
    return states.POISONED if crashes >= body.options.max_crashes else None


def _cancelled_node(run: str, row: NodeRow) -> Fact:
    if _was_running(row):
        return facts.AttemptCancelled(run, row.node, row.attempt, row.started_at or 0, states.CRASH)
    return facts.NodeCancelled(run, row.node, row.attempt, begun=not row.attempt)


# Code that has changed


def _misfit(run: RunRow, nodes: Sequence[NodeRow], graph: Graph, given: bytes, definition: Definition) -> str | None:
    for scope, path, node in _unended(nodes, graph):
        body = definition.bodies.get(path)
        if body is None:
            return f"node {path!r}, which hasn't ended, is no longer in pipeline {run.pipeline!r}"
        refusal = _refusal(node, body)
        if refusal is not None:
            return f"what the run hands to node {path!r} no longer fits its task: {refusal}"
        if (gone := _gone(scope, node, definition)) is not None:
            return _still_needed(run, gone)
    for name in () if graph.result is None else outputs(graph.result):
        if name not in definition.bodies:
            return _still_needed(run, name)
    try:
        definition.parameters.decode(given)
    except ParameterError as error:
        return f"its arguments no longer fit: {error}"
    return None


def _still_needed(run: RunRow, name: str) -> str:
    return f"the result of node {name!r} is still needed, but the node is no longer in pipeline {run.pipeline!r}"


def _gone(scope: str, node: Node, definition: Definition) -> str | None:
    """Name a node whose value can't be read any more, because nothing says of what type it is."""
    needed = (joined(scope, name) for binding in node.inputs.values() for name in outputs(binding))
    return next((name for name in needed if name not in definition.bodies), None)


def _refusal(node: Node, body: AnyBody) -> str | None:
    if not _is_of_kind(node, body):
        return "it is no longer the same kind of node"
    if not isinstance(body, Body):
        return None
    collected = {POSITIONAL, NAMED} & set(node.inputs)
    if not collected <= set(body.inputs):
        return f"it no longer takes {' and '.join(sorted(collected - set(body.inputs)))}"
    named = dict.fromkeys(set(node.inputs) - collected)
    try:
        inspect.signature(body.fn).bind(**named)
    except TypeError as error:
        return str(error)
    return None


def _is_of_kind(node: Node, body: AnyBody) -> bool:
    match node.does, body:
        case Wait(kind=kind), WaitBody():
            return kind == (states.ANSWER if body.question else states.TIME if "instant" in body.inputs else states.EVENT)
        case (None, Body()) | (Branch(), BranchBody()) | (Map(), MapBody()) | (Child(), ChildBody()):
            return True
        case _:
            return False


def _changed(nodes: Sequence[NodeRow], graph: Graph, definition: Definition) -> dict[str, Node]:
    """Give today's form of the unended nodes whose code has changed, by path."""
    today = dict(walk(definition.graph.nodes))
    unended = {path: node for _, path, node in _unended(nodes, graph)}
    return {path: today[path] for path, node in unended.items() if path in today and today[path].fingerprint != node.fingerprint}


def _renewed(run: RunRow, graph: Graph, changed: Mapping[str, Node]) -> tuple[Graph, tuple[Fact, ...]]:
    if not changed:
        return graph, ()
    renewed = msgspec.structs.replace(graph, nodes=_with_changes(graph.nodes, "", changed))
    raw = graphs.encode(renewed)
    version = codec.digest(raw)
    return renewed, (facts.GraphRecorded(version, msgspec.Raw(raw)), facts.CodeChanged(run.run, version, tuple(changed)))


def _with_changes(nodes: Sequence[Node], scope: str, changed: Mapping[str, Node]) -> tuple[Node, ...]:
    return tuple(_with_change(node, joined(scope, node.name), changed) for node in nodes)


def _with_change(node: Node, path: str, changed: Mapping[str, Node]) -> Node:
    if path in changed:
        node = msgspec.structs.replace(node, task=changed[path].task, fingerprint=changed[path].fingerprint)
    if not isinstance(node.does, Map):
        return node
    inner = msgspec.structs.replace(node.does, nodes=_with_changes(node.does.nodes, f"{path}[]", changed))
    return msgspec.structs.replace(node, does=inner)


def _unended(nodes: Sequence[NodeRow], graph: Graph) -> Iterator[tuple[str, str, Node]]:
    """Give the nodes that may still begin, with their scope's path and their own: those inside a map as long as it hasn't ended."""
    ended = {row.node for row in nodes if row.state in states.ENDED_NODE}
    for node in graph.nodes:
        if node.name not in ended:
            yield "", node.name, node
            if isinstance(node.does, Map):
                inside = walk(node.does.nodes, f"{node.name}[]")
                yield from ((scope_of(path), path, inner) for path, inner in inside)
