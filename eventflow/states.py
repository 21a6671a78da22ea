"""The states of runs and nodes, what may become of an event, how a sensor may be; and the legal transitions of runs and nodes.

There is one table of transitions each, and one pure `apply`. `docs/architecture.md` draws them with the same names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from eventflow import facts
from eventflow.facts import Fact

PENDING, QUEUED, RUNNING, RETRYING, SUSPENDED, HELD = "pending", "queued", "running", "retrying", "suspended", "held"
SUCCEEDED, FAILED, SKIPPED, UPSTREAM_FAILED = "succeeded", "failed", "skipped", "upstream_failed"
CANCELLED, LOST = "cancelled", "lost"

ERROR, TIMEOUT, ABANDONED, INPUT, RESULT = "error", "timeout", "abandoned", "input", "result"
"""Why an attempt failed: its body raised, ran out of time, ran out of time and runs on; its inputs or its result were no good."""

CRASH, SHUTDOWN = "crash", "shutdown"
"""Why an attempt was lost."""

POISONED, UNKNOWN = "poisoned", "unknown"
"""Why a node failed whose attempts didn't: see `Task`'s `max_crashes` and `at_most_once`."""

RULE, ITEMS, DEADLINE, QUEUE = "rule", "items", "deadline", "queue_timeout"
"""Why else a node failed: its predicate raised, its map's lists were no good or too few of its items succeeded, what it waited for didn't
come in time, it waited too long for its limits. It fails with `INPUT` where what it needed to begin was no good, with `RESULT` where the
event that it waited for couldn't be stored, and with `CHILD` where its child run didn't succeed."""

LIMIT = "limit"
"""Why a node is queued that waits for a resource or a rate. One whose predicate said yes has no such reason."""

EVENT, ANSWER, TIME, CHILD = "event", "answer", "time", "child"
"""What a suspended node can wait for."""

FIRED, FILTERED, REFUSED = "fired", "filtered", "refused"
"""What can become of an event at a trigger."""

OUTCOMES = (FIRED, FILTERED, REFUSED)

HEALTHY, LAGGING, DEGRADED, PAUSED, STARTING = "healthy", "lagging", "degraded", "paused", "starting"
"""How a sensor can be. `starting`: a person let it go on, and it hasn't looked yet."""

OPEN_RUN = frozenset({QUEUED, RUNNING, SUSPENDED, HELD})
ENDED_RUN = frozenset({SUCCEEDED, FAILED, CANCELLED})
ENDED_NODE = frozenset({SUCCEEDED, FAILED, SKIPPED, UPSTREAM_FAILED, CANCELLED})


class Transition(NamedTuple):
    """From which states a fact is legal, and the state it leads to; `to` is None where the state stays as it was."""

    sources: tuple[str, ...]
    to: str | None


RUN: Mapping[type[Fact], Transition] = {
    facts.RunStarted: Transition((QUEUED,), RUNNING),
    facts.RunSuspended: Transition((RUNNING,), SUSPENDED),
    facts.RunWoken: Transition((SUSPENDED,), QUEUED),
    facts.RunSucceeded: Transition((RUNNING,), SUCCEEDED),
    facts.RunFailed: Transition((QUEUED, RUNNING, HELD), FAILED),
    facts.CancelRequested: Transition((QUEUED, RUNNING, SUSPENDED, HELD), None),
    facts.RunCancelled: Transition((QUEUED, RUNNING, SUSPENDED, HELD), CANCELLED),
    facts.RunPaused: Transition((QUEUED, RUNNING, SUSPENDED, HELD), None),
    facts.RunUnpaused: Transition((QUEUED, RUNNING, SUSPENDED, HELD), None),
    facts.RunHeld: Transition((QUEUED, RUNNING, SUSPENDED), HELD),
    facts.RunReleased: Transition((HELD,), QUEUED),
    facts.CodeChanged: Transition((QUEUED, RUNNING, SUSPENDED), None),
}

NODE: Mapping[type[Fact], Transition] = {
    facts.NodeQueued: Transition((PENDING,), QUEUED),
    facts.AttemptStarted: Transition((PENDING, QUEUED, RETRYING), RUNNING),
    facts.AttemptSucceeded: Transition((RUNNING,), SUCCEEDED),
    facts.AttemptFailed: Transition((RUNNING,), RETRYING),
    facts.AttemptSkipped: Transition((RUNNING,), SKIPPED),
    facts.AttemptLost: Transition((RUNNING,), RETRYING),
    facts.AttemptCancelled: Transition((RUNNING,), CANCELLED),
    facts.NodeFailed: Transition((PENDING, QUEUED, RETRYING, SUSPENDED), FAILED),
    facts.NodeFellBack: Transition((QUEUED, RETRYING), SUCCEEDED),
    facts.NodeSkipped: Transition((PENDING,), SKIPPED),
    facts.NodeUpstreamFailed: Transition((PENDING,), UPSTREAM_FAILED),
    facts.NodeCancelRequested: Transition((QUEUED, RUNNING, RETRYING, SUSPENDED), None),
    facts.NodeCancelled: Transition((PENDING, QUEUED, RETRYING, SUSPENDED, RUNNING), CANCELLED),
    facts.BranchDecided: Transition((PENDING,), SUCCEEDED),
    facts.MapExpanded: Transition((PENDING, QUEUED), RUNNING),
    facts.MapEnded: Transition((RUNNING,), SUCCEEDED),
    facts.NodeSuspended: Transition((PENDING,), SUSPENDED),
    facts.NodeAnswered: Transition((SUSPENDED,), SUCCEEDED),
    facts.NodeReused: Transition((PENDING,), SUCCEEDED),
    facts.CheckpointSaved: Transition((RUNNING,), None),
}
"""A running map has no attempt: only such a node can be cancelled, or end, while it is running. A branch that isn't taken ends `skipped`,
a map of which too many items failed `failed`."""


class IllegalTransition(ValueError):
    """A fact that can't follow on a state."""


def apply(table: Mapping[type[Fact], Transition], state: str, fact: Fact) -> str:
    """Give the state of a run or a node after a fact. Raises `IllegalTransition` where the fact can't happen in that state."""
    transition = table[type(fact)]
    if state not in transition.sources:
        raise IllegalTransition(f"{type(fact).__name__} can't follow on {state!r}, only on {' or '.join(transition.sources)}")
    return state if transition.to is None else transition.to
