"""Twenty commits on a SQLite journal, and what must be true of the journal afterwards, wherever it was broken off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from eventflow import facts
from eventflow.facts import Fact, Inline, Unit
from eventflow.journal.sqlite import SqliteJournal, open_sqlite
from eventflow.journal.verify import verify
from eventflow.testing.clock import VirtualClock

Durability = Literal["full", "relaxed"]

AT = 1_700_000_000_000_000


def units() -> list[Unit]:
    """Twenty units of different shapes and sizes, legal one after the other."""
    steps: list[tuple[Fact, ...]] = []
    for n in range(4):
        run = f"run-{n}"
        steps += [
            (
                facts.EventRecorded(f"event-{n}", "inbox", f"file-{n}", "file.created", AT, msgspec.Raw(b'"data"')),
                facts.RunSubmitted(run, "etl", "g", msgspec.Raw(b"{}"), key=run),
                facts.DecisionMade(f"event-{n}", "t", "fired", run),
                facts.CursorMoved("inbox", msgspec.Raw(b"%d" % n)),
            ),
            (facts.RunStarted(run), facts.AttemptStarted(run, "x", 1)),
            (facts.CheckpointSaved(run, "x", 1, 1, Inline(msgspec.Raw(b'"%s"' % (b"s" * 9000)))),),
            (facts.AttemptSucceeded(run, "x", 1, AT, Inline(msgspec.Raw(b"1"))),),
            (facts.RunSucceeded(run, Inline(msgspec.Raw(b"null"))),),
        ]
    return [Unit(AT + number, step) for number, step in enumerate(steps)]


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
