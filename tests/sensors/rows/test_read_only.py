"""Reading a database changes nothing in it, whatever it is made of."""

from __future__ import annotations

import pytest

from eventflow.errors import SourceUnreachable
from tests.sensors.rows.server import Database
from tests.sensors.rows.watching import Ledger, looked, told


async def test_a_view_that_would_write_when_it_is_read_is_refused(database: Database) -> None:
    await database.sql("CREATE TABLE orders (id bigint PRIMARY KEY, written xid8 DEFAULT pg_current_xact_id())")
    await database.sql("INSERT INTO orders VALUES (1)")
    await database.sql("CREATE TABLE looks (at int)")
    body = "INSERT INTO looks VALUES (1) RETURNING at"
    await database.sql(f"CREATE FUNCTION note() RETURNS int LANGUAGE sql VOLATILE AS '{body}'")
    await database.sql("CREATE VIEW noted AS SELECT id, written, note() AS n FROM orders")
    with pytest.raises(SourceUnreachable, match="read-only"):
        await looked(told(database.url, "noted", key="id", xid_column="written"), Ledger())
    assert await database.sql("SELECT count(*) FROM looks") == 0
