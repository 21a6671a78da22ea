"""Rows that begin to fulfil a condition."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventflow.errors import SensorError
from eventflow.sensors.rows.sensor import RowSensor
from tests.sensors.outside import Book
from tests.sensors.rows.tables import KINDS, File, crashing, looked, watching


@pytest.fixture(params=KINDS)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[File]:
    file = File(tmp_path / "a.db", request.param)
    file.run("CREATE TABLE t (id INTEGER PRIMARY KEY, state TEXT)")
    yield file
    file.close()


def ready(file: File, **told: object) -> RowSensor:
    return file.sensor(on="match", where={"state": "ready"}, **told)


async def test_a_row_fires_when_it_begins_and_again_only_after_it_had_ceased(file: File) -> None:
    file.add("t", (1, "new"), (2, "ready"))
    async with watching(ready(file)) as sensor:
        assert sensor.book.ids == ["2#1"]
        file.run("UPDATE t SET state = 'ready' WHERE id = 1")
        assert await sensor.look() == ["2#1", "1#1"]
        file.run("UPDATE t SET state = 'ready'")
        assert await sensor.look() == ["2#1", "1#1"]
        file.run("UPDATE t SET state = 'busy' WHERE id = 2")
        assert await sensor.look() == ["2#1", "1#1"]
        file.run("UPDATE t SET state = 'ready' WHERE id = 2")
        assert await sensor.look() == ["2#1", "1#1", "2#2"]
        assert sensor.book.events[-1].data == {"id": 2, "state": "ready"}


async def test_what_fulfils_the_condition_outlasts_restarts(file: File) -> None:
    book = Book()
    file.add("t", (1, "ready"), (2, "ready"))
    assert await looked(ready(file), book) == ["1#1", "2#1"]
    assert await looked(ready(file), book) == []
    file.run("UPDATE t SET state = 'done' WHERE id = 1")
    assert await looked(ready(file), book) == []
    file.run("UPDATE t SET state = 'ready' WHERE id = 1")
    assert await looked(ready(file), book) == ["1#2"]
    assert book.repeated == []


async def test_a_row_that_is_deleted_has_ceased(file: File) -> None:
    book = Book()
    file.add("t", (1, "ready"))
    async with watching(ready(file), book) as sensor:
        file.run("DELETE FROM t")
        await sensor.look()
        file.add("t", (1, "ready"))
        assert await sensor.look() == ["1#1", "1#2"]


async def test_what_has_ceased_is_forgotten(file: File) -> None:
    book = Book()
    file.run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) INSERT INTO t SELECT i, 'ready' FROM n")
    await looked(ready(file), book)
    assert len(book.ids) == 1200
    file.run("UPDATE t SET state = 'done' WHERE id > 100")
    await looked(ready(file), book)
    assert sum(gone is None for gone in book.taken.values()) == 100
    assert max(len(seen.forget) + len(seen.events) for seen in book.observations) <= 500


async def test_rows_that_fulfil_it_at_the_first_look_can_be_passed_over(file: File) -> None:
    book = Book()
    file.add("t", (1, "ready"), (2, "new"))
    sensor = ready(file, existing="ignore")
    assert await looked(sensor, book) == []
    file.run("UPDATE t SET state = 'ready'")
    assert await looked(sensor, book) == ["2#1"]
    file.run("UPDATE t SET state = 'new' WHERE id = 1")
    await looked(sensor, book)
    file.run("UPDATE t SET state = 'ready' WHERE id = 1")
    assert await looked(sensor, book) == ["1#2"]


@pytest.mark.parametrize("other", ["try-1", "7", "#", "x#y", "3#", "1#rows:0:1", "2#\u0663", "#\n#", "\n"])
async def test_an_identity_that_is_not_its_own_is_left_alone(file: File, other: str) -> None:
    book = Book()
    file.add("t", (1, "ready"))
    book.taken[other] = None
    assert await looked(ready(file), book) == ["1#1"]
    assert await looked(ready(file), book) == []
    assert book.taken[other] is None


async def test_it_is_not_taken_for_the_one_of_another_table(file: File) -> None:
    book = Book()
    file.add("t", (1, "ready"))
    await looked(ready(file), book)
    file.run("CREATE TABLE u (id INTEGER PRIMARY KEY, state TEXT)")
    file.add("u", (1, "ready"))
    with pytest.raises(SensorError, match="has watched table 't' so far"):
        await looked(file.sensor("u", on="match", where={"state": "ready"}), book)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.tuples(st.integers(1, 4), st.sampled_from(["ready", "new", None])), st.integers(0, 3)), max_size=25))
async def test_each_beginning_that_is_looked_at_fires_once_whatever_crashes(
    tmp_path_factory: pytest.TempPathFactory, kind: str, steps: list[object]
) -> None:
    file = File(tmp_path_factory.mktemp("rows") / "a.db", kind)
    file.run("CREATE TABLE t (id INTEGER PRIMARY KEY, state TEXT)")
    book = Book()
    inside: set[int] = set()
    begun: list[int] = []
    for step in [*steps, 0]:
        if isinstance(step, tuple):
            file.run("DELETE FROM t WHERE id = ?", step[:1])
            if step[1] is not None:
                file.add("t", step)
            continue
        if step:
            await crashing(ready(file), book, step)
        await looked(ready(file), book)
        now = {number for (number,) in file.run("SELECT id FROM t WHERE state = 'ready'")}
        begun += sorted(now - inside)
        inside = now
        assert sorted(int(name.partition("#")[0]) for name in book.ids) == sorted(begun)
        assert book.repeated == []
    file.close()
