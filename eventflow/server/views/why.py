"""Why an event, a run or a node is where it is: its story as the journal has it, and what it waits for now."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import pairwise

from eventflow import escapes, facts, states
from eventflow.facts import Fact, Record
from eventflow.projections import EventRow, RunRow
from eventflow.server.answers import DecisionEntry, EventEntry, Explanation, NodeDetail, RunDetail, Sentence
from eventflow.server.sources import Sources
from eventflow.server.views import events, runs, search
from eventflow.server.views.telling import event_named, run_named, tell

_PAGE = 1000

_TROUBLE = (facts.AttemptFailed, facts.AttemptLost, facts.AttemptCancelled, facts.NodeFailed)
"""What a run's story tells of its nodes; the rest is theirs."""


async def why(sources: Sources, what: str) -> Explanation:
    """Explain an event, a run or `RUN/NODE`, named by whole ids or last digits. Raises `NotFound`, `Ambiguous`, `InvalidRequest`."""
    typed, slash, node = what.partition("/")
    if slash:
        return await _why_node(sources, await search.find_run(sources.journal, typed), node)
    row = await search.find(sources.journal, typed)
    return await (_why_run(sources, row) if isinstance(row, RunRow) else _why_event(sources, row))


# Events


async def _why_event(sources: Sources, row: EventRow) -> Explanation:
    (event,) = await events.entries(sources.journal, [row])
    sentences = [_arrival(event)]
    for decision in event.decisions:
        sentences.append(Sentence(decision.decided_at, _decided(decision)))
        sentences += await _ending(sources, decision)
    if not event.decisions:
        sentences.append(Sentence(None, f"no trigger listens to {event.source}: nothing was decided about it"))
    return Explanation(about="event", sentences=sentences, event=event, run=None, node=None)


def _arrival(event: EventEntry) -> Sentence:
    about = f" about {escapes.line(event.subject)}" if event.subject else ""  # a line end in a file's name makes no new line of a story
    return Sentence(event.received_at, f"sensor {event.source} saw {event_named(event.event)} ({event.type}){about}")


def _decided(decision: DecisionEntry) -> str:
    reason = f": {escapes.line(decision.reason)}" if decision.reason else ""
    match decision.outcome:
        case states.FIRED:
            return f"trigger {decision.trigger} fired {run_named(decision.run) if decision.run else 'a run'}{reason}"
        case states.FILTERED:
            return f"trigger {decision.trigger} passed it over: its `where` said no{reason}"
        case states.REFUSED:
            return f"trigger {decision.trigger} could make no run of it{reason}"
        case outcome:
            return f"trigger {decision.trigger} decided: {outcome}{reason}"


async def _ending(sources: Sources, decision: DecisionEntry) -> list[Sentence]:
    """Tell what became of the run that a decision fired."""
    found = [] if decision.run is None else await sources.journal.select(RunRow, run=decision.run)
    return [Sentence(row.ended_at, f"{run_named(row.run)} of {row.pipeline} {_state(row)}") for row in found]


def _state(row: RunRow) -> str:
    match row.state:
        case states.FAILED:
            return f"failed at node {row.reason}" if row.reason else "failed"
        case states.HELD:
            return f"is held: {row.reason}"
        case states.QUEUED | states.RUNNING:
            return f"is {row.state}"
        case ended:
            return "was cancelled" if ended == states.CANCELLED else ended


# Runs


async def _why_run(sources: Sources, row: RunRow) -> Explanation:
    sentences = await _cause(sources, row)
    async for record in _records(sources, row.run):
        sentences += _of_run(record)
    sentences += await _run_now(sources, row)
    return Explanation(about="run", sentences=sentences, event=await _event_of(sources, row), run=runs.entry(row), node=None)


def _of_run(record: Record) -> list[Sentence]:
    told, node = tell(record), _node_of(record.fact)
    if told is None or (node is not None and not isinstance(record.fact, _TROUBLE)):
        return []
    return [told if node is None else Sentence(told.at, f"{node}: {told.text}")]


async def _cause(sources: Sources, row: RunRow) -> list[Sentence]:
    event = await _event_of(sources, row)
    return [] if event is None else [_arrival(event)]


async def _event_of(sources: Sources, row: RunRow) -> EventEntry | None:
    found = [] if row.event is None else await sources.journal.select(EventRow, event=row.event)
    return (await events.entries(sources.journal, found))[0] if found else None


async def _run_now(sources: Sources, row: RunRow) -> list[Sentence]:
    """Tell what an open run waits for."""
    if row.state not in states.OPEN_RUN:
        return []
    if sources.engine is None:
        return [_no_daemon()]
    match row.state:
        case states.QUEUED:
            return [Sentence(None, await _queued(sources, row))]
        case states.HELD:
            return [Sentence(None, "it waits for a person: put the code back and restart the daemon, or cancel it")]
        case _:
            detail = await runs.detail(sources.journal, row)
            return [sentence for node in detail.nodes for sentence in _busy(node)]


async def _queued(sources: Sources, row: RunRow) -> str:
    active = await sources.journal.select(RunRow, order="seq", pipeline=row.pipeline, state=states.RUNNING)
    if not active:
        return "it is in the queue, and is started as soon as the daemon comes to it"
    named = ", ".join(run_named(one.run) for one in active[:5])
    return f"it is in the queue of {row.pipeline}, whose max_active_runs are at work: {named}"


def _busy(node: NodeDetail) -> list[Sentence]:
    match node.state:
        case states.RUNNING:
            return [Sentence(None, f"{node.node} is running: attempt {len(node.attempts)}")]
        case states.RETRYING:
            return [Sentence(node.due, f"{node.node} is tried again")]
        case _:
            return []


# Nodes


async def _why_node(sources: Sources, row: RunRow, name: str) -> Explanation:
    await runs.check_node(sources.journal, row, name)
    detail = await runs.detail(sources.journal, row)
    by_name = {node.node: node for node in detail.nodes}
    node = by_name[name]
    story = [record async for record in _records(sources, row.run) if _node_of(record.fact) == name]
    sentences = [_needs(node), *_told(story), *_root(node, by_name), *_node_now(sources, detail, node, by_name)]
    return Explanation(about="node", sentences=sentences, event=await _event_of(sources, row), run=detail.run, node=node)


def _needs(node: NodeDetail) -> Sentence:
    needed = ", ".join(node.upstream)
    return Sentence(None, f"{node.node} needs {needed} to succeed first" if needed else f"{node.node} needs no other node")


def _told(story: Sequence[Record]) -> list[Sentence]:
    """Tell a node's facts; of checkpoints that follow one another only the last."""
    repeated = {one.seq for one, following in pairwise(story) if {type(one.fact), type(following.fact)} == {facts.CheckpointSaved}}
    kept = [record for record in story if record.seq not in repeated]
    return [sentence for record in kept if (sentence := tell(record)) is not None]


def _root(node: NodeDetail, by_name: Mapping[str, NodeDetail]) -> list[Sentence]:
    """Tell, of a node that could not run, at which node it began."""
    cause = node
    while cause.state == states.UPSTREAM_FAILED and (needed := by_name.get(cause.reason or "")) is not None:
        cause = needed
    if cause is node:
        return []
    failure = f": {cause.failure}" if cause.failure is not None else ""
    return [Sentence(cause.ended_at, f"it began with {cause.node}, which {_past(cause.state)}{failure}")]


def _past(state: str) -> str:
    return "was cancelled" if state == states.CANCELLED else state


def _node_now(sources: Sources, run: RunDetail, node: NodeDetail, by_name: Mapping[str, NodeDetail]) -> list[Sentence]:
    """Tell what a node that hasn't ended waits for."""
    if node.state in states.ENDED_NODE:
        return []
    if run.run.state == states.HELD:
        return [Sentence(None, f"its run is held: {run.run.reason}")]
    if sources.engine is None:
        return [_no_daemon()]
    if node.state != states.PENDING:
        return _busy(node)
    return [Sentence(None, _pending(run, node, by_name))]


def _pending(run: RunDetail, node: NodeDetail, by_name: Mapping[str, NodeDetail]) -> str:
    if run.run.state == states.QUEUED:
        return "its run is still in the queue"
    waiting = [f"{name} ({by_name[name].state})" for name in node.upstream if by_name[name].state != states.SUCCEEDED]
    return f"it waits for {', '.join(waiting)}" if waiting else "everything it needs is there: it starts as soon as there is room"


# Records


async def _records(sources: Sources, run: str) -> AsyncIterator[Record]:
    after = 0
    while page := await sources.journal.records(after, limit=_PAGE, run=run):
        for record in page:
            yield record
        after = page[-1].seq


def _node_of(fact: Fact) -> str | None:
    return None if isinstance(fact, facts.RunFailed) else getattr(fact, "node", None)


def _no_daemon() -> Sentence:
    return Sentence(None, "no daemon is at work on this project: nothing goes on before `eventflow serve`")
