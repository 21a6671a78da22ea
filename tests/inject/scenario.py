"""Twenty commits on a SQLite journal, and what must be true of the journal afterwards, wherever it was broken off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from eventflow import facts
from eventflow.facts import Fact, Failure, Inline, Unit
from eventflow.journal.sqlite import SqliteJournal, open_sqlite
from eventflow.journal.verify import verify
from eventflow.testing.clock import VirtualClock

Durability = Literal["full", "relaxed"]

AT = 1_700_000_000_000_000
ONE = Inline(msgspec.Raw(b"1"))
FAILURE = Failure("OSError", "not now")


def units() -> list[Unit]:
    """Twenty units of different shapes and sizes, legal one after the other: four runs, each fired by an event and doing other things."""
    steps: list[tuple[Fact, ...]] = []
    for n, told in enumerate((_tried, _expanded, _waited, _stopped)):
        run = f"run-{n}"
        steps += [
            (
                facts.EventRecorded(f"event-{n}", "inbox", f"file-{n}", "file.created", AT, msgspec.Raw(b'"data"')),
                facts.RunSubmitted(run, "etl", "g", msgspec.Raw(b"{}"), key=run),
                facts.DecisionMade(f"event-{n}", "t", "fired", run),
                facts.CursorMoved("inbox", msgspec.Raw(b"%d" % n)),
            ),
            *told(run),
        ]
    return [Unit(AT + number, step) for number, step in enumerate(steps)]


def _tried(run: str) -> list[tuple[Fact, ...]]:
    """A task that saves its progress."""
    return [
        (facts.RunStarted(run), facts.AttemptStarted(run, "x", 1)),
        (facts.CheckpointSaved(run, "x", 1, 1, Inline(msgspec.Raw(b'"%s"' % (b"s" * 9000)))),),
        (facts.AttemptSucceeded(run, "x", 1, AT, ONE),),
        (facts.RunSucceeded(run, ONE),),
    ]


def _expanded(run: str) -> list[tuple[Fact, ...]]:
    """A branch, and within it a map over many items, one of which falls back."""
    items = Inline(msgspec.Raw(b"[%s]" % b",".join(b'"item-%d"' % n for n in range(900))))
    return [
        (facts.RunStarted(run), facts.BranchDecided(run, "when_x", taken=True), facts.BranchDecided(run, "otherwise", taken=False)),
        (facts.MapExpanded(run, "train", 2, items), facts.NodeSkipped(run, "keep", "otherwise"), facts.NodeQueued(run, "train[0]")),
        (
            facts.AttemptStarted(run, "train[0]", 1, queued=True),
            facts.AttemptStarted(run, "train[1]", 1),
            facts.AttemptSkipped(run, "train[1]", 1, AT, "nothing in it"),
            facts.AttemptFailed(run, "train[0]", 1, AT, "error", FAILURE, AT, fallback=True),
        ),
        (facts.NodeFellBack(run, "train[0]", ONE), facts.MapEnded(run, "train", 1), facts.RunSucceeded(run, ONE)),
    ]


def _waited(run: str) -> list[tuple[Fact, ...]]:
    """A node that waits for an answer and one that waits for a child run; meanwhile a person pauses this and that."""
    child = facts.RunSubmitted(f"{run}-child", "etl", "g", msgspec.Raw(b"{}"), parent=run, parent_node="child")
    return [
        (facts.RunStarted(run), facts.NodeSuspended(run, "ask", "answer", msgspec.Raw(b'"%s"' % (b"?" * 9000)), AT + 99)),
        (child, facts.NodeSuspended(run, "child", "child", msgspec.Raw(b"{}")), facts.RunSuspended(run, 2, ran=5)),
        (facts.RunPaused(run), facts.PipelinePaused("etl", "too many failed"), facts.NodeAnswered(run, "ask", ONE, "ada")),
        (facts.RunWoken(run), facts.RunUnpaused(run), facts.PipelineUnpaused("etl"), facts.NodeCancelRequested(run, "child")),
    ]


def _stopped(run: str) -> list[tuple[Fact, ...]]:
    """A rerun that is cancelled, and its map with it."""
    rerun = facts.RunSubmitted(f"{run}-again", "etl", "g", msgspec.Raw(b"{}"), rerun_of=run, concurrency_key="k")
    return [
        (facts.RunStarted(run), facts.MapExpanded(run, "train", 1, ONE), facts.NodeFailed(run, "x", "rule", FAILURE, begun=False)),
        (rerun, facts.NodeReused(f"{run}-again", "x", run, ONE)),
        (facts.CancelRequested(run, "a newer run took its place"),),
        (facts.NodeCancelled(run, "train", begun=True), facts.NodeCancelled(run, "train[0]"), facts.RunCancelled(run)),
    ]


UNITS = units()
FACTS = [fact for unit in UNITS for fact in unit.facts]
ENDS = [sum(len(unit.facts) for unit in UNITS[: number + 1]) for number in range(len(UNITS))]
"""The place of the last fact of each unit."""


def play(folder: Path, acknowledged: Callable[[int], None], *, durability: Durability = "full") -> None:
    """Commit all units that the journal hasn't, in this thread alone, and tell each place that was acknowledged."""
    asyncio.run(_play(folder, acknowledged, durability))


async def _play(folder: Path, acknowledged: Callable[[int], None], durability: Durability) -> None:
    clock = VirtualClock()
    async with open_sqlite(folder, clock=clock, durability=durability, inline=True) as journal:
        assert journal.seq in (0, *ENDS), "the journal ends within a unit"
        for number in range(ENDS.index(journal.seq) + 1 if journal.seq else 0, len(UNITS)):
            acknowledged(await _committed(journal, UNITS[number], clock))
            await clock.advance(0.3)  # the mark is synced at each fourth commit or so


async def _committed(journal: SqliteJournal, unit: Unit, clock: VirtualClock) -> int:
    """Commit a unit, letting time pass where that takes some: on a full disk."""
    task = asyncio.ensure_future(journal.commit(unit))
    while not task.done():
        await clock.advance(0.25)
    return task.result()


async def look(folder: Path, durability: Durability = "full") -> int:
    """Give the last place of a journal, whose facts must be the beginning of those that the scenario commits."""
    async with open_sqlite(folder, clock=VirtualClock(), durability=durability, inline=True) as journal:
        records = await journal.records(0, limit=9999)
        assert [record.fact for record in records] == FACTS[: len(records)]
        assert len(records) in (0, *ENDS), "half a unit was kept"
        return journal.seq


def check(folder: Path, acknowledged: int, durability: Durability = "full") -> None:
    """Check that nothing acknowledged is lost, that the journal is sound, and that it goes on to the end."""
    seq = asyncio.run(look(folder, durability))
    assert seq >= acknowledged, f"{acknowledged} was acknowledged, the journal ends at {seq}"
    assert verify(folder).problems == ()
    play(folder, lambda _: None, durability=durability)
    report = verify(folder)
    assert (report.problems, report.seq) == ((), len(FACTS))
