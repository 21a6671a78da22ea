"""Bringing a journal to the newest schema: one transaction per step, so that a crash leaves a whole version, the old one or the new."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from eventflow.durable import sync
from eventflow.errors import JournalVersion
from eventflow.journal.place import Place
from eventflow.journal.queries import MIGRATIONS, QUERIES, Migration


def version_of(connection: sqlite3.Connection) -> int:
    """Give the number of the last migration that a journal went through."""
    return connection.execute(QUERIES["version"]).fetchone()[0]


def check_version(connection: sqlite3.Connection, place: Place, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Raise `JournalVersion` where a journal went through migrations that we don't know."""
    version, known = version_of(connection), migrations[-1].number
    if version > known:
        raise JournalVersion(
            f"the journal in {place.folder} was written by a newer eventflow (version {version}, this one knows {known}); "
            "upgrade eventflow, or restore a backup; nothing was changed"
        )


def migrate(connection: sqlite3.Connection, reached: Callable[[str], None], migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Make every step that is still missing."""
    version = version_of(connection)
    for migration in migrations:
        if migration.number > version:
            reached("journal.migrate.before")
            _make(connection, migration, reached)
            reached("journal.migrate.after")


def back_up(connection: sqlite3.Connection, place: Place) -> Path:
    """Copy the journal as it is, before it is migrated. Gives the copy."""
    copy = place.backup(version_of(connection))
    unfinished = copy.with_name(copy.name + ".new")
    # Made by us first, so that nobody else can read it; a crash may have left one half-written.
    os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    connection.execute(QUERIES["backup"], (str(unfinished),))
    sync(unfinished)
    unfinished.replace(copy)
    sync(place.folder)
    return copy


def _make(connection: sqlite3.Connection, migration: Migration, reached: Callable[[str], None]) -> None:
    connection.execute(QUERIES["begin"])
    try:
        for statement in migration.statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {migration.number:d}")
        reached("journal.migrate.written")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
