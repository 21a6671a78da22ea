from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest

from eventflow import RowSensor
from eventflow.errors import SourceUnreachable
from eventflow.secret import Secret
from eventflow.testing import VirtualClock
from tests.sensors.outside import Book, Crashed, outside, watch
from tests.sensors.rows.server import Database, Server, until
from tests.sensors.rows.watching import Ledger, look, looked, opened, told

TABLE = "CREATE TABLE orders (id bigserial PRIMARY KEY, note text)"
OURS = "FROM pg_stat_activity WHERE application_name = 'eventflow'"


async def backends(database: Database, state: str = "%") -> int:
    return await database.sql(f"SELECT count(*) {OURS} AND state LIKE $1", state)


async def add(database: Database, count: int = 1) -> None:
    await database.sql(f"INSERT INTO orders (note) SELECT 'x' FROM generate_series(1, {count})")


# ------------------------------------------------------------------------------------------------------- connections that break


async def test_F69_a_server_that_crashes_and_comes_back_costs_nothing_and_repeats_nothing(database: Database, postgres: Server) -> None:
    await database.sql(TABLE)
    await add(database, 2)
    options, ledger = told(database.url, "orders"), Ledger()
    async with opened(options, ledger) as source:
        assert await look(source, ledger) == ["1", "2"]
        await add(database)
        postgres.crash()
        with pytest.raises(SourceUnreachable):
            await source.read(ledger.cursor, 500)
    with pytest.raises(SourceUnreachable, match="PostgreSQL at postgresql://"):
        await looked(options, ledger)
    postgres.start()
    await database.again()
    await add(database)
    async with opened(options, ledger) as source:
        names = await look(source, ledger)
    assert names[0] == "3"
    assert len(names) == 2
    assert await looked(options, ledger) == []


async def test_F69_a_backend_that_is_terminated_is_said_to_be_unreachable_and_the_next_one_goes_on(database: Database) -> None:
    await database.sql(TABLE)
    options, ledger = told(database.url, "orders"), Ledger()
    async with opened(options, ledger) as source:
        assert await look(source, ledger) == []
        await database.sql(f"SELECT count(pg_terminate_backend(pid, 5000)) {OURS}")
        await add(database)
        with pytest.raises(SourceUnreachable):
            await look(source, ledger)
    assert await looked(options, ledger) == ["1"]


async def test_F69_too_many_connections_are_said_and_tried_again(database: Database) -> None:
    await database.sql("CREATE ROLE few LOGIN CONNECTION LIMIT 0")
    with pytest.raises(SourceUnreachable, match="too many connections"):
        await looked(told(database.server.url("postgres", user="few"), "orders"), Ledger())
    assert await backends(database) == 0


async def test_a_look_that_is_cancelled_leaves_no_transaction_and_no_connection(database: Database) -> None:
    await database.sql(TABLE)
    await add(database)
    locker = await database.session()
    async with locker.transaction():
        await locker.execute("LOCK TABLE orders")
        async with anyio.create_task_group() as group:
            group.start_soon(looked, told(database.url, "orders"), Ledger())

            async def waits() -> bool:
                return await database.sql(f"SELECT count(*) {OURS} AND wait_event_type = 'Lock'") == 1

            await until(waits)
            group.cancel_scope.cancel()

    async def gone() -> bool:
        return await backends(database) == 0

    await until(gone)


async def test_no_transaction_is_open_between_two_looks_and_none_can_write(database: Database) -> None:
    await database.sql(TABLE)
    await add(database, 3)
    ledger = Ledger()
    async with opened(told(database.url, "orders"), ledger) as source:
        page = await source.read(None, 2)
        assert page.again == 0
        assert await backends(database, "idle in transaction%") == 0
        assert await backends(database, "idle") == 1
        async with source._look():
            assert await source._connection.fetchval("SHOW transaction_read_only") == "on"
            assert await source._connection.fetchval("SHOW transaction_isolation") == "repeatable read"
    assert await backends(database) == 0


async def test_who_may_only_select_may_watch(database: Database) -> None:
    await database.sql(TABLE)
    await add(database)
    await database.sql(
        "CREATE ROLE reader LOGIN; GRANT SELECT ON orders TO reader; REVOKE EXECUTE ON FUNCTION pg_control_system() FROM public"
    )
    try:
        assert await looked(told(database.server.url("postgres", user="reader"), "orders"), Ledger()) == ["1"]
    finally:
        await database.sql("GRANT EXECUTE ON FUNCTION pg_control_system() TO public; DROP OWNED BY reader")


# -------------------------------------------------------------------------------------------------------------- tables that change


async def test_F73_a_table_that_is_not_there_is_named_with_those_that_are(database: Database) -> None:
    await database.sql(TABLE)
    await database.sql("CREATE SCHEMA other; CREATE TABLE other.things (id int)")
    with pytest.raises(SourceUnreachable, match=r"no table 'order'.*orders.*other\.things"):
        await looked(told(database.url, "order"), Ledger())
    with pytest.raises(SourceUnreachable, match=r"no column 'at', which cursor=.*id, note"):
        await looked(told(database.url, "orders", cursor="at"), Ledger())
    with pytest.raises(SourceUnreachable, match="no primary key"):
        await looked(told(database.url, "other.things"), Ledger())


@pytest.mark.parametrize(
    ("change", "back"),
    [
        ("ALTER TABLE orders RENAME TO gone", "ALTER TABLE gone RENAME TO orders"),
        ("ALTER TABLE orders RENAME COLUMN note TO text", "ALTER TABLE orders RENAME COLUMN text TO note"),
        ("ALTER TABLE orders DROP COLUMN note", "ALTER TABLE orders ADD COLUMN note text"),
    ],
)
async def test_F73_a_table_that_changes_stops_the_sensor_with_a_reason_until_it_fits_again(
    database: Database, change: str, back: str
) -> None:
    await database.sql(TABLE)
    await add(database)
    options, ledger = told(database.url, "orders", columns=["id", "note"]), Ledger()
    async with opened(options, ledger) as source:
        assert await look(source, ledger) == ["1"]
        await database.sql(change)
        with pytest.raises(SourceUnreachable, match=r"does not exist"):
            await look(source, ledger)

        async def gone() -> bool:
            return await backends(database) == 0

        await until(gone)  # a connection that failed within a transaction isn't kept
    with pytest.raises(SourceUnreachable, match=r"no table|no column"):
        await looked(options, ledger)
    await database.sql(back)
    await add(database)
    assert await looked(options, ledger) == ["2"]


async def test_F73_a_key_of_another_type_starts_the_reading_anew(database: Database) -> None:
    await database.sql("CREATE TABLE t (id text PRIMARY KEY); INSERT INTO t SELECT chr(96 + g) FROM generate_series(1, 9) g")
    options, ledger = told(database.url, "t"), Ledger()
    async with opened(options, ledger) as source:
        ledger.commit(await source.read(None, 5))
    await database.sql("DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (7)")
    assert await looked(options, ledger) == ["7"]


# ------------------------------------------------------------------------------------------------------------------------ F72


async def test_F72_a_transaction_that_stays_open_is_named_with_its_process_and_its_beginning(database: Database) -> None:
    await database.sql(TABLE)
    writer = await database.session()
    clock, ledger = VirtualClock(), Ledger()
    async with opened(told(database.url, "orders", settle=60), ledger, world=outside(clock=clock)) as source:
        async with writer.transaction():
            pid = await writer.fetchval("SELECT pg_backend_pid() FROM pg_current_xact_id()")
            await add(database)
            page = await source.read(None, 500)
            ledger.commit(page)
            assert (len(page.rows), page.lagging) == (1, None)
            await clock.advance(61)
            await add(database)
            page = await source.read(ledger.cursor, 500)
            ledger.commit(page)
            assert len(page.rows) == 1
            assert page.lagging is not None
            assert f"process {pid} " in page.lagging
            since = await database.sql(
                f"SELECT to_char(xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') FROM pg_stat_activity WHERE pid = {pid}"
            )
            assert f"since {since} UTC" in page.lagging
            assert (await source.read(ledger.cursor, 500)).lagging == page.lagging  # it goes on saying so, in the same words
        await add(database)
        assert (await source.read(ledger.cursor, 500)).lagging is None


async def test_F72_a_prepared_transaction_is_named(database: Database) -> None:
    await database.sql(TABLE)
    await database.sql("BEGIN; INSERT INTO orders (note) VALUES ('p'); PREPARE TRANSACTION 'forgotten'")
    try:
        clock, ledger = VirtualClock(), Ledger()
        async with opened(told(database.url, "orders"), ledger, world=outside(clock=clock)) as source:
            await look(source, ledger)
            await clock.advance(61)
            await add(database)
            assert "the prepared transaction forgotten" in str((await source.read(ledger.cursor, 500)).lagging)
    finally:
        await database.sql("COMMIT PREPARED 'forgotten'")
    assert "1" in await looked(told(database.url, "orders"), ledger)


# --------------------------------------------------------------------------------------------------------------------- LISTEN


async def test_a_notification_ends_the_wait_and_a_listener_that_was_terminated_is_replaced(database: Database) -> None:
    await database.sql(TABLE)
    await database.sql(
        "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NOTIFY orders; RETURN NULL; END $$;"
        " CREATE TRIGGER tell AFTER INSERT ON orders FOR EACH STATEMENT EXECUTE FUNCTION tell()"
    )
    ledger = Ledger()
    async with opened(told(database.url, "orders", notify="orders"), ledger) as source:
        assert await look(source, ledger) == []
        await add(database)
        await source.news().wait()
        assert await look(source, ledger) == ["1"]
        await database.sql(f"SELECT count(pg_terminate_backend(pid, 5000)) {OURS} AND query LIKE 'LISTEN%'")
        await source.news().wait()  # that nobody listens any more is news itself
        await add(database)
        assert await look(source, ledger) == ["2"]
        await add(database)
        await source.news().wait()
        assert await look(source, ledger) == ["3"]
    assert await backends(database) == 0


async def test_a_row_sensor_takes_a_notification_for_news(database: Database) -> None:
    await database.sql(TABLE)
    sensor, book = RowSensor("orders", database.url, "orders", every="1h", notify="orders"), Book()
    async with anyio.create_task_group() as group:

        async def see() -> None:
            await watch(sensor, book, outside(), lambda book: len(book.events) == 2)
            group.cancel_scope.cancel()

        group.start_soon(see)

        async def listens() -> bool:
            return len(book.observations) > 0

        for _ in range(2):
            await until(listens)
            await add(database)
            await database.sql("NOTIFY orders")

    assert book.ids == ["1", "2"]


# ----------------------------------------------------------------------------------------------------------------- the sensor


async def test_wherever_the_sensor_dies_each_row_fires_once(database: Database) -> None:
    await database.sql(TABLE)
    await add(database, 1200)
    sensor = RowSensor("orders", Secret(database.url), "orders", every="50ms")
    for left in range(5):
        book = Book()
        book.commits_left = left
        with pytest.raises(Crashed):
            await watch(sensor, book, outside(), lambda _: False)
        book.commits_left = None
        await watch(sensor, book, outside(), lambda book: len(book.events) >= 1200)
        assert book.ids == [str(number) for number in range(1, 1201)]
        assert book.repeated == []
    assert "transaction" in sensor.in_words(book.cursor)


async def test_check_takes_no_row_and_changes_nothing(database: Database) -> None:
    await database.sql("CREATE TABLE jobs (id int PRIMARY KEY, taken text, n int); INSERT INTO jobs VALUES (1, NULL, 0)")
    await RowSensor("a", database.url, "jobs").check(outside())
    await RowSensor("b", database.url, "jobs", mode="outbox", mark="taken").check(outside())
    assert await database.sql("SELECT count(*) FROM jobs WHERE taken IS NULL") == 1
    with pytest.raises(SourceUnreachable, match='column "n" is of type integer'):
        await RowSensor("c", database.url, "jobs", mode="claim", mark="n").check(outside())
    await database.sql("CREATE ROLE reader LOGIN; GRANT SELECT ON jobs TO reader")
    with pytest.raises(SourceUnreachable, match="permission denied"):
        await RowSensor("d", database.server.url("postgres", user="reader"), "jobs", mode="claim", mark="taken").check(outside())
    await database.sql("DROP OWNED BY reader")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://bob:s3cr%21et@127.0.0.1:1/orders",
        "postgresql://bob:s3cr%21et@127.0.0.1:nonsense/orders",
        "postgresql://127.0.0.1:1/orders?user=bob&password=s3cr%21et",
        "postgres://bob:s3cr%21et@/orders?host=/nowhere/at/all",
        "postgresql://bob:s3cret'x@127.0.0.1:1/orders",
        'postgresql://bob:s3cret"x@127.0.0.1:1/orders',
        "postgresql://bob:s3cret/x@127.0.0.1:1/orders",
        "postgresql://bob:s3cret x@127.0.0.1:1/orders",
        "postgresql://bob:s3cret<>@127.0.0.1:1/orders",
        "postgresql://127.0.0.1:1/orders?user=bob&password=a's3cret",
    ],
)
async def test_A75_a_server_that_is_not_there_is_told_without_the_password(url: str) -> None:
    with pytest.raises(SourceUnreachable) as caught:
        await looked(told(url, "orders"), Ledger())
    error: Any = caught.value
    assert "PostgreSQL at postgres" in str(error)
    assert error.__suppress_context__ or error.__cause__ is None
    for text in (str(error), repr(error)):
        assert "s3cr" not in text


async def test_loops_that_end_leave_nothing_behind(database: Database) -> None:
    await database.sql(TABLE)
    before = asyncio.all_tasks()
    await looked(told(database.url, "orders", notify="orders"), Ledger())
    assert asyncio.all_tasks() == before
    assert await backends(database) == 0
