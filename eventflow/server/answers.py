"""The shape of every answer of the HTTP API: what the server writes as JSON, the client reads, and `--json` prints.

Instants are microseconds UTC. Runs and events are named by whole ids. A field that has nothing to say is null, never absent.
"""

from __future__ import annotations

import msgspec

from eventflow.definition.graph import DEFAULT_RULE, Graph
from eventflow.facts import Failure, Record
from eventflow.logs.lines import Line


class Answer(msgspec.Struct, frozen=True):
    """What all answers share: they are values."""


class SensorHealth(Answer, frozen=True):
    """A sensor's health (`healthy`, `lagging`, `degraded`, `paused` or `starting`), since when, and why."""

    sensor: str
    state: str
    since: int
    reason: str | None


class Health(Answer, frozen=True):
    """Who answers. `pid` is the daemon's, null where none runs and the journal is only read; `seq` is the journal's last fact."""

    version: str
    pid: int | None
    seq: int
    full: bool
    sensors: list[SensorHealth]


class Pause(Answer, frozen=True):
    """Since when a pipeline's runs stay in the queue, and why."""

    since: int
    reason: str


class PipelineEntry(Answer, frozen=True):
    """A pipeline in a listing; `where` is the `file:line` of its definition, `version` the digest of its graph."""

    pipeline: str
    description: str
    owner: str
    tags: list[str]
    max_active_runs: int | None
    where: str
    version: str
    paused: Pause | None = None


class PipelineDetail(Answer, frozen=True):
    """A pipeline with its graph, and its parameters as JSON Schema."""

    pipeline: PipelineEntry
    graph: Graph
    parameters: msgspec.Raw


class ShownValue(Answer, frozen=True):
    """A value of user code: its `json`, or, where it isn't kept in the journal itself, a few words such as `artifact: pickle, 12 kB`."""

    json: object
    artifact: str | None


class WaitEntry(Answer, frozen=True):
    """A node that waits for an `event`, an `answer`, a `time` or a `child` run, since when, and until when, if it ends by itself."""

    node: str
    kind: str
    since: int
    due: int | None


class AskedFor(Answer, frozen=True):
    """The event that a node waits for: its source, and what else is asked of it."""

    source: str
    type: str | None
    subject: str | None
    match: dict[str, object]


class WaitingEntry(Answer, frozen=True):
    """An open wait. Of an answer: the `question`, its `form` (JSON Schema), who may give it (nobody named: anybody), what they are `shown`.

    Of an event: which; of a child: the run. With `has_default` it ends well by itself at `due`.
    """

    run: str
    pipeline: str
    node: str
    kind: str
    since: int
    due: int | None
    question: str | None
    form: object
    who: list[str]
    shown: object
    event: AskedFor | None
    child: str | None
    has_default: bool


class RunEntry(Answer, frozen=True):
    """A run in a listing. `seq` is its place in the order of submission; `reason` is the failed node, or why it is held.

    `parent` and `parent_node` are the node that has it run, `rerun_of` the run that it was made from; `paused` is a person's switch.
    `waiting` counts the nodes for which it is suspended, `waits` are the oldest of these. `pipeline_paused` is given where that keeps it
    in the queue.
    """

    run: str
    seq: int
    pipeline: str
    state: str
    created_at: int
    started_at: int | None
    ended_at: int | None
    priority: int
    key: str | None
    event: str | None
    trigger: str | None
    cancel_requested: bool
    reason: str | None
    parent: str | None = None
    parent_node: str | None = None
    rerun_of: str | None = None
    concurrency_key: str | None = None
    paused: bool = False
    waiting: int = 0
    waits: list[WaitEntry] = []
    pipeline_paused: Pause | None = None


class AttemptEntry(Answer, frozen=True):
    """One try of a node: `running`, `succeeded`, `failed`, `skipped`, `cancelled` or `lost`, with the reason where there is one."""

    attempt: int
    state: str
    started_at: int
    ended_at: int | None
    reason: str | None
    failure: Failure | None


class CheckpointEntry(Answer, frozen=True):
    """Where a node's body last saved, and when."""

    position: int
    saved_at: int


class NodeDetail(Answer, frozen=True):
    """A node of a run. `upstream` names what it depends on, `due` is when it is tried again, or when its wait ends by itself.

    `does` is `branch`, `map`, `wait` or `child` where it calls no task; `role` is `task`, `teardown`, `finally` or `hook`; `rule` is its
    trigger rule, `within` the branch around it. `reason` is why it failed, who skipped it, who answered it, or the run that its result was
    taken from. `decided` is the value that a branch was decided on, `wait` what it waits for now.
    """

    node: str
    task: str
    upstream: list[str]
    state: str
    attempts: list[AttemptEntry]
    started_at: int | None
    ended_at: int | None
    due: int | None
    reason: str | None
    checkpoint: CheckpointEntry | None
    result: ShownValue | None
    failure: Failure | None
    does: str | None = None
    role: str = "task"
    rule: str = DEFAULT_RULE
    within: str | None = None
    decided: str | None = None
    wait: WaitingEntry | None = None
    timed_out: bool = False


class ItemsEntry(Answer, frozen=True):
    """The nodes of one path in all items of a map, such as `prepare[].load`: how many there are, and how many in each state."""

    path: str
    map: str
    count: int
    states: dict[str, int]


class RunDetail(Answer, frozen=True):
    """A run with its arguments, its nodes in the order of its graph (those that haven't begun too), and how it ended.

    Nodes inside maps are counted in `maps`, and a page of them is in `items`: those in the states that were asked for, or that call for
    attention. `after` is where the next page begins, null where there is none.
    """

    run: RunEntry
    arguments: msgspec.Raw
    graph: str
    nodes: list[NodeDetail]
    maps: list[ItemsEntry]
    items: list[NodeDetail]
    after: str | None
    result: ShownValue | None
    failure: Failure | None


class PlannedNode(Answer, frozen=True):
    """What a rerun does with a node, `reuse` its result, `rerun` it or run it as a `new` one, and why."""

    node: str
    what: str
    why: str


class Rerun(Answer, frozen=True):
    """A rerun: the new run, null where only the plan was asked for, and what becomes of each node."""

    run: RunEntry | None
    plan: list[PlannedNode]


class DecisionEntry(Answer, frozen=True):
    """What became of an event at a trigger, why, and with which run."""

    trigger: str
    outcome: str
    decided_at: int
    run: str | None
    reason: str | None


class EventEntry(Answer, frozen=True):
    """An event in a listing, with what was decided about it."""

    event: str
    seq: int
    source: str
    id: str
    type: str
    subject: str | None
    time: int
    received_at: int
    decisions: list[DecisionEntry]


class EventDetail(Answer, frozen=True):
    """An event with its data."""

    event: EventEntry
    data: msgspec.Raw


class Delivered(Answer, frozen=True):
    """What became of a delivery, or of one event of a batch: its event and the runs that it fired.

    Where it is a `duplicate` these are the first one's; `event` is null where that one is long gone.
    """

    event: str | None
    runs: list[str]
    duplicate: bool


class LogPage(Answer, frozen=True):
    """Lines that a run's attempts printed or logged, in order. `after` is where the next page begins, `more` whether there is one now."""

    lines: list[Line]
    after: int
    more: bool


class FactPage(Answer, frozen=True):
    """Facts in their order, and the place of the journal's last one."""

    records: list[Record]
    seq: int


class Sentence(Answer, frozen=True):
    """Something that happened, said plainly. `at` is null for what holds now."""

    at: int | None
    text: str


class Explanation(Answer, frozen=True):
    """Why an event, a run or a node is where it is: in sentences, and as data. `about` is `event`, `run` or `node`."""

    about: str
    sentences: list[Sentence]
    event: EventEntry | None
    run: RunEntry | None
    node: NodeDetail | None


class Error(Answer, frozen=True):
    """What went wrong, said so that a person can act on it."""

    error: str
