"""The SQL schema fits the rows, and the questions that are asked often find an index."""

from __future__ import annotations

import contextlib
import sqlite3
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import fields

from eventflow.journal.connection import connect
from eventflow.journal.preparation import make
from eventflow.journal.queries import MIGRATIONS, QUERIES
from eventflow.journal.statements import question
from eventflow.ports import Above, Below
from eventflow.projections import (
    TABLES,
    CheckpointRow,
    CursorRow,
    DecisionRow,
    EventRow,
    KeyRow,
    NodeRow,
    PipelineRow,
    RateRow,
    Row,
    RunRow,
    SeenRangeRow,
    SeenRow,
    WaitRow,
)

SQL_TYPES: dict[Any, str] = {str: "TEXT", int: "INTEGER", bool: "INTEGER"}


@pytest.fixture
def schema(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    make(tmp_path / "journal.db", lambda _: None)
    with contextlib.closing(connect(tmp_path / "journal.db")) as connection:
        yield connection


@pytest.mark.parametrize("table", TABLES)
def test_the_columns_are_the_fields_of_the_row(schema: sqlite3.Connection, table: type[Row]):
    name, key = TABLES[table]
    columns = schema.execute(f"PRAGMA table_info({name})").fetchall()
    assert [column for _, column, *_ in columns] == list(table.__struct_fields__)
    assert tuple(column for _, column, _, _, _, part in sorted(columns, key=lambda column: column[5]) if part) == key
    for (_, column, kind, required, _, _), field in zip(columns, fields(table), strict=True):
        optional = isinstance(field.type, types.UnionType)
        plain = next(arm for arm in field.type.__args__ if arm is not type(None)) if optional else field.type
        assert (column, kind, bool(required)) == (field.name, SQL_TYPES[plain], not optional)


def test_the_schema_has_no_table_that_is_no_projection(schema: sqlite3.Connection):
    tables = {name for (name,) in schema.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert tables == {"journal", "facts", *(name for name, _ in TABLES.values())}
    assert all(
        strict for name, strict in schema.execute("SELECT name, strict FROM pragma_table_list WHERE schema = 'main'") if name in tables
    )


def test_migrations_are_numbered_from_one_without_a_gap():
    assert [migration.number for migration in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


@pytest.mark.parametrize(
    ("table", "equals", "order", "index"),
    [
        (RunRow, {"run": "a"}, None, "PRIMARY KEY"),
        (RunRow, {"run": ("a", "b")}, None, "PRIMARY KEY"),
        (RunRow, {"state": ("queued", "running")}, None, "runs_by_state"),
        (RunRow, {}, "seq", "runs_by_seq"),
        (RunRow, {"pipeline": "etl"}, "seq", "runs_by_pipeline"),
        (RunRow, {"parent": "a"}, None, "runs_by_parent"),
        (RunRow, {"pipeline": "etl", "state": ("failed", "succeeded")}, "ended_at", "runs_by_end"),
        (KeyRow, {"pipeline": "etl", "key": "k"}, None, "PRIMARY KEY"),
        (WaitRow, {"run": "a"}, None, "PRIMARY KEY"),
        (PipelineRow, {"pipeline": "etl"}, None, "PRIMARY KEY"),
        (RateRow, {"rate": "etl:ask 30/m"}, None, "PRIMARY KEY"),
        (NodeRow, {"run": "a"}, None, "PRIMARY KEY"),
        (NodeRow, {"reason": "e"}, None, "nodes_by_reason"),
        (CheckpointRow, {"run": "a", "node": "n"}, None, "PRIMARY KEY"),
        (EventRow, {}, "seq", "events_by_seq"),
        (EventRow, {"source": "inbox"}, "seq", "events_by_source"),
        (SeenRow, {"source": "inbox", "id": ("1", "2")}, None, "PRIMARY KEY"),
        (SeenRow, {"source": "inbox"}, "forgotten_at", "seen_by_forgetting"),
        (DecisionRow, {"event": "e"}, None, "PRIMARY KEY"),
        (DecisionRow, {"run": "a"}, None, "decisions_by_run"),
        (DecisionRow, {"outcome": "fired"}, "seq", "decisions_by_outcome"),
        (DecisionRow, {"outcome": "fired", "seq": Below(7)}, "seq", "decisions_by_outcome"),
        (EventRow, {"source": "inbox", "seq": Below(7)}, "seq", "events_by_source"),
        (RunRow, {"result_seq": Above(7)}, "result_seq", "runs_by_result"),
        (SeenRangeRow, {"source": "inbox"}, None, "PRIMARY KEY"),
        (CursorRow, {"source": "inbox"}, None, "PRIMARY KEY"),
    ],
)
def test_a_hot_question_finds_an_index(schema: sqlite3.Connection, table, equals, order, index):
    name, _ = TABLES[table]
    many = any(isinstance(value, tuple) for value in equals.values())
    for descending in (False, True):
        asked = question(table, equals, order=order, descending=descending, limit=50)
        plan = [detail for *_, detail in schema.execute("EXPLAIN QUERY PLAN " + asked.text, asked.parameters)]
        read = [step for step in plan if f" {name} " in f"{step} "]
        assert [index in step for step in read] == [True], plan
        assert read[0].startswith("SEARCH " if equals else "SCAN "), plan
        assert many or not any("TEMP B-TREE" in step for step in plan), plan


@pytest.mark.parametrize(
    ("query", "parameters", "index"),
    [
        ("records", (0, 9), "INTEGER PRIMARY KEY"),
        ("records_of_run", ("a", 0, 9), "facts_of_run"),
        ("facts", ("[1]",), "INTEGER PRIMARY KEY"),
        ("seq", (), "SEARCH facts"),
    ],
)
def test_a_named_query_on_facts_reads_no_more_than_it_must(schema: sqlite3.Connection, query, parameters, index):
    plan = [detail for *_, detail in schema.execute("EXPLAIN QUERY PLAN " + QUERIES[query], parameters)]
    assert any("SEARCH facts" in step and index in step for step in plan), plan
    assert not any("TEMP B-TREE" in step for step in plan), plan
