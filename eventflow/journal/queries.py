"""The SQL that lives in `sql/`: named statements, and the migrations in their order."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import NamedTuple


class Migration(NamedTuple):
    """A step of the schema: the version that it leads to, and its statements."""

    number: int
    statements: tuple[str, ...]


def statements_of(script: str) -> tuple[str, ...]:
    """Give the statements of a script one by one: `executescript` would commit the transaction that they are to share."""
    return tuple(_split(script))


def _split(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement.strip()
            statement = ""
    if re.sub(r"--.*", "", statement).strip():
        raise ValueError(f"the script ends within a statement: {statement.strip()!r}")


def _queries() -> Iterator[tuple[str, str]]:
    _, *parts = re.split(r"^-- name: (\w+)$", _SQL.joinpath("queries.sql").read_text(), flags=re.MULTILINE)
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        yield name, re.sub(r"^--.*\n", "", text, flags=re.MULTILINE).strip()


def _migrations() -> Iterator[Migration]:
    for script in sorted(_SQL.iterdir(), key=lambda file: file.name):
        number = re.fullmatch(r"(\d{4})_\w+\.sql", script.name)
        if number is not None:
            yield Migration(int(number[1]), statements_of(script.read_text()))


_SQL = files("eventflow.journal").joinpath("sql")

QUERIES: Mapping[str, str] = dict(_queries())
"""Each named statement of `sql/queries.sql`."""

MIGRATIONS: tuple[Migration, ...] = tuple(_migrations())
"""Every migration, oldest first. The version of a journal is the number of the last one that it went through."""
