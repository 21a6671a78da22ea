"""Many rows as one event."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sensors.outside import Book
from tests.sensors.rows.tables import KINDS, File, crashing, looked, watching


@pytest.fixture(params=KINDS)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[File]:
    file = File(tmp_path / "a.db", request.param)
    file.run("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
    yield file
    file.close()


def batches(book: Book) -> list[list[int]]:
    return [[row["id"] for row in event.data["rows"]] for event in book.events]


async def test_rows_wait_until_there_are_enough_over_restarts(file: File) -> None:
    book = Book()
    sensor = file.sensor(at_least=3)
    file.add("t", (1, "a"), (2, "b"))
    assert await looked(sensor, book) == []
    assert await looked(sensor, book) == []
    file.add("t", (3, "c"))
    await looked(sensor, book)
    assert batches(book) == [[1, 2, 3]]
    assert book.events[0].type == "rows"
    file.add("t", (4, "d"), (5, "e"))
    assert await looked(sensor, book) == []
    file.add("t", (6, "f"), (7, "g"))
    await looked(sensor, book)
    assert batches(book) == [[1, 2, 3], [4, 5, 6, 7]]


async def test_rows_wait_while_the_sensor_watches(file: File) -> None:
    async with watching(file.sensor(at_least=2)) as sensor:
        for number in range(1, 6):
            file.add("t", (number, "a"))
            await sensor.look()
        assert batches(sensor.book) == [[1, 2], [3, 4]]


async def test_a_row_that_was_deleted_while_it_waited_is_not_told(file: File) -> None:
    async with watching(file.sensor(at_least=3)) as sensor:
        file.add("t", (1, "a"), (2, "b"))
        await sensor.look()
        file.run("DELETE FROM t WHERE id = 1")
        file.add("t", (3, "c"))
        await sensor.look()
        assert batches(sensor.book) == []
        file.add("t", (4, "d"))
        await sensor.look()
        assert batches(sensor.book) == [[2, 3, 4]]


async def test_a_row_that_was_changed_while_it_waited_is_told_as_it_is(file: File) -> None:
    async with watching(file.sensor(at_least=2)) as sensor:
        file.add("t", (1, "a"))
        await sensor.look()
        file.run("UPDATE t SET v = 'z'")
        file.add("t", (2, "b"))
        await sensor.look()
        assert sensor.book.events[0].data == {"rows": [{"id": 1, "v": "z"}, {"id": 2, "v": "b"}]}


@pytest.mark.parametrize("commits", range(8))
async def test_a_crash_at_any_commit_tells_each_row_once(file: File, commits: int) -> None:
    file.run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) INSERT INTO t SELECT i, 'x' FROM n")
    book = Book()
    await crashing(file.sensor(at_least=700), book, commits)
    await looked(file.sensor(at_least=700), book)
    told = [number for batch in batches(book) for number in batch]
    assert told == list(range(1, len(told) + 1))
    assert all(700 <= len(batch) < 1200 for batch in batches(book))
    assert 2500 - len(told) < 700
    assert book.repeated == []


async def test_versions_of_rows_are_gathered_as_they_are_at_the_end(file: File) -> None:
    file.run("CREATE TABLE u (id INTEGER PRIMARY KEY, version INTEGER)")
    book = Book()
    async with watching(file.sensor("u", on="update", version="version", at_least=2), book) as sensor:
        file.add("u", (1, 1))
        await sensor.look()
        file.run("UPDATE u SET version = 2")
        await sensor.look()
        assert book.ids == []
        file.add("u", (2, 3))
        await sensor.look()
        assert book.events[0].data == {"rows": [{"id": 1, "version": 2}, {"id": 2, "version": 3}]}
        await sensor.look()
        assert len(book.events) == 1


async def test_existing_rows_do_not_count(file: File) -> None:
    book = Book()
    file.add("t", (1, "a"), (2, "b"))
    sensor = file.sensor(at_least=2, existing="ignore")
    await looked(sensor, book)
    file.add("t", (3, "c"), (4, "d"))
    await looked(sensor, book)
    assert batches(book) == [[3, 4]]
