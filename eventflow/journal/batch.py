"""The one transaction of the SQLite journal: many units in, as records and rows, with one sync.

It is a plain function of a raw `sqlite3.Connection`, so that it can run on the journal's thread or, in a simulation, on the loop itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from eventflow.errors import EventflowError, JournalOwned, Refused, ValueNotStorable
from eventflow.facts import Record, Unit, run_of
from eventflow.journal.faults import error_name
from eventflow.journal.queries import QUERIES
from eventflow.journal.statements import target, write
from eventflow.journal.tables import Key
from eventflow.journal.units import expand
from eventflow.projections import Change


class Draft(msgspec.Struct, frozen=True, gc=False):
    """A unit on its way into the journal, with its facts encoded already."""

    unit: Unit
    bodies: tuple[bytes, ...]


Result: TypeAlias = int | EventflowError
"""What became of a unit: the `seq` of its last fact, or why nothing of it was kept."""


class Written(NamedTuple):
    """What became of a batch, how far the journal has come with it, and how many rows it wrote."""

    records: list[Record]
    results: list[Result]
    seq: int
    rows: int


def write_batch(connection: sqlite3.Connection, drafts: Sequence[Draft], epoch: int, reached: Callable[[str], None]) -> Written:
    """Write units in one transaction, each whole or not at all.

    Raises `JournalOwned` where the journal has been taken over, and `sqlite3.Error` where nothing at all could be written.
    """
    try:
        return _committed(connection, _write_together(connection, drafts, epoch), reached)
    except _Doubt:
        # Some unit can't be kept. To tell which, and to keep the others, all are written again, one by one: this costs time only here.
        _roll_back(connection)
    except BaseException:
        _roll_back(connection)
        raise
    try:
        return _committed(connection, _write_singly(connection, drafts, epoch), reached)
    except BaseException:
        _roll_back(connection)
        raise


class _Doubt(Exception):
    """Something in a batch doesn't fit."""


def _committed(connection: sqlite3.Connection, written: Written, reached: Callable[[str], None]) -> Written:
    reached("journal.batch.written")
    connection.execute("COMMIT")
    reached("journal.batch.committed")
    return written


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _begin(connection: sqlite3.Connection, epoch: int) -> int:
    """Begin the transaction, and give the place of the last fact."""
    connection.execute(QUERIES["begin"])
    journal, current, seq = connection.execute(QUERIES["journal"]).fetchone()
    if current != epoch:
        raise JournalOwned(f"journal {journal} was taken over by another process (epoch {current}, ours was {epoch})")
    return seq


def _write_together(connection: sqlite3.Connection, drafts: Sequence[Draft], epoch: int) -> Written:
    """Write all units as if they were one. Raises `_Doubt` where any of them would be refused."""
    seq = _begin(connection, epoch)
    all_records: list[Record] = []
    all_changes: list[Change] = []
    results: list[Result] = []
    try:
        for draft in drafts:
            records, changes = expand(draft.unit, seq)
            all_records += records
            all_changes += changes
            seq += len(records)
            results.append(seq)
        connection.executemany(QUERIES["insert_fact"], _fact_rows(all_records, [body for draft in drafts for body in draft.bodies]))
        _change_rows(connection, all_changes)
    except (sqlite3.Error, *_UNFIT) as error:
        if not isinstance(error, sqlite3.Error) or _is_about_values(error):
            raise _Doubt from error
        raise
    return Written(all_records, results, seq, len(all_records) + len(all_changes))


def _change_rows(connection: sqlite3.Connection, changes: Sequence[Change]) -> None:
    """Make many changes with few statements: those of different rows may change places, those of the same row keep their order."""
    waves: list[dict[str, list[tuple[object, ...]]]] = []
    depths: dict[tuple[str, Key], int] = {}
    for change in changes:
        row = target(change)
        depth = depths.get(row, 0)
        depths[row] = depth + 1
        if depth == len(waves):
            waves.append({})
        sql, parameters = write(change)
        waves[depth].setdefault(sql, []).append(parameters)
    for wave in waves:
        for sql, many in wave.items():
            changed = connection.executemany(sql, many).rowcount
            if changed != len(many) and not sql.startswith("DELETE"):
                raise _Doubt


def _write_singly(connection: sqlite3.Connection, drafts: Sequence[Draft], epoch: int) -> Written:
    """Write each unit under a savepoint of its own, so that it can be taken back alone."""
    seq = _begin(connection, epoch)
    all_records: list[Record] = []
    results: list[Result] = []
    rows = 0
    for draft in drafts:
        connection.execute("SAVEPOINT unit")
        try:
            records, changes = expand(draft.unit, seq)
            connection.executemany(QUERIES["insert_fact"], _fact_rows(records, draft.bodies))
            for change in changes:
                _change_row(connection, change)
        except (sqlite3.Error, Refused, *_UNFIT) as error:
            if isinstance(error, sqlite3.Error) and not _is_about_values(error):
                raise
            connection.execute("ROLLBACK TO unit")
            results.append(error if isinstance(error, Refused) else ValueNotStorable(f"the journal can't hold this unit: {error}"))
        else:
            all_records += records
            seq += len(records)
            rows += len(records) + len(changes)
            results.append(seq)
        connection.execute("RELEASE unit")
    return Written(all_records, results, seq, rows)


def _change_row(connection: sqlite3.Connection, change: Change) -> None:
    sql, parameters = write(change)
    try:
        changed = connection.execute(sql, parameters).rowcount
    except sqlite3.IntegrityError as error:
        if error_name(error) == "SQLITE_CONSTRAINT_PRIMARYKEY":
            raise Refused(*target(change)) from error
        raise
    if changed == 0 and not sql.startswith("DELETE"):
        raise Refused(*target(change))


def _fact_rows(records: Sequence[Record], bodies: Sequence[bytes]) -> list[tuple[object, ...]]:
    return [
        (record.seq, record.at, run_of(record.fact), type(record.fact).__name__, body) for record, body in zip(records, bodies, strict=True)
    ]


def _is_about_values(error: sqlite3.Error) -> bool:
    """Tell whether an error speaks of what was to be written, not of the disk."""
    # The low byte is the kind of an error; of some of the finer codes Python 3.11 knows no name.
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_MISMATCH) & 0xFF in _ABOUT_VALUES


_ABOUT_VALUES = frozenset({sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH})

_UNFIT = (OverflowError, UnicodeError, TypeError, ValueError, LookupError)
"""What Python raises for a value that SQLite has no place for: an integer beyond 64 bits, half a surrogate pair."""
