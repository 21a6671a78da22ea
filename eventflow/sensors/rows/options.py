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
from eventflow.secret import Secret, revealed
from eventflow.sensors.options import Existing
from eventflow.sensors.rows import addresses
from eventflow.sensors.rows.conditions import Condition, Where, conditions

On = Literal["insert", "update", "match"]
Mode = Literal["watch", "claim", "outbox"]

LARGEST_BATCH = 5000
"""Rows of one event, at most: they are one transaction, and one value."""

DONE = "done"
"""What stands in the mark of a row that was claimed and handed over."""

_SETTLE = "60s"
_LEAST_EVERY = 0.05

_BELONGS = {
    "cursor": ("insert", "claim", "outbox"),
    "version": ("update",),
    "fixed": ("insert",),
    "at_least": ("insert", "update", "claim", "outbox"),
    "existing": ("insert", "update", "match"),
    "settle": ("insert", "update"),
    "mark": ("claim", "outbox"),
}
"""By option: with which `on`, or which `mode`, it has an effect. Those that aren't here have one with each."""

_POSTGRES = ("notify", "xid_column")
"""Options that have an effect on PostgreSQL alone."""
_URL = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\+[A-Za-z0-9_]+)?://")
_DSN = re.compile(r"\b(?:host|hostaddr|user|dbname|password|pwd|server|uid)\s*=", re.IGNORECASE)


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
        """How it is named in messages: a file by its path, anything else by its kind and its host."""
        return str(self.path) if self.address is None else addresses.shown(self.address.reveal())


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


def options(
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
    settle: Duration | None,
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
    if on == "update" and version is None:
        raise ValueError("on='update' needs the column that changes with each update: version='updated_at'")
    if on == "match" and not where_read:
        raise ValueError("on='match' needs a condition, such as where={'status': 'ready'}")
    if claims and on != "insert":
        raise ValueError(f"mode={mode!r} takes whatever row is free: leave on={on!r} out, and say in `where` which rows are meant")
    if claims and mark is None:
        raise ValueError(f"mode={mode!r} needs a text column that is NULL in a free row: mark='taken_by'")
    given = {
        "cursor": cursor is not None, "version": version is not None, "fixed": bool(fixed), "at_least": at_least != 1,
        "existing": existing != "fire", "settle": settle is not None, "mark": mark is not None,
        "notify": notify is not None, "xid_column": xid_column is not None,
    }  # fmt: skip
    read = _database(database)
    _check_effect([option for option, was in given.items() if was], mode if claims else on, read)
    if type(at_least) is not int or not 1 <= at_least <= LARGEST_BATCH:
        raise ValueError(f"at_least={at_least!r} is no number from 1 to {LARGEST_BATCH}")
    return RowOptions(
        name=name,
        database=read,
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
        settle=seconds(_SETTLE if settle is None else settle),
        notify=_column("notify", notify),
        xid_column=_column("xid_column", xid_column),
    )


def _database(database: str | os.PathLike[str] | Secret) -> Database:
    if isinstance(database, os.PathLike):
        return Database("sqlite", _path(os.fspath(database)), None)
    written = revealed(database)
    if not isinstance(written, str):  # pyright: ignore[reportUnnecessaryIsInstance] - people write anything
        raise TypeError("database is a path, an address such as 'postgresql://server/name', or a Secret that holds one")
    if _URL.match(written) is None:
        # Nothing of it is shown: who writes an address wrong has written a password into it.
        if isinstance(database, Secret) or "://" in written or _DSN.search(written):
            raise ValueError("database is no address: write it as one, beginning with its kind, 'postgresql://user:password@host/name'")
        return Database("sqlite", _path(written), None)
    if written.lower().startswith("sqlite://"):
        return Database("sqlite", _path(_path_of_url(written)), None)
    if written.lower().startswith(("postgresql://", "postgres://")):
        return Database("postgresql", None, Secret(written))
    return Database("other", None, Secret(written))


def _path_of_url(written: str) -> str:
    host, slash, path = written[len("sqlite://") :].partition("/")
    if host or not slash or "?" in path:
        raise ValueError("database: write sqlite:///a/path or sqlite:////an/absolute/path, and nothing else")
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


def _check_effect(given: Sequence[str], how: str, database: Database) -> None:
    """Raise `ValueError` for an option that would have no effect."""
    for option in given:
        if how not in _BELONGS.get(option, (how,)):
            raise ValueError(f"{option}=... does nothing here: it is for {' and '.join(map(_way, _BELONGS[option]))}")
        if option in _POSTGRES and database.kind != "postgresql":
            raise ValueError(f"{option}=... is for PostgreSQL, at an address that begins with postgresql://")


def _way(how: str) -> str:
    return f"on={how!r}" if how in get_args(On) else f"mode={how!r}"


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
