"""The states of runs and nodes, what may become of an event, how a sensor may be; and the legal transitions of runs and nodes.

There is one table of transitions each, and one pure `apply`. `docs/architecture.md` draws them with the same names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from eventflow import facts
from eventflow.facts import Fact

PENDING, RUNNING, RETRYING = "pending", "running", "retrying"
QUEUED, HELD = "queued", "held"
SUCCEEDED, FAILED, UPSTREAM_FAILED, CANCELLED, LOST = "succeeded", "failed", "upstream_failed", "cancelled", "lost"

ERROR, TIMEOUT, ABANDONED, INPUT, RESULT = "error", "timeout", "abandoned", "input", "result"
"""Why an attempt failed: its body raised, ran out of time, ran out of time and runs on; its inputs or its result were no good."""

CRASH, SHUTDOWN = "crash", "shutdown"
"""Why an attempt was lost."""

POISONED, UNKNOWN = "poisoned", "unknown"
"""Why a node failed whose attempts didn't: see `Task`'s `max_crashes` and `at_most_once`."""

FIRED, FILTERED, REFUSED = "fired", "filtered", "refused"
"""What can become of an event at a trigger."""

HEALTHY, DEGRADED = "healthy", "degraded"
"""How a sensor can be."""

OPEN_RUN = frozenset({QUEUED, RUNNING, HELD})
ENDED_RUN = frozenset({SUCCEEDED, FAILED, CANCELLED})
ENDED_NODE = frozenset({SUCCEEDED, FAILED, UPSTREAM_FAILED, CANCELLED})


class Transition(NamedTuple):
    """From which states a fact is legal, and the state it leads to; `to` is None where the state stays as it was."""

    sources: tuple[str, ...]
    to: str | None


RUN: Mapping[type[Fact], Transition] = {
    facts.RunStarted: Transition((QUEUED,), RUNNING),
    facts.RunSucceeded: Transition((RUNNING,), SUCCEEDED),
    facts.RunFailed: Transition((RUNNING,), FAILED),
    facts.CancelRequested: Transition((QUEUED, RUNNING, HELD), None),
    facts.RunCancelled: Transition((QUEUED, RUNNING, HELD), CANCELLED),
    facts.RunHeld: Transition((QUEUED, RUNNING), HELD),
    facts.RunReleased: Transition((HELD,), QUEUED),
    facts.CodeChanged: Transition((QUEUED, RUNNING), None),
}

NODE: Mapping[type[Fact], Transition] = {
    facts.AttemptStarted: Transition((PENDING, RETRYING), RUNNING),
    facts.AttemptSucceeded: Transition((RUNNING,), SUCCEEDED),
    facts.AttemptFailed: Transition((RUNNING,), RETRYING),
    facts.AttemptLost: Transition((RUNNING,), RETRYING),
    facts.AttemptCancelled: Transition((RUNNING,), CANCELLED),
    facts.NodeFailed: Transition((RETRYING,), FAILED),
    facts.NodeUpstreamFailed: Transition((PENDING,), UPSTREAM_FAILED),
    facts.NodeCancelled: Transition((PENDING, RETRYING), CANCELLED),
    facts.CheckpointSaved: Transition((RUNNING,), None),
}


class IllegalTransition(ValueError):
    """A fact that can't follow on a state."""


def apply(table: Mapping[type[Fact], Transition], state: str, fact: Fact) -> str:
    """Give the state of a run or a node after a fact. Raises `IllegalTransition` where the fact can't happen in that state."""
    transition = table[type(fact)]
    if state not in transition.sources:
        raise IllegalTransition(f"{type(fact).__name__} can't follow on {state!r}, only on {' or '.join(transition.sources)}")
    return state if transition.to is None else transition.to
