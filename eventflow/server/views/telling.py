"""Facts in plain words: one sentence for each kind of fact that a person asks about. Others are told by nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from eventflow import durations, facts, ids, states
from eventflow.durations import SECOND
from eventflow.facts import Fact, Inline, Record, Value
from eventflow.server.answers import Sentence
from eventflow.server.views import awaited
from eventflow.server.views.values import clipped, shown


def tell(record: Record) -> Sentence | None:
    """Give a fact as a sentence. What is said of a node doesn't name it."""
    words = _WORDS.get(type(record.fact))
    return None if words is None else Sentence(record.at, words(record.fact, record.at))


def run_named(run: str) -> str:
    """Name a run as people see it."""
    return f"run {ids.short(run)}"


def event_named(event: str) -> str:
    """Name an event as people see it."""
    return f"event {ids.short(event)}"


# Runs and pipelines


def _submitted(fact: facts.RunSubmitted, _: int) -> str:
    key = "" if fact.key is None else f", under the key {fact.key!r}"
    if fact.event is not None:
        return f"trigger {fact.trigger} fired this run of {fact.pipeline} for {event_named(fact.event)}"
    if fact.parent is not None:
        return f"node {fact.parent_node} of {run_named(fact.parent)} began this run of {fact.pipeline}, its child{key}"
    if fact.rerun_of is not None:
        return f"this rerun of {run_named(fact.rerun_of)} of {fact.pipeline} was asked for by hand or by a program{key}"
    return f"this run of {fact.pipeline} was submitted by hand or by a program{key}"


def _run_succeeded(fact: facts.RunSucceeded, _: int) -> str:
    return f"it succeeded with {_value(fact.result)}"


def _run_failed(fact: facts.RunFailed, _: int) -> str:
    if fact.node is None:
        return f"it failed: {fact.failure}"
    ending = {states.CANCELLED: "was cancelled", states.UPSTREAM_FAILED: "could not run"}.get(fact.failure.type, "failed")
    return f"it failed: node {fact.node} {ending}"


def _run_suspended(fact: facts.RunSuspended, _: int) -> str:
    waiting = "1 node waits" if fact.waiting == 1 else f"{fact.waiting} nodes wait"
    return f"it was suspended, after {durations.text(fact.ran / SECOND)} of its own time: {waiting} for the world, nothing else is to do"


def _cancel_requested(fact: facts.CancelRequested, _: int) -> str:
    return f"it was to be cancelled: {fact.reason}" if fact.reason else "somebody asked for it to be cancelled"


def _code_changed(fact: facts.CodeChanged, _: int) -> str:
    return f"its code had changed since: it goes on with the new code of {', '.join(fact.nodes)}"


# Attempts


def _attempt_started(fact: facts.AttemptStarted, _: int) -> str:
    return f"{_TOO_LATE}: attempt {fact.attempt} started, which calls its fallback" if fact.fallback else f"attempt {fact.attempt} started"


def _attempt_succeeded(fact: facts.AttemptSucceeded, at: int) -> str:
    return f"attempt {fact.attempt} succeeded after {_since(fact.started_at, at)}"


def _attempt_failed(fact: facts.AttemptFailed, at: int) -> str:
    after = _since(fact.started_at, at)
    ending = {
        states.TIMEOUT: f"ran out of time after {after}",
        states.ABANDONED: f"ran out of time after {after}, and its thread would not stop: what it still returns is dropped",
        states.INPUT: f"could not begin: what it takes can't be read: {fact.failure}",
    }.get(fact.reason, f"failed after {after}: {fact.failure}")
    if fact.fallback:
        return f"attempt {fact.attempt} {ending}; from here on its fallback is called in its place"
    again = "" if fact.due is None else f"; to be tried again {_since(at, fact.due)} later"
    return f"attempt {fact.attempt} {ending}{again}"


def _attempt_skipped(fact: facts.AttemptSkipped, at: int) -> str:
    return f"attempt {fact.attempt} asked to be skipped, after {_since(fact.started_at, at)}{_because(fact.reason)}"


def _attempt_lost(fact: facts.AttemptLost, _: int) -> str:
    if fact.reason == states.SHUTDOWN:
        return f"attempt {fact.attempt} was interrupted by an orderly shutdown, which counts against nothing"
    times = "the first time" if fact.crashes == 1 else f"{fact.crashes} times by now"
    return f"attempt {fact.attempt} was lost: the process died under it, {times}"


def _attempt_cancelled(fact: facts.AttemptCancelled, _: int) -> str:
    ending = {
        states.ABANDONED: "was stopped, though its thread would not stop: what it still returns is dropped",
        states.CRASH: "had ended with its process, and was not to be tried again",
        states.TIMEOUT: "was stopped, because its run had run out of time",
    }.get(fact.reason, "was stopped")
    return f"attempt {fact.attempt} {ending}"


def _checkpoint_saved(fact: facts.CheckpointSaved, _: int) -> str:
    done = f", with {fact.position} iterations done" if fact.position else ""
    return f"attempt {fact.attempt} saved its progress{done}"


# Nodes


def _node_queued(fact: facts.NodeQueued, at: int) -> str:
    if not fact.limited:
        return "its rule said yes: it may start"
    limit = "" if fact.due is None else f", and waits for that for {_since(at, fact.due)} at most"
    return f"its turn has come: it starts as soon as what it uses is free{limit}"


def _node_failed(fact: facts.NodeFailed, _: int) -> str:
    reasons = {
        states.POISONED: "the process died under it as often as its max_crashes allows",
        states.UNKNOWN: "the process died under it, and it is to be started at most once: nobody knows whether it did its work",
        states.RULE: "its rule could not be asked",
        states.ITEMS: "what it maps over is no good",
        states.INPUT: "what it takes is no good",
        states.DEADLINE: "what it waited for didn't come in time",
        states.QUEUE: _TOO_LATE,
        states.CHILD: "its child run didn't succeed",
    }
    failure = "" if fact.failure is None else f": {fact.failure}"
    return f"it failed for good: {reasons.get(fact.reason, 'it is not tried again')}{failure}"


def _node_fell_back(fact: facts.NodeFellBack, _: int) -> str:
    why = "" if fact.failure is None else f"{_TOO_LATE}: "
    return f"{why}its fallback takes the place of a result: {_value(fact.result)}"


def _node_skipped(fact: facts.NodeSkipped, _: int) -> str:
    return "it was skipped, as its rule says" if fact.by == fact.node else f"it was skipped, because {fact.by} was"


def _node_cancelled(fact: facts.NodeCancelled, _: int) -> str:
    return "it was cancelled" + ("" if fact.attempt or fact.begun else ", before it had begun")


def _branch_decided(fact: facts.BranchDecided, _: int) -> str:
    value = "" if fact.value is None else f": the value was {fact.value}"
    return f"it was {'' if fact.taken else 'not '}taken{value}"


def _map_expanded(fact: facts.MapExpanded, _: int) -> str:
    return "its lists are empty: there is nothing to do" if not fact.count else f"it has {_items(fact.count)}"


def _map_ended(fact: facts.MapEnded, _: int) -> str:
    return f"its items have ended, {fact.succeeded} of them well" + ("" if fact.failure is None else f"; it failed: {fact.failure}")


def _node_suspended(fact: facts.NodeSuspended, at: int) -> str:
    limit = "" if fact.due is None else f", for {_since(at, fact.due)} at most"
    return f"it began to wait for {awaited.of_fact(fact)}{limit}"


def _node_answered(fact: facts.NodeAnswered, _: int) -> str:
    if fact.timed_out:
        return f"its time came, and it goes on with {_value(fact.result)}"
    who = ids.short(fact.by) if fact.by and ids.is_id(fact.by) else fact.by or "somebody"
    return f"what it waited for came: {who} gave {_value(fact.result)}"


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count} items"


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _value(value: Value) -> str:
    if isinstance(value, Inline):
        return clipped(bytes(value.json).decode(), 200)
    return f"an {shown(value).artifact}"


def _since(started_at: int, at: int) -> str:
    return durations.text(max(0, at - started_at) / SECOND)


_TOO_LATE = "what it uses didn't become free in time"

_WORDS: Mapping[type[Fact], Callable[[Any, int], str]] = {
    facts.RunSubmitted: _submitted,
    facts.RunStarted: lambda _fact, _at: "it was admitted and started",
    facts.RunSucceeded: _run_succeeded,
    facts.RunFailed: _run_failed,
    facts.RunSuspended: _run_suspended,
    facts.RunWoken: lambda _fact, _at: "it was woken, and goes through the queue again",
    facts.RunPaused: lambda _fact, _at: "somebody paused it: nothing more is started in it",
    facts.RunUnpaused: lambda _fact, _at: "somebody let it go on",
    facts.CancelRequested: _cancel_requested,
    facts.RunCancelled: lambda fact, _at: f"it was cancelled{_because(fact.reason or '')}",
    facts.RunHeld: lambda fact, _at: f"it was held: {fact.reason}",
    facts.RunReleased: lambda _fact, _at: "it goes on",
    facts.CodeChanged: _code_changed,
    facts.PipelinePaused: lambda fact, _at: f"pipeline {fact.pipeline} was paused: {fact.reason}",
    facts.PipelineUnpaused: lambda fact, _at: f"pipeline {fact.pipeline} was let go on",
    facts.AttemptStarted: _attempt_started,
    facts.AttemptSucceeded: _attempt_succeeded,
    facts.AttemptFailed: _attempt_failed,
    facts.AttemptSkipped: _attempt_skipped,
    facts.AttemptLost: _attempt_lost,
    facts.AttemptCancelled: _attempt_cancelled,
    facts.CheckpointSaved: _checkpoint_saved,
    facts.NodeQueued: _node_queued,
    facts.NodeFailed: _node_failed,
    facts.NodeFellBack: _node_fell_back,
    facts.NodeSkipped: _node_skipped,
    facts.NodeUpstreamFailed: lambda fact, _at: f"it can't run: it needs {fact.by}, which didn't succeed",
    facts.NodeCancelRequested: lambda _fact, _at: "somebody asked for it to be cancelled",
    facts.NodeCancelled: _node_cancelled,
    facts.BranchDecided: _branch_decided,
    facts.MapExpanded: _map_expanded,
    facts.MapEnded: _map_ended,
    facts.NodeSuspended: _node_suspended,
    facts.NodeAnswered: _node_answered,
    facts.NodeReused: lambda fact, _at: f"it keeps what it gave in {run_named(fact.source)}",
}
