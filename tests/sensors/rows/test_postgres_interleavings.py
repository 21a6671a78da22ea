"""Whatever transactions do to each other, and wherever the sensor dies between two of their steps: each committed row, exactly once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventflow.sensors.rows.postgres.source import PostgresSource
from eventflow.testing import VirtualClock
from tests.sensors.outside import outside
from tests.sensors.rows.server import Database, Server
from tests.sensors.rows.watching import Ledger, look, opened, told

WRITERS = 3

Step = tuple[str, int, int]

# A key that is taken is left alone. What another transaction is about to do to a row isn't waited for.
CHANGES = {
    "insert": "INSERT INTO t (id, version) VALUES ({key}, 0) ON CONFLICT DO NOTHING",
    "number": "SELECT pg_current_xact_id()",
    "update": "UPDATE t SET version = version + 1 WHERE id = {key}",
    "delete": "DELETE FROM t WHERE id = {key}",
}

STEP_NAMES = [
    *["insert"] * 5,
    *["look"] * 4,
    *["commit"] * 3,
    *CHANGES,
    "savepoint",
    "savepoint",
    "release",
    "undo",
    "rollback",
    "page",
    "crash",
]

STEPS = st.lists(
    st.tuples(
        st.sampled_from(STEP_NAMES),
        st.integers(0, WRITERS - 1),
        st.integers(0, 40),
    ),
    min_size=12,
    max_size=60,
)


@dataclass
class Writer:
    """One connection, and what its transaction would leave behind."""

    connection: asyncpg.Connection[Any]
    savepoints: int = 0
    open: bool = False

    async def do(self, step: str, key: int) -> None:
        if step in CHANGES:
            await self._begin()
            await self._unless_locked(CHANGES[step].format(key=key))
        elif step in ("savepoint", "release", "undo"):
            await self._nest(step)
        elif self.open:
            await self.connection.execute(step)
            self.open, self.savepoints = False, 0

    async def _begin(self) -> None:
        if not self.open:
            await self.connection.execute("BEGIN")
            self.open = True

    async def _nest(self, step: str) -> None:
        if step == "savepoint":
            await self._begin()
            self.savepoints += 1
            await self.connection.execute(f"SAVEPOINT s{self.savepoints}")
        elif self.savepoints:
            await self.connection.execute(f"{'RELEASE' if step == 'release' else 'ROLLBACK TO'} SAVEPOINT s{self.savepoints}")
            self.savepoints -= step == "release"

    async def _unless_locked(self, statement: str) -> None:
        await self.connection.execute("SAVEPOINT try")
        try:
            await self.connection.execute(statement)
            await self.connection.execute("RELEASE SAVEPOINT try")
        except (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError):
            await self.connection.execute("ROLLBACK TO SAVEPOINT try")


@dataclass
class Play:
    """What one example needs: a database, its writers, and one who looks."""

    database: Database
    options: dict[str, Any]
    writers: list[Writer] = field(default_factory=list[Writer])
    ledger: Ledger = field(default_factory=Ledger)
    clock: VirtualClock = field(default_factory=VirtualClock)
    settle: float = 0.0
    rest: float = 0.0

    async def run(self, steps: list[Step], settle: float, rest: float) -> None:
        self.settle, self.rest = settle, rest
        for writer in self.writers:
            await writer.do("rollback", 0)
        await self.database.sql("TRUNCATE t; TRUNCATE log")
        self.ledger = Ledger()
        left = iter(steps)
        while await self._until_crash(left):
            pass
        async with self._opened() as source:
            await look(source, self.ledger, limit=3)
        await self._compare()

    async def _until_crash(self, steps: Any) -> bool:
        async with self._opened() as source:
            for step, who, key in steps:
                if step == "crash":
                    await self._crash(source, key)
                    return True
                if step == "wait":
                    await self.clock.advance(3 * key)
                elif step in ("look", "page"):
                    await self._look(source, step)
                else:
                    await self.writers[who].do(step, key)
            for writer in self.writers:
                await writer.do("commit", 0)
            await self.clock.advance(700)  # by now a patrol is due
            await look(source, self.ledger, limit=3)
            await self._compare()  # before a new start can make good what was passed over
        return False

    async def _crash(self, source: PostgresSource, key: int) -> None:
        """Die before, or while, or after something is read, or once it is committed."""
        if key % 3:
            page = await source.read(self.ledger.cursor, 2)
            if key % 3 == 2:
                self.ledger.commit(page)

    async def _look(self, source: PostgresSource, step: str) -> None:
        if step == "look":
            await look(source, self.ledger, limit=3)
        else:
            self.ledger.commit(await source.read(self.ledger.cursor, 2))

    def _opened(self) -> Any:
        return opened(
            told(self.database.url, "t", settle=self.settle, **self.options),
            self.ledger,
            step=4,
            rest=self.rest,
            world=outside(clock=self.clock),
        )

    async def _compare(self) -> None:
        raise NotImplementedError


class Inserts(Play):
    async def _compare(self) -> None:
        there = {row["id"] for row in await self.writers[0].connection.fetch("SELECT id FROM t")}
        ever = {row["id"] for row in await self.writers[0].connection.fetch("SELECT id FROM log")}
        fired = {int(name) for name in self.ledger.names}
        assert there <= fired <= ever


class Updates(Play):
    async def _compare(self) -> None:
        there = {f"{row['id']}@{row['version']}" for row in await self.writers[0].connection.fetch("SELECT * FROM t")}
        ever = {f"{row['id']}@{row['version']}" for row in await self.writers[0].connection.fetch("SELECT * FROM log")}
        assert there <= set(self.ledger.names) <= ever


async def _stage(database: Database, kind: type[Play], **options: Any) -> Play:
    await database.sql("CREATE TABLE t (id int PRIMARY KEY, version int, written xid8 NOT NULL DEFAULT pg_current_xact_id())")
    await database.sql("CREATE INDEX ON t (written, id); CREATE INDEX ON t (version); CREATE TABLE log (id int, version int)")
    # Kept in the transaction of each row: what was committed at any time.
    await database.sql(
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (new.id, new.version);"
        " new.written := pg_current_xact_id(); RETURN new; END $$;"
        " CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION keep()"
    )
    play = kind(database, options)
    for _ in range(WRITERS):
        connection = await database.session()
        await connection.execute("SET lock_timeout = '1ms'; SET statement_timeout = '2s'")
        play.writers.append(Writer(connection))
    return play


def _try(postgres: Server, kind: type[Play], examples: int, **options: Any) -> None:
    with asyncio.Runner() as runner:

        async def prepared() -> tuple[Any, Play]:
            entered = postgres.database()
            return entered, await _stage(await entered.__aenter__(), kind, **options)

        entered, play = runner.run(prepared())

        @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(STEPS, st.sampled_from([0.0, 20.0, 60.0]), st.sampled_from([0.0, 600.0]))
        def check(steps: list[Step], settle: float, rest: float) -> None:
            runner.run(play.run(steps, settle, rest))

        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("eventflow.sensors.rows.postgres.reading.MARGIN", 0)  # what a start looks at again hides what was passed over
                check()
        finally:
            runner.run(entered.__aexit__(None, None, None))


def test_each_committed_row_fires_exactly_once(postgres: Server) -> None:
    _try(postgres, Inserts, 60)


def test_each_committed_row_fires_exactly_once_by_its_own_xid_column(postgres: Server) -> None:
    _try(postgres, Inserts, 40, xid_column="written")


def test_each_committed_version_fires_exactly_once(postgres: Server) -> None:
    _try(postgres, Updates, 40, on="update", version="version")
