"""What is particular to SQLite: its files, its two journal modes, other processes that write and die, its loose types."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventflow.errors import SourceUnreachable
from eventflow.sensors.rows.sqlite.connection import SQLite
from eventflow.sensors.watching import FolderWatcher
from eventflow.system import SystemClock
from tests.sensors.files.sensing import until
from tests.sensors.outside import Book, outside, watch
from tests.sensors.rows.tables import File, looked, watching

MODES = ("wal", "delete")


@pytest.fixture(params=MODES)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[File]:
    file = File(tmp_path / "a.db")
    file.run(f"PRAGMA journal_mode = {request.param}")
    file.run("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    yield file
    file.close()


def elsewhere(path: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run some code in a process of its own, with `db` a connection."""
    script = f"import os, sqlite3\ndb = sqlite3.connect({str(path)!r}, isolation_level=None, timeout=20)\n{code}"
    return subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=50)


async def test_rows_that_another_process_writes_all_fire_with_news_from_the_file(file: File) -> None:
    book, clock = Book(), SystemClock()
    script = (
        f"import sqlite3\ndb = sqlite3.connect({str(file.path)!r}, isolation_level=None, timeout=20)\n"
        "for n in range(1, 301):\n    db.execute('INSERT INTO t (v) VALUES (?)', (n,))\n"
    )
    async with FolderWatcher(clock) as watcher:
        sensor = file.sensor(every="1h")  # so that it is the news that makes it look
        world = outside("rows", clock=clock, watcher=watcher)
        async with asyncio.TaskGroup() as group:
            watched = group.create_task(watch(sensor, book, world, lambda book: len(book.events) == 300))
            await until(lambda: book.observations)
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", script)
            assert await process.wait() == 0
            await watched
    assert book.ids == [str(number) for number in range(1, 301)]
    assert book.repeated == []


async def test_a_transaction_that_is_rolled_back_gives_nothing_and_one_that_is_open_gives_its_rows_at_its_end(file: File) -> None:
    async with watching(file.sensor()) as sensor:
        file.run("BEGIN IMMEDIATE")
        file.add("t", (1, "a"))
        assert await sensor.look() == []
        file.run("ROLLBACK")
        assert await sensor.look() == []
        file.run("BEGIN IMMEDIATE")
        file.add("t", (1, "b"), (2, "c"))
        assert await sensor.look() == []
        file.run("COMMIT")
        assert await sensor.look() == ["1", "2"]
        assert sensor.book.events[0].data["v"] == "b"


async def test_a_row_with_a_low_number_of_its_own_fires_however_late(file: File) -> None:
    file.add("t", (1000, "a"))
    async with watching(file.sensor(settle="1s")) as sensor:
        for number in range(1001, 1015):
            file.add("t", (number, "b"))
            await sensor.look(3)
        file.add("t", (5, "late"))
        assert (await sensor.look())[-1] == "5"
        file.add("t", (-7, "later"))
        assert (await sensor.look())[-1] == "-7"


async def test_a_row_with_a_low_number_fires_among_many_thousands(file: File) -> None:
    file.run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 2 FROM n WHERE i < 9000) INSERT INTO t SELECT i, 'x' FROM n")
    book = Book()
    await looked(file.sensor(), book)
    file.add("t", (4444, "late"), (2, "late"))
    assert sorted(await looked(file.sensor(), book)) == ["2", "4444"]


async def test_a_writer_that_dies_in_a_transaction_leaves_nothing_behind(file: File) -> None:
    file.add("t", (1, "a"))
    died = elsewhere(
        file.path,
        "db.execute('PRAGMA cache_size = 1')\ndb.execute('BEGIN')\nfor n in range(2, 5000): db.execute('INSERT INTO t VALUES (?, ?)', (n, 'x' * 500))\nos._exit(9)",
    )
    assert died.returncode == 9
    file.close()
    book = Book()
    assert await looked(file.sensor(), book) == ["1"]
    again = File(file.path)
    again.add("t", (2, "b"))
    assert await looked(file.sensor(), book) == ["2"]
    again.close()


async def test_a_writer_that_dies_after_its_commit_loses_nothing(file: File) -> None:
    assert elsewhere(file.path, "db.execute('INSERT INTO t VALUES (1, 2)')\nos._exit(9)").returncode == 9
    assert await looked(file.sensor(), Book()) == ["1"]


async def test_it_never_holds_a_read_transaction_between_two_looks(file: File) -> None:
    file.add("t", (1, "a"))
    async with watching(file.sensor()):
        file.add("t", (2, "b"))
        ((busy, _, _),) = file.run("PRAGMA wal_checkpoint(TRUNCATE)")
        assert busy == 0
        file.run("BEGIN EXCLUSIVE")
        file.run("COMMIT")


async def test_it_only_reads(file: File) -> None:
    database = await SQLite.opened(file.path, writes=False)
    try:
        with pytest.raises(SourceUnreachable, match="readonly"):
            await database.fetch("INSERT INTO t VALUES (1, 2)")
    finally:
        await database.close()


async def test_its_thread_ends_with_it(file: File) -> None:
    before = threading.active_count()
    file.add("t", (1, "a"))
    async with watching(file.sensor()):
        assert threading.active_count() > before
    assert threading.active_count() == before


async def test_a_lock_is_waited_for_and_then_told(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventflow.sensors.rows.sqlite.connection._LOCK_WAIT", 0.01)
    file.run("PRAGMA journal_mode = delete")
    file.run("BEGIN EXCLUSIVE")
    with pytest.raises(SourceUnreachable, match="locked") as caught:
        await looked(file.sensor(), Book())
    assert caught.value.retry_after == 1.0
    file.run("COMMIT")
    file.add("t", (1, "a"))
    assert await looked(file.sensor(), Book()) == ["1"]


async def test_a_file_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "later" / "a.db"
    missing = File(tmp_path / "never.db")
    missing.path = path
    async with watching(missing.sensor()) as sensor:
        assert sensor.error is None
        assert "a.db isn't there yet" in (sensor.book.observations[-1].lagging or "")
        await sensor.look()
        path.parent.mkdir()
        path.touch()
        await sensor.look()
        file = File(path)
        file.run("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        file.add("t", (1,))
        assert await sensor.told() == ["1"]
        assert sensor.book.observations[-1].lagging is None
        assert sensor.error is None
        file.close()
    missing.close()


async def test_a_file_that_is_deleted_is_waited_for_and_one_that_is_renamed_over_it_is_read(file: File) -> None:
    file.add("t", (1, "a"))
    async with watching(file.sensor()) as sensor:
        file.close()
        for path in file.path.parent.iterdir():
            path.unlink()
        await sensor.look()
        assert sensor.error is None
        assert "isn't there yet" in (sensor.book.observations[-1].lagging or "")
        other = File(file.path.with_name("other"))
        other.run("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
        other.add("t", (1, "a"), (2, "b"))
        other.close()
        other.path.rename(file.path)
        assert await sensor.look() == ["1", "2"]


@pytest.mark.parametrize(("content", "said"), [(b"no database at all, but long enough to be one" * 40, "file is not a database")])
async def test_a_file_that_is_no_database_is_told(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(content)
    file = File(tmp_path / "b.db")
    file.path = path
    with pytest.raises(SourceUnreachable, match=said):
        await looked(file.sensor(), Book())
    file.close()


def test_a_file_that_may_not_be_read_is_told_with_what_to_do(file: File) -> None:
    script = (
        "import asyncio, os, sys\nfrom tests.sensors.outside import Book\nfrom tests.sensors.rows.tables import looked\nfrom eventflow import RowSensor\n"
        "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        f"asyncio.run(looked(RowSensor('rows', {str(file.path)!r}, 't'), Book()))"
    )
    file.close()
    for path in (file.path, *file.path.parent.glob("*-wal"), *file.path.parent.glob("*-shm")):
        path.chmod(0)
    try:
        ran = subprocess.run(
            [sys.executable, "-c", script],
            check=False,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[3],
            env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
            timeout=50,
        )
    finally:
        file.path.chmod(0o600)
    assert "can't be opened" in ran.stderr
    assert "let this user read it" in ran.stderr


async def test_values_of_every_type_are_carried_and_none_spoils_the_others(file: File) -> None:
    file.add("t", (1, None), (2, 2**63 - 1), (3, 1.5), (4, "text"), (5, b"\x00\xff"), (6, float("inf")), (7, "a\0b"))
    file.run("INSERT INTO t VALUES (8, CAST(x'ff41' AS TEXT)), (9, '{\"$path\": 1}')")
    book = Book()
    await looked(file.sensor(), book)
    assert [event.data["v"] for event in book.events] == [
        None,
        2**63 - 1,
        1.5,
        "text",
        "AP8=",
        "Infinity",
        "a\0b",
        "\\udcffA",
        '{"$path": 1}',
    ]


async def test_keys_of_every_type_are_read_in_order_and_none_is_passed_over(file: File) -> None:
    file.run("CREATE TABLE u (k NOT NULL PRIMARY KEY)")
    keys = [1, 2.5, 3, "1", "a", "b@c", b"1", b"\xff"]
    file.add("u", *[(key,) for key in keys])
    file.run("INSERT INTO u VALUES (CAST(x'ff' AS TEXT)), (CAST(x'fe' AS TEXT))")
    book = Book()
    sensor = file.sensor("u")
    assert len(set(await looked(sensor, book))) == 10
    assert await looked(sensor, book) == []
    file.add("u", (0,), (b"\xff\xff",), ("\U0010ffff",))
    assert sorted(await looked(sensor, book)) == ["0", '{"bytes": "//8="}', "\U0010ffff"]
    assert book.repeated == []


async def test_numbers_without_end_are_read_in_order_too(file: File) -> None:
    file.run("CREATE TABLE u (id INTEGER PRIMARY KEY, at REAL)")
    file.add("u", (1, float("-inf")), (2, 0.1), (3, float("inf")))
    book = Book()
    assert await looked(file.sensor("u", cursor="at"), book) == ["1", "2", "3"]
    file.add("u", (4, float("inf")))
    assert await looked(file.sensor("u", cursor="at"), book) == ["4"]


async def test_keys_that_are_no_text_of_unicode_are_read_page_by_page(file: File) -> None:
    file.run("CREATE TABLE u (k TEXT NOT NULL PRIMARY KEY)")
    file.run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1300) INSERT INTO u SELECT CAST(x'ff' || i AS TEXT) FROM n"
    )
    book = Book()
    sensor = file.sensor("u")
    assert len(set(await looked(sensor, book))) == 1300
    file.run("INSERT INTO u VALUES (CAST(x'fe' AS TEXT))")
    assert await looked(sensor, book) == ['{"text": "/g=="}']
    assert book.repeated == []


async def test_rows_without_a_key_never_fire_and_that_is_told(file: File) -> None:
    file.run("CREATE TABLE u (k TEXT PRIMARY KEY, v)")
    file.add("u", (None, 1), ("a", 2), (None, 3))
    book = Book()
    assert await looked(file.sensor("u"), book) == ["a"]
    assert "rows without a key (k is NULL)" in (book.observations[-1].lagging or "")
    file.run("DELETE FROM u WHERE k IS NULL")
    await looked(file.sensor("u"), book)
    assert book.observations[-1].lagging is None


async def test_tables_without_rowid_generated_columns_and_views_can_be_watched(file: File) -> None:
    file.run("CREATE TABLE u (a TEXT, b INTEGER, c AS (b * 2), PRIMARY KEY (b, a)) WITHOUT ROWID")
    file.run("INSERT INTO u VALUES ('x', 1), ('y', 2)")
    file.run("CREATE VIEW w AS SELECT a, b, c + 1 AS d FROM u")
    book = Book()
    await looked(file.sensor("u"), book)
    assert book.events[0].data == {"a": "x", "b": 1, "c": 2}
    assert await looked(file.sensor("w", key=["a", "b"]), Book()) == ['["x",1]', '["y",2]']
    with pytest.raises(SourceUnreachable, match=r"view 'w' .* has no primary key"):
        await looked(file.sensor("w"), Book())


@pytest.mark.parametrize("index", ["CREATE UNIQUE INDEX i ON u (a) WHERE b > 0", "CREATE UNIQUE INDEX i ON u (lower(a))"])
async def test_an_index_that_does_not_make_a_column_unique_is_no_proof(file: File, index: str) -> None:
    file.run("CREATE TABLE u (a TEXT NOT NULL, b INTEGER)")
    file.run(index)
    with pytest.raises(SourceUnreachable, match="doesn't tell rows of 'u' apart"):
        await looked(file.sensor("u", key="a"), Book())


async def test_reading_in_order_uses_an_index_where_there_is_one_and_complains_where_there_is_none(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventflow.sensors.rows.sqlite.source._SLOW", -1.0)
    file.run("CREATE TABLE u (id INTEGER PRIMARY KEY, at TEXT)")
    file.add("u", *[(number, f"{number:05}") for number in range(50)])
    book = Book()
    await looked(file.sensor("u"), book)
    assert book.observations[-1].lagging is None
    await looked(file.sensor("u", cursor="at"), book)
    assert "has no index on (at, id): each look reads all of it" in (book.observations[-1].lagging or "")
    file.run("CREATE INDEX by_time ON u (at)")
    await looked(file.sensor("u", cursor="at"), book)
    assert book.observations[-1].lagging is None


async def test_check_says_what_is_wrong_and_takes_nothing(file: File, tmp_path: Path) -> None:
    file.add("t", (1, "a"))
    await file.sensor().check(outside("rows"))
    with pytest.raises(SourceUnreachable, match="no table 'nowhere'"):
        await file.sensor("nowhere").check(outside("rows"))
    gone = File(tmp_path / "b.db")
    gone.path = tmp_path / "c.db"
    with pytest.raises(SourceUnreachable, match=r"c\.db isn't there"):
        await gone.sensor().check(outside("rows"))
    gone.close()
    assert not (tmp_path / "c.db").exists()


async def test_a_call_that_is_cancelled_leaves_no_transaction_open(file: File) -> None:
    file.run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO t SELECT i, 'x' FROM n")
    database = await SQLite.opened(file.path, writes=False)
    endless = asyncio.create_task(database.fetch("SELECT count(*) FROM t AS a, t AS b, t AS c"))
    await asyncio.sleep(0.05)
    endless.cancel()
    await asyncio.wait([endless])
    await database.close()  # interrupts what still runs, and returns
    file.run("PRAGMA journal_mode = delete")
    file.run("BEGIN EXCLUSIVE")
    file.run("COMMIT")


async def test_a_relative_path_starts_at_the_root(file: File) -> None:
    file.add("t", (1, "a"))
    away = File(file.path)
    away.path = Path(file.path.name)
    assert await looked(away.sensor(), Book(), root=file.path.parent) == ["1"]
    away.close()


def test_the_private_parts_that_are_relied_on_are_there() -> None:
    assert sqlite3.sqlite_version_info >= (3, 15), "comparisons of rows of values"
