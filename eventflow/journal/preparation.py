"""What happens to a journal's files before they are used: looked at without touching them, made if new, migrated if old.

All of this blocks, and is done by whoever holds the lock.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from eventflow.durable import sync
from eventflow.errors import JournalDamaged, JournalError
from eventflow.journal import mark
from eventflow.journal.connection import connect
from eventflow.journal.faults import is_damage, understood
from eventflow.journal.mark import Level
from eventflow.journal.migrations import back_up, check_version, migrate, version_of
from eventflow.journal.place import Place
from eventflow.journal.queries import MIGRATIONS, QUERIES, Migration

APPLICATION = 0x6576666C  # "evfl"

_OLDEST, _SOUND = (3, 37), (3, 51, 3)


def check_library(version: tuple[int, ...] = sqlite3.sqlite_version_info, *, threads: int = sqlite3.threadsafety) -> None:
    """Raise `JournalError` where Python's SQLite is too old for the journal, or was built without threads."""
    if version < _OLDEST or threads == 0:
        raise JournalError(
            f"SQLite {'.'.join(map(str, version))} is too old or has no threads: the journal needs 3.37 or newer; use a newer Python"
        )
    if version < _SOUND:
        # Its race needs two connections that copy the log at the same time. Ours never do; another program's might.
        logging.getLogger(__name__).debug("SQLite %s has a rare race in its log, fixed in 3.51.3", ".".join(map(str, version)))


def prepare(
    place: Place, reached: Callable[[str], None], *, relaxed: bool = False, migrations: Sequence[Migration] = MIGRATIONS
) -> list[JournalError]:
    """Leave a whole journal of the newest version, and a mark that belongs to it. Gives what is worth a warning.

    Raises `JournalDamaged`, `JournalVersion`, `JournalDenied` or `JournalFull`. A journal that can't be used isn't touched.
    """
    warnings: list[JournalError] = []
    with understood(place.folder):
        if place.repaired.exists():
            raise JournalDamaged(
                f"a repair of the journal in {place.folder} was interrupted; run `eventflow journal repair --accept-loss` again"
            )
        if not place.journal.exists():
            _check_never_used(place)
            create(place, reached, migrations)
        level, outdated = examine(place, migrations)
        warnings += _check_mark(place, level, relaxed=relaxed)
        if outdated:
            _migrate(place, reached, migrations)
    return warnings


def create(place: Place, reached: Callable[[str], None], migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Make an empty journal. It gets its name when it is whole, so that a crash leaves no half."""
    reached("journal.create.before")
    make(place.unborn, reached, migrations)
    place.unborn.rename(place.journal)
    sync(place.folder)
    reached("journal.create.after")


def make(path: Path, reached: Callable[[str], None], migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Make an empty journal at a path, in place of anything that is there."""
    for leftover in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm"), path.with_name(path.name + "-journal")):
        leftover.unlink(missing_ok=True)
    # Made by us first, so that nobody else can read it: SQLite gives its other files the same mode.
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with contextlib.closing(connect(path)) as connection:
        set_safety(connection, relaxed=False)
        migrate(connection, reached, migrations)
        connection.execute(QUERIES["checkpoint_all"])


def set_safety(connection: sqlite3.Connection, *, relaxed: bool) -> None:
    """Have commits go through a log that is synced at each commit, or, if relaxed, when it is copied. Raises `JournalDamaged`."""
    mode = connection.execute(QUERIES["journal_mode"]).fetchone()[0]
    level = 1 if relaxed else 2
    connection.execute(f"PRAGMA synchronous = {level:d}")
    if mode != "wal" or connection.execute("PRAGMA synchronous").fetchone()[0] != level:
        raise JournalDamaged(f"SQLite would not use a write-ahead log on this disk (its journal mode stays {mode!r})")


def examine(place: Place, migrations: Sequence[Migration] = MIGRATIONS) -> tuple[Level, bool]:
    """Look at a journal without changing it. Gives its id and last place, and whether it must be migrated.

    Raises `JournalDamaged`, saying what is wrong, or `JournalVersion`.
    """
    try:
        with contextlib.closing(connect(place.journal, mode="ro")) as connection:
            if connection.execute(QUERIES["application"]).fetchone()[0] != APPLICATION:
                raise JournalDamaged(f"{place.journal} is no journal of eventflow; {ADVICE}")
            check_version(connection, place, migrations)
            found = connection.execute(QUERIES["check"]).fetchone()[0]
            if found != "ok":
                raise JournalDamaged(f"{place.journal} is damaged: {found}; {ADVICE}")
            journal, _, seq = connection.execute(QUERIES["journal"]).fetchone()
            return Level(journal, seq), version_of(connection) < migrations[-1].number
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            raise JournalDamaged(f"{place.journal} is damaged: {error}; {ADVICE}") from error
        raise


ADVICE = "look with `eventflow journal verify`; `eventflow journal repair --accept-loss` keeps what can be read"


def _check_never_used(place: Place) -> None:
    known = mark.read(place.mark)
    if known is not None and known.seq > 0:
        raise JournalDamaged(f"{place.journal} is gone, though it had come to fact {known.seq}; restore it, or {ADVICE}")


def _check_mark(place: Place, level: Level, *, relaxed: bool) -> list[JournalError]:
    """Compare a journal with its mark, and leave a mark that belongs to it."""
    known = mark.read(place.mark)
    warnings: list[JournalError] = []
    if known is not None and known.seq > 0:
        loss = mark.loss(place.folder, level, known)
        if loss and not relaxed:
            raise JournalDamaged(f"{loss}; {ADVICE}")
        if loss:
            warnings.append(JournalDamaged(f"{loss}; it goes on without them, as durability='relaxed' allows"))
    elif known is None and level.seq > 0:
        warnings.append(JournalError(f"{place.mark} is missing or unreadable: whether the journal is shorter than it was can't be told"))
    if known != level:
        mark.create(place.mark, level)
    return warnings


def _migrate(place: Place, reached: Callable[[str], None], migrations: Sequence[Migration]) -> None:
    with contextlib.closing(connect(place.journal)) as connection:
        set_safety(connection, relaxed=False)
        back_up(connection, place)
        migrate(connection, reached, migrations)
