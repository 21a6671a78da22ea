"""What a recovery does is decided by the journal alone: done twice it is done once, and two copies of a journal come to the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from eventflow import open_engine
from eventflow.facts import Record
from eventflow.failpoints import FailPoint, from_environment
from eventflow.journal.view import read_sqlite
from eventflow.system import SystemClock
from tests.crash.harness import PIPELINES, TRIGGERS, Case, Project, check

CRASHES = (
    "engine.dispatch.after:2:kill",
    "engine.attempt.started:20:kill",
    "engine.attempt.failed:2:kill",
    "engine.cancel.after:1:kill",
    "engine.run.ended:3:kill",
)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("crash", CRASHES)
async def test_a_recovery_is_decided_by_the_journal_alone(crash: str, tmp_path: Path):
    project = crashed(tmp_path, crash)
    shutil.copytree(project.state, tmp_path / "copy")

    before = await records(project.state)
    await recover(project.state)
    await recover(tmp_path / "copy")

    once = await records(project.state)
    assert logical(await records(tmp_path / "copy")) == logical(once)
    assert once[: len(before)] == before

    await recover(project.state)
    assert await records(project.state) == once
    async with read_sqlite(project.state, clock=SystemClock()) as journal:
        assert await check(journal, project.ledger, pipelines=PIPELINES, triggers=TRIGGERS, finished=False) == []
    project.ledger.close()


def crashed(folder: Path, crash: str) -> Project:
    case = Case(folder / "project")
    assert case.serve_early(crash) == -9
    return case.project


async def recover(state: Path) -> None:
    """Open an engine, and fail as soon as the recovery is recorded, before anything is begun."""
    instruments = from_environment({"EVENTFLOW_FAIL": "engine.recovery.after:1:raise"})
    with pytest.raises(FailPoint):
        async with open_engine(state, pipelines=PIPELINES, instruments=instruments, resources={"loom": 1}):
            pass


async def records(state: Path) -> list[Record]:
    async with read_sqlite(state, clock=SystemClock()) as journal:
        return await journal.records(0, limit=100_000)


def logical(found: list[Record]) -> bytes:
    """Give all facts as bytes, without the instants at which they were made."""
    return msgspec.json.encode([msgspec.structs.replace(record, at=0) for record in found])
