"""What docs/postgres.md has people write into their databases."""

from __future__ import annotations

import pytest

from eventflow import RowSensor
from eventflow.errors import SensorError
from tests.docs.pages import ROOT, blocks
from tests.sensors.outside import Book, outside, watch
from tests.sensors.rows.server import Database
from tests.sensors.rows.watching import Ledger, look, looked, opened, told


async def test_the_statements_of_the_page_work_as_it_says(database: Database) -> None:
    table, trigger, column, outbox = blocks(ROOT / "docs" / "postgres.md", "sql")
    await database.sql(table)
    await database.sql("INSERT INTO orders (note) VALUES ('old')")
    before = await database.sql("SELECT pg_relation_filenode('orders')")
    await database.sql(trigger + column)
    assert await database.sql("SELECT pg_relation_filenode('orders')") == before  # not rewritten
    plain, indexed = Ledger(), Ledger()
    async with opened(told(database.url, "orders", cursor="created_at", notify="orders"), plain) as source:
        assert await look(source, plain) == ["1"]
        await database.sql("INSERT INTO orders (note) VALUES ('new')")
        await source.news().wait()
        assert await look(source, plain) == ["2"]
    assert await looked(told(database.url, "orders", xid_column="written"), indexed) == ["1", "2"]
    await database.sql(outbox)
    await database.sql("INSERT INTO outbox VALUES ('t', '{}')")
    async with opened(told(database.url, "outbox", mode="outbox", mark="taken_by"), Ledger()) as source:
        await source.release(await source.claim("me:1", 5, 1))
    assert await database.sql("SELECT count(*) FROM outbox") == 0


async def test_fixed_is_refused_by_a_sensor_that_remembers_keys_alone_and_no_row_fires_again(database: Database) -> None:
    await database.sql("CREATE TABLE orders (id serial PRIMARY KEY, created_at timestamptz DEFAULT clock_timestamp())")
    await database.sql("INSERT INTO orders SELECT FROM generate_series(1, 20)")
    book = Book()
    await watch(RowSensor("orders", database.url, "orders"), book, outside(), lambda book: len(book.events) >= 20)
    sensor = RowSensor("orders", database.url, "public.orders", fixed="created_at")
    with pytest.raises(SensorError, match="by id so far"):
        await watch(sensor, book, outside(), lambda _: True)
    await watch(RowSensor("orders", database.url, "orders"), book, outside(), lambda _: True)
    assert len(book.events) == 20
    anew = RowSensor("orders2", database.url, "orders", fixed="created_at", existing="ignore", every="50ms")
    known = Book()
    await watch(anew, known, outside("orders2"), lambda book: len(book.observations) >= 3)
    assert known.events == []


async def test_a_sensor_is_not_taken_for_the_one_of_another_schema(database: Database) -> None:
    await database.sql("CREATE TABLE orders (id int PRIMARY KEY); CREATE SCHEMA b; CREATE TABLE b.orders (id int PRIMARY KEY)")
    book = Book()
    await watch(RowSensor("orders", database.url, "orders"), book, outside(), lambda _: True)
    with pytest.raises(SensorError, match=r"has watched table 'public\.orders' so far"):
        await watch(RowSensor("orders", database.url, "b.orders"), book, outside(), lambda _: True)


async def test_a_key_that_comes_again_with_another_fixed_value_is_another_row(database: Database) -> None:
    await database.sql("CREATE TABLE orders (id serial PRIMARY KEY, created_at timestamptz DEFAULT clock_timestamp())")
    await database.sql("INSERT INTO orders DEFAULT VALUES")
    ledger, options = Ledger(), told(database.url, "orders", fixed="created_at")
    assert len(await looked(options, ledger)) == 1
    await database.sql("TRUNCATE orders RESTART IDENTITY")
    await database.sql("INSERT INTO orders DEFAULT VALUES")
    assert len(await looked(options, ledger)) == 1
