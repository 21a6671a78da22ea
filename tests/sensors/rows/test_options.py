"""What can be meant by a row sensor, and what can't."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from eventflow import RowSensor, Secret
from eventflow.errors import DefinitionError
from eventflow.ports import Checkable, Explaining


def made(**told: Any) -> RowSensor:
    return RowSensor(**{"name": "rows", "database": "a.db", "table": "t", **told})


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"name": "a b"}, "can't name a sensor"),
        ({"table": ""}, "table='' is no name"),
        ({"database": ""}, "is no file's name"),
        ({"database": ":memory:"}, "is no file's name"),
        ({"database": "://x"}, "is no address"),
        ({"database": "sqlite://server/x"}, "write sqlite:///a/path"),
        ({"database": "sqlite:///a.db?mode=rw"}, "write sqlite:///a/path"),
        ({"database": 5}, "database is a path, an address"),
        ({"on": "delete"}, "on='delete' is unknown"),
        ({"mode": "take"}, "mode='take' is unknown"),
        ({"existing": "maybe"}, "existing='maybe' is unknown"),
        ({"on": "update"}, "on='update' needs the column"),
        ({"on": "update", "version": "v", "cursor": "c"}, "cursor=... does nothing here: it is for on='insert' and mode='claim' and"),
        ({"version": "v"}, "version=... does nothing here: it is for on='update'"),
        ({"on": "match"}, "on='match' needs a condition"),
        ({"on": "match", "where": {"a": 1}, "cursor": "c"}, "cursor=... does nothing here"),
        ({"on": "match", "where": {"a": 1}, "at_least": 2}, "at_least=... does nothing here"),
        ({"on": "match", "where": {"a": 1}, "settle": "60s"}, "settle=... does nothing here: it is for on='insert' and on='update'"),
        ({"mode": "claim", "mark": "m", "settle": "1s"}, "settle=... does nothing here"),
        ({"mode": "claim", "mark": "m", "fixed": "f"}, "fixed=... does nothing here"),
        ({"mode": "claim"}, "needs a text column"),
        ({"mark": "m"}, "mark=... does nothing here: it is for mode='claim' and mode='outbox'"),
        ({"notify": "n"}, "notify=... is for PostgreSQL"),
        ({"xid_column": "x", "database": "mysql://server/shop"}, "xid_column=... is for PostgreSQL"),
        ({"database": Secret("host=db password=hunter2")}, "database is no address: write it as one"),
        ({"database": "host=db password=hunter2"}, "database is no address: write it as one"),
        ({"database": Secret("hunter2.db")}, "database is no address: write it as one"),
        ({"database": "my db postgresql://me:hunter2'x@server"}, "database is no address: write it as one"),
        ({"database": "sqlite://me:hunter2'x@server/x"}, "write sqlite:///a/path"),
        ({"mode": "claim", "mark": "m", "on": "match", "where": {"a": 1}}, "takes whatever row is free"),
        ({"mode": "outbox", "mark": "m", "existing": "ignore"}, "existing=... does nothing here"),
        ({"at_least": 0}, "at_least=0 is no number from 1 to 5000"),
        ({"at_least": 5001}, "at_least=5001 is no number"),
        ({"at_least": True}, "at_least=True is no number"),
        ({"at_least": "3"}, "at_least='3' is no number"),
        ({"fixed": "made", "on": "update", "version": "v"}, "fixed=... does nothing here: it is for on='insert'"),
        ({"key": ["a", "a"]}, "names a column twice"),
        ({"key": [1]}, "key=1 is no name"),
        ({"every": "1ms"}, "too often"),
        ({"every": "soon"}, "is not a duration"),
        ({"settle": -1}, "is not a duration"),
        ({"where": "status = 'ready'"}, "is no mapping of columns to values"),
        ({"where": {"": 1}}, "where a column's name belongs"),
        ({"where": {"a": []}}, "is never fulfilled"),
        ({"where": {"a": ("like", "x")}}, "is no comparison"),
        ({"where": {"a": (">", None)}}, "nothing is smaller or larger than NULL"),
        ({"where": {"a": math.nan}}, "can't be compared with nan"),
        ({"where": {"a": {}}}, "can't be compared with a dict"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_its_line(told: dict[str, Any], said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        made(**told)
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.where is not None
    assert Path(__file__).name in caught.value.where


@pytest.mark.parametrize(
    ("database", "shown"),
    [
        ("data/a.db", "data/a.db"),
        (Path("data/a.db"), "data/a.db"),
        ("sqlite:///data/a.db", "data/a.db"),
        ("sqlite:////srv/a.db", "/srv/a.db"),
        ("postgresql://me:hunter2@server/shop", "postgresql://server"),
        ("postgres://me:hunter2@server/shop", "postgres://server"),
        ("mysql+pymysql://me:hunter2@server/shop", "mysql+pymysql://server"),
        (Secret("mssql+pyodbc://me:hunter2@server/shop?password=hunter2"), "mssql+pyodbc://server"),
        (Secret("mssql+pyodbc:///?odbc_connect=DRIVER%3Dx;UID=sa;PWD=hunter2"), "mssql+pyodbc://***"),
        ("postgresql://me:hunter2'x@server/shop", "postgresql://server"),
        ('postgresql://me:hunter2"<> x@server/shop', "postgresql://server"),
        ("postgresql://me:hunter2/x@server/shop", "postgresql://***"),
        ("postgresql://me:hunter2?x@server/shop", "postgresql://***"),
        ("postgresql://me:hunter2#x@server/shop", "postgresql://***"),
        ("postgresql://hunter2/x@server/shop", "postgresql://***"),
        ("postgresql://me:[hunter2@server/shop", "postgresql://***"),
        ("postgresql:///shop?host=/run&password=hunter2", "postgresql://***"),
        ("postgresql://me:hunter2@[::1]:5432/shop", "postgresql://::1"),
    ],
)
def test_a_database_is_shown_without_its_password(database: Any, shown: str) -> None:
    assert repr(made(database=database)) == f"<RowSensor 'rows': t in {shown}>"


def test_it_says_where_it_stands_and_can_be_tried() -> None:
    sensor = made()
    assert isinstance(sensor, Explaining)
    assert isinstance(sensor, Checkable)
    assert sensor.interval > 0


def test_what_it_waits_for_is_said_in_words() -> None:
    assert made(on="match", where={"status": "ready", "score": (">=", 0.9), "kind": ["a", "b"], "gone": None}).in_words(None) == (
        "rows with status = 'ready' and score >= 0.9 and kind in ('a', 'b') and gone is null"
    )
    assert made(mode="claim", mark="m").in_words(None) == "rows that are free, as they come"
    assert made().in_words({"by": ["at", "id"], "at": ["2026\x1b[31m", {"bytes": "AA=="}]}) == "up to at 2026\\x1b[31m, id AA=="
