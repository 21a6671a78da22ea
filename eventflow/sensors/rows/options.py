"""What a row sensor is told."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from eventflow.durations import Duration, seconds
from eventflow.ids import misnamed
from eventflow.secret import Secret, revealed, without_secrets
from eventflow.sensors.rows.conditions import Condition, Where, conditions

On = Literal["insert", "update", "match"]
Mode = Literal["watch", "claim", "outbox"]
Existing = Literal["fire", "ignore"]

LARGEST_BATCH = 5000
"""Rows of one event, at most: they are one transaction, and one value."""

DONE = "done"
"""What stands in the mark of a row that was claimed and handed over."""

_LEAST_EVERY = 0.05
_URL = re.compile(r"(?P<kind>[A-Za-z][A-Za-z0-9_]*)(?:\+[A-Za-z0-9_]+)?://")


@dataclass(frozen=True, slots=True)
class Database:
    """Where the table is: a SQLite file, or an address.

    `kind` is `sqlite`, `postgresql`, or `other`, which is SQLAlchemy's. `path` is that of a SQLite file as it was written.
    """

    kind: Literal["sqlite", "postgresql", "other"]
    path: Path | None
    address: Secret | None

    @property
    def shown(self) -> str:
        """How it is named in messages: without credentials."""
        return str(self.path) if self.address is None else without_secrets(self.address.reveal())


@dataclass(frozen=True, slots=True)
class RowOptions:
    """What a row sensor was told, checked as far as it can be without the database. Lengths of time are in seconds.

    `key` and `columns` are empty where the table is to say: its primary key, and all of its columns. `order` is the column by which rows
    are read, None for the key itself: the version column in update mode, else the cursor column.
    """

    name: str
    database: Database
    table: str
    on: On
    mode: Mode
    order: str | None
    key: tuple[str, ...]
    fixed: tuple[str, ...]
    columns: tuple[str, ...]
    where: tuple[Condition, ...]
    at_least: int
    mark: str | None
    ignore_existing: bool
    every: float
    settle: float
    notify: str | None
    xid_column: str | None

    @property
    def claims(self) -> bool:
        """Whether rows are taken by marking them."""
        return self.mode != "watch"

    @property
    def named(self) -> dict[str, tuple[str, ...]]:
        """The columns that were written out, by the option that named them: all must be there."""
        return {
            "version" if self.on == "update" else "cursor": () if self.order is None else (self.order,),
            "key": self.key,
            "fixed": self.fixed,
            "columns": self.columns,
            "where": tuple(condition.column for condition in self.where),
            "mark": () if self.mark is None else (self.mark,),
            "xid_column": () if self.xid_column is None else (self.xid_column,),
        }


def options(  # noqa: C901 - one line for each thing that can't be meant
    name: str,
    database: str | os.PathLike[str] | Secret,
    table: str,
    *,
    on: str,
    mode: str,
    cursor: str | None,
    version: str | None,
    key: str | Sequence[str] | None,
    fixed: str | Sequence[str],
    columns: Sequence[str] | None,
    where: Where | None,
    at_least: int,
    mark: str | None,
    existing: str,
    every: Duration,
    settle: Duration,
    notify: str | None,
    xid_column: str | None,
) -> RowOptions:
    """Give the options of a row sensor. Raises `ValueError` or `TypeError` for what can't be meant."""
    if mistake := misnamed(name, "sensor"):
        raise ValueError(mistake)
    _choice("on", on, On)
    _choice("mode", mode, Mode)
    _choice("existing", existing, Existing)
    where_read = conditions(where)
    _check_column("table", table)
    claims = mode != "watch"
    if on == "update" and (version is None or cursor is not None):
        raise ValueError("on='update' needs the column that changes with each update, and no cursor: version='updated_at'")
    if on != "update" and version is not None:
        raise ValueError(f"version={version!r} is for on='update'")
    if on == "match" and (not where_read or cursor is not None or at_least != 1):
        raise ValueError("on='match' needs a condition, such as where={'status': 'ready'}, and takes neither cursor nor at_least")
    if claims and on != "insert":
        raise ValueError(f"mode={mode!r} takes whatever row is free: leave on={on!r} out, and say in `where` which rows are meant")
    if claims != (mark is not None):
        raise ValueError("mode='claim' and mode='outbox' need a text column that is NULL in a free row, and only they do: mark='taken_by'")
    if claims and existing == "ignore":
        raise ValueError("existing='ignore' is for mode='watch': say in `where` which rows are not to be claimed")
    if type(at_least) is not int or not 1 <= at_least <= LARGEST_BATCH:
        raise ValueError(f"at_least={at_least!r} is no number from 1 to {LARGEST_BATCH}")
    if fixed and on != "insert":
        raise ValueError("fixed=... is for on='insert'")
    return RowOptions(
        name=name,
        database=_database(database),
        table=table,
        on=cast("On", on),
        mode=cast("Mode", mode),
        order=_column("version", version) or _column("cursor", cursor),
        key=_columns("key", key or ()),
        fixed=_columns("fixed", fixed),
        columns=_columns("columns", columns or ()),
        where=where_read,
        at_least=at_least,
        mark=_column("mark", mark),
        ignore_existing=existing == "ignore",
        every=_every(every),
        settle=seconds(settle),
        notify=_column("notify", notify),
        xid_column=_column("xid_column", xid_column),
    )


def _database(database: str | os.PathLike[str] | Secret) -> Database:
    if isinstance(database, os.PathLike):
        return Database("sqlite", _path(os.fspath(database)), None)
    written = revealed(database)
    if not isinstance(written, str):  # pyright: ignore[reportUnnecessaryIsInstance] - people write anything
        raise TypeError("database is a path, an address such as 'postgresql://server/name', or a Secret that holds one")
    match = _URL.match(written)
    kind = match["kind"].lower() if match else ""
    if match is None and "://" in written:
        raise ValueError(f"database={without_secrets(written)!r} is no address: it begins with a kind, such as 'postgresql://'")
    if not kind:
        return Database("sqlite", _path(written), None)
    if written.lower().startswith("sqlite://"):
        return Database("sqlite", _path(_path_of_url(written)), None)
    if written.lower().startswith(("postgresql://", "postgres://")):
        return Database("postgresql", None, Secret(written))
    return Database("other", None, Secret(written))


def _path_of_url(written: str) -> str:
    host, slash, path = written[len("sqlite://") :].partition("/")
    if host or not slash or "?" in path:
        raise ValueError(f"database={without_secrets(written)!r}: write sqlite:///a/path or sqlite:////an/absolute/path, and nothing else")
    return path


def _path(written: str) -> Path:
    if not written or "\0" in written or written == ":memory:":
        raise ValueError(f"database={written!r} is no file's name: rows are watched in a file that other programs write")
    return Path(written)


def _every(every: Duration) -> float:
    length = seconds(every)
    if length < _LEAST_EVERY:
        raise ValueError(f"every={every!r} is too often: use at least '50ms'")
    return length


def _choice(option: str, value: str, kind: object) -> None:
    allowed = get_args(kind)
    if value not in allowed:
        raise ValueError(f"{option}={value!r} is unknown: use {' or '.join(map(repr, allowed))}")


def _columns(option: str, names: str | Sequence[str]) -> tuple[str, ...]:
    written = (names,) if isinstance(names, str) else tuple(names)
    for name in written:
        _check_column(option, name)
    if len(set(written)) != len(written):
        raise ValueError(f"{option}={list(written)!r} names a column twice")
    return written


def _column(option: str, name: str | None) -> str | None:
    if name is not None:
        _check_column(option, name)
    return name


def _check_column(option: str, name: object) -> None:
    if not isinstance(name, str) or not name or "\0" in name:
        raise ValueError(f"{option}={name!r} is no name")
