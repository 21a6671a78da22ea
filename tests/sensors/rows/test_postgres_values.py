from __future__ import annotations

import pytest

from eventflow import codec
from tests.sensors.rows.server import Database
from tests.sensors.rows.watching import Ledger, looked, told

VALUES = [
    ("int", "NULL", None),
    ("bool", "true", True),
    ("smallint", "-5", -5),
    ("bigint", "9223372036854775807", 9223372036854775807),
    ("real", "1.5", 1.5),
    ("float8", "'NaN'", "NaN"),
    ("float8", "'-Infinity'", "-Infinity"),
    ("numeric", "10.50", "10.50"),
    ("numeric(40, 2)", "12345678901234567890123456789012345678.25", "12345678901234567890123456789012345678.25"),
    ("numeric", "'NaN'", "NaN"),
    ("numeric", "'Infinity'", "Infinity"),
    ("text", "E'a\\nb \\u2028 ü'", "a\nb \u2028 ü"),
    ("varchar(3)", "'abc'", "abc"),
    ("char(5)", "'ab'", "ab"),
    ("bytea", "'\\x00ff'", "AP8="),
    ("uuid", "'00000000-0000-0000-0000-00000000000A'", "00000000-0000-0000-0000-00000000000a"),
    ("timestamptz", "'2026-11-20 12:00:00.000001+02'", "2026-11-20T10:00:00.000001+00:00"),
    ("timestamptz", "'infinity'", "infinity"),
    ("timestamptz", "'20000-01-01 00:00Z'", "20000-01-01T00:00:00+00:00"),
    ("timestamp", "'2026-11-20 12:00'", "2026-11-20T12:00:00"),
    ("date", "'2026-11-20'", "2026-11-20"),
    ("date", "'0044-03-15 BC'", "0044-03-15 BC"),
    ("date", "'-infinity'", "-infinity"),
    ("time", "'23:59:59.5'", "23:59:59.5"),
    ("interval", "'1 month 2 days 3 hours'", "P1M2DT3H"),
    ("json", """'{"a": [1, 2.5, null], "a": 2}'""", {"a": 2}),
    ("json", "'\"\\ud800\"'", '"\\ud800"'),
    ("json", "'1e999'", "1e999"),
    ("jsonb", "'[true, \"x\", 12345678901234567890123]'", [True, "x", 12345678901234567890123]),
    ("jsonb", """'{"$path": "/etc/passwd"}'""", '{"$path": "/etc/passwd"}'),
    ("jsonb", """'{"x": {"$path64": "AAAA"}}'""", {"x": '{"$path64": "AAAA"}'}),
    ("jsonb", "'null'", None),
    ("int[]", "'{{1,2},{3,NULL}}'", [[1, 2], [3, None]]),
    ("numeric[]", "'{1.10,NaN}'", ["1.10", "NaN"]),
    ("timestamptz[]", "'{2026-11-20 12:00Z}'", ["2026-11-20T12:00:00+00:00"]),
    ("int4range", "'[1,5)'", "[1,5)"),
    ("tstzrange", "'[2026-11-20 12:00Z,)'", '["2026-11-20 12:00:00+00",)'),
    ("inet", "'10.0.0.1/8'", "10.0.0.1/8"),
    ("bit(3)", "'101'", "101"),
    ("point", "'(1,2)'", "(1,2)"),
    ("mood", "'happy'", "happy"),
    ("positive", "7", 7),
    ("pair", "'(1,x)'", {"a": 1, "b": "x"}),
    ("tsvector", "'a:1 b'", "'a':1 'b'"),
]


async def test_each_type_becomes_plain_data_that_the_journal_carries(database: Database) -> None:
    await database.sql("CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN positive AS int CHECK (value > 0)")
    await database.sql("CREATE TYPE pair AS (a int, b text)")
    columns = ", ".join(f"c{number} {kind}" for number, (kind, _, _) in enumerate(VALUES))
    await database.sql(f"CREATE TABLE things (id int PRIMARY KEY, {columns})")
    await database.sql(f"INSERT INTO things VALUES (1, {', '.join(value for _, value, _ in VALUES)})")
    # What a database or a role has set must not show.
    await database.sql("ALTER ROLE postgres SET timezone = 'Asia/Tokyo'; ALTER ROLE postgres SET datestyle = 'SQL, DMY'")
    await database.sql("ALTER ROLE postgres SET bytea_output = 'escape'; ALTER ROLE postgres SET intervalstyle = 'postgres_verbose'")
    ledger = Ledger()
    try:
        await looked(told(database.url, "things"), ledger)
    finally:
        await database.sql("ALTER ROLE postgres RESET ALL")
    data = ledger.rows[0].data
    assert {f"c{number} {kind}": data[f"c{number}"] for number, (kind, _, _) in enumerate(VALUES)} == {
        f"c{number} {kind}": expected for number, (kind, _, expected) in enumerate(VALUES)
    }
    assert codec.decode(codec.encode(data)) == data


@pytest.mark.parametrize("value", ["[" * 900 + "]" * 900, '{"x":' * 90 + "1" + "}" * 90])
async def test_json_that_is_nested_too_deeply_harms_nobody(database: Database, value: str) -> None:
    await database.sql("CREATE TABLE things (id int PRIMARY KEY, data json)")
    await database.sql("INSERT INTO things VALUES (1, $1)", value)
    await database.sql("INSERT INTO things VALUES (2, '1')")
    ledger = Ledger()
    assert await looked(told(database.url, "things"), ledger) == ["1", "2"]
    codec.encode(ledger.rows[0].data)
    assert ledger.rows[1].data["data"] == 1


@pytest.mark.parametrize(
    ("kind", "value", "instant"),
    [
        ("timestamptz", "'2026-11-20 12:00:00.000001+02'", 1_795_168_800_000_001),
        ("timestamp", "'1970-01-01 00:00:01'", 1_000_000),
        ("date", "'1970-01-02'", 86_400_000_000),
        ("timestamptz", "'infinity'", None),
        ("timestamptz", "'0044-03-15 BC'", None),
        ("int", "5", None),
    ],
)
async def test_the_cursor_column_gives_the_event_its_time(database: Database, kind: str, value: str, instant: int | None) -> None:
    await database.sql(
        f"CREATE TABLE things (id int PRIMARY KEY, at {kind}); CREATE INDEX ON things (at); INSERT INTO things VALUES (1, {value})"
    )
    ledger = Ledger()
    await looked(told(database.url, "things", cursor="at"), ledger)
    assert ledger.rows[0].time == instant
