"""The invariants of what a graph can say: rules, branches, maps, waits, children and reruns. They are listed in `invariants`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias, cast

import msgspec

from eventflow import facts, states
from eventflow.definition.graph import DEFAULT_RULE, dependencies, joined, map_of, scope_of
from eventflow.facts import Fact
from eventflow.testing.evidence import End, Evidence, NodeName

Before: TypeAlias = Callable[[End], bool]
"""Tells whether a node's end came before something."""

Beginning: TypeAlias = facts.AttemptStarted | facts.NodeQueued | facts.NodeSuspended | facts.MapExpanded | facts.BranchDecided
_BEGINNINGS = (facts.AttemptStarted, facts.NodeQueued, facts.NodeSuspended, facts.MapExpanded, facts.BranchDecided)
_ONCE = (facts.NodeQueued, facts.BranchDecided, facts.MapExpanded, facts.NodeSuspended, facts.NodeAnswered, facts.NodeFellBack)
_EARLY = ("one_failed", "one_success", "one_done", "always")
"""The rules by which a node may begin before all that it listens to has ended."""


def dependencies_come_first(evidence: Evidence) -> Iterator[str]:
    """Nothing begins before what it needs has ended, and, by the default rule, well."""
    for seq, fact in _beginnings(evidence):
        for needed in _unready(evidence, (fact.run, fact.node), lambda end, start=seq: end.seq < start):
            yield f"fact {seq}: node {fact.node} of run {fact.run} began before {needed}"
    for name, starts in evidence.bodies.items():
        for start in starts:
            for needed in _unready(evidence, name, lambda end, at=start.at: end.at <= at):
                yield f"the body of node {name[1]} of run {name[0]} began before {needed}"


def decided_once(evidence: Evidence) -> Iterator[str]:
    """What is recorded so that it is never evaluated again is recorded once."""
    told = Counter((type(record.fact).__name__, *_node_of(record.fact)) for record in evidence.records if isinstance(record.fact, _ONCE))
    yield from (f"node {node} of run {run} has {count} facts {kind}" for (kind, run, node), count in told.items() if count > 1)


def one_end(evidence: Evidence) -> Iterator[str]:
    """A node ends once: one that was skipped has no result beside."""
    for (run, node), ends in evidence.ends.items():
        if len(ends) > 1:
            yield f"node {node} of run {run} ended {len(ends)} times: {', '.join(end.state for end in ends)}"


def branches_are_kept(evidence: Evidence) -> Iterator[str]:
    """Nothing begins within a branch that isn't taken."""
    for seq, fact in _beginnings(evidence):
        branch = _branch(evidence, (fact.run, fact.node))
        if branch is not None and not _is_well(evidence, (fact.run, branch), lambda end, start=seq: end.seq < start):
            yield f"fact {seq}: node {fact.node} of run {fact.run} began, though its branch {branch} wasn't taken"
    for name, starts in evidence.bodies.items():
        branch = _branch(evidence, name)
        if branch is not None and not _is_well(evidence, (name[0], branch), lambda end, at=starts[0].at: end.at <= at):
            yield f"the body of node {name[1]} of run {name[0]} began, though its branch {branch} wasn't taken"


def only_running_runs_begin_anything(evidence: Evidence) -> Iterator[str]:
    """A run that is queued, suspended, held or ended begins nothing; it is suspended only when nothing runs, and woken only then."""
    runs: dict[str, str] = {}
    taken_over = {seq for seq, _ in _taken_over(evidence)}
    attempts: Counter[str] = Counter()
    for record in evidence.records:
        fact, run = record.fact, facts.run_of(record.fact)
        if run is None:
            continue
        state = runs.get(run, "unknown")
        if isinstance(fact, _BEGINNINGS) and state != states.RUNNING and record.seq not in taken_over:
            yield f"fact {record.seq}: node {fact.node} began in run {run}, which was {state}"
        if isinstance(fact, facts.RunWoken) and state != states.SUSPENDED:
            yield f"fact {record.seq}: run {run} was woken, though it was {state}"
        if isinstance(fact, facts.RunSuspended) and attempts[run]:
            yield f"fact {record.seq}: run {run} was suspended, though {attempts[run]} attempts were under way"
        attempts[run] += isinstance(fact, facts.AttemptStarted) - hasattr(fact, "started_at")  # which every ending of an attempt has
        runs[run] = _run_state(fact, state)


def children_go_with_their_parent(evidence: Evidence) -> Iterator[str]:
    """A child has a parent, its node has no other child, and a cancelled parent leaves no child at work."""
    cancelled = {record.fact.run: record.seq for record in evidence.records if isinstance(record.fact, facts.RunCancelled)}
    asked = {fact.run for fact in evidence.facts(facts.CancelRequested)}
    endings = (facts.RunSucceeded, facts.RunFailed, facts.RunCancelled)
    ended = {record.fact.run: record.seq for record in evidence.records if isinstance(record.fact, endings)}
    children = [fact for fact in evidence.submitted.values() if fact.parent is not None]
    for child in children:
        parent = cast("str", child.parent)
        if parent not in evidence.submitted:
            yield f"run {child.run} is a child of run {parent}, which there isn't"
        alive = child.run not in asked and ended.get(child.run, cancelled.get(parent, 0) + 1) > cancelled.get(parent, 0)
        if evidence.finished and parent in cancelled and alive:
            yield f"run {child.run} went on, though its parent {parent} was cancelled"
    for (parent, node), count in Counter((child.parent, child.parent_node) for child in children).items():
        if count > 1:
            yield f"node {node} of run {parent} has {count} children"


def reused_is_what_it_was(evidence: Evidence) -> Iterator[str]:
    """A rerun, and only a rerun, keeps what the run before it gave, as it was."""
    given = {(fact.run, fact.node): fact.result for record in evidence.records if isinstance(fact := record.fact, _GIVING)}
    for fact in evidence.facts(facts.NodeReused):
        if fact.source not in _before(evidence, fact.run):
            yield f"node {fact.node} of run {fact.run} has its result from run {fact.source}, of which it is no rerun"
        elif not _is_well(evidence, (fact.source, fact.node), lambda _: True):
            yield f"node {fact.node} of run {fact.run} has its result from run {fact.source}, where it has none"
        elif fact.result != given.get((fact.source, fact.node)):
            yield f"node {fact.node} of run {fact.run} has another result than in run {fact.source}, where it is said to be from"
    settled = {(fact.run, fact.node): fact for record in evidence.records if isinstance(fact := record.fact, _TAKEN_OVER)}
    for _, fact in _taken_over(evidence):
        before = settled.get((evidence.submitted[fact.run].rerun_of or "", fact.node))
        if before is None or msgspec.structs.replace(before, run=fact.run) != fact:
            yield f"node {fact.node} of run {fact.run} begins with what it wasn't in the run before: {fact}"


def maps_are_whole(evidence: Evidence) -> Iterator[str]:
    """No item begins before its map was expanded, no map has more items than it said, and it ends behind all of them."""
    opened = {_node_of(fact): (record.seq, fact.count) for record in evidence.records if isinstance(fact := record.fact, facts.MapExpanded)}
    for seq, fact in _beginnings(evidence):
        scope = scope_of(fact.node)
        if scope and opened.get((fact.run, map_of(scope)), (seq, 0))[0] >= seq:
            yield f"fact {seq}: node {fact.node} of run {fact.run} began before its map was expanded"
    inside = _ends_inside(evidence)
    for name, (_, count) in opened.items():
        items = {scope_of(node) for node in inside.get(name, ())}
        if len(items) > count:
            yield f"map {name[1]} of run {name[0]} has {len(items)} items: it was expanded to {count}"
    ended = {_node_of(record.fact): record.seq for record in evidence.records if isinstance(record.fact, facts.MapEnded)}
    for name, seq in ended.items():
        before = sum(end < seq for end in inside.get(name, {}).values())
        wanted = opened.get(name, (0, 0))[1] * _breadth(evidence, name)
        if before < wanted:
            yield f"fact {seq}: map {name[1]} of run {name[0]} ended when {before} nodes of its items had: there are {wanted}"


def causes_are_true(evidence: Evidence) -> Iterator[str]:
    """Who is said to have skipped a node was skipped before, or is the node itself; and the same of failures."""
    fallen = (states.FAILED, states.UPSTREAM_FAILED, states.CANCELLED)
    for record in evidence.records:
        match record.fact:
            case facts.NodeSkipped(run, node, by):
                causes = (states.SKIPPED,)
            case facts.NodeUpstreamFailed(run, node, by):
                causes = fallen
            case _:
                continue
        if by != node and not any(end.seq < record.seq and end.state in causes for end in evidence.ends.get((run, by), ())):
            yield f"fact {record.seq}: node {node} of run {run} names {by} as its cause, which was not {' or '.join(causes)} by then"


def cancelled_nodes_end_so(evidence: Evidence) -> Iterator[str]:
    """A node whose end a person asked for is not begun again, and comes to no good end."""
    asked = {_node_of(record.fact): record.seq for record in evidence.records if isinstance(record.fact, facts.NodeCancelRequested)}
    for seq, fact in _beginnings(evidence):
        if seq > asked.get((fact.run, fact.node), seq):
            yield f"fact {seq}: node {fact.node} of run {fact.run} began, though it was to be cancelled"
    for (run, node), seq in asked.items():
        if any(end.seq > seq and end.state == states.SUCCEEDED for end in evidence.ends.get((run, node), ())):
            yield f"node {node} of run {run} succeeded, though it was to be cancelled"


# What is ready


def _unready(evidence: Evidence, name: NodeName, before: Before) -> Iterator[str]:
    """Say what of that which a node needs hadn't happened yet."""
    node, scope = evidence.node(name), scope_of(name[1])
    for dependency in () if node is None else dependencies(node):
        if node is None or (node.rule in _EARLY and dependency.counts):
            continue
        needed, state = _heard(evidence, name[0], [joined(scope, one) for one in dependency.nodes], before)
        good = (states.SUCCEEDED, states.SKIPPED) if dependency.optional else (states.SUCCEEDED,)
        if state is None:
            yield f"{needed} had ended"
        elif node.rule == DEFAULT_RULE and dependency.counts and state not in good:
            yield f"{needed} had a result: it was {state}"


def _heard(evidence: Evidence, run: str, names: Sequence[str], before: Before) -> tuple[str, str | None]:
    """Give the node that counts among alternatives, and how it had ended."""
    for name in names:
        state = next((end.state for end in evidence.ends.get((run, name), ()) if before(end)), None)
        node = evidence.node((run, name))
        if state == states.SKIPPED and node is not None and node.passes:
            return name, states.SUCCEEDED
        if state != states.SKIPPED:
            return name, state
    return names[-1], states.SKIPPED


def _branch(evidence: Evidence, name: NodeName) -> str | None:
    node = evidence.node(name)
    return None if node is None or node.within is None else joined(scope_of(name[1]), node.within)


def _is_well(evidence: Evidence, name: NodeName, before: Before) -> bool:
    return any(end.state == states.SUCCEEDED and before(end) for end in evidence.ends.get(name, ()))


def _ends_inside(evidence: Evidence) -> dict[NodeName, dict[str, int]]:
    """Give, for each map, the nodes of its items that have ended, with the places of their ends."""
    found: dict[NodeName, dict[str, int]] = {}
    for (run, node), ends in evidence.ends.items():
        if scope := scope_of(node):
            found.setdefault((run, map_of(scope)), {})[node] = ends[0].seq
    return found


def _breadth(evidence: Evidence, name: NodeName) -> int:
    """Give how many nodes each item of a map has."""
    node = evidence.node(name)
    return len(getattr(None if node is None else node.does, "nodes", ()))


# Facts

_TAKEN_OVER = (facts.BranchDecided, facts.MapExpanded)
"""What a rerun takes over beside results."""

_GIVING = (facts.AttemptSucceeded, facts.NodeFellBack, facts.NodeAnswered, facts.NodeReused)


def _beginnings(evidence: Evidence) -> Iterator[tuple[int, Beginning]]:
    return ((record.seq, record.fact) for record in evidence.records if isinstance(record.fact, _BEGINNINGS))


def _taken_over(evidence: Evidence) -> Iterator[tuple[int, facts.BranchDecided | facts.MapExpanded]]:
    """Give what reruns begin with, before they are started."""
    fresh = {run for run, submitted in evidence.submitted.items() if submitted.rerun_of is not None}
    for record in evidence.records:
        fact = record.fact
        if isinstance(fact, facts.RunStarted):
            fresh.discard(fact.run)
        elif isinstance(fact, _TAKEN_OVER) and fact.run in fresh:
            yield record.seq, fact


def _node_of(fact: Fact) -> NodeName:
    return cast("NodeName", (getattr(fact, "run"), getattr(fact, "node")))  # noqa: B009 - asked only of facts about nodes


def _run_state(fact: Fact, state: str) -> str:
    if isinstance(fact, facts.RunSubmitted):
        return states.QUEUED
    to = states.RUN[type(fact)].to if type(fact) in states.RUN else None
    return to or state


def _before(evidence: Evidence, run: str) -> list[str]:
    """Give the runs that a run is a rerun of, the last one first."""
    found: list[str] = []
    while (submitted := evidence.submitted.get(found[-1] if found else run)) is not None and submitted.rerun_of is not None:
        if submitted.rerun_of in found:
            break
        found.append(submitted.rerun_of)
    return found
