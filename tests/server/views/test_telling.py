"""Every fact about a run, a node or a pipeline has its sentence."""

from __future__ import annotations

import msgspec
import pytest

from eventflow import facts, states
from eventflow.durations import SECOND
from eventflow.engine import wanted as wants
from eventflow.engine.wanted import AnswerWanted, ChildWanted, EventWanted, TimeWanted
from eventflow.facts import Fact, Failure, Inline, Record, Stored
from eventflow.server.views.telling import tell

AT = 100 * SECOND
RAW = msgspec.Raw(b"{}")
ONE = Inline(msgspec.Raw(b"1"))
BIG = Stored("d" * 64, 12_345, "pickle")
BAD = Failure("OSError", "not now", where="etl.py:7")
RUN, OTHER, EVENT = "a" * 32, f"{'b' * 24}12345678", f"{'e' * 24}abcdef01"


def submitted(**more: str) -> Fact:
    return facts.RunSubmitted(RUN, "etl", "g", RAW, **more)


def suspended(wanted: wants.Wanted, due: int | None = None) -> Fact:
    return facts.NodeSuspended(RUN, "n", "any", wants.encode(wanted), due)


def failed(reason: str, failure: Failure | None = BAD) -> Fact:
    return facts.NodeFailed(RUN, "n", reason, failure)


TOLD: list[tuple[Fact, str]] = [
    (submitted(), "this run of etl was submitted by hand or by a program"),
    (submitted(key="k"), "this run of etl was submitted by hand or by a program, under the key 'k'"),
    (submitted(event=EVENT, trigger="on-drop"), "trigger on-drop fired this run of etl for event abcdef01"),
    (submitted(parent=OTHER, parent_node="clean"), "node clean of run 12345678 began this run of etl, its child"),
    (submitted(rerun_of=OTHER), "this rerun of run 12345678 of etl was asked for by hand or by a program"),
    (facts.RunStarted(RUN), "it was admitted and started"),
    (facts.RunSucceeded(RUN, ONE), "it succeeded with 1"),
    (facts.RunSucceeded(RUN, BIG), "it succeeded with an artifact: pickle, 12 kB"),
    (facts.RunFailed(RUN, BAD, "load"), "it failed: node load failed"),
    (facts.RunFailed(RUN, Failure("cancelled", ""), "load"), "it failed: node load was cancelled"),
    (facts.RunFailed(RUN, BAD), "it failed: OSError: not now (etl.py:7)"),
    (
        facts.RunSuspended(RUN, 1, 5 * SECOND),
        "it was suspended, after 5.0s of its own time: 1 node waits for the world, nothing else is to do",
    ),
    (facts.RunSuspended(RUN, 2, 0), "it was suspended, after 0ms of its own time: 2 nodes wait for the world, nothing else is to do"),
    (facts.RunWoken(RUN), "it was woken, and goes through the queue again"),
    (facts.RunPaused(RUN), "somebody paused it: nothing more is started in it"),
    (facts.RunUnpaused(RUN), "somebody let it go on"),
    (facts.CancelRequested(RUN), "somebody asked for it to be cancelled"),
    (facts.CancelRequested(RUN, "a newer run took its place"), "it was to be cancelled: a newer run took its place"),
    (facts.RunCancelled(RUN), "it was cancelled"),
    (facts.RunCancelled(RUN, "a newer run took its place"), "it was cancelled: a newer run took its place"),
    (facts.RunHeld(RUN, "node 'load' is gone"), "it was held: node 'load' is gone"),
    (facts.RunReleased(RUN), "it goes on"),
    (facts.CodeChanged(RUN, "g2", ("load", "clean")), "its code had changed since: it goes on with the new code of load, clean"),
    (facts.PipelinePaused("etl", "its last 3 runs failed"), "pipeline etl was paused: its last 3 runs failed"),
    (facts.PipelineUnpaused("etl"), "pipeline etl was let go on"),
    (facts.AttemptStarted(RUN, "n", 2), "attempt 2 started"),
    (
        facts.AttemptStarted(RUN, "n", 2, fallback=True),
        "what it uses didn't become free in time: attempt 2 started, which calls its fallback",
    ),
    (facts.AttemptSucceeded(RUN, "n", 2, 97 * SECOND, ONE), "attempt 2 succeeded after 3.0s"),
    (facts.AttemptFailed(RUN, "n", 2, 97 * SECOND, "error", BAD), "attempt 2 failed after 3.0s: OSError: not now (etl.py:7)"),
    (
        facts.AttemptFailed(RUN, "n", 2, 97 * SECOND, "timeout", BAD, 110 * SECOND),
        "attempt 2 ran out of time after 3.0s; to be tried again 10.0s later",
    ),
    (
        facts.AttemptFailed(RUN, "n", 2, 97 * SECOND, "timeout", BAD, AT, fallback=True),
        "attempt 2 ran out of time after 3.0s; from here on its fallback is called in its place",
    ),
    (facts.AttemptSkipped(RUN, "n", 1, 99 * SECOND, "no rows"), "attempt 1 asked to be skipped, after 1.0s: no rows"),
    (facts.AttemptSkipped(RUN, "n", 1, 99 * SECOND, ""), "attempt 1 asked to be skipped, after 1.0s"),
    (facts.AttemptLost(RUN, "n", 1, 0, "crash", 2), "attempt 1 was lost: the process died under it, 2 times by now"),
    (facts.AttemptLost(RUN, "n", 1, 0, "shutdown", 0), "attempt 1 was interrupted by an orderly shutdown, which counts against nothing"),
    (facts.AttemptCancelled(RUN, "n", 1, 0, "cancelled"), "attempt 1 was stopped"),
    (
        facts.AttemptCancelled(RUN, "n", 1, 0, "abandoned"),
        "attempt 1 was stopped, though its thread would not stop: what it still returns is dropped",
    ),
    (facts.AttemptCancelled(RUN, "n", 1, 0, "timeout"), "attempt 1 was stopped, because its run had run out of time"),
    (facts.AttemptCancelled(RUN, "n", 1, 0, "crash"), "attempt 1 had ended with its process, and was not to be tried again"),
    (facts.CheckpointSaved(RUN, "n", 1, 3), "attempt 1 saved its progress, with 3 iterations done"),
    (facts.NodeQueued(RUN, "n"), "its rule said yes: it may start"),
    (facts.NodeQueued(RUN, "n", limited=True), "its turn has come: it starts as soon as what it uses is free"),
    (
        facts.NodeQueued(RUN, "n", 160 * SECOND, limited=True),
        "its turn has come: it starts as soon as what it uses is free, and waits for that for 1m at most",
    ),
    (failed("failed", None), "it failed for good: it is not tried again"),
    (failed("rule"), "it failed for good: its rule could not be asked: OSError: not now (etl.py:7)"),
    (failed("items"), "it failed for good: what it maps over is no good: OSError: not now (etl.py:7)"),
    (failed("deadline", None), "it failed for good: what it waited for didn't come in time"),
    (failed("queue_timeout", None), "it failed for good: what it uses didn't become free in time"),
    (failed("child"), "it failed for good: its child run didn't succeed: OSError: not now (etl.py:7)"),
    (facts.NodeFellBack(RUN, "n", ONE), "its fallback takes the place of a result: 1"),
    (facts.NodeFellBack(RUN, "n", ONE, BAD), "what it uses didn't become free in time: its fallback takes the place of a result: 1"),
    (facts.NodeSkipped(RUN, "n", "when_verdict"), "it was skipped, because when_verdict was"),
    (facts.NodeSkipped(RUN, "n", "n"), "it was skipped, as its rule says"),
    (facts.NodeUpstreamFailed(RUN, "n", "load"), "it can't run: it needs load, which didn't succeed"),
    (facts.NodeCancelRequested(RUN, "n"), "somebody asked for it to be cancelled"),
    (facts.NodeCancelled(RUN, "n", 2), "it was cancelled"),
    (facts.NodeCancelled(RUN, "n", begun=True), "it was cancelled"),
    (facts.NodeCancelled(RUN, "n"), "it was cancelled, before it had begun"),
    (facts.BranchDecided(RUN, "n", taken=True, value="'improved'"), "it was taken: the value was 'improved'"),
    (facts.BranchDecided(RUN, "n", taken=False), "it was not taken"),
    (facts.MapExpanded(RUN, "n", 0, ONE), "its lists are empty: there is nothing to do"),
    (facts.MapExpanded(RUN, "n", 1, ONE), "it has 1 item"),
    (facts.MapExpanded(RUN, "n", 10, BIG), "it has 10 items"),
    (facts.MapEnded(RUN, "n", 9), "its items have ended, 9 of them well"),
    (facts.MapEnded(RUN, "n", 2, BAD), "its items have ended, 2 of them well; it failed: OSError: not now (etl.py:7)"),
    (suspended(TimeWanted(), 160 * SECOND), "it began to wait for its time, for 1m at most"),
    (suspended(ChildWanted(OTHER)), "it began to wait for the end of run 12345678"),
    (suspended(AnswerWanted("Deploy?", RAW)), "it began to wait for an answer to 'Deploy?'"),
    (
        suspended(AnswerWanted("Deploy?", RAW, ("ada", "bob")), 160 * SECOND),
        "it began to wait for an answer to 'Deploy?' from ada or bob, for 1m at most",
    ),
    (suspended(EventWanted("inbox")), "it began to wait for an event of inbox"),
    (
        suspended(EventWanted("inbox", "file", "a.csv", {"meta.id": 7})),
        "it began to wait for an event of inbox with type file, subject a.csv, meta.id = 7",
    ),
    (facts.NodeAnswered(RUN, "n", Inline(msgspec.Raw(b"true")), "ada"), "what it waited for came: ada gave true"),
    (facts.NodeAnswered(RUN, "n", BIG, OTHER), "what it waited for came: 12345678 gave an artifact: pickle, 12 kB"),
    (facts.NodeAnswered(RUN, "n", ONE, "deadline"), "what it waited for came: deadline gave 1"),
    (facts.NodeAnswered(RUN, "n", ONE), "what it waited for came: somebody gave 1"),
    (facts.NodeAnswered(RUN, "n", ONE, timed_out=True), "its time came, and it goes on with 1"),
    (facts.NodeReused(RUN, "n", OTHER, ONE), "it keeps what it gave in run 12345678"),
]


@pytest.mark.parametrize(("fact", "said"), TOLD, ids=[f"{number}-{type(fact).__name__}" for number, (fact, _) in enumerate(TOLD)])
def test_a_fact_is_told_plainly(fact: Fact, said: str) -> None:
    told = tell(Record(1, AT, fact))
    assert told is not None
    assert (told.at, told.text) == (AT, said)


def test_every_fact_about_a_run_a_node_or_a_pipeline_is_told() -> None:
    about = {facts.RunSubmitted, facts.PipelinePaused, facts.PipelineUnpaused, *states.RUN, *states.NODE}
    assert {type(fact) for fact, _ in TOLD} == about
