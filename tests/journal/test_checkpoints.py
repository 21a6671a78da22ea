"""When the log can't be copied."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from eventflow.errors import JournalDamaged, JournalFull
from eventflow.journal import checkpoints
from eventflow.journal.sqlite import open_sqlite
from tests.journal.histories import submitted, unit


class Failing(sqlite3.OperationalError):
    def __init__(self, name: str) -> None:
        super().__init__("disk I/O error")
        self.sqlite_errorname = name


class Copying:
    """Stands in the way of the copying alone: fails with one name of an error after the other, None for a success."""

    def __init__(self, *names: str | None) -> None:
        self.names = list(names)
        self.really = checkpoints._copy

    def __call__(self, connection: sqlite3.Connection) -> int:
        name = self.names.pop(0)
        if name is not None:
            raise Failing(name)
        return self.really(connection)


async def commit_six(folder: Path, clock, notes) -> None:
    async with open_sqlite(folder, clock=clock, instruments=[notes]) as journal:
        for n in range(6):
            await journal.commit(unit(submitted(f"run-{n}")))


async def test_a_disk_that_fails_three_times_on_end_stops_the_journal(tmp_path, clock, notes, monkeypatch):
    monkeypatch.setattr(checkpoints, "DUE_PAGES", 1)
    monkeypatch.setattr(checkpoints, "_copy", Copying(*["SQLITE_IOERR_FSYNC"] * 3))
    with pytest.raises(JournalDamaged, match="SQLITE_IOERR_FSYNC"):
        await commit_six(tmp_path, clock, notes)
    assert [place for place, _ in notes.troubles] == ["journal.checkpoint"] * 3


async def test_a_success_in_between_is_a_new_beginning(tmp_path, clock, notes, monkeypatch):
    failed = "SQLITE_IOERR_WRITE"
    monkeypatch.setattr(checkpoints, "DUE_PAGES", 1)
    monkeypatch.setattr(checkpoints, "_copy", Copying(failed, failed, None, failed, failed, None))
    await commit_six(tmp_path, clock, notes)
    assert [place for place, _ in notes.troubles] == ["journal.checkpoint"] * 4


async def test_a_full_disk_never_counts(tmp_path, clock, notes, monkeypatch):
    monkeypatch.setattr(checkpoints, "DUE_PAGES", 1)
    monkeypatch.setattr(checkpoints, "_copy", Copying(*["SQLITE_FULL"] * 6))
    await commit_six(tmp_path, clock, notes)
    assert {type(error) for _, error in notes.troubles} == {JournalFull}
    assert len(notes.troubles) == 6


async def test_a_relaxed_journal_stops_at_the_third_failure_too(tmp_path, clock, notes, monkeypatch):
    monkeypatch.setattr(checkpoints, "_copy", Copying(*["SQLITE_IOERR_FSYNC"] * 3))

    async def go_on() -> None:
        async with open_sqlite(tmp_path, clock=clock, instruments=[notes], durability="relaxed") as journal:
            for n in range(3):
                await journal.commit(unit(submitted(f"run-{n}")))
                await clock.until_waiting(2)
                await clock.advance(1)
                while len(notes.troubles) == n:
                    await anyio.lowlevel.checkpoint()
            await anyio.sleep_forever()

    with pytest.raises(JournalDamaged, match="SQLITE_IOERR_FSYNC"):
        await go_on()
    assert [place for place, _ in notes.troubles] == ["journal.checkpoint"] * 3
