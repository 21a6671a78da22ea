from __future__ import annotations

from dataclasses import replace

import pytest

from eventflow import RowSensor
from eventflow.testing import SeededRandom
from tests.sensors.outside import Book, Crashed, outside, watch
from tests.sensors.rows.server import Database
from tests.sensors.rows.watching import Ledger, opened, told

KEYED = "CREATE TABLE jobs (id int PRIMARY KEY, what text, taken text)"
KEYLESS = "CREATE TABLE jobs (id int, what text, taken text)"
PARTED = (
    "CREATE TABLE jobs (id int, what text, taken text) PARTITION BY LIST (what);"
    " CREATE TABLE x PARTITION OF jobs FOR VALUES IN ('x'); CREATE TABLE y PARTITION OF jobs DEFAULT"
)
TABLES = pytest.mark.parametrize("table", [KEYED, KEYLESS, PARTED], ids=["keyed", "keyless", "partitioned"])


async def fill(database: Database, table: str, count: int = 5) -> None:
    await database.sql(table)
    await database.sql(f"INSERT INTO jobs SELECT g, CASE WHEN g % 2 = 1 THEN 'x' ELSE 'y' END FROM generate_series(1, {count}) g")


@TABLES
async def test_claimed_rows_bear_the_mark_and_are_given_again_under_the_same_names(database: Database, table: str) -> None:
    await fill(database, table)
    options = told(database.url, "jobs", mode="claim", mark="taken")
    async with opened(options, Ledger()) as source:
        first = await source.claim("me:1", 3, 1)
        rest = await source.claim("me:2", 30, 1)
        assert await source.claim("me:3", 30, 1) == []
    assert sorted(row.data["id"] for row in first + rest) == [1, 2, 3, 4, 5]
    assert {row.claim for row in first} == {"me:1"}
    assert "taken" not in first[0].data
    await database.sql("UPDATE jobs SET what = what")  # it moves the rows
    async with opened(options, Ledger()) as source:
        again = await source.claimed("me:", 30)
        assert {row.identity: row.data["id"] for row in again} == {row.identity: row.data["id"] for row in first + rest}
        assert [row.claim for row in again] == ["me:1"] * 3 + ["me:2"] * 2
        await source.release([row for row in again if row.claim == "me:1"])
        assert len(await source.claimed("me:", 30)) == 2
        assert await source.claimed("somebody", 30) == []
    assert await database.sql("SELECT count(*) FROM jobs WHERE taken = 'done'") == 3


@TABLES
async def test_an_outbox_is_emptied_of_what_still_bears_its_claim(database: Database, table: str) -> None:
    await fill(database, table)
    async with opened(told(database.url, "jobs", mode="outbox", mark="taken", where={"what": "x"}), Ledger()) as source:
        rows = await source.claim("me:1", 30, 1)
        assert len(rows) == 3
        await database.sql("UPDATE jobs SET taken = 'other' WHERE id = 3")
        await source.release(rows)
    assert await database.sql("SELECT array_agg(id ORDER BY id) FROM jobs") == [2, 3, 4]


@TABLES
async def test_rows_that_somebody_else_has_locked_are_passed_over(database: Database, table: str) -> None:
    await fill(database, table)
    other = await database.session()
    async with opened(told(database.url, "jobs", mode="claim", mark="taken"), Ledger()) as source:
        async with other.transaction():
            await other.execute("SELECT * FROM jobs WHERE id IN (1, 4) FOR UPDATE")
            assert sorted(row.data["id"] for row in await source.claim("me:1", 30, 1)) == [2, 3, 5]
        assert await source.claim("me:2", 30, 3) == []
        assert await database.sql("SELECT count(*) FROM jobs WHERE taken IS NULL") == 2


@TABLES
async def test_wherever_a_claiming_sensor_dies_each_row_fires_once(database: Database, table: str) -> None:
    await database.sql(table)
    sensor = RowSensor("jobs", database.url, "jobs", mode="outbox", mark="taken", every="50ms")
    book = Book()
    for left in (0, 1, 2, 3, None):
        await database.sql("INSERT INTO jobs SELECT coalesce(max(id), 0) + 1, 'x' FROM jobs")
        await database.sql("INSERT INTO jobs SELECT coalesce(max(id), 0) + 1000, 'y' FROM jobs")
        book.commits_left = left
        if left is None:
            await watch(sensor, book, outside(), lambda _: book.observations[-1].forget != ())
        else:
            with pytest.raises(Crashed):
                await watch(sensor, book, outside(), lambda _: False)
    assert book.repeated == []
    assert len(book.events) == 10
    assert await database.sql("SELECT count(*) FROM jobs") == 0


async def test_two_projects_that_run_the_same_code_leave_each_other_what_they_have_in_flight(database: Database) -> None:
    await fill(database, KEYED, 20)
    sensor = RowSensor("jobs", database.url, "jobs", mode="claim", mark="taken", every="50ms")
    first, second = Book(), Book()
    one, two = (replace(outside("jobs"), random=SeededRandom(seed)) for seed in (1, 2))
    first.commits_left = 1
    with pytest.raises(Crashed):
        await watch(sensor, first, one, lambda _: False)
    first.commits_left = None
    assert await database.sql("SELECT count(*) FROM jobs WHERE taken IS NULL OR taken = 'done'") == 0
    await watch(sensor, second, two, lambda book: len(book.observations) >= 3)
    await watch(sensor, first, one, lambda book: len(book.events) >= 20)
    assert second.events == []
