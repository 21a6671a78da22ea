"""New rows and new versions of rows, on SQLite natively and on "any other database" through SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eventflow.errors import SensorError, SourceUnreachable
from tests.sensors.outside import Book
from tests.sensors.rows.tables import KINDS, File, crashing, looked, watching


@pytest.fixture(params=KINDS)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[File]:
    file = File(tmp_path / "a.db", request.param)
    file.run("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
    yield file
    file.close()


async def test_each_row_fires_once_over_restarts(file: File) -> None:
    book = Book()
    file.add("t", (1, "a"), (2, "b"))
    assert await looked(file.sensor(), book) == ["1", "2"]
    assert book.events[0].data == {"id": 1, "v": "a"}
    assert (book.events[0].type, book.events[0].subject, book.events[0].source) == ("row", "t/1", "rows")
    file.add("t", (3, "c"))
    assert await looked(file.sensor(), book) == ["3"]
    assert await looked(file.sensor(), book) == []
    assert book.repeated == []


async def test_a_row_that_comes_while_the_sensor_watches_fires_at_the_next_look(file: File) -> None:
    async with watching(file.sensor()) as sensor:
        file.add("t", (1, "a"))
        assert await sensor.look() == ["1"]
        file.add("t", (2, "b"), (5, "c"))
        assert await sensor.look() == ["1", "2", "5"]


async def test_an_idle_sensor_gives_heartbeats_and_leaves_the_cursor_alone(file: File) -> None:
    file.add("t", (1, "a"))
    async with watching(file.sensor()) as sensor:
        cursor, before = sensor.book.cursor, len(sensor.book.observations)
        for _ in range(5):
            await sensor.look()
        idle = sensor.book.observations[before:]
        assert len(idle) == 5
        assert all(seen.cursor == cursor and not seen.events and not seen.forget for seen in idle)


async def test_a_backlog_is_read_in_pages_of_500(file: File) -> None:
    file.run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2345) INSERT INTO t SELECT i, 'x' FROM n")
    book = Book()
    assert await looked(file.sensor(), book) == [str(number) for number in range(1, 2346)]
    assert max(len(seen.events) for seen in book.observations) <= 500


@pytest.mark.parametrize("commits", range(6))
async def test_a_crash_at_any_commit_loses_nothing_and_doubles_nothing(file: File, commits: int) -> None:
    file.run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1400) INSERT INTO t SELECT i, 'x' FROM n")
    book = Book()
    await crashing(file.sensor(), book, commits)
    await looked(file.sensor(), book)
    assert book.ids == [str(number) for number in range(1, 1401)]
    assert book.repeated == []


async def test_rows_that_share_a_time_all_fire(file: File) -> None:
    file.run("CREATE TABLE u (id INTEGER PRIMARY KEY, at TEXT)")
    file.run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) INSERT INTO u SELECT i, '2026-11-20' FROM n")
    book = Book()
    await looked(file.sensor("u", cursor="at"), book)
    assert book.ids == [str(number) for number in range(1, 1201)]
    file.add("u", (5000, "2026-11-20"), (-3, "2026-11-20"))
    assert await looked(file.sensor("u", cursor="at"), book) == ["-3", "5000"]


async def test_F70_a_row_that_is_committed_late_with_an_earlier_time_fires(file: File) -> None:
    file.run("CREATE TABLE u (id INTEGER PRIMARY KEY, at TEXT)")
    async with watching(file.sensor("u", cursor="at", settle="60s")) as sensor:
        for second in range(30):
            file.add("u", (100 + second, f"12:00:{second:02}"))
            await sensor.look()
        file.add("u", (1, "12:00:05"))  # its time was taken 25 seconds before its commit
        assert (await sensor.look())[-1] == "1"
        assert len(sensor.book.ids) == 31


async def test_F70_a_row_that_was_under_way_when_the_sensor_stopped_fires_after_the_restart(file: File) -> None:
    file.run("CREATE TABLE u (id INTEGER PRIMARY KEY, at TEXT)")
    book = Book()
    async with watching(file.sensor("u", cursor="at", settle="60s"), book) as sensor:
        for second in range(50):
            file.add("u", (100 + second, f"12:00:{second:02}"))
            await sensor.look()
    file.add("u", (1, "12:00:05"))
    assert await looked(file.sensor("u", cursor="at", settle="60s"), book) == ["1"]


async def test_F71_rows_that_were_deleted_before_they_were_seen_give_nothing(file: File) -> None:
    file.add("t", (1, "a"), (2, "b"), (3, "c"))
    file.run("DELETE FROM t WHERE id = 2")
    assert await looked(file.sensor(), Book()) == ["1", "3"]


async def test_F71_a_row_whose_cursor_value_is_changed_does_not_fire_again(file: File) -> None:
    file.run("CREATE TABLE u (id INTEGER PRIMARY KEY, at TEXT)")
    file.add("u", (1, "2026-01-01"), (2, "2026-01-02"))
    book = Book()
    await looked(file.sensor("u", cursor="at"), book)
    file.run("UPDATE u SET at = '2027-01-01' WHERE id = 1")
    assert await looked(file.sensor("u", cursor="at"), book) == []


async def test_F70b_rows_that_are_updated_do_not_fire_again(file: File) -> None:
    book = Book()
    file.run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO t SELECT i, 'x' FROM n")
    await looked(file.sensor(), book)
    file.run("UPDATE t SET v = 'y'")
    file.run("VACUUM")
    assert await looked(file.sensor(), book) == []
    assert book.repeated == []


async def test_F71_a_row_without_a_cursor_value_fires_once_it_has_one(file: File) -> None:
    file.run("CREATE TABLE u (id INTEGER PRIMARY KEY, published TEXT)")
    file.add("u", (1, None), (2, "2026-01-02"))
    book = Book()
    assert await looked(file.sensor("u", cursor="published"), book) == ["2"]
    file.run("UPDATE u SET published = '2026-01-03' WHERE id = 1")
    assert await looked(file.sensor("u", cursor="published"), book) == ["1"]


async def test_F71_a_key_that_is_used_again_after_its_row_was_seen_gone_is_another_row(file: File) -> None:
    file.add("t", (1, "a"), (2, "b"))
    async with watching(file.sensor()) as sensor:
        for turn in (1, 2, 3):
            file.run("DELETE FROM t WHERE id = 2")
            await sensor.look()
            file.run("INSERT INTO t (v) VALUES ('again')")
            assert (await sensor.look())[-1] == f"2~{turn}"
        file.run("INSERT INTO t (v) VALUES ('new')")
        assert (await sensor.look())[-1] == "3"
        assert sensor.book.repeated == []


async def test_F71_a_table_that_is_emptied_and_filled_again_fires_anew(file: File) -> None:
    file.add("t", (1, "a"), (2, "b"))
    book = Book()
    async with watching(file.sensor(), book) as sensor:
        file.run("DELETE FROM t")
        await sensor.look()
    file.run("INSERT INTO t (v) VALUES ('c'), ('d'), ('e')")
    assert await looked(file.sensor(), book) == ["1~1", "2~1", "3"]


async def test_F71_a_row_that_took_a_deleted_ones_key_unseen_is_known_by_what_never_changes(file: File) -> None:
    file.run("CREATE TABLE u (id INTEGER PRIMARY KEY, made TEXT, v TEXT)")
    file.add("u", (1, "10:00", "a"), (2, "10:01", "b"), (3, "10:02", "c"))
    book = Book()
    sensor = file.sensor("u", fixed="made")
    await looked(sensor, book)
    file.run("DELETE FROM u WHERE id >= 2")
    file.run("INSERT INTO u (made, v) VALUES ('10:05', 'd')")
    file.run("INSERT INTO u (made, v) VALUES ('10:06', 'e')")
    file.run("INSERT INTO u (made, v) VALUES ('10:07', 'f')")
    assert await looked(sensor, book) == ["2~1", "3~1", "4"]
    assert [event.data["v"] for event in book.events[-3:]] == ["d", "e", "f"]
    file.run("UPDATE u SET v = 'changed'")
    assert await looked(sensor, book) == []


async def test_a_restored_backup_gives_new_rows_for_keys_that_were_used(file: File) -> None:
    file.add("t", (1, "a"), (2, "b"), (3, "c"))
    book = Book()
    await looked(file.sensor(), book)
    file.close()
    file.path.unlink()
    restored = File(file.path, file.kind)
    restored.run("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
    restored.add("t", (1, "a"))
    assert await looked(file.sensor(), book) == []
    restored.add("t", (2, "other"))
    assert await looked(file.sensor(), book) == ["2~1"]
    restored.close()


async def test_existing_rows_can_be_passed_over(file: File) -> None:
    file.add("t", (1, "a"), (2, "b"))
    book = Book()
    sensor = file.sensor(existing="ignore")
    assert await looked(sensor, book) == []
    file.add("t", (3, "c"))
    assert await looked(sensor, book) == ["3"]
    assert await looked(sensor, book) == []


async def test_existing_rows_of_an_empty_table_are_none(file: File) -> None:
    book = Book()
    sensor = file.sensor(existing="ignore")
    await looked(sensor, book)
    file.add("t", (1, "a"))
    assert await looked(sensor, book) == ["1"]


@pytest.mark.parametrize("told", [{}, {"cursor": "at"}, {"on": "update", "version": "at"}])
async def test_what_is_new_fires_wherever_it_lies_among_the_rows_that_were_passed_over(file: File, told: dict[str, str]) -> None:
    file.run("CREATE TABLE u (id TEXT PRIMARY KEY NOT NULL, at INTEGER)")
    file.add("u", *((f"{number:04}", number) for number in range(0, 2400, 2)))
    book = Book()
    async with watching(file.sensor("u", existing="ignore", **told), book) as sensor:
        assert book.ids == []
        file.add("u", *((f"{number:04}", number) for number in range(1, 100, 2)))
        fired = await sensor.look(3)
    assert [name.partition("@")[0] for name in fired] == [f"{number:04}" for number in range(1, 100, 2)]
    assert await looked(file.sensor("u", existing="ignore", **told), book) == []
    assert book.repeated == []


@pytest.mark.parametrize("commits", range(5))
async def test_a_crash_while_rows_are_passed_over_makes_none_of_them_fire(
    file: File, commits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventflow.sensors.rows.existing._PAGE", 500)
    file.run("CREATE TABLE u (id TEXT PRIMARY KEY)")
    file.add("u", *((f"{number:04}",) for number in range(1000, 2300)))
    book = Book()
    await crashing(file.sensor("u", existing="ignore"), book, commits)
    assert await looked(file.sensor("u", existing="ignore"), book) == []
    file.add("u", ("a",), ("1500a",), ("z",))
    await looked(file.sensor("u", existing="ignore"), book)
    assert sorted(book.ids) == ["1500a", "a", "z"]


async def test_rows_that_were_passed_over_stay_so_where_they_fulfil_the_condition_later(file: File) -> None:
    file.run("CREATE TABLE u (id TEXT PRIMARY KEY, v TEXT)")
    file.add("u", ("a", "no"), ("b", "yes"))
    book = Book()
    sensor = file.sensor("u", existing="ignore", where={"v": "yes"})
    assert await looked(sensor, book) == []
    file.run("UPDATE u SET v = 'yes'")
    file.add("u", ("aa", "yes"))
    assert await looked(sensor, book) == ["aa"]


@pytest.mark.parametrize("change", [{"fixed": ["made", "v"]}, {"fixed": "v"}, {}])
async def test_another_fixed_makes_no_row_fire_again(file: File, change: dict[str, object]) -> None:
    file.run("CREATE TABLE u (id INTEGER PRIMARY KEY, made TEXT, v TEXT)")
    file.add("u", *((number, f"{number}", "a") for number in range(1, 6)))
    book = Book()
    await looked(file.sensor("u", fixed="made"), book)
    assert await looked(file.sensor("u", **change), book) == []
    assert await looked(file.sensor("u", fixed="made"), book) == []


async def test_a_sensor_is_not_taken_for_the_one_of_another_table(file: File) -> None:
    file.run("CREATE TABLE u (id INTEGER PRIMARY KEY, v TEXT)")
    file.add("t", (1, "a"))
    file.add("u", (1, "b"), (2, "b"))
    book = Book()
    await looked(file.sensor("t"), book)
    with pytest.raises(SensorError, match="sensor 'rows' has watched table 't' so far"):
        await looked(file.sensor("u"), book)
    assert await looked(file.sensor("T" if file.kind == "sqlite" else "main.t"), book) == []
    assert book.ids == ["1"]


async def test_a_sensor_is_not_taken_for_one_that_tells_rows_apart_by_another_key(file: File) -> None:
    file.run("CREATE TABLE u (id INTEGER PRIMARY KEY, number INTEGER NOT NULL UNIQUE)")
    file.add("u", (1, 2), (2, 1))
    book = Book()
    await looked(file.sensor("u"), book)
    assert await looked(file.sensor("u", key="id"), book) == []
    with pytest.raises(SensorError, match="by id so far"):
        await looked(file.sensor("u", key="number"), book)


async def test_the_same_table_in_another_place_goes_on_where_it_stood(file: File, tmp_path: Path) -> None:
    file.add("t", (1, "a"))
    book = Book()
    await looked(file.sensor(), book)
    file.close()
    moved = File(file.path.rename(tmp_path / "moved.db"), file.kind)
    moved.add("t", (2, "b"))
    assert await looked(moved.sensor(), book) == ["2"]
    moved.close()


@pytest.mark.parametrize("least", [1, 3])
async def test_F71_rows_below_and_just_below_the_end_that_come_at_once_all_fire(file: File, least: int) -> None:
    """The look back over the last seconds fills a page: what the one over the whole table finds meanwhile isn't passed over."""
    if file.kind != "sqlite":
        return
    file.add("t", *((number, "a") for number in range(1000, 1003)))
    book = Book()
    async with watching(file.sensor(settle="1s", at_least=least), book) as sensor:
        await sensor.look(2)
        for number in (5000, 9000, 30000):
            file.add("t", (number, "a"))
            await sensor.look(3)
        file.run("BEGIN")
        file.add("t", *((number, "low") for number in range(10, 15)))
        file.add("t", *((number, "late") for number in range(9001, 10600)))
        file.run("COMMIT")
        await sensor.look(20)
    rows = [row for event in book.events for row in (event.data["rows"] if least > 1 else [event.data])]
    assert sum(row["v"] == "low" for row in rows) == 5
    assert sum(row["v"] == "late" for row in rows) == 1599


async def test_composite_keys_tell_rows_apart(file: File) -> None:
    file.run("CREATE TABLE u (a TEXT, b INTEGER, v TEXT, PRIMARY KEY (a, b))")
    file.add("u", ("x", 1, "p"), ("x", 12, "q"), ("x,1", 2, "r"))
    book = Book()
    assert await looked(file.sensor("u"), book) == ['["x",1]', '["x",12]', '["x,1",2]']
    file.add("u", ("a", 9, "s"), ("z", 9, "s"))
    assert await looked(file.sensor("u"), book) == ['["a",9]', '["z",9]']


async def test_keys_without_an_order_of_their_own_are_found_however_late(file: File) -> None:
    file.run("CREATE TABLE u (id TEXT PRIMARY KEY)")
    async with watching(file.sensor("u", settle="1s")) as sensor:
        for name in "qmzabyk":
            file.add("u", (name,))
            assert (await sensor.look(3))[-1] == name


async def test_only_rows_with_the_condition_and_only_the_columns_asked_for(file: File) -> None:
    file.add("t", (1, "a"), (2, "b"), (3, "a"), (4, None))
    book = Book()
    assert await looked(file.sensor(where={"v": "a"}, columns=["v"]), book) == ["1", "3"]
    assert book.events[0].data == {"v": "a"}
    file.add("t", (5, "b"), (6, "a"))
    assert await looked(file.sensor(where={"v": "a"}, columns=["v"]), book) == ["6"]


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ({"v": "b"}, ["2"]),
        ({"v": None}, ["4"]),
        ({"v": ("!=", None)}, ["1", "2", "3"]),
        ({"v": ["a", "c"]}, ["1", "3"]),
        ({"v": (">=", "b")}, ["2", "3"]),
        ({"v": ("<", "b")}, ["1"]),
        ({"v": ("!=", "b")}, ["1", "3"]),
        ({"v": ("=", "b"), "id": (">", 1)}, ["2"]),
        ({"V": "b"}, ["2"]),
        ({"v": "x' OR 1 = 1; DROP TABLE t; --"}, []),
    ],
)
async def test_conditions_are_data(file: File, where: dict[str, object], ids: list[str]) -> None:
    file.add("t", (1, "a"), (2, "b"), (3, "c"), (4, None))
    assert await looked(file.sensor(where=where), Book()) == ids


async def test_a_row_behind_many_that_do_not_fulfil_the_condition_fires_though_it_comes_late(file: File) -> None:
    file.run("CREATE TABLE u (id INTEGER PRIMARY KEY, at INTEGER, v TEXT)")
    async with watching(file.sensor("u", cursor="at", where={"v": "yes"})) as sensor:
        for at in range(1, 20):
            file.add("u", (at, 10 * at, "no"))
            await sensor.look()
        file.add("u", (100, 155, "yes"))
        assert await sensor.look() == ["100"]


async def test_each_version_of_a_row_fires(file: File) -> None:
    file.run("CREATE TABLE u (id INTEGER PRIMARY KEY, v TEXT, version INTEGER)")
    file.add("u", (1, "a", 1), (2, "b", 1))
    book = Book()
    sensor = file.sensor("u", on="update", version="version")
    assert await looked(sensor, book) == ["1@1", "2@1"]
    file.run("UPDATE u SET v = 'c', version = 2 WHERE id = 1")
    assert await looked(sensor, book) == ["1@2"]
    assert book.events[-1].data == {"id": 1, "v": "c", "version": 2}
    assert await looked(sensor, book) == []


async def test_a_version_that_is_committed_late_fires(file: File) -> None:
    file.run("CREATE TABLE u (id INTEGER PRIMARY KEY, changed INTEGER)")
    for number in range(20):
        file.add("u", (number, 0))
    async with watching(file.sensor("u", on="update", version="changed")) as sensor:
        for second in range(1, 20):
            file.run("UPDATE u SET changed = ? WHERE id = ?", (second, second))
            await sensor.look()
        file.run("UPDATE u SET changed = 7 WHERE id = 0")
        assert (await sensor.look())[-1] == "0@7"


async def test_F71_versions_that_each_row_counts_for_itself_all_fire(file: File) -> None:
    file.run("CREATE TABLE u (id INTEGER PRIMARY KEY, version INTEGER)")
    file.add("u", (1, 5), (2, 5))
    async with watching(file.sensor("u", on="update", version="version", settle="1s")) as sensor:
        for version in range(6, 12):
            file.run("UPDATE u SET version = ? WHERE id = 1", (version,))
            assert (await sensor.look(2))[-1] == f"1@{version}"
        file.add("u", (100, 1))
        assert (await sensor.look(3))[-1] == "100@1"
        file.run("UPDATE u SET version = 2 WHERE id = 100")
        assert (await sensor.look(3))[-1] == "100@2"
        file.run("UPDATE u SET version = 6 WHERE id = 2")
        assert (await sensor.look(3))[-1] == "2@6"
        assert sensor.book.repeated == []


async def test_one_identity_is_kept_for_each_row_however_often_it_changes_over_restarts(file: File) -> None:
    file.run("CREATE TABLE u (id INTEGER PRIMARY KEY, changed INTEGER)")
    file.add("u", (1, 0), (2, 0))
    book = Book()
    for second in range(1, 30):
        file.run("UPDATE u SET changed = ? WHERE id = 1", (second,))
        await looked(file.sensor("u", on="update", version="changed", settle="5s"), book)
    assert len(book.ids) == 30
    assert {name for name, gone in book.taken.items() if gone is None} == {"1@29", "2@0"}
    assert book.repeated == []


async def test_a_version_that_a_row_goes_back_to_does_not_fire_again_and_is_kept(file: File) -> None:
    file.run("CREATE TABLE u (id TEXT PRIMARY KEY, changed TEXT)")
    file.add("u", ("a@b", "x@1"), ("[", "y"))
    book = Book()
    async with watching(file.sensor("u", on="update", version="changed"), book) as sensor:
        first = list(book.ids)
        file.run("UPDATE u SET changed = 'x@2' WHERE id = 'a@b'")
        second = (await sensor.look())[-1]
        file.run("UPDATE u SET changed = 'x@1' WHERE id = 'a@b'")  # as a restored backup has it
        assert await sensor.look(3) == [*first, second]
    assert {name for name, gone in book.taken.items() if gone is None} == set(first)
    assert await looked(file.sensor("u", on="update", version="changed"), book) == []


async def test_identities_that_are_no_versions_are_left_alone(file: File) -> None:
    file.run("CREATE TABLE u (id INTEGER PRIMARY KEY, changed INTEGER)")
    file.add("u", (1, 0))
    book = Book()
    book.taken = dict.fromkeys(["try-1", "7", '"', '["x"', "7#1", "", '"a"b@c', "x\n@"])
    assert await looked(file.sensor("u", on="update", version="changed"), book) == ["1@0"]


async def test_the_last_versions_are_kept_however_long_nothing_changes(file: File) -> None:
    file.run("CREATE TABLE u (id INTEGER PRIMARY KEY, changed INTEGER)")
    file.add("u", (1, 5), (2, 5), (3, 5))
    book = Book()
    async with watching(file.sensor("u", on="update", version="changed", settle="10s"), book) as sensor:
        await sensor.look(40)
    assert all(gone is None for gone in book.taken.values())
    assert await looked(file.sensor("u", on="update", version="changed"), book) == []


async def test_F73_a_table_that_is_not_there_is_named_with_those_that_are(file: File) -> None:
    with pytest.raises(SourceUnreachable, match=r"no table 'orders', which sensor 'rows' watches: it has t$"):
        await looked(file.sensor("orders"), Book())


async def test_F73_a_column_that_is_not_there_is_named_with_those_that_are(file: File) -> None:
    with pytest.raises(SourceUnreachable, match=r"no column 'made', which cursor= of sensor 'rows' names: it has id, v$"):
        await looked(file.sensor(cursor="made"), Book())


async def test_F73_a_table_that_is_dropped_degrades_the_sensor_and_one_that_comes_back_heals_it(file: File) -> None:
    file.add("t", (1, "a"))
    book = Book()
    async with watching(file.sensor(), book) as sensor:
        file.run("DROP TABLE t")
        await sensor.look()
        assert isinstance(sensor.error, SourceUnreachable)
        assert "no such table" in str(sensor.error)
    with pytest.raises(SourceUnreachable, match="it has none"):
        await looked(file.sensor(), book)
    file.run("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
    file.add("t", (1, "a"), (2, "b"))
    assert await looked(file.sensor(), book) == ["2"]


async def test_F73_a_column_that_is_renamed_degrades_the_sensor(file: File) -> None:
    file.add("t", (1, "a"))
    async with watching(file.sensor()) as sensor:
        file.run("ALTER TABLE t RENAME COLUMN v TO w")
        file.add("t", (2, "b"))
        await sensor.look()
        assert isinstance(sensor.error, SourceUnreachable)
        assert sensor.book.ids == ["1"]
    assert await looked(file.sensor(), sensor.book) == ["2"]
    assert sensor.book.events[-1].data == {"id": 2, "w": "b"}


async def test_a_table_without_a_key_is_refused(file: File) -> None:
    file.run("CREATE TABLE u (v TEXT)")
    with pytest.raises(SourceUnreachable, match="has no primary key"):
        await looked(file.sensor("u"), Book())


async def test_a_key_that_is_not_unique_is_refused_and_one_that_is_not(file: File) -> None:
    file.run("CREATE TABLE u (a TEXT NOT NULL, b TEXT NOT NULL, c TEXT NOT NULL)")
    file.run("CREATE UNIQUE INDEX ab ON u (a, b)")
    file.add("u", ("1", "2", "3"))
    with pytest.raises(SourceUnreachable, match="doesn't tell rows of 'u' apart"):
        await looked(file.sensor("u", key="a"), Book())
    assert await looked(file.sensor("u", key=["a", "b"]), Book()) == ['["1","2"]']
    assert await looked(file.sensor("u", key=["a", "b", "c"]), Book()) == ['["1","2","3"]']


@pytest.mark.parametrize("name", ["x'; drop table t;--", 'a"b', "a`b", "a]b", "sélect", "group", "a b"])
async def test_A51_names_that_look_like_sql_are_names(file: File, name: str) -> None:
    if file.kind == "sqlalchemy" and "]" in name:
        name = "a[b"
    quoted = '"' + name.replace('"', '""') + '"'
    file.run(f"CREATE TABLE {quoted} (id INTEGER PRIMARY KEY, {quoted} TEXT)")
    file.run(f"INSERT INTO {quoted} VALUES (1, 'x')")
    file.run(f"INSERT INTO {quoted} VALUES (2, 'y')")
    book = Book()
    assert await looked(file.sensor(name, cursor=name, where={name: "y"}), book) == ["2"]
    assert book.events[0].data == {"id": 2, name: "y"}


@pytest.mark.parametrize("option", ["cursor", "key", "columns", "where"])
async def test_A51_sql_in_place_of_a_name_is_refused_and_not_run(file: File, option: str) -> None:
    attack = "id; DROP TABLE t; --"
    told = {option: {attack: 1} if option == "where" else [attack] if option == "columns" else attack}
    with pytest.raises(SourceUnreachable, match="has no column 'id; DROP TABLE t; --'"):
        await looked(file.sensor(**told), Book())
    assert file.run("SELECT count(*) FROM t") == [(0,)]


async def test_a_sensor_that_reads_in_another_order_begins_anew_and_doubles_nothing(file: File) -> None:
    file.run("CREATE TABLE u (id INTEGER PRIMARY KEY, at TEXT)")
    file.add("u", (1, "b"), (2, "a"))
    book = Book()
    await looked(file.sensor("u"), book)
    file.add("u", (3, "0"))
    assert await looked(file.sensor("u", cursor="at"), book) == ["3"]


async def test_where_it_stands_is_told_in_words(file: File) -> None:
    file.run("CREATE TABLE u (id INTEGER PRIMARY KEY, at TEXT)")
    file.add("u", (7, "2026-11-20"))
    sensor, book = file.sensor("u", cursor="at"), Book()
    assert sensor.in_words(None) == "the beginning"
    await looked(sensor, book)
    assert sensor.in_words(book.cursor) == "up to at 2026-11-20, id 7"
