"""Every fact that the journal can hold: frozen, in the past tense, and complete, so that all tables can be rebuilt from the facts alone.

A fact says what happened, never what should happen next. Instants are microseconds UTC. Runs and events are named by their ids, nodes by
their names, attempts by their number from 1 on.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

# gc=False, here and below: facts are trees of values and can't be part of a cycle, so the collector need not walk millions of them.


class Inline(msgspec.Struct, frozen=True, gc=False, tag="inline"):
    """A value kept in its fact, as canonical JSON."""

    json: msgspec.Raw


class Stored(msgspec.Struct, frozen=True, gc=False, tag="artifact"):
    """A value kept in the artifact store: the digest of its bytes, their number, and how to read them (`json` or `pickle`)."""

    digest: str
    size: int
    codec: str


Value: TypeAlias = Inline | Stored


class Failure(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An exception as text: its type's name, its message, its traceback and the line of user code that raised it."""

    type: str
    message: str
    traceback: str = ""
    where: str | None = None

    def __str__(self) -> str:
        said = f"{self.type}: {self.message}" if self.message else self.type
        return f"{said} ({self.where})" if self.where else said


class _Fact(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag=True, tag_field="fact"):
    """What all facts share: they are frozen, and tagged with their name."""


# What can be run


class GraphRecorded(_Fact, frozen=True):
    """A pipeline's graph was met for the first time; `digest` is its version."""

    digest: str
    graph: msgspec.Raw


# Runs


class RunSubmitted(_Fact, frozen=True):
    """A run was asked for: by a person, by a decision (`event`, `trigger`), by a node of another run (`parent`, `parent_node`).

    `rerun_of` is the run that it takes results from. `concurrency_key` is what its pipeline's function said of its arguments.
    """

    run: str
    pipeline: str
    graph: str
    arguments: msgspec.Raw
    key: str | None = None
    priority: int = 0
    event: str | None = None
    trigger: str | None = None
    parent: str | None = None
    parent_node: str | None = None
    rerun_of: str | None = None
    concurrency_key: str | None = None


class RunStarted(_Fact, frozen=True):
    """A queued run was admitted."""

    run: str


class RunSucceeded(_Fact, frozen=True):
    """Every node of a run came to a good end; `result` is what the pipeline returns."""

    run: str
    result: Value


class RunFailed(_Fact, frozen=True):
    """A run ended with a failed node, or its result couldn't be stored; `node` is the first that failed."""

    run: str
    failure: Failure
    node: str | None = None


class RunSuspended(_Fact, frozen=True):
    """Everything in a run waits for the world: `waiting` nodes are suspended. `ran` is the run's own time so far, in microseconds."""

    run: str
    waiting: int
    ran: int


class RunWoken(_Fact, frozen=True):
    """A suspended run has what to do again: it goes through the queue."""

    run: str


class RunPaused(_Fact, frozen=True):
    """A person asked that a run start nothing more."""

    run: str


class RunUnpaused(_Fact, frozen=True):
    """A person let a paused run go on."""

    run: str


class CancelRequested(_Fact, frozen=True):
    """A run's end was asked for. From here on it will be cancelled, whatever crashes. No `reason`: a person asked; otherwise what did.

    Runs are also cancelled by an overlap, with the run or the node that began them, and where they are begun anew.
    """

    run: str
    reason: str | None = None


class RunCancelled(_Fact, frozen=True):
    """A run ended because it was asked to."""

    run: str
    reason: str | None = None


class RunHeld(_Fact, frozen=True):
    """The code on disk no longer fits an unfinished run: it waits for a person."""

    run: str
    reason: str


class RunReleased(_Fact, frozen=True):
    """A held run goes on: it fits the code again, a person said so, or it is only to be closed."""

    run: str


class CodeChanged(_Fact, frozen=True):
    """An unfinished run goes on with new code: its graph is now `graph`, and `nodes` are those whose task has changed."""

    run: str
    graph: str
    nodes: tuple[str, ...] = ()


class PipelinePaused(_Fact, frozen=True):
    """A pipeline's runs stay in the queue from here on: a person said so, or too many failed in a row."""

    pipeline: str
    reason: str


class PipelineUnpaused(_Fact, frozen=True):
    """A paused pipeline's runs are admitted again."""

    pipeline: str


# Attempts and nodes


class NodeQueued(_Fact, frozen=True):
    """A node's gate has opened: its predicate said yes, or it is `limited`: it waits for resources or a rate, until `due`, if given."""

    run: str
    node: str
    due: int | None = None
    limited: bool = False


class AttemptStarted(_Fact, frozen=True):
    """A node's attempt began. The first one gives the node its row, unless it was `queued` before.

    `fallback` says that it is the first to call the task's fallback, because the task itself waited too long for its turn. Where the
    task has a limit, `rate` names that, and after this start the limit allows all that it ever does from `full_at` on.
    """

    run: str
    node: str
    attempt: int
    queued: bool = False
    fallback: bool = False
    rate: str | None = None
    full_at: int | None = None


class AttemptSucceeded(_Fact, frozen=True):
    """An attempt returned: its node has succeeded, and this is its one result."""

    run: str
    node: str
    attempt: int
    started_at: int
    result: Value


class AttemptFailed(_Fact, frozen=True):
    """An attempt raised, ran out of time (`timeout`) or returned what can't be stored. With `due` the node is tried again then.

    `fallback` says that the next attempt, and those behind it, call the task's fallback.
    """

    run: str
    node: str
    attempt: int
    started_at: int
    reason: str
    failure: Failure
    due: int | None = None
    fallback: bool = False


class AttemptSkipped(_Fact, frozen=True):
    """A body asked to be skipped, and said why."""

    run: str
    node: str
    attempt: int
    started_at: int
    reason: str


class AttemptLost(_Fact, frozen=True):
    """The process died (`crash`) or stopped (`shutdown`) under an attempt. `crashes` counts the deaths under this node so far."""

    run: str
    node: str
    attempt: int
    started_at: int
    reason: str
    crashes: int


class AttemptCancelled(_Fact, frozen=True):
    """A running attempt was stopped, because its run or its node is to end: `cancelled`, `abandoned` where its thread would not stop, or
    `crash` where it had died with the process before.
    """

    run: str
    node: str
    attempt: int
    started_at: int
    reason: str


class NodeFailed(_Fact, frozen=True):
    """A node won't be tried again: its attempts are used up (`failed`), it is `poisoned`, its outcome is `unknown`, a wait ran out of time
    (`deadline`) or it couldn't begin; `states.py` names all reasons. `begun` is false where it has no row yet. `failure` is given where no
    attempt has one.
    """

    run: str
    node: str
    reason: str
    failure: Failure | None = None
    begun: bool = True


class NodeFellBack(_Fact, frozen=True):
    """A node's attempts are used up, or it waited too long for its turn, and its fallback value takes the place of a result.

    `failure` is given where no attempt has one.
    """

    run: str
    node: str
    result: Value
    failure: Failure | None = None


class NodeSkipped(_Fact, frozen=True):
    """A node isn't run because of `by`: a branch that wasn't taken, a skipped node that it needs, or itself where its rule says no."""

    run: str
    node: str
    by: str


class NodeUpstreamFailed(_Fact, frozen=True):
    """A node can't run, because `by`, which it needs, failed."""

    run: str
    node: str
    by: str


class NodeCancelRequested(_Fact, frozen=True):
    """A person asked for a node's end. From here on it will be cancelled, whatever crashes."""

    run: str
    node: str


class NodeCancelled(_Fact, frozen=True):
    """A node that no attempt was running of was cancelled; `attempt` is its last one. `begun` says that it had a row without an attempt."""

    run: str
    node: str
    attempt: int = 0
    begun: bool = False


class BranchDecided(_Fact, frozen=True):
    """A branch was decided, once: whether it is taken, and, for people, on which value."""

    run: str
    node: str
    taken: bool
    value: str | None = None


class MapExpanded(_Fact, frozen=True):
    """A map's lists were read, once: it has `count` items. `items` is JSON: their keys, and the values of each input that differs.

    `queued` says that its predicate was asked before.
    """

    run: str
    node: str
    count: int
    items: Value
    queued: bool = False


class MapEnded(_Fact, frozen=True):
    """All items of a map have ended, enough of them well; `failure` is given where not."""

    run: str
    node: str
    succeeded: int
    failure: Failure | None = None


class NodeSuspended(_Fact, frozen=True):
    """A node waits for an `event`, an `answer`, a `time` or a `child` run, holding nothing. It ends by itself at `due`, if given.

    `wanted` is what it waits for, as `engine/wanted.py` writes it.
    """

    run: str
    node: str
    kind: str
    wanted: msgspec.Raw
    due: int | None = None


class NodeAnswered(_Fact, frozen=True):
    """A suspended node has what it waited for, or its default. `by` is who answered, the event, or the run that ended.

    `timed_out` says that nobody did: its time came.
    """

    run: str
    node: str
    result: Value
    by: str | None = None
    timed_out: bool = False


class NodeReused(_Fact, frozen=True):
    """A node of a rerun keeps the result that it had in run `source`."""

    run: str
    node: str
    source: str
    result: Value | None = None


class CheckpointSaved(_Fact, frozen=True):
    """A running attempt saved how far it got: the next position of its loop, and the state that goes with it, as one record."""

    run: str
    node: str
    attempt: int
    position: int
    state: Value | None = None


# Events


class EventRecorded(_Fact, frozen=True):
    """An event was accepted: its identity (`source`, `id`) is taken from here on."""

    event: str
    source: str
    id: str
    type: str
    time: int
    data: msgspec.Raw
    subject: str | None = None


class EventRepeated(_Fact, frozen=True):
    """An event came again whose identity was taken: nothing was decided anew."""

    source: str
    id: str


class DecisionMade(_Fact, frozen=True):
    """What became of an event at a trigger: `fired` (with the run), `filtered` or `refused` (with the reason)."""

    event: str
    trigger: str
    outcome: str
    run: str | None = None
    reason: str | None = None


class CursorMoved(_Fact, frozen=True):
    """A sensor goes on from here after a restart."""

    source: str
    cursor: msgspec.Raw


class IdentitiesKnown(_Fact, frozen=True):
    """These events were there before their sensor's first look and are not to fire: their identities are taken."""

    source: str
    ids: tuple[str, ...]


class IdentitiesForgotten(_Fact, frozen=True):
    """These events are gone from their source; their identities are kept for the retention."""

    source: str
    ids: tuple[str, ...]


class IdentitiesKept(_Fact, frozen=True):
    """These events, once gone, are back at their source: their identities are kept."""

    source: str
    ids: tuple[str, ...]


class IdentitiesExpired(_Fact, frozen=True):
    """The retention of these identities is over: they are free again."""

    source: str
    ids: tuple[str, ...]


class IdentitiesCompacted(_Fact, frozen=True):
    """The identities from `first` to `high`, which are whole numbers and all taken, are kept as the range from `low` to `high`.

    `low` is `first`, or where the range that ends right below it begins.
    """

    source: str
    low: int
    first: int
    high: int


class SensorChanged(_Fact, frozen=True):
    """A sensor's health changed to `state`: `healthy`, `lagging` behind its source, `degraded` (it is started again by itself), `paused`
    by a person, or `starting` since a person let it go on.
    """

    sensor: str
    state: str
    reason: str | None = None


Fact: TypeAlias = (
    GraphRecorded
    | RunSubmitted
    | RunStarted
    | RunSucceeded
    | RunFailed
    | RunSuspended
    | RunWoken
    | RunPaused
    | RunUnpaused
    | CancelRequested
    | RunCancelled
    | RunHeld
    | RunReleased
    | CodeChanged
    | PipelinePaused
    | PipelineUnpaused
    | NodeQueued
    | AttemptStarted
    | AttemptSucceeded
    | AttemptFailed
    | AttemptSkipped
    | AttemptLost
    | AttemptCancelled
    | NodeFailed
    | NodeFellBack
    | NodeSkipped
    | NodeUpstreamFailed
    | NodeCancelRequested
    | NodeCancelled
    | BranchDecided
    | MapExpanded
    | MapEnded
    | NodeSuspended
    | NodeAnswered
    | NodeReused
    | CheckpointSaved
    | EventRecorded
    | EventRepeated
    | DecisionMade
    | CursorMoved
    | IdentitiesKnown
    | IdentitiesForgotten
    | IdentitiesKept
    | IdentitiesExpired
    | IdentitiesCompacted
    | SensorChanged
)


class Record(msgspec.Struct, frozen=True, gc=False):
    """A fact as the journal holds it: its place in the one order of all facts, and the instant it was made, microseconds UTC."""

    seq: int
    at: int
    fact: Fact


class Unit(msgspec.Struct, frozen=True, gc=False):
    """Facts that are committed together or not at all, and the instant they were made, microseconds UTC.

    What a unit stands on need not be said: each fact carries the states it is legal in (`states.py`), and the journal refuses the unit
    where one of them isn't so.
    """

    at: int
    facts: tuple[Fact, ...]


def encode(fact: Fact) -> bytes:
    """Give a fact as JSON, tagged with its name."""
    return _encoder.encode(fact)


def decode(raw: bytes) -> Fact:
    """Give the fact that `encode` wrote."""
    return _decoder.decode(raw)


def run_of(fact: Fact) -> str | None:
    """Give the id of the run that a fact is about, if it is about one."""
    return getattr(fact, "run", None)


_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Fact] = msgspec.json.Decoder(Fact)
