"""The nodes of a run as rows of a table: those of its graph, and under each map what is to be seen of its items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from eventflow import ids, states
from eventflow.cli import output, times, values
from eventflow.server.answers import ItemsEntry, NodeDetail, RunDetail
from eventflow.server.views import awaited
from eventflow.server.views.values import clipped

Row = tuple[object, ...]


def rows(found: RunDetail) -> Iterator[Row]:
    """Give node, state, attempts, start, time taken, and a few words, for each node that is to be seen."""
    for node in found.nodes:
        yield _node(node, 0, found.maps)
        yield from _inside(found, node.node)


def tally(counts: Mapping[str, int]) -> str:
    """Write how many are in which state: `9,990 succeeded, 7 failed, 3 running`."""
    order = {state: place for place, state in enumerate(_ORDER)}
    return ", ".join(f"{count:,} {state}" for state, count in sorted(counts.items(), key=lambda item: order.get(item[0], len(order))))


def _inside(found: RunDetail, name: str) -> Iterator[Row]:
    """Give the rows of what is inside a map: of a graph of several nodes first a count of each."""
    for entry in found.maps:
        if entry.path.startswith((f"{name}[].", f"{name}[][")):
            yield f"  {entry.path}", "", "", "", "", tally(entry.states)
    yield from (_node(item, 1, ()) for item in found.items if item.node.startswith(f"{name}["))


def _node(node: NodeDetail, depth: int, maps: Sequence[ItemsEntry]) -> Row:
    began = node.attempts[0].started_at if node.attempts else node.started_at  # maps and waits have no attempts
    clock = "" if began is None else times.clock(began)
    return (
        f"{'  ' * depth}{node.node}",
        output.state(node.state),
        _attempts(node),
        clock,
        times.took(began, node.ended_at),
        _about(node, maps),
    )


def _attempts(node: NodeDetail) -> str:
    others = [attempt.state for attempt in node.attempts if attempt.state in (states.FAILED, states.LOST)]
    counted = ", ".join(f"{others.count(state)} {state}" for state in dict.fromkeys(others))
    return f"{len(node.attempts) or ''}" + (f" ({counted})" if counted else "")


def _about(node: NodeDetail, maps: Sequence[ItemsEntry]) -> str:
    if node.failure is not None:
        return clipped(str(node.failure), 200)
    if node.does == "map":
        return _items(node, maps)
    return _keeps(node) if node.ended_at is None else _ending(node)


def _keeps(node: NodeDetail) -> str:
    """Tell what a node that hasn't ended waits for, or how far it is."""
    if node.state == states.RETRYING and node.due is not None:
        return f"is tried again {times.distance(node.due)}"
    if node.state == states.QUEUED:
        return "waits for what it uses" if node.reason == states.LIMIT else "starts as soon as there is room"
    if node.wait is not None:
        until = "" if node.wait.due is None else f", until {times.instant(node.wait.due)}"
        return f"waits for {awaited.of_entry(node.wait)}{until}"
    saved = node.checkpoint
    return "" if saved is None else f"saved {times.distance(saved.saved_at)}, {saved.position} iterations done"


def _ending(node: NodeDetail) -> str:
    if node.does == "branch" and node.state in (states.SUCCEEDED, states.SKIPPED):
        taken = "taken" if node.state == states.SUCCEEDED else "not taken"
        return taken if node.decided is None else f"{taken}: the value is {node.decided}"
    if node.state == states.SKIPPED:
        return _skipped(node)
    if node.state == states.UPSTREAM_FAILED:
        return f"{node.reason} didn't succeed"
    source = f"({_source(node, node.reason)})" if node.state == states.SUCCEEDED and node.reason else ""
    return " ".join(part for part in ("" if node.result is None else values.value(node.result, 80), source) if part)


def _items(node: NodeDetail, maps: Sequence[ItemsEntry]) -> str:
    """Tell how far the items of a map are; where each is more than one node, their number."""
    inside = [entry for entry in maps if entry.map == node.node]
    if not inside:
        return ""
    single = next((entry for entry in inside if entry.path == f"{node.node}[]"), None)
    count = "1 item" if inside[0].count == 1 else f"{inside[0].count:,} items"
    return tally(single.states) if single is not None and single.states else count


def _skipped(node: NodeDetail) -> str:
    if node.attempts and node.attempts[-1].state == states.SKIPPED:
        return node.attempts[-1].reason or "it asked to be"
    return f"by {node.reason}" if node.reason not in (None, node.node) else "by its rule"


def _source(node: NodeDetail, reason: str) -> str:
    """Name who gave a result: a person, a run or an event by its last digits, or nobody in time."""
    if node.timed_out:
        return "the default, as its time came"
    return f"from {ids.short(reason) if ids.is_id(reason) else reason}"


_ORDER = (
    states.SUCCEEDED,
    states.FAILED,
    states.UPSTREAM_FAILED,
    states.SKIPPED,
    states.CANCELLED,
    states.RUNNING,
    states.RETRYING,
    states.SUSPENDED,
    states.QUEUED,
    states.PENDING,
)
