"""Facts in plain words: one sentence for each kind of fact that a person asks about. Others are told by nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from eventflow import durations, facts, ids, states
from eventflow.durations import SECOND
from eventflow.facts import Fact, Inline, Record
from eventflow.server.answers import Sentence
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


# Runs


def _submitted(fact: facts.RunSubmitted, _: int) -> str:
    if fact.event is not None:
        return f"trigger {fact.trigger} fired this run of {fact.pipeline} for {event_named(fact.event)}"
    key = "" if fact.key is None else f", under the key {fact.key!r}"
    return f"this run of {fact.pipeline} was submitted by hand or by a program{key}"


def _run_succeeded(fact: facts.RunSucceeded, _: int) -> str:
    if isinstance(fact.result, Inline):
        return f"it succeeded with {clipped(bytes(fact.result.json).decode(), 200)}"
    return f"it succeeded with an {shown(fact.result).artifact}"


def _run_failed(fact: facts.RunFailed, _: int) -> str:
    return f"it failed: node {fact.node} failed" if fact.node else f"it failed: its result couldn't be made: {fact.failure}"


def _code_changed(fact: facts.CodeChanged, _: int) -> str:
    return f"its code had changed since: it goes on with the new code of {', '.join(fact.nodes)}"


# Attempts and nodes


def _attempt_succeeded(fact: facts.AttemptSucceeded, at: int) -> str:
    return f"attempt {fact.attempt} succeeded after {_since(fact.started_at, at)}"


def _attempt_failed(fact: facts.AttemptFailed, at: int) -> str:
    after = _since(fact.started_at, at)
    ending = {
        states.TIMEOUT: f"ran out of time after {after}",
        states.ABANDONED: f"ran out of time after {after}, and its thread would not stop: what it still returns is dropped",
        states.INPUT: f"could not begin: what it takes can't be read: {fact.failure}",
    }.get(fact.reason, f"failed after {after}: {fact.failure}")
    again = "" if fact.due is None else f"; to be tried again {durations.text(max(0, fact.due - at) / SECOND)} later"
    return f"attempt {fact.attempt} {ending}{again}"


def _attempt_lost(fact: facts.AttemptLost, _: int) -> str:
    if fact.reason == states.SHUTDOWN:
        return f"attempt {fact.attempt} was interrupted by an orderly shutdown, which counts against nothing"
    times = "the first time" if fact.crashes == 1 else f"{fact.crashes} times by now"
    return f"attempt {fact.attempt} was lost: the process died under it, {times}"


def _attempt_cancelled(fact: facts.AttemptCancelled, _: int) -> str:
    loose = ", though its thread would not stop: what it still returns is dropped" if fact.reason == states.ABANDONED else ""
    return f"attempt {fact.attempt} was stopped, because its run was cancelled{loose}"


def _node_failed(fact: facts.NodeFailed, _: int) -> str:
    reasons = {
        states.POISONED: "the process died under it as often as its max_crashes allows",
        states.UNKNOWN: "the process died under it, and it is to be started at most once: nobody knows whether it did its work",
    }
    return f"it failed for good: {reasons.get(fact.reason, 'it is not tried again')}"


def _node_cancelled(fact: facts.NodeCancelled, _: int) -> str:
    return "it was cancelled with its run" + ("" if fact.attempt else ", before it had begun")


def _checkpoint_saved(fact: facts.CheckpointSaved, _: int) -> str:
    done = f", with {fact.position} iterations done" if fact.position else ""
    return f"attempt {fact.attempt} saved its progress{done}"


def _since(started_at: int, at: int) -> str:
    return durations.text(max(0, at - started_at) / SECOND)


_WORDS: Mapping[type[Fact], Callable[[Any, int], str]] = {
    facts.RunSubmitted: _submitted,
    facts.RunStarted: lambda _fact, _at: "it was admitted and started",
    facts.RunSucceeded: _run_succeeded,
    facts.RunFailed: _run_failed,
    facts.CancelRequested: lambda _fact, _at: "somebody asked for it to be cancelled",
    facts.RunCancelled: lambda _fact, _at: "it was cancelled",
    facts.RunHeld: lambda fact, _at: f"it was held, because it no longer fits the code: {fact.reason}",
    facts.RunReleased: lambda _fact, _at: "it fits the code again, and goes on",
    facts.CodeChanged: _code_changed,
    facts.AttemptStarted: lambda fact, _at: f"attempt {fact.attempt} started",
    facts.AttemptSucceeded: _attempt_succeeded,
    facts.AttemptFailed: _attempt_failed,
    facts.AttemptLost: _attempt_lost,
    facts.AttemptCancelled: _attempt_cancelled,
    facts.NodeFailed: _node_failed,
    facts.NodeUpstreamFailed: lambda fact, _at: f"it can't run: it needs {fact.by}, which didn't succeed",
    facts.NodeCancelled: _node_cancelled,
    facts.CheckpointSaved: _checkpoint_saved,
}
