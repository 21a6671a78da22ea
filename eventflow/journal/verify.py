"""Whether a journal holds what it should: sound files, facts without a gap, legal histories, and tables that the facts account for."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eventflow.errors import NotFound
from eventflow.journal import mark
from eventflow.journal.connection import connect
from eventflow.journal.faults import understood
from eventflow.journal.history import History, UnsoundHistory, read_history
from eventflow.journal.mark import Level
from eventflow.journal.migrations import check_version
from eventflow.journal.place import Place, check_permission
from eventflow.journal.preparation import APPLICATION
from eventflow.journal.queries import QUERIES
from eventflow.journal.reader import read_rows, read_seq
from eventflow.journal.statements import question
from eventflow.journal.tables import key_of
from eventflow.projections import TABLES


@dataclass(frozen=True, slots=True)
class Report:
    """What was found: the last fact, the last one that the mark knows of, and every problem in a sentence."""

    folder: Path
    seq: int
    mark: int | None
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify(folder: Path) -> Report:
    """Check the journal in a state folder from end to end. Writes nothing and takes no lock: a daemon may be running.

    It blocks, and reads the whole journal. Raises `NotFound` where there is none, `JournalVersion` where it is newer than this eventflow,
    and `JournalDenied` where it can't be read.
    """
    place = find_place(folder)
    known = mark.read(place.mark)  # before the journal: it may go on meanwhile, and then the mark must not be ahead
    problems: list[str] = []
    seq = 0
    with understood(place.folder):
        try:
            with contextlib.closing(connect(place.journal, mode="ro")) as connection:
                check_version(connection, place)
                connection.execute("BEGIN")  # one snapshot for all that follows
                problems += _file_problems(connection)
                seq = read_seq(connection)
                problems += _mark_problems(connection, known, seq)
                problems += _history_problems(connection)
        except sqlite3.DatabaseError as error:
            problems.append(f"the journal can't be read: {error}")
    return Report(place.folder, seq, None if known is None else known.seq, tuple(problems))


def find_place(folder: Path) -> Place:
    """Give a state folder that has a journal. Raises `NotFound` where it has none, and `JournalDenied` where it can't be read."""
    place = Place(Path(os.path.abspath(folder)))  # noqa: PTH100 - `resolve` would need to read every folder above
    if os.path.lexists(place.folder):
        check_permission(place, write=False)
    if not any(map(os.path.lexists, (place.journal, place.mark, place.repaired))):
        raise NotFound(f"there is no journal in {place.folder}")
    return place


def _file_problems(connection: sqlite3.Connection) -> Iterator[str]:
    if connection.execute(QUERIES["application"]).fetchone()[0] != APPLICATION:
        yield "the file is no journal of eventflow"
    yield from (found for (found,) in connection.execute(QUERIES["check_all"]) if found != "ok")
    yield from (f"a row of {table} refers to nothing" for table, *_ in connection.execute("PRAGMA foreign_key_check"))


def _mark_problems(connection: sqlite3.Connection, known: Level | None, seq: int) -> Iterator[str]:
    journal = connection.execute(QUERIES["journal"]).fetchone()[0]
    if known is None:
        yield "the mark is missing or unreadable: whether facts were lost can't be told"
    elif known.journal != journal:
        yield f"the mark belongs to another journal, which had come to fact {known.seq}"
    elif known.seq > seq:
        yield f"facts {seq + 1} to {known.seq} are lost"


def _history_problems(connection: sqlite3.Connection) -> Iterator[str]:
    history = History()
    try:
        for record in read_history(connection):
            history.take(record)
    except UnsoundHistory as error:
        yield str(error)
        return
    yield from _table_problems(connection, history)


def _table_problems(connection: sqlite3.Connection, history: History) -> Iterator[str]:
    for table, (name, _) in TABLES.items():
        asked = question(table, {})
        stored = {key_of(row): row for row in read_rows(connection, table, asked)}
        wanted = history.tables.all(table)
        wrong = sorted(key for key in stored.keys() | wanted.keys() if stored.get(key) != wanted.get(key))
        if wrong:
            key = wrong[0]
            yield f"{len(wrong)} rows of {name} are not what the facts say; first {key}: {stored.get(key)} instead of {wanted.get(key)}"
