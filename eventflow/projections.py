"""The tables that are derived from facts, and the pure function that derives them.

`project` gives the row changes of one fact. It knows nothing of SQL or of storage, so every journal gets the same tables from the same
facts. An update names the values that it expects to find: a journal refuses the whole unit where one of them differs, and so no caller
can forget a guard. A value of any size stands in its fact alone; rows point to it by the fact's `seq`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from eventflow import facts, states
from eventflow.facts import Fact

# gc=False, here and below: rows and changes are trees of values and can't be part of a cycle, so the collector need not walk them.


class Row(msgspec.Struct, frozen=True, gc=False):
    """A row of a table. The table is named as the module's `TABLES` says, its columns as the fields."""


class GraphRow(Row, frozen=True):
    """A pipeline's graph, whose body is in the fact at `seq`."""

    digest: str
    seq: int


class RunRow(Row, frozen=True):
    """A run. `seq` is the fact that submitted it and holds its arguments, `result_seq` the one that ended it.

    `ran` is its own time, in microseconds, before `started_at`, which is when it was last admitted; `waiting` counts the nodes for which it
    is suspended.
    """

    run: str
    seq: int
    pipeline: str
    graph: str
    state: str
    priority: int
    created_at: int
    key: str | None = None
    event: str | None = None
    trigger: str | None = None
    cancel_requested: bool = False
    started_at: int | None = None
    ended_at: int | None = None
    reason: str | None = None
    result_seq: int | None = None
    parent: str | None = None
    parent_node: str | None = None
    rerun_of: str | None = None
    concurrency_key: str | None = None
    paused: bool = False
    waiting: int = 0
    ran: int = 0


class KeyRow(Row, frozen=True):
    """A key under which a run was submitted: it is taken once per pipeline."""

    pipeline: str
    key: str
    run: str


class NodeRow(Row, frozen=True):
    """A node that has left `pending`. `result_seq` is the fact that holds its result or its last failure, `items_seq` a map's items.

    `reason` is why it failed, by whom it was skipped, what it waits for, or who gave what it waited for. `fallback` is the last attempt
    before its fallback's own.
    """

    run: str
    node: str
    state: str
    attempt: int
    crashes: int = 0
    started_at: int | None = None
    ended_at: int | None = None
    due: int | None = None
    reason: str | None = None
    result_seq: int | None = None
    cancel_requested: bool = False
    fallback: int | None = None
    items_seq: int | None = None


class AttemptRow(Row, frozen=True):
    """An attempt that has ended: `succeeded`, `failed`, `skipped`, `cancelled` or `lost`. A running attempt is its node's row."""

    run: str
    node: str
    attempt: int
    state: str
    started_at: int
    ended_at: int
    seq: int
    reason: str | None = None


class CheckpointRow(Row, frozen=True):
    """Where a node's body last saved: the next position, and the fact that holds the state."""

    run: str
    node: str
    position: int
    seq: int
    saved_at: int


class WaitRow(Row, frozen=True):
    """A suspended node, as long as it is: what it waits for is in the fact at `seq`, `due` is when it ends by itself."""

    run: str
    node: str
    kind: str
    seq: int
    since: int
    due: int | None = None


class PipelineRow(Row, frozen=True):
    """A pipeline that was paused, or let go on, at some time: `since` when it is so, and why."""

    pipeline: str
    paused: bool
    since: int
    reason: str | None = None


class RateRow(Row, frozen=True):
    """How much of a limit on starts is used up: from `full_at` on (microseconds UTC) it allows all that it ever does.

    `rate` is the path of the task with its limit, such as `etl:ask 30/m`.
    """

    rate: str
    full_at: int


class EventRow(Row, frozen=True):
    """An accepted event, whose data is in the fact at `seq`."""

    event: str
    seq: int
    source: str
    id: str
    type: str
    time: int
    received_at: int
    subject: str | None = None


class SeenRow(Row, frozen=True):
    """An identity that is taken, by `event` or by being known beforehand. `forgotten_at` is when it was found gone from its source."""

    source: str
    id: str
    event: str | None = None
    forgotten_at: int | None = None


class SeenRangeRow(Row, frozen=True):
    """Identities that are whole numbers and taken for good: all from `low` to `high`."""

    source: str
    low: int
    high: int


class DecisionRow(Row, frozen=True):
    """What became of an event at a trigger."""

    event: str
    trigger: str
    outcome: str
    seq: int
    decided_at: int
    run: str | None = None
    reason: str | None = None


class CursorRow(Row, frozen=True):
    """Where a sensor goes on from; the cursor itself is in the fact at `seq`."""

    source: str
    seq: int
    moved_at: int


class SensorRow(Row, frozen=True):
    """A sensor's health, since when, and why."""

    sensor: str
    state: str
    since: int
    reason: str | None = None


TABLES: Mapping[type[Row], tuple[str, tuple[str, ...]]] = {
    GraphRow: ("graphs", ("digest",)),
    RunRow: ("runs", ("run",)),
    KeyRow: ("keys", ("pipeline", "key")),
    NodeRow: ("nodes", ("run", "node")),
    AttemptRow: ("attempts", ("run", "node", "attempt")),
    CheckpointRow: ("checkpoints", ("run", "node")),
    WaitRow: ("waits", ("run", "node")),
    PipelineRow: ("pipelines", ("pipeline",)),
    RateRow: ("rates", ("rate",)),
    EventRow: ("events", ("event",)),
    SeenRow: ("seen", ("source", "id")),
    SeenRangeRow: ("seen_ranges", ("source", "low")),
    DecisionRow: ("decisions", ("event", "trigger")),
    CursorRow: ("cursors", ("source",)),
    SensorRow: ("sensors", ("sensor",)),
}
"""Each kind of row, with its table's name and the columns of its primary key."""


class Insert(msgspec.Struct, frozen=True, gc=False):
    """A new row. Refused where its primary key is taken."""

    row: Row


class Put(msgspec.Struct, frozen=True, gc=False):
    """A row that takes the place of whatever stood at its primary key."""

    row: Row


class Update(msgspec.Struct, frozen=True, gc=False):
    """New values for the row at a primary key. Refused where there is none, or where an expected column holds none of the values named."""

    table: type[Row]
    key: tuple[Any, ...]
    expect: Mapping[str, tuple[object, ...]]
    values: Mapping[str, object]


class Delete(msgspec.Struct, frozen=True, gc=False):
    """No row at a primary key any more. Not refused where there was none."""

    table: type[Row]
    key: tuple[Any, ...]


Change: TypeAlias = Insert | Put | Update | Delete


def project(fact: Fact, seq: int, at: int) -> list[Change]:
    """Give the row changes of a fact, which has the place `seq` and was made at `at` (microseconds UTC)."""
    return _PROJECTIONS[type(fact)](fact, seq, at)


# Runs


def _graph_recorded(fact: facts.GraphRecorded, seq: int, at: int) -> list[Change]:
    return [Put(GraphRow(fact.digest, seq))]


def _run_submitted(fact: facts.RunSubmitted, seq: int, at: int) -> list[Change]:
    row = RunRow(
        run=fact.run,
        seq=seq,
        pipeline=fact.pipeline,
        graph=fact.graph,
        state=states.QUEUED,
        priority=fact.priority,
        created_at=at,
        key=fact.key,
        event=fact.event,
        trigger=fact.trigger,
        parent=fact.parent,
        parent_node=fact.parent_node,
        rerun_of=fact.rerun_of,
        concurrency_key=fact.concurrency_key,
    )
    if fact.key is None:
        return [Insert(row)]
    return [Insert(KeyRow(fact.pipeline, fact.key, fact.run)), Insert(row)]


def _run_started(fact: facts.RunStarted, seq: int, at: int) -> list[Change]:
    return [_run(fact, fact.run, started_at=at, reason=None, waiting=0)]


def _run_succeeded(fact: facts.RunSucceeded, seq: int, at: int) -> list[Change]:
    return [_run_ended(fact, fact.run, ended_at=at, result_seq=seq)]


def _run_failed(fact: facts.RunFailed, seq: int, at: int) -> list[Change]:
    return [_run_ended(fact, fact.run, ended_at=at, result_seq=seq, reason=fact.node)]


def _cancel_requested(fact: facts.CancelRequested, seq: int, at: int) -> list[Change]:
    return [_run(fact, fact.run, cancel_requested=True, **_told(fact.reason))]


def _run_cancelled(fact: facts.RunCancelled, seq: int, at: int) -> list[Change]:
    return [_run(fact, fact.run, ended_at=at, result_seq=seq, **_told(fact.reason))]


def _told(reason: str | None) -> dict[str, str]:
    return {} if reason is None else {"reason": reason}


def _run_suspended(fact: facts.RunSuspended, seq: int, at: int) -> list[Change]:
    return [_run(fact, fact.run, waiting=fact.waiting, ran=fact.ran)]


def _run_woken(fact: facts.RunWoken, seq: int, at: int) -> list[Change]:
    return [_run(fact, fact.run)]


def _run_paused(fact: facts.RunPaused, seq: int, at: int) -> list[Change]:
    return [_run(fact, fact.run, paused=True)]


def _run_unpaused(fact: facts.RunUnpaused, seq: int, at: int) -> list[Change]:
    return [_run(fact, fact.run, paused=False)]


def _run_held(fact: facts.RunHeld, seq: int, at: int) -> list[Change]:
    return [_run(fact, fact.run, reason=fact.reason)]


def _run_released(fact: facts.RunReleased, seq: int, at: int) -> list[Change]:
    return [_run(fact, fact.run, reason=None)]


def _code_changed(fact: facts.CodeChanged, seq: int, at: int) -> list[Change]:
    return [_run(fact, fact.run, graph=fact.graph)]


def _pipeline_paused(fact: facts.PipelinePaused, seq: int, at: int) -> list[Change]:
    return [Put(PipelineRow(fact.pipeline, paused=True, since=at, reason=fact.reason))]


def _pipeline_unpaused(fact: facts.PipelineUnpaused, seq: int, at: int) -> list[Change]:
    return [Put(PipelineRow(fact.pipeline, paused=False, since=at))]


def _run(fact: Fact, run: str, **values: object) -> Update:
    return _transition(states.RUN[type(fact)], RunRow, (run,), {}, values)


def _run_ended(fact: Fact, run: str, **values: object) -> Update:
    # A cancel that is durable stands, even where the run was about to end by itself.
    return _transition(states.RUN[type(fact)], RunRow, (run,), {"cancel_requested": (False,)}, values)


# Attempts and nodes


def _node_queued(fact: facts.NodeQueued, seq: int, at: int) -> list[Change]:
    reason = states.LIMIT if fact.limited else None
    return [Insert(NodeRow(fact.run, fact.node, states.QUEUED, 0, started_at=at, due=fact.due, reason=reason))]


def _attempt_started(fact: facts.AttemptStarted, seq: int, at: int) -> list[Change]:
    return [_started(fact, at), *_used_up(fact)]


def _started(fact: facts.AttemptStarted, at: int) -> Change:
    if fact.attempt == 1 and not fact.queued:
        return Insert(NodeRow(fact.run, fact.node, states.RUNNING, 1, started_at=at))
    fallback = {"fallback": fact.attempt - 1} if fact.fallback else {}
    previous = {"attempt": (fact.attempt - 1,)}
    return _node(fact, fact.run, fact.node, previous, attempt=fact.attempt, started_at=at, due=None, reason=None, **fallback)


def _used_up(fact: facts.AttemptStarted) -> list[Change]:
    return [] if fact.rate is None or fact.full_at is None else [Put(RateRow(fact.rate, fact.full_at))]


def _attempt_succeeded(fact: facts.AttemptSucceeded, seq: int, at: int) -> list[Change]:
    return [_wanted(_ending(fact, seq, at)), _attempt(fact, states.SUCCEEDED, seq, at, None)]


def _attempt_failed(fact: facts.AttemptFailed, seq: int, at: int) -> list[Change]:
    fallback = {"fallback": fact.attempt} if fact.fallback else {}
    return [
        _ending(fact, seq, at, due=fact.due, reason=fact.reason, **fallback),
        _attempt(fact, states.FAILED, seq, at, fact.reason),
    ]


def _attempt_skipped(fact: facts.AttemptSkipped, seq: int, at: int) -> list[Change]:
    return [_ending(fact, None, at, reason=fact.node), _attempt(fact, states.SKIPPED, seq, at, fact.reason)]


def _attempt_lost(fact: facts.AttemptLost, seq: int, at: int) -> list[Change]:
    return [
        _ending(fact, None, at, due=at, reason=fact.reason, crashes=fact.crashes),
        _attempt(fact, states.LOST, seq, at, fact.reason),
    ]


def _attempt_cancelled(fact: facts.AttemptCancelled, seq: int, at: int) -> list[Change]:
    return [_ending(fact, None, at, reason=fact.reason), _attempt(fact, states.CANCELLED, seq, at, fact.reason)]


def _node_failed(fact: facts.NodeFailed, seq: int, at: int) -> list[Change]:
    if not fact.begun:
        return [Insert(NodeRow(fact.run, fact.node, states.FAILED, 0, ended_at=at, reason=fact.reason, result_seq=seq))]
    told = {} if fact.failure is None else {"result_seq": seq}
    return [_node(fact, fact.run, fact.node, {}, ended_at=at, due=None, reason=fact.reason, **told), _no_wait(fact.run, fact.node)]


def _node_fell_back(fact: facts.NodeFellBack, seq: int, at: int) -> list[Change]:
    return [_wanted(_node(fact, fact.run, fact.node, {}, ended_at=at, due=None, reason=None, result_seq=seq))]


def _node_skipped(fact: facts.NodeSkipped, seq: int, at: int) -> list[Change]:
    return [Insert(NodeRow(fact.run, fact.node, states.SKIPPED, 0, ended_at=at, reason=fact.by))]


def _node_upstream_failed(fact: facts.NodeUpstreamFailed, seq: int, at: int) -> list[Change]:
    return [Insert(NodeRow(fact.run, fact.node, states.UPSTREAM_FAILED, 0, ended_at=at, reason=fact.by))]


def _node_cancel_requested(fact: facts.NodeCancelRequested, seq: int, at: int) -> list[Change]:
    return [_node(fact, fact.run, fact.node, {}, cancel_requested=True)]


def _node_cancelled(fact: facts.NodeCancelled, seq: int, at: int) -> list[Change]:
    if fact.attempt == 0 and not fact.begun:
        return [Insert(NodeRow(fact.run, fact.node, states.CANCELLED, 0, ended_at=at))]
    # Only a map is running without an attempt: an attempt that runs ends as such.
    expect = {"attempt": (fact.attempt,)} | ({"state": (states.RETRYING,)} if fact.attempt else {})
    return [_node(fact, fact.run, fact.node, expect, ended_at=at, due=None), _no_wait(fact.run, fact.node)]


def _branch_decided(fact: facts.BranchDecided, seq: int, at: int) -> list[Change]:
    state = states.SUCCEEDED if fact.taken else states.SKIPPED
    return [Insert(NodeRow(fact.run, fact.node, state, 0, ended_at=at, reason=None if fact.taken else fact.node, result_seq=seq))]


def _map_expanded(fact: facts.MapExpanded, seq: int, at: int) -> list[Change]:
    if fact.queued:
        return [_node(fact, fact.run, fact.node, {"state": (states.QUEUED,)}, started_at=at, due=None, items_seq=seq)]
    return [Insert(NodeRow(fact.run, fact.node, states.RUNNING, 0, started_at=at, items_seq=seq))]


def _map_ended(fact: facts.MapEnded, seq: int, at: int) -> list[Change]:
    state, reason = (states.SUCCEEDED, None) if fact.failure is None else (states.FAILED, states.ITEMS)
    ended = _node(fact, fact.run, fact.node, {"attempt": (0,)}, ended_at=at, reason=reason, result_seq=seq)
    return [Update(ended.table, ended.key, ended.expect, {**ended.values, "state": state})]


def _node_suspended(fact: facts.NodeSuspended, seq: int, at: int) -> list[Change]:
    return [
        Insert(NodeRow(fact.run, fact.node, states.SUSPENDED, 0, started_at=at, due=fact.due, reason=fact.kind)),
        Insert(WaitRow(fact.run, fact.node, fact.kind, seq, at, fact.due)),
    ]


def _node_answered(fact: facts.NodeAnswered, seq: int, at: int) -> list[Change]:
    reason = states.DEADLINE if fact.timed_out else fact.by
    ended = _node(fact, fact.run, fact.node, {}, ended_at=at, due=None, reason=reason, result_seq=seq)
    return [_wanted(ended), _no_wait(fact.run, fact.node)]


def _node_reused(fact: facts.NodeReused, seq: int, at: int) -> list[Change]:
    return [Insert(NodeRow(fact.run, fact.node, states.SUCCEEDED, 0, ended_at=at, reason=fact.source, result_seq=seq))]


def _no_wait(run: str, node: str) -> Delete:
    return Delete(WaitRow, (run, node))


def _checkpoint_saved(fact: facts.CheckpointSaved, seq: int, at: int) -> list[Change]:
    return [
        _node(fact, fact.run, fact.node, _numbered(fact.attempt)),
        Put(CheckpointRow(fact.run, fact.node, fact.position, seq, at)),
    ]


_Ending: TypeAlias = facts.AttemptSucceeded | facts.AttemptFailed | facts.AttemptSkipped | facts.AttemptLost | facts.AttemptCancelled


def _ending(fact: _Ending, seq: int | None, at: int, **values: object) -> Update:
    return _node(fact, fact.run, fact.node, _numbered(fact.attempt), ended_at=at, result_seq=seq, **values)


def _wanted(ended: Update) -> Update:
    # A cancel of the node that is durable stands, even where the node was about to end well.
    return Update(ended.table, ended.key, {**ended.expect, "cancel_requested": (False,)}, ended.values)


def _numbered(attempt: int) -> dict[str, tuple[object, ...]]:
    # A running map has no attempt, and stands with 0: nothing that is said of an attempt can be meant for it.
    return {"attempt": (attempt,) if attempt else ()}


def _attempt(fact: _Ending, state: str, seq: int, at: int, reason: str | None) -> Insert:
    return Insert(AttemptRow(fact.run, fact.node, fact.attempt, state, fact.started_at, at, seq, reason))


def _node(fact: Fact, run: str, node: str, expect: Mapping[str, tuple[object, ...]], **values: object) -> Update:
    return _transition(states.NODE[type(fact)], NodeRow, (run, node), expect, values)


def _transition(
    transition: states.Transition,
    table: type[Row],
    key: tuple[object, ...],
    expect: Mapping[str, tuple[object, ...]],
    values: Mapping[str, object],
) -> Update:
    moved = values if transition.to is None else {"state": transition.to, **values}
    return Update(table, key, {"state": transition.sources, **expect}, moved)


# Events


def _event_recorded(fact: facts.EventRecorded, seq: int, at: int) -> list[Change]:
    return [
        Insert(SeenRow(fact.source, fact.id, fact.event)),
        Insert(EventRow(fact.event, seq, fact.source, fact.id, fact.type, fact.time, at, fact.subject)),
    ]


def _event_repeated(fact: facts.EventRepeated, seq: int, at: int) -> list[Change]:
    return []


def _decision_made(fact: facts.DecisionMade, seq: int, at: int) -> list[Change]:
    return [Insert(DecisionRow(fact.event, fact.trigger, fact.outcome, seq, at, fact.run, fact.reason))]


def _cursor_moved(fact: facts.CursorMoved, seq: int, at: int) -> list[Change]:
    return [Put(CursorRow(fact.source, seq, at))]


def _identities_known(fact: facts.IdentitiesKnown, seq: int, at: int) -> list[Change]:
    return [Insert(SeenRow(fact.source, identity)) for identity in fact.ids]


def _identities_forgotten(fact: facts.IdentitiesForgotten, seq: int, at: int) -> list[Change]:
    return [Update(SeenRow, (fact.source, identity), {}, {"forgotten_at": at}) for identity in fact.ids]


def _identities_kept(fact: facts.IdentitiesKept, seq: int, at: int) -> list[Change]:
    return [Update(SeenRow, (fact.source, identity), {}, {"forgotten_at": None}) for identity in fact.ids]


def _identities_expired(fact: facts.IdentitiesExpired, seq: int, at: int) -> list[Change]:
    return [Delete(SeenRow, (fact.source, identity)) for identity in fact.ids]


def _identities_compacted(fact: facts.IdentitiesCompacted, seq: int, at: int) -> list[Change]:
    spent: list[Change] = [Delete(SeenRow, (fact.source, str(identity))) for identity in range(fact.first, fact.high + 1)]
    return [*spent, Put(SeenRangeRow(fact.source, fact.low, fact.high))]


def _sensor_changed(fact: facts.SensorChanged, seq: int, at: int) -> list[Change]:
    return [Put(SensorRow(fact.sensor, fact.state, at, fact.reason))]


_PROJECTIONS: Mapping[type[Fact], Callable[[Any, int, int], list[Change]]] = {
    facts.GraphRecorded: _graph_recorded,
    facts.RunSubmitted: _run_submitted,
    facts.RunStarted: _run_started,
    facts.RunSucceeded: _run_succeeded,
    facts.RunFailed: _run_failed,
    facts.CancelRequested: _cancel_requested,
    facts.RunCancelled: _run_cancelled,
    facts.RunHeld: _run_held,
    facts.RunReleased: _run_released,
    facts.CodeChanged: _code_changed,
    facts.RunSuspended: _run_suspended,
    facts.RunWoken: _run_woken,
    facts.RunPaused: _run_paused,
    facts.RunUnpaused: _run_unpaused,
    facts.PipelinePaused: _pipeline_paused,
    facts.PipelineUnpaused: _pipeline_unpaused,
    facts.NodeQueued: _node_queued,
    facts.AttemptStarted: _attempt_started,
    facts.AttemptSucceeded: _attempt_succeeded,
    facts.AttemptFailed: _attempt_failed,
    facts.AttemptSkipped: _attempt_skipped,
    facts.AttemptLost: _attempt_lost,
    facts.AttemptCancelled: _attempt_cancelled,
    facts.NodeFailed: _node_failed,
    facts.NodeFellBack: _node_fell_back,
    facts.NodeSkipped: _node_skipped,
    facts.NodeUpstreamFailed: _node_upstream_failed,
    facts.NodeCancelRequested: _node_cancel_requested,
    facts.NodeCancelled: _node_cancelled,
    facts.BranchDecided: _branch_decided,
    facts.MapExpanded: _map_expanded,
    facts.MapEnded: _map_ended,
    facts.NodeSuspended: _node_suspended,
    facts.NodeAnswered: _node_answered,
    facts.NodeReused: _node_reused,
    facts.CheckpointSaved: _checkpoint_saved,
    facts.EventRecorded: _event_recorded,
    facts.EventRepeated: _event_repeated,
    facts.DecisionMade: _decision_made,
    facts.CursorMoved: _cursor_moved,
    facts.IdentitiesKnown: _identities_known,
    facts.IdentitiesForgotten: _identities_forgotten,
    facts.IdentitiesKept: _identities_kept,
    facts.IdentitiesExpired: _identities_expired,
    facts.IdentitiesCompacted: _identities_compacted,
    facts.SensorChanged: _sensor_changed,
}
