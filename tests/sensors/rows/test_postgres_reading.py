from __future__ import annotations

import asyncio
from datetime import date
from decimal import Decimal

import asyncpg
import pytest

from eventflow.errors import SourceUnreachable
from eventflow.sensors.rows.postgres import place as places
from eventflow.sensors.rows.postgres.place import Snapshot
from eventflow.sensors.rows.postgres.statements import Arguments
from eventflow.testing import VirtualClock
from tests.sensors.outside import outside
from tests.sensors.rows.server import Database
from tests.sensors.rows.watching import Ledger, look, looked, opened, told

TABLE = "CREATE TABLE orders (id bigserial PRIMARY KEY, note text)"
MODES = pytest.mark.parametrize("stamped", [False, True], ids=["xmin", "xid_column"])


async def orders(database: Database, *, stamped: bool = False) -> dict[str, str]:
    """Make the table, and give what a sensor is to be told of it."""
    await database.sql(TABLE)
    if not stamped:
        return {}
    await database.sql("ALTER TABLE orders ADD COLUMN written xid8 NOT NULL DEFAULT pg_current_xact_id()")
    await database.sql("CREATE INDEX ON orders (written, id)")
    return {"xid_column": "written"}


async def add(connection: asyncpg.Connection, *ids: int) -> None:
    await connection.executemany("INSERT INTO orders (id) VALUES ($1)", [(number,) for number in ids])


# ------------------------------------------------------------------------------------------------------------ late commits


@MODES
async def test_D8_F70_a_row_that_is_committed_late_with_a_lower_key_is_not_lost(database: Database, stamped: bool) -> None:
    options = told(database.url, "orders", **await orders(database, stamped=stamped))
    early, late = await database.session(), await database.session()
    ledger = Ledger()
    async with opened(options, ledger) as source:
        transaction = early.transaction()
        await transaction.start()
        await add(early, 1)
        await add(late, 2)
        assert await look(source, ledger) == ["2"]
        await transaction.commit()
        assert await look(source, ledger) == ["1"]


@MODES
async def test_D8_F70_an_older_transaction_that_takes_a_higher_key_loses_no_row(database: Database, stamped: bool) -> None:
    options = told(database.url, "orders", **await orders(database, stamped=stamped))
    older, newer = await database.session(), await database.session()
    ledger = Ledger()
    async with opened(options, ledger) as source:
        first, second = older.transaction(), newer.transaction()
        await first.start()
        await older.execute("SELECT pg_current_xact_id()")
        await second.start()
        await newer.execute("SELECT pg_current_xact_id()")
        await add(newer, 1)
        await add(older, 2)
        await first.commit()
        assert await look(source, ledger) == ["2"]
        await second.commit()
        assert await look(source, ledger) == ["1"]


@MODES
async def test_a_row_of_a_subtransaction_is_not_taken_for_complete_before_its_parent_is(database: Database, stamped: bool) -> None:
    options = told(database.url, "orders", **await orders(database, stamped=stamped))
    writer = await database.session()
    ledger = Ledger()
    async with opened(options, ledger) as source:
        async with writer.transaction():
            await add(writer, 1)
            async with writer.transaction():  # a savepoint: its rows bear a number of their own, which no snapshot lists
                await add(writer, 2)
            await database.sql("INSERT INTO orders (id) VALUES (3)")
            assert await look(source, ledger) == ["3"]
            assert (
                await database.sql("SELECT pg_visible_in_snapshot(pg_snapshot_xmax(pg_current_snapshot()), pg_current_snapshot())") is False
            )
        assert await look(source, ledger) == ["1", "2"]


@MODES
async def test_F71_numbers_that_were_rolled_back_leave_gaps_that_nobody_waits_for(database: Database, stamped: bool) -> None:
    options = told(database.url, "orders", **await orders(database, stamped=stamped))
    writer = await database.session()
    ledger = Ledger()
    async with opened(options, ledger) as source:
        transaction = writer.transaction()
        await transaction.start()
        await writer.execute("INSERT INTO orders DEFAULT VALUES")
        await database.sql("INSERT INTO orders DEFAULT VALUES")
        await transaction.rollback()
        await database.sql("INSERT INTO orders DEFAULT VALUES")
        assert await look(source, ledger) == ["2", "3"]


async def test_F71_a_row_that_is_deleted_before_it_was_seen_gives_nothing(database: Database) -> None:
    await orders(database)
    await database.sql("INSERT INTO orders SELECT g FROM generate_series(1, 3) g; DELETE FROM orders WHERE id = 2")
    assert await looked(told(database.url, "orders"), Ledger()) == ["1", "3"]


async def test_F71_equal_times_are_told_apart_by_the_key_and_a_row_without_a_time_fires_once_it_has_one(database: Database) -> None:
    await database.sql("CREATE TABLE visits (id int PRIMARY KEY, at timestamptz); CREATE INDEX ON visits (at)")
    await database.sql("INSERT INTO visits SELECT g, '2026-11-20 10:00Z' FROM generate_series(1, 7) g")
    await database.sql("INSERT INTO visits VALUES (8, NULL), (9, '2026-11-20 09:00Z')")
    ledger = Ledger()
    async with opened(told(database.url, "visits", cursor="at"), ledger) as source:
        assert await look(source, ledger, limit=2) == ["9", "1", "2", "3", "4", "5", "6", "7"]
        assert ledger.rows[0].time == 1_795_165_200_000_000
        await database.sql("UPDATE visits SET at = '2026-11-20 08:00Z' WHERE id = 8")
        assert await look(source, ledger, limit=2) == ["8"]


# --------------------------------------------------------------------------------------------------- large tables, in steps


async def test_the_patrol_finds_what_lies_below_the_floor(database: Database) -> None:
    await orders(database)
    await database.sql("INSERT INTO orders SELECT g FROM generate_series(100, 149) g")
    ledger = Ledger()
    async with opened(told(database.url, "orders", settle=0), ledger, step=5, rest=0.0) as source:
        assert len(await look(source, ledger)) == 50
        await database.sql("INSERT INTO orders VALUES (150)")
        assert await look(source, ledger) == ["150"]
        await database.sql("INSERT INTO orders VALUES (7)")
        assert await look(source, ledger) == ["7"]


async def test_rounds_alone_find_what_is_committed_late_with_a_lower_key(database: Database) -> None:
    await orders(database)
    await database.sql("INSERT INTO orders SELECT g FROM generate_series(1, 50) g; SELECT setval('orders_id_seq', 50)")
    clock, ledger = VirtualClock(), Ledger()
    writer = await database.session()
    async with opened(told(database.url, "orders"), ledger, step=5, rest=1e9, world=outside(clock=clock)) as source:
        await look(source, ledger)
        for _ in range(5):  # the floor is raised meanwhile
            async with writer.transaction():
                await writer.execute("INSERT INTO orders DEFAULT VALUES")
                await database.sql("INSERT INTO orders DEFAULT VALUES")
                assert len(await look(source, ledger)) == 1
                await clock.advance(40)
            assert len(await look(source, ledger)) == 1
            await clock.advance(40)
        cursor = places.read(ledger.cursor)
        assert cursor is not None
        assert cursor.floor is not None
        assert int(cursor.floor[0]) > 50


async def test_the_floor_waits_for_transactions_that_no_snapshot_shows(database: Database) -> None:
    await orders(database)
    await database.sql("INSERT INTO orders SELECT g * 10 FROM generate_series(1, 50) g")
    ledger = Ledger()
    older, newer = await database.session(), await database.session()
    async with opened(told(database.url, "orders", settle=0), ledger, step=5, rest=1e9) as source:
        await look(source, ledger)
        first, second = older.transaction(), newer.transaction()
        await first.start()
        await add(older, 505)
        await second.start()
        await add(newer, 503)  # its number lies above the snapshot's xmax, once the older one has ended and nothing else has
        await first.commit()
        assert await look(source, ledger) == ["505"]
        await second.commit()
        source._reading._overtaken = None
        assert await look(source, ledger) == ["503"]


async def test_after_a_settle_a_long_transaction_is_passed_and_the_patrol_finds_its_rows_when_it_ends(database: Database) -> None:
    await orders(database)
    await database.sql("INSERT INTO orders SELECT g FROM generate_series(1, 50) g; SELECT setval('orders_id_seq', 50)")
    clock, ledger = VirtualClock(), Ledger()
    writer = await database.session()
    async with opened(told(database.url, "orders", settle=30), ledger, step=5, rest=1e9, world=outside(clock=clock)) as source:
        await look(source, ledger)
        await database.sql("INSERT INTO orders DEFAULT VALUES")
        assert await look(source, ledger) == ["51"]  # the patrol has gone round with it, and rests
        async with writer.transaction():
            await writer.execute("INSERT INTO orders DEFAULT VALUES")
            xid = int(str(await writer.fetchval("SELECT pg_current_xact_id()::text")))
            for _ in range(6):
                await database.sql("INSERT INTO orders DEFAULT VALUES")
                assert len(await look(source, ledger)) == 1
                await clock.advance(20)
            cursor = places.read(ledger.cursor)
            assert cursor is not None
            assert cursor.low is not None
            assert cursor.patrol is not None
            assert cursor.patrol <= xid < cursor.low
        assert await look(source, ledger) == ["52"]


async def test_F73_a_backlog_is_read_in_pages_in_the_order_of_the_cursor_and_goes_on_after_any_of_them(database: Database) -> None:
    await database.sql("CREATE TABLE visits (id int PRIMARY KEY, at timestamptz NOT NULL)")
    await database.sql(
        "CREATE INDEX ON visits (at); INSERT INTO visits SELECT g, '2026-01-01'::timestamptz - g * interval '1s' FROM generate_series(1, 230) g"
    )
    ledger, options = Ledger(), told(database.url, "visits", cursor="at")
    while len(ledger.rows) < 230:
        async with opened(options, ledger, step=40) as source:
            ledger.commit(await source.read(ledger.cursor, 25))
    assert ledger.names == [str(number) for number in range(230, 0, -1)]
    assert await looked(options, ledger, step=40) == []


async def test_F73_steps_are_read_from_the_index(database: Database) -> None:
    await orders(database)
    await database.sql("INSERT INTO orders SELECT g FROM generate_series(1, 3000) g")
    async with opened(told(database.url, "orders", cursor="id"), Ledger()) as source:
        statements = source._sql
        async with source._look() as snapshot:
            for query, values in statements.tried(snapshot.xmax):
                plan = "\n".join(str(row["QUERY PLAN"]) for row in await source._connection.fetch(f"EXPLAIN {query}", *values))
                assert "Index" in plan
                assert "Sort" not in plan


async def test_a_large_table_without_an_index_is_read_by_its_key_and_says_so(database: Database) -> None:
    await database.sql("CREATE TABLE visits (id int PRIMARY KEY, at timestamptz); CREATE INDEX ON visits USING brin (at)")
    await database.sql("INSERT INTO visits SELECT g, now() FROM generate_series(1, 30) g")
    ledger = Ledger()
    async with opened(told(database.url, "visits", cursor="at"), ledger, step=10) as source:
        assert len(await look(source, ledger)) == 30
        page = await source.read(ledger.cursor, 10)
        assert page.lagging is not None
        assert "'at'" in page.lagging
        assert "index" in page.lagging


async def test_where_nothing_happens_a_look_asks_for_one_thing_alone(database: Database) -> None:
    await orders(database)
    await database.sql("INSERT INTO orders VALUES (1)")
    ledger = Ledger()
    async with opened(told(database.url, "orders"), ledger) as source:
        await look(source, ledger)
        asked: list[str] = []
        source._connection.add_query_logger(lambda record: asked.append(record.query))
        assert await look(source, ledger) == []
        await asyncio.sleep(0)  # loggers are called by the loop
        assert asked == ["SELECT pg_current_snapshot()::text AS snapshot"]


# ------------------------------------------------------------------------------------------- rows that come to look new again


@pytest.mark.parametrize(
    "change", ["UPDATE orders SET note = 'x'", "VACUUM FULL orders", "VACUUM FREEZE orders", "CLUSTER orders USING orders_pkey"]
)
async def test_F70b_rows_that_have_fired_do_not_fire_again(database: Database, change: str) -> None:
    await orders(database)
    await database.sql("INSERT INTO orders SELECT g FROM generate_series(1, 1000) g")
    ledger, options = Ledger(), told(database.url, "orders")
    async with opened(options, ledger) as source:
        assert len(await look(source, ledger)) == 1000
        await database.sql(change)
        assert await look(source, ledger) == []
    assert await looked(options, ledger) == []


async def test_F70b_a_restored_table_in_another_cluster_is_read_anew_and_nothing_fires_again(database: Database) -> None:
    await orders(database)
    await database.sql("INSERT INTO orders SELECT g FROM generate_series(1, 10) g")
    ledger, options = Ledger(), told(database.url, "orders")
    await looked(options, ledger)
    # As after a restore: the numbers of transactions are other ones, far below those of before, and a row has come meanwhile.
    cursor = places.read(ledger.cursor)
    assert cursor is not None
    ledger.cursor = places.written(places.Place(history="elsewhere/1", low=10**12, patrol=10**12, order=cursor.order, count=cursor.count))
    await database.sql("INSERT INTO orders VALUES (11)")
    assert await looked(options, ledger) == ["11"]


async def test_F69_transactions_that_a_failover_has_lost_are_looked_at_again(database: Database) -> None:
    await orders(database)
    await database.sql("INSERT INTO orders VALUES (1)")
    ledger, options = Ledger(), told(database.url, "orders")
    await looked(options, ledger)
    cursor = places.read(ledger.cursor)
    assert cursor is not None
    cluster = cursor.history.split("/")[0]
    ledger.cursor = places.written(places.Place(history=f"{cluster}/00000000", low=10**9, patrol=10**9, order=cursor.order))
    await database.sql("INSERT INTO orders VALUES (2)")
    assert await looked(options, ledger) == ["2"]


async def test_rows_below_the_cursor_by_less_than_a_crash_can_lose_are_met_again(database: Database) -> None:
    await orders(database)
    await database.sql("INSERT INTO orders VALUES (1)")
    ledger, options = Ledger(), told(database.url, "orders")
    await looked(options, ledger)
    cursor = places.read(ledger.cursor)
    assert cursor is not None
    assert cursor.low is not None
    await database.sql("INSERT INTO orders VALUES (2)")
    # As if the server had crashed, and given the numbers of transactions anew whose commit it hadn't written down.
    low = await database.sql("SELECT pg_current_xact_id()::text::bigint")
    ledger.cursor = places.written(places.Place(history=cursor.history, low=low, patrol=low, order=cursor.order))
    assert await looked(options, ledger) == ["2"]


async def test_numbers_that_went_back_mean_another_server_and_all_is_read_anew(database: Database) -> None:
    await orders(database)
    await database.sql("INSERT INTO orders SELECT g FROM generate_series(1, 3) g")
    ledger, options = Ledger(), told(database.url, "orders")
    await looked(options, ledger)
    cursor = places.read(ledger.cursor)
    assert cursor is not None
    ledger.cursor = places.written(places.Place(history=cursor.history, low=10**9, patrol=10**9, order=cursor.order))
    await database.sql("INSERT INTO orders VALUES (4)")
    assert await looked(options, ledger) == ["4"]


async def test_a_row_that_took_a_deleted_ones_key_is_known_by_what_never_changes(database: Database) -> None:
    await database.sql("CREATE TABLE orders (id int PRIMARY KEY, made text, note text); INSERT INTO orders VALUES (1, 'monday', 'a')")
    ledger = Ledger()
    async with opened(told(database.url, "orders", fixed="made"), ledger) as source:
        assert len(await look(source, ledger)) == 1
        await database.sql("UPDATE orders SET note = 'b'")
        assert await look(source, ledger) == []
        await database.sql("DELETE FROM orders")
        await database.sql("INSERT INTO orders VALUES (1, 'tuesday', 'a')")
        assert len(await look(source, ledger)) == 1


def test_a_snapshot_is_read_as_postgresql_writes_it() -> None:
    assert Snapshot.of("10:20:10,14,15") == Snapshot("10:20:10,14,15", 10, 20)
    assert Snapshot.of("4294967297:4294967297:") == Snapshot("4294967297:4294967297:", 2**32 + 1, 2**32 + 1)


@pytest.mark.parametrize(
    ("raw", "next_xid", "whole"),
    [(755, 760, 755), (4294967290, 2**32 + 5, 4294967290), (4, 2**32 + 5, 2**32 + 4), (4, 2**34 + 5, 2**34 + 4), (9, 2**32 + 5, 9)],
)
async def test_the_number_of_a_transaction_is_completed_over_the_wrap_around(
    database: Database, raw: int, next_xid: int, whole: int
) -> None:
    await orders(database)
    async with opened(told(database.url, "orders"), Ledger()) as source:
        bound = Arguments()
        expression = source._sql._writer(bound, next_xid).replace("t.xmin", f"'{raw}'::xid")
        assert await database.sql(f"SELECT {expression}", *bound.values) == whole


# ------------------------------------------------------------------------------------------------------- existing="ignore"


@MODES
async def test_existing_rows_are_passed_over_also_when_they_are_updated_later(database: Database, stamped: bool) -> None:
    options = told(database.url, "orders", **await orders(database, stamped=stamped))
    await database.sql("INSERT INTO orders SELECT g FROM generate_series(1, 40) g")
    writer = await database.session()
    ledger = Ledger()
    async with writer.transaction():
        await add(writer, 41)
        await database.sql("INSERT INTO orders VALUES (42)")
        async with opened(options, ledger, step=10) as source:
            ledger.cursor = (await source.existing(None, 500)).cursor
            await database.sql("INSERT INTO orders VALUES (43)")
            assert await look(source, ledger, limit=7) == ["43"]
    async with opened(options, ledger, step=10) as source:
        assert await look(source, ledger, limit=7) == ["41"]
        await database.sql("UPDATE orders SET note = 'new'")
        assert await look(source, ledger, limit=7) == []


async def test_existing_versions_are_passed_over(database: Database) -> None:
    await database.sql("CREATE TABLE stock (id text PRIMARY KEY, version int); INSERT INTO stock VALUES ('nut', 1), ('bolt', 1)")
    options, ledger = told(database.url, "stock", on="update", version="version"), Ledger()
    async with opened(options, ledger) as source:
        ledger.cursor = (await source.existing(None, 500)).cursor
        assert await look(source, ledger) == []
    assert await looked(options, ledger) == []
    await database.sql("UPDATE stock SET version = 2 WHERE id = 'nut'")
    assert await looked(options, ledger) == ["nut@2"]


async def test_rows_that_are_too_many_to_be_called_existing_are_waited_for(database: Database) -> None:
    await orders(database)
    writer = await database.session()
    async with opened(told(database.url, "orders"), Ledger()) as source, writer.transaction():
        await writer.execute("SELECT pg_current_xact_id()")
        await database.sql("INSERT INTO orders SELECT g FROM generate_series(1, 10001) g")
        with pytest.raises(SourceUnreachable, match="only when it ends"):
            await source.existing(None, 500)


# ------------------------------------------------------------------------------------------------------------ update mode


async def test_each_version_fires_once_and_a_late_commit_is_not_lost(database: Database) -> None:
    await database.sql("CREATE TABLE stock (id int PRIMARY KEY, changed int); CREATE INDEX ON stock (changed)")
    await database.sql("INSERT INTO stock VALUES (1, 1), (2, 2)")
    writer = await database.session()
    options, ledger = told(database.url, "stock", on="update", version="changed"), Ledger()
    async with opened(options, ledger) as source:
        assert await look(source, ledger) == ["1@1", "2@2"]
        async with writer.transaction():
            await writer.execute("UPDATE stock SET changed = 3 WHERE id = 1")
            await database.sql("UPDATE stock SET changed = 4 WHERE id = 2")
            assert await look(source, ledger) == ["2@4"]
        assert await look(source, ledger) == ["1@3"]
        await database.sql("UPDATE stock SET changed = changed")
        assert await look(source, ledger) == []


async def test_versions_that_will_not_be_met_again_are_named_so_that_they_can_be_forgotten(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventflow.sensors.rows.postgres.reading.MARGIN", 3)
    await database.sql("CREATE TABLE stock (id int PRIMARY KEY, version int); INSERT INTO stock VALUES (1, 0)")
    ledger = Ledger()
    async with opened(told(database.url, "stock", on="update", version="version"), ledger) as source:
        for _ in range(12):
            await database.sql("UPDATE stock SET version = version + 1")
            await look(source, ledger)
    settled = [name for page in ledger.pages for name in page.settled]
    assert settled == [f"1@{number}" for number in range(1, len(settled) + 1)]
    assert len(settled) >= 6
    ledger.taken.clear()  # the journal has dropped them all: only the last few may be met again
    assert not set(await looked(told(database.url, "stock", on="update", version="version"), ledger)).intersection(settled)


# ------------------------------------------------------------------------------------------------------- tables of all kinds


async def test_composite_keys_uuids_and_texts_name_rows(database: Database) -> None:
    await database.sql("CREATE TABLE a (x text, y int, PRIMARY KEY (x, y)); INSERT INTO a VALUES ('p', 2), ('p', 10), ('o,\"', 3)")
    await database.sql("CREATE TABLE b (u uuid PRIMARY KEY); INSERT INTO b VALUES ('00000000-0000-0000-0000-00000000000a')")
    await database.sql("CREATE TABLE c (b bytea PRIMARY KEY); INSERT INTO c VALUES ('\\x00ff')")
    assert await looked(told(database.url, "a"), Ledger()) == ['["o,\\"",3]', '["p",2]', '["p",10]']
    assert await looked(told(database.url, "b"), Ledger()) == ["00000000-0000-0000-0000-00000000000a"]
    assert await looked(told(database.url, "c"), Ledger()) == ['{"bytes": "AP8="}']


async def test_partitions_schemas_and_strange_names_are_read(database: Database) -> None:
    name = """x'; drop table "runs";--"""
    await database.sql("CREATE SCHEMA sales; CREATE TABLE sales.orders (id int PRIMARY KEY) PARTITION BY RANGE (id)")
    await database.sql("CREATE TABLE sales.one PARTITION OF sales.orders FOR VALUES FROM (0) TO (10)")
    await database.sql("CREATE TABLE sales.two PARTITION OF sales.orders FOR VALUES FROM (10) TO (20)")
    await database.sql("INSERT INTO sales.orders VALUES (5), (15)")
    quoted = name.replace('"', '""')
    await database.sql(f'CREATE TABLE "{quoted}" ("{quoted}" int PRIMARY KEY, "a.b" text); INSERT INTO "{quoted}" VALUES (1, \'x\')')
    assert await looked(told(database.url, "sales.orders"), Ledger()) == ["5", "15"]
    ledger = Ledger()
    assert await looked(told(database.url, name, cursor=name, where={"a.b": "x"}), ledger) == ["1"]
    assert ledger.rows[0].data == {name: 1, "a.b": "x"}


async def test_a_view_is_read_where_it_shows_the_writer(database: Database) -> None:
    await orders(database, stamped=True)
    await database.sql("CREATE VIEW big AS SELECT * FROM orders WHERE id > 1; INSERT INTO orders VALUES (1), (2)")
    assert await looked(told(database.url, "big", key="id", xid_column="written"), Ledger()) == ["2"]
    with pytest.raises(SourceUnreachable, match="is a view"):
        await looked(told(database.url, "big", key="id"), Ledger())


async def test_conditions_are_bound_and_compare_as_the_column_does(database: Database) -> None:
    await database.sql("CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')")
    await database.sql(
        "CREATE TABLE people (id int PRIMARY KEY, mood mood, score numeric, born date, code char(5), raw bytea, here bool, note varchar(9))"
    )
    await database.sql(
        "INSERT INTO people VALUES (1, 'happy', 0.9, '2000-02-03', 'abc', '\\x01', true, 'it''s'), (2, 'sad', 0.1, NULL, 'xyz', NULL, false, NULL)"
    )
    for where in (
        {"mood": "happy"}, {"score": (">=", Decimal("0.9"))}, {"score": (">", 0.5)}, {"born": date(2000, 2, 3)}, {"code": "abc"}, {"raw": b"\x01"},
        {"here": True}, {"note": "it's"}, {"note": ("!=", None)}, {"mood": ["ok", "happy"]}, {"id": [1, 7]}, {"id": True}, {"mood": (">", "sad")},
    ):  # fmt: skip
        assert await looked(told(database.url, "people", where=where), Ledger()) == ["1"], where
    assert await looked(told(database.url, "people", where={"born": None}), Ledger()) == ["2"]
    with pytest.raises(SourceUnreachable, match="invalid input value for enum"):
        await looked(told(database.url, "people", where={"mood": "'; drop table people;--"}), Ledger())


async def test_rows_that_match_are_named_in_the_order_of_their_keys_and_fetched_by_them(database: Database) -> None:
    await orders(database)
    await database.sql("INSERT INTO orders SELECT g, CASE WHEN g % 2 = 0 THEN 'even' END FROM generate_series(1, 9) g")
    async with opened(told(database.url, "orders", on="match", where={"note": "even"}), Ledger()) as source:
        assert await source.changed()
        first = await source.matching(None, 3)
        rest = await source.matching(first[-1], 3)
        assert [key.identity for key in first + rest] == ["2", "4", "6", "8"]
        assert not await source.changed()
        await database.sql("UPDATE orders SET note = NULL WHERE id = 4")
        assert await source.changed()
        assert [row.identity for row in await source.rows([*rest, *first])] == ["8", "2", "6"]
