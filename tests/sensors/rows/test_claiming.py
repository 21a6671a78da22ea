"""Rows that are taken by marking them, and outboxes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventflow.errors import SourceUnreachable
from eventflow.sensors.rows.sensor import RowSensor
from tests.sensors.outside import Book
from tests.sensors.rows.tables import KINDS, File, crashing, looked, watching


@pytest.fixture(params=KINDS)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[File]:
    file = File(tmp_path / "a.db", request.param)
    file.run("CREATE TABLE jobs (id INTEGER PRIMARY KEY, v TEXT, taken TEXT)")
    yield file
    file.close()


def claiming(file: File, **told: object) -> RowSensor:
    return file.sensor("jobs", **{"mode": "claim", "mark": "taken", **told})


def values(book: Book) -> list[object]:
    return [event.data["v"] for event in book.events]


async def test_free_rows_are_taken_told_and_marked_as_done(file: File) -> None:
    file.add("jobs", (1, "a", None), (2, "b", "somebody else"), (3, "c", None))
    book = Book()
    async with watching(claiming(file), book) as sensor:
        assert values(book) == ["a", "c"]
        assert book.events[0].data == {"id": 1, "v": "a"}
        assert file.run("SELECT taken FROM jobs") == [("done",), ("somebody else",), ("done",)]
        file.add("jobs", (4, "d", None))
        await sensor.look()
        assert values(book) == ["a", "c", "d"]


async def test_an_outbox_is_emptied(file: File) -> None:
    book = Book()
    async with watching(claiming(file, mode="outbox"), book) as sensor:
        for turn in range(5):
            file.run("INSERT INTO jobs (v) VALUES (?)", (f"{turn}",))  # each takes the key that the one before it had
            await sensor.look()
            assert file.run("SELECT count(*) FROM jobs") == [(0,)]
    assert values(book) == ["0", "1", "2", "3", "4"]


async def test_many_rows_are_taken_by_500(file: File) -> None:
    file.run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1234) INSERT INTO jobs SELECT i, i, NULL FROM n")
    book = Book()
    await looked(claiming(file), book)
    assert values(book) == [str(number) for number in range(1, 1235)]
    assert max(len(seen.events) for seen in book.observations) == 500
    assert file.run("SELECT DISTINCT taken FROM jobs") == [("done",)]


async def test_only_rows_with_the_condition_are_taken_in_the_order_asked_for(file: File) -> None:
    file.add("jobs", (1, "b", None), (2, "x", None), (3, "a", None))
    book = Book()
    await looked(claiming(file, where={"v": ["a", "b"]}, cursor="v"), book)
    assert values(book) == ["a", "b"]
    assert file.run("SELECT id FROM jobs WHERE taken IS NULL") == [(2,)]


async def test_what_is_done_need_not_be_kept(file: File) -> None:
    file.add("jobs", (1, "a", None), (2, "b", None))
    book = Book()
    await looked(claiming(file), book)
    assert [gone for gone in book.taken.values() if gone is None] == []


async def test_enough_rows_are_taken_at_once_or_none(file: File) -> None:
    book = Book()
    async with watching(claiming(file, at_least=3), book) as sensor:
        file.add("jobs", (1, "a", None), (2, "b", None))
        await sensor.look()
        assert book.ids == []
        assert file.run("SELECT count(*) FROM jobs WHERE taken IS NULL") == [(2,)]
        file.add("jobs", (3, "c", None), (4, "d", None))
        await sensor.look()
        assert [[row["v"] for row in event.data["rows"]] for event in book.events] == [["a", "b", "c", "d"]]


@pytest.mark.parametrize("commits", range(4))
@pytest.mark.parametrize("least", [1, 2])
async def test_a_crash_at_any_commit_loses_nothing_and_doubles_nothing(file: File, commits: int, least: int) -> None:
    file.run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) INSERT INTO jobs SELECT i, i, NULL FROM n")
    book = Book()
    await crashing(claiming(file, mode="outbox", at_least=least), book, commits)
    await looked(claiming(file, mode="outbox", at_least=least), book)
    rows = [row for event in book.events for row in (event.data["rows"] if least > 1 else [event.data])]
    assert [row["id"] for row in rows] == list(range(1, 1201))
    assert file.run("SELECT count(*) FROM jobs") == [(0,)]


async def test_crashes_one_after_the_other_lose_nothing(file: File) -> None:
    file.run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600) INSERT INTO jobs SELECT i, i, NULL FROM n")
    book = Book()
    for commits in (0, 0, 1, 0):
        await crashing(claiming(file, mode="outbox"), book, commits)
    await looked(claiming(file, mode="outbox"), book)
    assert sorted(event.data["id"] for event in book.events) == list(range(1, 601))


async def test_rows_that_the_journal_has_are_released_after_a_crash_and_not_told_again(file: File) -> None:
    file.add("jobs", (1, "a", None))
    book = Book()
    async with watching(claiming(file), book):
        pass
    (event,) = book.events
    book.taken[event.id] = None
    file.run("UPDATE jobs SET taken = ?", (event.id.partition("#")[2],))  # as if the sensor had died before it could release
    await looked(claiming(file), book)
    assert len(book.events) == 1
    assert book.repeated == []
    assert file.run("SELECT taken FROM jobs") == [("done",)]


async def test_the_marks_of_a_sensor_of_a_similar_name_are_not_ours(file: File) -> None:
    file.add("jobs", (1, "a", "rows2:1"), (2, "b", "row_:1"), (3, "c", "ROWS:1"), (4, "d", "rows"))
    book = Book()
    await looked(claiming(file), book)
    assert book.ids == []


async def test_a_claim_is_unmarked_rows_alone_where_two_sensors_share_a_table(file: File) -> None:
    file.run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 700) INSERT INTO jobs SELECT i, i, NULL FROM n")
    first, second = Book(), Book()
    other = RowSensor("others", file.address, "jobs", mode="claim", mark="taken", every="1s")
    async with watching(claiming(file), first) as one, watching(other, second) as two:
        for start in range(1000, 1500, 100):
            for number in range(start, start + 100):
                file.add("jobs", (number, str(number), None))
            await one.look()
            await two.look()
    both = [event.data["id"] for event in (*first.events, *second.events)]
    assert sorted(both) == [*range(1, 701), *range(1000, 1500)]


async def test_a_mark_that_is_not_there_is_named(file: File) -> None:
    with pytest.raises(SourceUnreachable, match="no column 'mine', which mark= of sensor 'rows' names"):
        await looked(claiming(file, mark="mine"), Book())


async def test_a_table_without_a_key_can_be_claimed_on_sqlite(tmp_path: Path) -> None:
    file = File(tmp_path / "b.db")
    file.run("CREATE TABLE jobs (v TEXT, taken TEXT)")
    file.add("jobs", ("a", None), ("a", None))
    book = Book()
    await looked(claiming(file), book)
    assert values(book) == ["a", "a"]
    file.close()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.one_of(st.integers(1, 4), st.tuples(st.integers(0, 3))), max_size=20),
    st.sampled_from(KINDS),
    st.sampled_from(["claim", "outbox"]),
)
async def test_every_row_is_told_once_whatever_crashes(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int | tuple[int]], kind: str, mode: str
) -> None:
    file = File(tmp_path_factory.mktemp("rows") / "a.db", kind)
    file.run("CREATE TABLE jobs (id INTEGER PRIMARY KEY, v TEXT, taken TEXT)")
    book, made = Book(), 0
    for step in [*steps, (9,)]:
        if isinstance(step, int):
            for _ in range(step):
                made += 1
                file.run("INSERT INTO jobs (v) VALUES (?)", (str(made),))
            continue
        await crashing(claiming(file, mode=mode), book, step[0])
    await looked(claiming(file, mode=mode), book)
    assert sorted(values(book), key=str) == sorted(map(str, range(1, made + 1)))
    file.close()


async def test_two_projects_that_run_the_same_code_leave_each_other_what_they_have_in_flight(file: File) -> None:
    file.add("jobs", *((number, f"{number}", None) for number in range(1, 21)))
    first, second = Book(), Book()
    await crashing(claiming(file), first, 1)  # it has marked rows, and dies before its journal has them
    assert file.run("SELECT count(*) FROM jobs WHERE taken IS NULL OR taken = 'done'") == [(0,)]
    assert await looked(claiming(file), second) == []
    file.add("jobs", (21, "21", None))
    assert len(await looked(claiming(file), second)) == 1
    assert len(await looked(claiming(file), first)) == 20
    assert sorted(map(int, map(str, (*values(first), *values(second))))) == list(range(1, 22))


async def test_what_makes_marks_a_projects_own_is_in_its_journal_before_the_first_of_them(file: File) -> None:
    file.add("jobs", (1, "a", None))
    book = Book()
    await crashing(claiming(file), book, 0)
    assert file.run("SELECT taken FROM jobs") == [(None,)]
    await looked(claiming(file), book)
    assert book.observations[0].events == ()
    cursors = [seen.cursor for seen in book.observations]
    await looked(claiming(file), book)
    assert all(seen.cursor == cursors[0] for seen in book.observations)
