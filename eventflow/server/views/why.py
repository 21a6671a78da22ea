"""Why a run or a node is where it is: its story as the journal has it, and what it waits for now. `arrivals.py` tells of events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import pairwise

from eventflow import facts, ids, states
from eventflow.definition.graph import DEFAULT_RULE, HOOK, TASK, scope_of
from eventflow.facts import Fact, Record
from eventflow.projections import EventRow, PipelineRow, RunRow
from eventflow.server.answers import EventEntry, Explanation, NodeDetail, RunEntry, Sentence
from eventflow.server.sources import Sources
from eventflow.server.views import arrivals, awaited, events, runs, search
from eventflow.server.views.telling import run_named, tell

_PAGE = 1000

_TROUBLE = (
    facts.AttemptFailed,
    facts.AttemptLost,
    facts.AttemptCancelled,
    facts.NodeFailed,
    facts.NodeFellBack,
    facts.NodeCancelRequested,
)
_TURNS = (facts.BranchDecided, facts.MapExpanded, facts.MapEnded, facts.NodeSuspended, facts.NodeAnswered)
"""What a run's story tells of its nodes: trouble of all, and of those outside of maps also which way they went. The rest is theirs."""

_MOST_ITEMS, _MOST_NODES = 20, 20
"""How many sentences a run's story has about the items of its maps, and about what is going on now."""


async def why(sources: Sources, what: str) -> Explanation:
    """Explain an event, a run or `RUN/NODE`, named by whole ids or last digits; or an event as `SOURCE/ID`.

    Raises `NotFound`, `Ambiguous`, `InvalidRequest`.
    """
    typed, slash, node = what.partition("/")
    if slash and arrivals.is_source(typed):
        return await arrivals.why_identity(sources, typed, node)
    if slash:
        return await _why_node(sources, await search.find_run(sources.journal, typed), node)
    row = await search.find(sources.journal, typed)
    return await (_why_run(sources, row) if isinstance(row, RunRow) else arrivals.why_event(sources, row))


# Runs


async def _why_run(sources: Sources, row: RunRow) -> Explanation:
    sentences = [*await _cause(sources, row), *await _told_of_run(sources, row), *await _run_now(sources, row)]
    return Explanation(about="run", sentences=sentences, event=await _event_of(sources, row), run=runs.entry(row), node=None)


async def _told_of_run(sources: Sources, row: RunRow) -> list[Sentence]:
    found: list[Sentence] = []
    of_items = 0
    async for record in _records(sources, row.run):
        told, node = tell(record), _node_of(record.fact)
        if told is None or (node is not None and not _is_telling(record.fact, node)):
            continue
        of_items += bool(node and scope_of(node))
        if not (node and scope_of(node)) or of_items <= _MOST_ITEMS:
            found.append(told if node is None else Sentence(told.at, f"{node}: {told.text}"))
    if of_items > _MOST_ITEMS:
        found.append(
            Sentence(None, f"{of_items - _MOST_ITEMS} more things went wrong with the items of its maps: ask about each by its name")
        )
    return found


def _is_telling(fact: Fact, node: str) -> bool:
    return isinstance(fact, _TROUBLE) or (isinstance(fact, _TURNS) and not scope_of(node))


async def _cause(sources: Sources, row: RunRow) -> list[Sentence]:
    event = await _event_of(sources, row)
    return [] if event is None else [await arrivals.arrival(sources, event)]


async def _event_of(sources: Sources, row: RunRow) -> EventEntry | None:
    found = [] if row.event is None else await sources.journal.select(EventRow, event=row.event)
    return (await events.entries(sources.journal, found))[0] if found else None


async def _run_now(sources: Sources, row: RunRow) -> list[Sentence]:
    """Tell what an open run waits for."""
    if row.state not in states.OPEN_RUN:
        return []
    if sources.engine is None:
        return [_no_daemon()]
    paused = [Sentence(None, "it is paused: nothing more is started in it before somebody lets it go on")] if row.paused else []
    match row.state:
        case states.QUEUED:
            return [*paused, *await _queued(sources, row)]
        case states.HELD:
            choice = f"`eventflow resolve {ids.short(row.run)} resume|restart|fail`"
            return [Sentence(None, f"it waits for a person: {choice} decides what becomes of it")]
        case _:
            detail = await runs.detail(sources.journal, row)
            busy = [sentence for node in (*detail.nodes, *detail.items) for sentence in _busy(node)]
            more = [Sentence(None, "and more, which `eventflow show` counts")] if len(busy) > _MOST_NODES else []
            return [*paused, *busy[:_MOST_NODES], *more]


async def _queued(sources: Sources, row: RunRow) -> list[Sentence]:
    paused = await sources.journal.select(PipelineRow, pipeline=row.pipeline, paused=True)
    if paused:
        return [Sentence(paused[0].since, f"it stays in the queue, because {row.pipeline} is paused: {paused[0].reason}")]
    running = await sources.journal.select(RunRow, order="seq", pipeline=row.pipeline, state=states.RUNNING)
    active = [one for one in running if one.concurrency_key == row.concurrency_key]
    if not active:
        return [Sentence(None, "it is in the queue, and is started as soon as the daemon comes to it")]
    named = ", ".join(run_named(one.run) for one in active[:5])
    among = "," if row.concurrency_key is None else f" with the key {row.concurrency_key!r},"
    return [Sentence(None, f"it is in the queue of {row.pipeline}{among} whose max_active_runs are at work: {named}")]


def _busy(node: NodeDetail) -> list[Sentence]:
    match node.state:
        case states.RUNNING if node.does == "map":
            return [Sentence(None, f"{node.node} is running its items")]
        case states.RUNNING:
            return [Sentence(None, f"{node.node} is running: attempt {len(node.attempts)}")]
        case states.RETRYING:
            return [Sentence(node.due, f"{node.node} is tried again")]
        case states.QUEUED:
            return _in_line(node)
        case states.SUSPENDED:
            what = "the world" if node.wait is None else awaited.of_entry(node.wait)
            return [Sentence(None, f"{node.node} waits for {what}"), *_until(node, _then(node))]
        case _:
            return []


def _in_line(node: NodeDetail) -> list[Sentence]:
    if node.reason != states.LIMIT:
        return [Sentence(None, f"{node.node} may start, as its rule says: it starts as soon as there is room")]
    return [Sentence(None, f"{node.node} stands in line for what it uses"), *_until(node, "it fails where it still does")]


def _then(node: NodeDetail) -> str:
    if node.wait is not None and node.wait.kind == states.TIME:
        return "it goes on"
    has_default = node.wait is not None and node.wait.has_default
    return f"it {'goes on with its default' if has_default else 'fails'} where that hasn't come"


def _until(node: NodeDetail, then: str) -> list[Sentence]:
    return [] if node.due is None else [Sentence(node.due, then)]


# Nodes


async def _why_node(sources: Sources, row: RunRow, name: str) -> Explanation:
    by_name = {node.node: node for node in await runs.surroundings(sources.journal, row, name)}
    node, run = by_name[name], runs.entry(row)
    story = [record async for record in _records(sources, row.run) if _node_of(record.fact) == name]
    sentences = [
        *_needs(node),
        *_told(story),
        *_root(node, by_name),
        *_with_run(run, node, story),
        *_node_now(sources, run, node, by_name),
    ]
    return Explanation(about="node", sentences=sentences, event=await _event_of(sources, row), run=run, node=node)


def _needs(node: NodeDetail) -> list[Sentence]:
    needed = ", ".join(name for name in node.upstream if name != node.within)
    within = [] if node.within is None else [Sentence(None, f"{node.node} is run only if its branch {node.within} is taken")]
    if node.role == HOOK:
        said = f"{node.node} is a hook: it is called once {needed or 'the run'} has ended, if that ended as it is there for"
    elif node.role != TASK:
        said = f"{node.node} runs at the end, whatever happened: once {needed or 'everything else'} has ended"
    elif not needed:
        said = f"{node.node} needs no other node"
    elif node.rule == DEFAULT_RULE:
        said = f"{node.node} needs {needed} to succeed first"
    else:
        said = f"{node.node} depends on {needed}, by the rule {node.rule}"
    return [Sentence(None, said), *within]


def _told(story: Sequence[Record]) -> list[Sentence]:
    """Tell a node's facts; of checkpoints that follow one another only the last."""
    repeated = {one.seq for one, following in pairwise(story) if {type(one.fact), type(following.fact)} == {facts.CheckpointSaved}}
    kept = [record for record in story if record.seq not in repeated]
    return [sentence for record in kept if (sentence := tell(record)) is not None]


def _root(node: NodeDetail, by_name: Mapping[str, NodeDetail]) -> list[Sentence]:
    """Tell, of a node that was skipped or could not run, at which node it began."""
    cause = node
    while cause.state in (states.UPSTREAM_FAILED, states.SKIPPED) and cause.reason not in (None, cause.node):
        needed = by_name.get(cause.reason or "")
        if needed is None:
            break
        cause = needed
    return [] if cause is node else [Sentence(cause.ended_at, f"it began with {cause.node}, which {_past(cause)}")]


def _past(node: NodeDetail) -> str:
    """Say how a node ended, and why."""
    match node.state:
        case states.CANCELLED:
            return "was cancelled"
        case states.SKIPPED if node.does == "branch":
            return "wasn't taken" + (f": its value was {node.decided}" if node.decided else "")
        case states.SKIPPED if node.attempts:
            return f"asked to be skipped: {node.attempts[-1].reason}" if node.attempts[-1].reason else "asked to be skipped"
        case states.SKIPPED:
            return "was skipped, as its rule says"
        case state:
            return f"{state}: {node.failure}" if node.failure is not None else state


def _with_run(run: RunEntry, node: NodeDetail, story: Sequence[Record]) -> list[Sentence]:
    """Tell, of a node that was cancelled without anybody asking for that, that its run ended."""
    if node.state != states.CANCELLED or any(isinstance(record.fact, facts.NodeCancelRequested) for record in story):
        return []
    if run.cancel_requested:
        return [Sentence(None, "it ended with its run, which was cancelled" + (f": {run.reason}" if run.reason else ""))]
    return [Sentence(None, "it ended with its run, which failed")] if run.state == states.FAILED else []


def _node_now(sources: Sources, run: RunEntry, node: NodeDetail, by_name: Mapping[str, NodeDetail]) -> list[Sentence]:
    """Tell what a node that hasn't ended waits for."""
    if node.state in states.ENDED_NODE:
        return []
    if run.state == states.HELD:
        return [Sentence(None, f"its run is held: {run.reason}")]
    if sources.engine is None:
        return [_no_daemon()]
    if node.state != states.PENDING:
        return _busy(node)
    paused = [Sentence(None, "its run is paused: nothing more is started in it")] if run.paused else []
    return [*paused, Sentence(None, _pending(run, node, by_name))]


def _pending(run: RunEntry, node: NodeDetail, by_name: Mapping[str, NodeDetail]) -> str:
    if run.state == states.QUEUED:
        return "its run is still in the queue"
    waiting = [f"{name} ({by_name[name].state})" for name in node.upstream if by_name[name].state not in states.ENDED_NODE]
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
