"""A journal is brought to the newest version in whole steps, after a copy of it was made."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from pathlib import Path

import pytest

from eventflow import facts, states
from eventflow.definition import graph as graphs
from eventflow.errors import JournalVersion, NotFound
from eventflow.journal.connection import connect
from eventflow.journal.migrations import migrate, version_of
from eventflow.journal.place import Place
from eventflow.journal.preparation import make, prepare
from eventflow.journal.queries import MIGRATIONS, Migration, statements_of
from eventflow.journal.sqlite import open_sqlite
from eventflow.journal.verify import verify
from eventflow.journal.view import read_sqlite
from eventflow.projections import NodeRow, PipelineRow, RateRow, RunRow, WaitRow
from tests.journal.histories import RAW, a_run, submitted, unit

MORE = (
    *MIGRATIONS,
    Migration(len(MIGRATIONS) + 1, ("CREATE TABLE one (x INTEGER) STRICT;", "INSERT INTO one VALUES (1);", "INSERT INTO one VALUES (2);")),
    Migration(len(MIGRATIONS) + 2, ("ALTER TABLE one ADD COLUMN y TEXT;", "UPDATE one SET y = x;")),
)


class Killed(BaseException):
    """Stands for the death of the process: nobody catches it."""


@pytest.fixture
async def place(tmp_path: Path, clock) -> Place:
    async with open_sqlite(tmp_path, clock=clock) as journal:
        for each in a_run("a", "x"):
            await journal.commit(each)
    return Place(tmp_path)


def ignore(_point: str) -> None:
    pass


def rows_of_one(path: Path) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT * FROM one").fetchall()


async def test_an_old_journal_is_copied_and_brought_up_to_date(place):
    prepare(place, ignore, migrations=MORE)
    assert rows_of_one(place.journal) == [(1, "1"), (2, "2")]
    copy = place.backup(len(MIGRATIONS))
    assert copy.stat().st_mode & 0o777 == 0o600
    with contextlib.closing(connect(copy, mode="ro")) as connection:
        assert version_of(connection) == len(MIGRATIONS)
        assert connection.execute("SELECT count(*) FROM facts").fetchone() == (5,)
    prepare(place, ignore, migrations=MORE)


async def test_an_up_to_date_journal_is_not_copied(place):
    prepare(place, ignore)
    assert not place.backup(len(MIGRATIONS)).exists()


@pytest.mark.parametrize("point", ["journal.migrate.before", "journal.migrate.written", "journal.migrate.after"])
@pytest.mark.parametrize("hit", [1, 2])
async def test_a_migration_that_is_interrupted_goes_on_at_the_next_start(place, point, hit):
    hits: list[str] = []

    def die(name: str) -> None:
        hits.append(name)
        if name == point and hits.count(point) == hit:
            raise Killed

    with pytest.raises(Killed):
        prepare(place, die, migrations=MORE)
    with contextlib.closing(connect(place.journal, mode="ro")) as connection:
        done = hit if point.endswith("after") else hit - 1
        assert version_of(connection) == len(MIGRATIONS) + done
    prepare(place, ignore, migrations=MORE)
    assert rows_of_one(place.journal) == [(1, "1"), (2, "2")]


async def test_a_step_that_fails_leaves_nothing_of_itself(place):
    broken = (*MIGRATIONS, Migration(len(MIGRATIONS) + 1, ("CREATE TABLE one (x INTEGER) STRICT;", "INSERT INTO nowhere VALUES (1);")))
    with contextlib.closing(connect(place.journal)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection, ignore, broken)
        assert version_of(connection) == len(MIGRATIONS)
        assert connection.execute("SELECT name FROM sqlite_schema WHERE name = 'one'").fetchone() is None


async def test_a_newer_journal_is_refused_and_not_touched(place, clock):
    with contextlib.closing(connect(place.journal)) as connection:
        connection.execute("PRAGMA user_version = 99")

    def digests() -> dict[str, str]:
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in (place.journal, place.mark)}

    before = digests()
    with pytest.raises(JournalVersion, match="newer eventflow") as newer:
        async with open_sqlite(place.folder, clock=clock):
            pass
    assert newer.value.exit_code == 76
    with pytest.raises(JournalVersion):
        verify(place.folder)
    with pytest.raises(JournalVersion):
        async with read_sqlite(place.folder, clock=clock):
            pass
    assert digests() == before


async def test_an_older_journal_is_not_read_without_a_daemon(place, clock):
    with contextlib.closing(connect(place.journal)) as connection:
        connection.execute("PRAGMA user_version = 0")
    with pytest.raises(JournalVersion, match="eventflow serve"):
        async with read_sqlite(place.folder, clock=clock):
            pass


# A journal of an older version, as the code of that time left it

OLD = Path(__file__).parent / "old"


@pytest.fixture
def old(tmp_path: Path) -> Place:
    """A journal of version 1, to which no later migration has come, with its mark lost."""
    place = Place(tmp_path)
    make(place.journal, ignore, MIGRATIONS[:1])
    with contextlib.closing(sqlite3.connect(place.journal)) as connection, connection:
        for statement in statements_of((OLD / "0001.sql").read_text()):
            connection.execute(statement)
    return place


def rows_of(path: Path, columns: dict[str, list[str]]) -> dict[str, list[tuple[object, ...]]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return {name: connection.execute(f"SELECT {', '.join(of)} FROM {name}").fetchall() for name, of in columns.items()}


def columns_of(path: Path) -> dict[str, list[str]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: [column for _, column, *_ in connection.execute(f"PRAGMA table_info({name})")] for name in names}


def test_every_row_of_an_old_journal_is_there_after_the_migration(old):
    columns = columns_of(old.journal)
    columns["runs"].remove("result_seq")  # a cancelled run has got one since: the next test compares it with the facts
    before = rows_of(old.journal, columns)
    assert all(before.values())
    prepare(old, ignore)
    assert rows_of(old.journal, columns) == before
    assert rows_of(old.backup(1), columns) == before


async def test_the_tables_of_an_old_journal_are_what_its_facts_say_today(old, clock):
    async with open_sqlite(old.folder, clock=clock) as journal:
        runs, nodes = await journal.select(RunRow), await journal.select(NodeRow)
        records = await journal.records(0, limit=9999)
        assert await journal.select(WaitRow) == []
        assert await journal.select(PipelineRow) == []
        assert await journal.select(RateRow) == []
    assert verify(old.folder).problems == ()
    assert {row.state for row in runs} == (states.OPEN_RUN | states.ENDED_RUN) - {states.SUSPENDED}
    assert {row.state for row in nodes} == {"running", "retrying", "succeeded", "failed", "upstream_failed", "cancelled"}
    assert {(row.parent, row.rerun_of, row.paused, row.waiting, row.ran) for row in runs} == {(None, None, False, 0, 0)}
    assert {(row.cancel_requested, row.fallback) for row in nodes} == {(False, None)}
    recorded = next(record.fact for record in records if isinstance(record.fact, facts.GraphRecorded))
    assert [node.name for node in graphs.decode(recorded.graph).nodes] == ["load", "load_2", "check", "tell"]


async def test_an_old_journal_is_written_on(old, clock):
    async with open_sqlite(old.folder, clock=clock) as journal:
        await journal.commit(unit(facts.RunPaused("open"), facts.AttemptLost("open", "load_2", 1, 5, "crash", 1)))
        await journal.commit(unit(facts.NodeSuspended("open", "check", "time", RAW, due=7), facts.NodeSkipped("open", "tell", "tell")))
        await journal.commit(unit(facts.RunSuspended("open", 1, ran=9)))
        assert len(await journal.select(WaitRow)) == 1
    assert verify(old.folder).problems == ()


async def test_a_view_reads_what_a_running_journal_writes(tmp_path, clock):
    async with open_sqlite(tmp_path, clock=clock) as journal:
        await journal.commit(unit(submitted("a")))
        async with read_sqlite(tmp_path, clock=clock) as view:
            assert view.seq == 1
            await view.changed(0)
            await journal.commit(unit(submitted("b")))
            await view.changed(1)
            assert view.seq == 2
            assert await view.records(0, limit=9) == await journal.records(0, limit=9)
            assert await view.facts([2]) == {2: submitted("b")}


async def test_a_view_of_nothing_says_so(tmp_path, clock):
    with pytest.raises(NotFound, match=str(tmp_path)):
        async with read_sqlite(tmp_path, clock=clock):
            pass


def test_a_script_is_split_into_its_statements():
    assert statements_of("-- one; two\nSELECT ';';\nSELECT 2;\n-- end") == ("-- one; two\nSELECT ';';", "SELECT 2;")
    with pytest.raises(ValueError, match="SELECT 1"):
        statements_of("SELECT 1")
