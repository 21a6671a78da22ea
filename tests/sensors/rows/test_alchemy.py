"""What is particular to databases that are read through SQLAlchemy: types, passwords, missing drivers, threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from eventflow import Secret
from eventflow.errors import SourceUnreachable
from eventflow.sensors.rows.alchemy.connection import Alchemy
from eventflow.sensors.rows.lookback import LookBack
from eventflow.sensors.rows.options import Database
from eventflow.sensors.rows.sensor import RowSensor
from tests.sensors.files.sensing import until
from tests.sensors.outside import Book, outside
from tests.sensors.rows.tables import File, looked, watching


@pytest.fixture
def file(tmp_path: Path) -> Iterator[File]:
    file = File(tmp_path / "a.db", "sqlalchemy")
    yield file
    file.close()


async def test_dates_give_events_their_time_and_are_carried_as_text(file: File) -> None:
    file.run("CREATE TABLE u (id INTEGER PRIMARY KEY, at DATETIME, day DATE, ok BOOLEAN, raw BLOB)")
    file.add("u", (1, "2026-11-20 12:00:00.000000", "2026-11-20", 1, b"\xff"))
    book = Book()
    await looked(file.sensor("u", cursor="at"), book)
    (event,) = book.events
    assert event.time == 1_795_176_000_000_000
    assert event.data == {"id": 1, "at": "2026-11-20T12:00:00", "day": "2026-11-20", "ok": True, "raw": "/w=="}
    file.add("u", (2, "2026-11-20 12:00:00.000000", None, None, None))
    file.add("u", (3, "2026-11-20 12:00:00.000001", None, None, None))
    assert await looked(file.sensor("u", cursor="at"), book) == ["2", "3"]


async def test_json_is_carried_as_data(file: File) -> None:
    file.run("CREATE TABLE u (id INTEGER PRIMARY KEY, j JSON)")
    file.add("u", (1, '{"a": [1, null]}'), (2, '{"$path": "/etc/passwd"}'))
    book = Book()
    await looked(file.sensor("u"), book)
    assert [event.data["j"] for event in book.events] == [{"a": [1, None]}, '{"$path": "/etc/passwd"}']


async def test_a_database_that_is_nowhere_is_told_without_its_password(tmp_path: Path) -> None:
    sensor = RowSensor("rows", Secret(f"sqlite+pysqlite:////{tmp_path}/no/where.db?password=hunter2&key=hunter2"), "t")
    with pytest.raises(SourceUnreachable) as caught:
        await looked(sensor, Book())
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("mysql+pymysql://me:hunter2@localhost/shop", "the driver of .* isn't installed: pip install the package that gives 'pymysql'"),
        ("nonsense://me:hunter2@localhost/shop", "Can't load plugin"),
        ("mysql://me:hunter2@local host:port/x", "mysql://"),
        ("mysql+pymysql://me:hunter2'x@localhost/shop", "isn't installed"),
        ("oracle+oracledb://me:hunter2/x@host/shop", "oracle"),
        ("mysql+nope://me:hunter2@host:bad/shop", "can't be used: write characters"),
        ("mysql+nope://me:hunter2@host:hunter2/shop", "can't be used: write characters"),
        ("mssql+pyodbc:///?odbc_connect=DRIVER%3Dx;UID=sa;PWD=hunter2", "mssql"),
    ],
)
async def test_an_address_that_leads_nowhere_is_told_without_its_password(address: str, said: str) -> None:
    with pytest.raises(SourceUnreachable, match=said) as caught:
        await looked(RowSensor("rows", address, "t"), Book())
    assert "hunter2" not in str(caught.value)


def test_what_a_driver_says_is_told_without_the_password() -> None:
    address = Secret("mysql+pymysql://me:hunter2@server/shop")
    database = Alchemy(Database("other", None, address), writes=False)
    told = database._unreachable(OSError(f"can't log in with hunter2 at {address.reveal()}"))
    assert str(told) == "the database mysql+pymysql://server: can't log in with *** at mysql+pymysql://server"


async def test_it_only_reads(file: File) -> None:
    file.run("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    database = Alchemy(Database("other", None, Secret(str(file.address))), writes=False)
    with pytest.raises(SourceUnreachable, match="readonly"):
        await database.run(lambda connection: connection.exec_driver_sql("INSERT INTO t VALUES (1)").close())
    await database.close()


async def test_no_transaction_is_open_between_two_looks(file: File) -> None:
    file.run("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    file.add("t", (1,))
    async with watching(file.sensor()):
        file.run("BEGIN EXCLUSIVE")
        file.run("COMMIT")


async def test_a_call_that_is_cancelled_returns_at_once_and_its_connection_is_closed_when_it_ends(file: File) -> None:
    database = Alchemy(Database("other", None, Secret(str(file.address))), writes=False)
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        begun.set()
        go_on.wait(20)
        connection.exec_driver_sql("SELECT 1").fetchall()  # the connection is still there
        ended.set()

    running = asyncio.create_task(database.run(slow))
    await until(begun.is_set)
    running.cancel()
    await asyncio.wait([running])
    await database.close()
    assert not ended.is_set()
    go_on.set()
    await until(lambda: all(thread.name != "eventflow-rows" for thread in threading.enumerate()))
    assert ended.is_set()
    assert database._connection is None


async def test_check_says_what_is_wrong(file: File) -> None:
    file.run("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    await file.sensor().check(outside("rows"))
    with pytest.raises(SourceUnreachable, match="no table 'u'"):
        await file.sensor("u").check(outside("rows"))


async def test_a_table_of_another_schema_is_found_by_both_names(file: File) -> None:
    file.run("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    file.add("t", (1,))
    assert await looked(file.sensor("main.t"), Book()) == ["1"]
    with pytest.raises(SourceUnreachable, match=r"no table 'main\.u'"):
        await looked(file.sensor("main.u"), Book())


async def test_a_missing_index_is_told_where_reading_is_slow(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventflow.sensors.rows.alchemy.source._SLOW", -1.0)
    file.run("CREATE TABLE u (id INTEGER PRIMARY KEY, at TEXT)")
    book = Book()
    await looked(file.sensor("u", cursor="at"), book)
    assert "has no index on (at, id)" in (book.observations[-1].lagging or "")
    file.run("CREATE INDEX by_time ON u (at)")
    await looked(file.sensor("u", cursor="at"), book)
    assert book.observations[-1].lagging is None


async def test_a_table_without_a_key_cannot_be_claimed_here(file: File) -> None:
    file.run("CREATE TABLE jobs (v TEXT, taken TEXT)")
    with pytest.raises(SourceUnreachable, match="has no primary key"):
        await looked(file.sensor("jobs", mode="claim", mark="taken"), Book())


async def test_new_rows_fire_while_a_long_look_back_rests(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    file.run("CREATE TABLE t (id TEXT PRIMARY KEY)")
    file.add("t", ("a",))
    async with watching(file.sensor()) as sensor:
        monkeypatch.setattr(LookBack, "wanted", property(lambda _: False))
        monkeypatch.setattr(LookBack, "again", property(lambda _: 1000.0))
        for name in "bcd":
            file.add("t", (name,))
            await sensor.look(2)
        assert sensor.book.ids == ["a", "b", "c", "d"]
