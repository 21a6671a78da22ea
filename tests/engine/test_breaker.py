from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import msgspec
import pytest

from eventflow import facts
from eventflow.engine.breaker import trips
from eventflow.facts import Fact, Failure, Inline, Unit
from eventflow.journal.memory import MemoryJournal
from eventflow.journal.sqlite import open_sqlite
from eventflow.ports import Journal
from eventflow.system import SystemClock

FAILURE = Failure("ValueError", "no")


class Runs:
    """Runs in a journal that end one after the other, each fact a microsecond after the one before."""

    def __init__(self, journal: Journal | None = None) -> None:
        self.journal: Journal = journal or MemoryJournal()
        self.instants = count(1_000)
        self.numbers = count(1)

    async def ended(self, *endings: str, pipeline: str = "p") -> None:
        for ending in endings:
            for fact in life(f"{next(self.numbers):032x}", ending, pipeline):
                await self.happened(fact)

    async def happened(self, fact: Fact) -> None:
        await self.journal.commit(Unit(next(self.instants), (fact,)))

    async def trips(self, pause_after: int) -> bool:
        return await trips(self.journal, "p", pause_after)


def life(run: str, ending: str, pipeline: str) -> Iterator[Fact]:
    yield facts.RunSubmitted(run, pipeline, "g", msgspec.Raw(b"{}"))
    yield facts.RunStarted(run)
    match ending:
        case "succeeded":
            yield facts.RunSucceeded(run, Inline(msgspec.Raw(b"null")))
        case "failed":
            yield facts.RunFailed(run, FAILURE)
        case "cancelled":
            yield facts.CancelRequested(run)
            yield facts.RunCancelled(run)
        case _:
            assert ending == "running"


@pytest.mark.parametrize(
    ("endings", "tripped"),
    [
        ((), False),
        (("failed", "failed"), False),
        (("failed", "failed", "failed"), True),
        (("succeeded", "failed", "failed", "failed"), True),
        (("failed", "failed", "failed", "failed"), True),
        (("failed", "failed", "failed", "succeeded"), False),
        (("failed", "failed", "succeeded", "failed"), False),
        (("failed", "cancelled", "failed", "running", "failed", "cancelled"), True),
        (("cancelled", "cancelled", "cancelled"), False),
    ],
)
async def test_it_trips_when_the_last_three_that_ended_by_themselves_have_failed(endings: tuple[str, ...], tripped: bool) -> None:
    runs = Runs()
    await runs.ended(*endings)
    assert await runs.trips(3) is tripped


async def test_the_runs_of_other_pipelines_dont_count() -> None:
    runs = Runs()
    await runs.ended("failed")
    await runs.ended("failed", pipeline="other")
    assert not await runs.trips(2)
    await runs.ended("succeeded", pipeline="other")
    await runs.ended("failed")
    assert await runs.trips(2)


async def test_what_failed_before_a_person_let_it_go_on_doesnt_count() -> None:
    runs = Runs()
    await runs.ended("failed", "failed")
    await runs.happened(facts.PipelinePaused("p", "2 runs in a row have failed"))
    assert not await runs.trips(2)
    await runs.happened(facts.PipelineUnpaused("p"))
    await runs.ended("failed")
    assert not await runs.trips(2)
    assert await runs.trips(1)
    await runs.ended("failed")
    assert await runs.trips(2)


async def test_a_paused_pipeline_is_not_paused_again() -> None:
    runs = Runs()
    await runs.happened(facts.PipelinePaused("p", "a person said so"))
    await runs.ended("failed", "failed")
    assert not await runs.trips(2)


async def test_it_reads_the_same_from_disk(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path, clock=SystemClock()) as journal:
        runs = Runs(journal)
        await runs.ended("failed", "succeeded", "failed", "cancelled")
        assert not await runs.trips(2)
        await runs.ended("failed")
        assert await runs.trips(2)
