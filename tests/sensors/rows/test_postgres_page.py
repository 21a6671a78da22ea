"""What docs/postgres.md has people write into their databases."""

from __future__ import annotations

from tests.docs.pages import ROOT, blocks
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


async def test_a_key_that_comes_again_with_another_fixed_value_is_another_row(database: Database) -> None:
    await database.sql("CREATE TABLE orders (id serial PRIMARY KEY, created_at timestamptz DEFAULT clock_timestamp())")
    await database.sql("INSERT INTO orders DEFAULT VALUES")
    ledger, options = Ledger(), told(database.url, "orders", fixed="created_at")
    assert len(await looked(options, ledger)) == 1
    await database.sql("TRUNCATE orders RESTART IDENTITY")
    await database.sql("INSERT INTO orders DEFAULT VALUES")
    assert len(await looked(options, ledger)) == 1
