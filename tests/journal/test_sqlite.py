"""What the SQLite journal does beyond what every journal does."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import sqlite3
import stat
import threading
from pathlib import Path

import aiosqlite
import anyio
import anyio.lowlevel
import pytest

from eventflow import facts
from eventflow.errors import JournalDamaged, JournalError, JournalFull, JournalMisplaced, JournalOwned, Refused
from eventflow.journal import checkpoints, connection
from eventflow.journal.queries import MIGRATIONS
from eventflow.journal.sqlite import open_sqlite
from eventflow.projections import RunRow
from tests.journal.histories import a_run, submitted, unit


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


def other(folder: Path) -> contextlib.closing[sqlite3.Connection]:
    """Another program's connection to the same journal."""
    return contextlib.closing(sqlite3.connect(folder / "journal.db", isolation_level=None, timeout=0))


async def on_writer(journal, *statements: str) -> None:
    def step(raw: sqlite3.Connection) -> None:
        for statement in statements:
            raw.execute(statement).fetchall()

    await journal._writer._connection.run(step)


async def test_commits_made_at_once_share_few_transactions(folder, clock, notes):
    async with open_sqlite(folder, clock=clock, instruments=[notes]) as journal:
        await asyncio.gather(*(journal.commit(unit(submitted(f"run-{n}"))) for n in range(1000)))
    assert notes.points.count("journal.batch.committed") <= 2


async def test_one_refusal_among_many_costs_one_more_try_and_nothing_else(folder, clock, notes):
    async with open_sqlite(folder, clock=clock, instruments=[notes]) as journal:
        names = [f"run-{n}" for n in range(300)]
        results = await asyncio.gather(
            *(journal.commit(unit(submitted(name))) for name in (*names, "run-7", *names[:2])), return_exceptions=True
        )
        assert results[:300] == list(range(1, 301))
        assert [type(result) for result in results[300:]] == [Refused] * 3
    assert notes.points.count("journal.batch.committed") <= 2


async def test_what_was_committed_is_there_after_reopening(folder, clock):
    async with open_sqlite(folder, clock=clock) as journal:
        for each in a_run("a", "x", "y"):
            await journal.commit(each)
        records = await journal.records(0, limit=99)
    async with open_sqlite(folder, clock=clock) as journal:
        assert journal.seq == len(records)
        assert await journal.records(0, limit=99) == records
        assert await journal.commit(unit(submitted("b"))) == len(records) + 1


async def test_what_is_enqueued_is_written_before_the_journal_closes(folder, clock):
    async with open_sqlite(folder, clock=clock) as journal:
        for n in range(50):
            journal.enqueue(unit(submitted(f"run-{n}")))
    async with open_sqlite(folder, clock=clock) as journal:
        assert journal.seq == 50


async def test_a_cancelled_block_still_writes_its_queue_and_closes(folder, clock):
    with anyio.CancelScope() as scope:
        async with open_sqlite(folder, clock=clock) as journal:
            journal.enqueue(unit(submitted("a")))
            scope.cancel()
            await anyio.sleep_forever()
    async with open_sqlite(folder, clock=clock) as journal:
        assert journal.seq == 1


async def test_after_closing_nothing_is_left(folder, clock):
    threads = set(threading.enumerate())
    async with open_sqlite(folder, clock=clock) as journal:
        await journal.commit(unit(submitted("a")))
    left = {type(thread).__name__ for thread in set(threading.enumerate()) - threads}
    assert left <= {"WorkerThread"}  # anyio keeps its own for a while
    assert not [file for file in map(os.path.realpath, Path("/proc/self/fd").iterdir()) if file.startswith(str(folder))]
    assert sorted(file.name for file in folder.iterdir()) == ["journal.db", "journal.lock", "journal.mark"]
    for asking in (journal.commit(unit(submitted("b"))), journal.select(RunRow), journal.records(0, limit=1), journal.changed(9)):
        with pytest.raises(JournalError, match="closed"):
            await asking


async def test_an_inline_journal_uses_no_thread(folder, clock):
    before = set(threading.enumerate())
    async with open_sqlite(folder, clock=clock, inline=True) as journal:
        await journal.commit(unit(submitted("a")))
        await journal.select(RunRow)
        assert set(threading.enumerate()) <= before


async def test_an_error_of_the_block_comes_out_as_it_is(folder, clock):
    with pytest.raises(LookupError, match="mine"):
        async with open_sqlite(folder, clock=clock):
            raise LookupError("mine")
    with pytest.raises(ExceptionGroup) as several:
        async with open_sqlite(folder, clock=clock):
            raise ExceptionGroup("mine", [ValueError(), TypeError()])
    assert several.value.message == "mine"


async def test_no_file_can_be_read_by_others(folder, clock):
    before = os.umask(0)
    try:
        async with open_sqlite(folder, clock=clock) as journal:
            await journal.commit(unit(submitted("a")))
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert modes == dict.fromkeys(["journal.db", "journal.db-wal", "journal.db-shm", "journal.lock", "journal.mark"], 0o600)


async def test_the_safety_of_each_durability_is_really_set(folder, clock):
    async def levels(durability: str) -> tuple[str, int]:
        async with open_sqlite(folder, clock=clock, durability=durability) as journal:
            return await journal._writer._connection.run(
                lambda raw: (raw.execute("PRAGMA journal_mode").fetchone()[0], raw.execute("PRAGMA synchronous").fetchone()[0])
            )

    assert await levels("full") == ("wal", 2)
    assert await levels("relaxed") == ("wal", 1)


async def test_only_the_writer_copies_the_log(folder, clock):
    async with open_sqlite(folder, clock=clock) as journal:
        for each in (journal._writer._connection, journal._reader._connection):
            assert await each.run(lambda raw: raw.execute("PRAGMA wal_autocheckpoint").fetchone()[0]) == 0
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await journal._reader._connection.run(lambda raw: raw.execute("DELETE FROM facts"))


async def test_an_owner_that_was_taken_over_writes_nothing_more(folder, clock):
    async def go_on() -> None:
        async with open_sqlite(folder, clock=clock) as journal:
            await journal.commit(unit(submitted("a")))
            with other(folder) as usurper:
                usurper.execute("UPDATE journal SET epoch = epoch + 1")
            with pytest.raises(JournalOwned, match="taken over"):
                await journal.commit(unit(submitted("b")))
            with pytest.raises(JournalOwned):
                journal.enqueue(unit(submitted("b")))
            await anyio.sleep_forever()

    with pytest.raises(JournalOwned, match="taken over"):
        await go_on()
    async with open_sqlite(folder, clock=clock) as journal:
        assert [row.run for row in await journal.select(RunRow)] == ["a"]


async def test_another_programs_lock_is_waited_out(folder, clock, notes, monkeypatch):
    monkeypatch.setattr(connection, "LOCK_WAIT", 0.001)
    async with open_sqlite(folder, clock=clock, instruments=[notes]) as journal:
        await clock.until_waiting(1)  # the look at the files
        with other(folder) as holder:
            holder.execute("BEGIN IMMEDIATE")
            waiting = asyncio.ensure_future(journal.commit(unit(submitted("a"))))
            for _ in range(6):
                await clock.until_waiting(2)
                await clock.advance(0.06)
            assert not waiting.done()
            assert not journal.full
            holder.execute("COMMIT")
        while not waiting.done():
            await clock.advance(0.06)
        assert waiting.result() == 1
    assert [place for place, _ in notes.troubles] == ["journal.batch"]


async def test_a_full_disk_is_waited_out_and_nothing_is_lost(folder, clock, notes):
    async with open_sqlite(folder, clock=clock, instruments=[notes]) as journal:
        await journal.commit(unit(submitted("a")))
        await clock.until_waiting(2)  # the look at the files, and the sync of the mark
        await on_writer(journal, "PRAGMA max_page_count = 1")
        big = facts.RunHeld("a", "x" * 100_000)
        waiting = asyncio.ensure_future(journal.commit(unit(big)))
        await clock.until_waiting(3)
        assert journal.full
        late = asyncio.ensure_future(journal.commit(unit(facts.RunReleased("a"))))
        await clock.advance(0.6)
        await clock.until_waiting(3)
        assert journal.full
        assert not waiting.done()
        assert [row.state for row in await journal.select(RunRow)] == ["queued"]
        await on_writer(journal, "PRAGMA max_page_count = 1000000")
        while not late.done():
            await clock.advance(0.6)
        assert (waiting.result(), late.result()) == (2, 3)
        assert not journal.full
    assert [(place, type(error)) for place, error in notes.troubles] == [("journal.batch", JournalFull)]


async def test_closing_on_a_full_disk_tells_all_who_wait(folder, clock):
    waiting: list[asyncio.Future[int]] = []

    async def leave() -> None:
        async with open_sqlite(folder, clock=clock) as journal:
            await journal.commit(unit(submitted("a")))
            await clock.until_waiting(2)
            await on_writer(journal, "PRAGMA max_page_count = 1")
            waiting.append(asyncio.ensure_future(journal.commit(unit(facts.RunHeld("a", "x" * 100_000)))))
            await clock.until_waiting(3)

    with pytest.raises(JournalFull):
        await leave()
    with pytest.raises(JournalFull):
        await waiting[0]
    async with open_sqlite(folder, clock=clock) as journal:
        assert journal.seq == 1


@pytest.mark.parametrize("name", ["journal.db", "journal.db-wal"])
async def test_files_removed_or_replaced_under_a_journal_stop_it(folder, clock, name):
    async def go_on() -> None:
        async with open_sqlite(folder, clock=clock) as journal:
            await journal.commit(unit(submitted("a")))
            # When both the mark and the look wait for the clock, the first look has been.
            await clock.until_waiting(2)
            (folder / name).rename(folder / "elsewhere")
            await clock.advance(11)
            await anyio.sleep_forever()

    with pytest.raises(JournalDamaged, match="removed or replaced"):
        await go_on()


async def test_a_reader_that_never_ends_raises_an_alarm_and_stalls_nobody(folder, clock, notes, monkeypatch):
    monkeypatch.setattr(checkpoints, "DUE_PAGES", 1)
    monkeypatch.setattr(checkpoints, "ALARM_SIZE", 100_000)
    async with open_sqlite(folder, clock=clock, instruments=[notes]) as journal:
        await journal.commit(unit(submitted("a")))
        with other(folder) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM facts").fetchall()
            for n in range(20):
                await journal.commit(unit(submitted(f"run-{n}")))
        assert [place for place, _ in notes.troubles] == ["journal.log"]
        for n in range(20, 23):
            await journal.commit(unit(submitted(f"run-{n}")))
        assert journal._writer.checkpoints._alarmed is False
    assert len(notes.troubles) == 1


async def test_a_log_that_grows_is_copied(folder, clock, notes, monkeypatch):
    monkeypatch.setattr(checkpoints, "DUE_PAGES", 30)
    async with open_sqlite(folder, clock=clock, instruments=[notes]) as journal:
        for n in range(60):
            await journal.commit(unit(submitted(f"run-{n}")))
        assert (folder / "journal.db-wal").stat().st_size < 500_000
    # Five batches of a little more than six pages make thirty; one more comes at the end.
    assert notes.points.count("journal.checkpoint.after") == 60 // 5 + 1


async def test_a_relaxed_journal_is_synced_each_second(folder, clock, notes):
    async with open_sqlite(folder, clock=clock, instruments=[notes], durability="relaxed") as journal:
        await journal.commit(unit(submitted("a")))
        await clock.until_waiting(2)
        await clock.advance(1)
        while "journal.checkpoint.after" not in notes.points:
            await anyio.lowlevel.checkpoint()


async def test_each_step_of_a_life_has_its_points(folder, clock, notes):
    async with open_sqlite(folder, clock=clock, instruments=[notes]) as journal:
        await journal.commit(unit(submitted("a")))
    assert notes.points == [
        "journal.open.before",
        "journal.create.before",
        *["journal.migrate.before", "journal.migrate.written", "journal.migrate.after"] * len(MIGRATIONS),
        "journal.create.after",
        "journal.open.after",
        "journal.commit.before",
        "journal.batch.before",
        "journal.batch.written",
        "journal.batch.committed",
        "journal.batch.after",
        "journal.commit.after",
        "journal.close.before",
        "journal.mark.before",
        "journal.mark.after",
        "journal.checkpoint.before",
        "journal.checkpoint.after",
        "journal.close.after",
    ]


@pytest.mark.parametrize("point", ["journal.batch.before", "journal.batch.written", "journal.batch.committed", "journal.batch.after"])
async def test_an_unknown_error_at_any_point_of_a_batch_stops_the_journal(folder, clock, notes, point):
    def reached(name: str) -> None:
        if name == point:
            raise RuntimeError("planted")

    async def go_on() -> None:
        async with open_sqlite(folder, clock=clock, instruments=[notes]) as journal:
            notes.reached = reached
            with contextlib.suppress(JournalDamaged):
                await journal.commit(unit(submitted("a")))
            with pytest.raises(JournalDamaged, match="planted"):
                await journal.commit(unit(submitted("b")))
            await anyio.sleep_forever()

    with pytest.raises(JournalDamaged, match="planted") as damaged:
        await go_on()
    assert isinstance(damaged.value.__cause__, RuntimeError)
    del notes.reached
    async with open_sqlite(folder, clock=clock) as journal:
        assert await journal.commit(unit(submitted("c"))) == journal.seq


async def test_a_deep_path_is_fine_as_far_as_sqlite_goes(tmp_path, clock):
    room = 490 - len(str(tmp_path / "x/journal.db"))
    folder = tmp_path / "/".join(["d" * (room // 4 - 1)] * 4)
    async with open_sqlite(folder, clock=clock) as journal:
        assert await journal.commit(unit(submitted("a"))) == 1
    with pytest.raises(JournalMisplaced, match="too long"):
        async with open_sqlite(folder / ("e" * 60), clock=clock):
            pass


async def test_a_path_with_signs_that_mean_something_in_a_url_is_fine(tmp_path, clock):
    folder = tmp_path / "a?b=c#d%20e f" / os.fsdecode(b"\xff")
    async with open_sqlite(folder, clock=clock) as journal:
        assert await journal.commit(unit(submitted("a"))) == 1
    assert (folder / "journal.db").exists()


def test_aiosqlite_still_runs_a_function_on_its_thread():
    method = aiosqlite.Connection._execute
    assert inspect.iscoroutinefunction(method)
    assert str(inspect.signature(method)) == "(self, fn, *args, **kwargs)"
    assert list(inspect.signature(aiosqlite.Connection.__init__).parameters)[:3] == ["self", "connector", "iter_chunk_size"]


async def test_what_aiosqlite_logs_holds_no_values(folder, clock, caplog):
    caplog.set_level("DEBUG")
    async with open_sqlite(folder, clock=clock) as journal:
        await journal.commit(unit(submitted("canary-run")))
        await journal.select(RunRow, run="canary-run")
    assert "canary" not in caplog.text


async def test_a_connection_that_can_not_be_opened_leaves_no_thread_behind():
    def refuses() -> sqlite3.Connection:
        raise sqlite3.DatabaseError("no database")

    before = set(threading.enumerate())
    with pytest.raises(sqlite3.DatabaseError):
        await connection.open_connection(refuses, inline=False)
    assert {thread for thread in threading.enumerate() if "_connection_worker" in thread.name} <= before
