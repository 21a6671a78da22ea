"""The promise itself: whatever is inserted, committed late, deleted or crashed, each committed row that stays fires, and none fires twice.

Transactions are simulated where the database has but one writer: a client takes its time or its number when it begins, and the row comes
when it commits.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sensors.outside import Book, Crashed
from tests.sensors.rows.tables import KINDS, File, watching

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin")),
        st.tuples(st.just("commit"), st.integers(0, 5)),
        st.tuples(st.just("roll back"), st.integers(0, 5)),
        st.tuples(st.just("delete"), st.integers(0, 9)),
        st.tuples(st.just("update"), st.integers(0, 9)),
        st.tuples(st.just("look")),
        st.tuples(st.just("crash"), st.integers(0, 2)),
    ),
    max_size=30,
)


class World:
    """A table, the clients that write it, and what must have fired."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.ticks = 0
        self.open: list[tuple[int, int]] = []
        self.committed: dict[int, int] = {}
        self.ever: set[int] = set()
        self.gone: set[int] = set()

    def do(self, what: str, which: int = 0, *, seen: set[int]) -> None:
        match what:
            case "begin":
                self.begin()
            case "commit":
                self.commit(which)
            case "roll back":
                self.roll_back(which)
            case "delete":
                self.delete(which, seen)
            case _:
                self.update(which)

    def begin(self) -> None:
        """A client takes a number and a time."""
        self.ticks += 1
        self.open.append((self.ticks, self.ticks // 2))

    def commit(self, which: int) -> None:
        if self.open:
            number, at = self.open.pop(which % len(self.open))
            self.file.add("t", (number, at, "new"))
            self.committed[number] = at
            self.ever.add(number)

    def roll_back(self, which: int) -> None:
        if self.open:
            self.open.pop(which % len(self.open))

    def delete(self, which: int, seen: set[int]) -> None:
        """Somebody deletes a row, not the last one: its number isn't given again."""
        if len(self.committed) > 1:
            number = sorted(self.committed)[:-1][which % (len(self.committed) - 1)]
            self.file.run("DELETE FROM t WHERE id = ?", (number,))
            del self.committed[number]
            if number not in seen:
                self.gone.add(number)

    def update(self, which: int) -> None:
        if self.committed:
            number = sorted(self.committed)[which % len(self.committed)]
            self.file.run("UPDATE t SET v = 'changed' WHERE id = ?", (number,))


@pytest.mark.parametrize("cursor", ["id", "at"])
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS, st.integers(0, 2))
async def test_every_committed_row_fires_exactly_once(tmp_path_factory: Any, kind: str, cursor: str, steps: list[Any], settle: int) -> None:
    file = File(tmp_path_factory.mktemp("rows") / "a.db", kind)
    file.run("CREATE TABLE t (id INTEGER PRIMARY KEY, at INTEGER, v TEXT)")
    # SQLite looks back over the whole table; elsewhere a transaction may last for `settle`, and none here lasts longer.
    told = {"settle": "1h" if kind != "sqlite" else f"{settle}s"}
    world, book = World(file), Book()
    rest = list(steps)
    while rest:
        book.commits_left = None
        async with watching(file.sensor(cursor=None if cursor == "id" else cursor, **told), book) as sensor:
            while rest:
                what, *which = rest.pop(0)
                if what == "crash":
                    (book.commits_left,) = which
                    await sensor.look()
                    break
                if what == "look":
                    await sensor.look()
                else:
                    world.do(what, *which, seen={int(name) for name in book.ids})
            assert sensor.error is None or isinstance(sensor.error, Crashed)
    book.commits_left = None
    async with watching(file.sensor(cursor=None if cursor == "id" else cursor, **told), book) as sensor:
        await sensor.look()
    fired = [int(name) for name in book.ids]
    assert len(set(fired)) == len(fired)
    assert world.ever - world.gone <= set(fired) <= world.ever
    assert book.repeated == []
    file.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.integers(1, 5), st.just("delete last"), st.just("empty"), st.just("look"), st.just("restart")), max_size=30))
@pytest.mark.parametrize("kind", KINDS)
async def test_F71_rows_that_take_the_keys_of_deleted_ones_each_fire_once(tmp_path_factory: Any, kind: str, steps: list[Any]) -> None:
    """Each row is another one: what it holds says which. Each deletion is looked at, or what never changes tells the rows apart."""
    file = File(tmp_path_factory.mktemp("rows") / "a.db", kind)
    file.run("CREATE TABLE t (id INTEGER PRIMARY KEY, made INTEGER)")
    book, made, gone = Book(), 0, set[int]()
    rest = list(steps)
    while rest:
        async with watching(file.sensor(fixed="made"), book) as sensor:
            while rest and (step := rest.pop(0)) != "restart":
                if isinstance(step, int):
                    for _ in range(step):
                        made += 1
                        file.run("INSERT INTO t (made) VALUES (?)", (made,))
                elif step == "look":
                    await sensor.look()
                else:
                    where = "" if step == "empty" else "WHERE id = (SELECT max(id) FROM t)"
                    gone |= {number for (number,) in file.run(f"SELECT made FROM t {where}")} - {
                        event.data["made"] for event in book.events
                    }
                    file.run(f"DELETE FROM t {where}")
    async with watching(file.sensor(fixed="made"), book) as sensor:
        await sensor.look()
    fired = [event.data["made"] for event in book.events]
    assert len(set(fired)) == len(fired)
    assert set(fired) == set(range(1, made + 1)) - gone
    file.close()


CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(1, 5), st.integers(0, 6)),
        st.tuples(st.just("delete"), st.integers(1, 5), st.just(0)),
        st.tuples(st.sampled_from(["look", "restart"]), st.just(0), st.just(0)),
        st.tuples(st.just("crash"), st.integers(0, 3), st.just(0)),
    ),
    max_size=30,
)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CHANGES)
async def test_F71_every_version_that_is_looked_at_fires_once_whatever_its_number(
    tmp_path_factory: Any, kind: str, steps: list[Any]
) -> None:
    file = File(tmp_path_factory.mktemp("rows") / "a.db", kind)
    file.run("CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL, version INTEGER)")
    book, looked_at = Book(), set[str]()
    rest = [*steps, ("look", 0, 0)]
    while rest:
        book.commits_left = None
        async with watching(file.sensor(on="update", version="version", settle="1s"), book) as sensor:
            while rest:
                what, which, version = rest.pop(0)
                if what == "put":
                    file.run("INSERT OR REPLACE INTO t VALUES (?, ?)", (f"k{which}", version))
                elif what == "delete":
                    file.run("DELETE FROM t WHERE id = ?", (f"k{which}",))
                elif what == "look":
                    await sensor.look(3)
                    there = {f"{key}@{number}" for key, number in file.run("SELECT id, version FROM t")}
                    looked_at |= there
                    assert looked_at <= set(book.ids)
                    assert {name for name in there if book.taken[name] is not None} == set()
                elif what == "crash":
                    book.commits_left = which
                    await sensor.look()
                    break
                else:
                    break
            assert sensor.error is None or isinstance(sensor.error, Crashed)
    kept = [name for name, gone in book.taken.items() if gone is None]
    assert len({name.partition("@")[0] for name in kept}) == len(kept)
    assert len(set(book.ids)) == len(book.ids)
    assert book.repeated == []
    file.close()
