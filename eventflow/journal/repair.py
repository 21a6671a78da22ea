"""Making a damaged journal usable again, at the price of what can't be read.

The new journal is built aside from the longest sound beginning of the old one's facts, and takes its place in one step. A crash in between
is finished by the next repair.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from eventflow.durable import sync
from eventflow.errors import JournalError
from eventflow.facts import Record, Unit, encode
from eventflow.journal import lock, mark
from eventflow.journal.batch import Draft, write_batch
from eventflow.journal.connection import connect
from eventflow.journal.faults import is_damage, understood
from eventflow.journal.history import History, UnsoundHistory, read_history
from eventflow.journal.mark import Level
from eventflow.journal.migrations import check_version
from eventflow.journal.place import Place, take_place
from eventflow.journal.preparation import make
from eventflow.journal.queries import QUERIES
from eventflow.journal.verify import find_place
from eventflow.ports import Clock

_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Repair:
    """What a repair did: how many facts it kept, how many are known to be lost (None where nothing tells), why it kept no more,
    and where the damaged files are (None where an interrupted repair was only finished).
    """

    kept: int
    lost: int | None
    reason: str | None
    aside: Path | None


def repair(folder: Path, *, accept_loss: bool, clock: Clock) -> Repair:
    """Rebuild the journal in a state folder from the longest sound beginning of its facts.

    It blocks. The damaged files are copied aside first. Raises `JournalError` unless `accept_loss`, `NotFound` where there is no journal,
    `JournalOwned` where a daemon runs, `JournalVersion`, `JournalDenied` or `JournalFull`.
    """
    if not accept_loss:
        raise JournalError("a repair may lose facts for good; say that you accept it, with --accept-loss")
    place = take_place(find_place(folder).folder, anywhere=True)
    held = lock.take(place, clock.now())
    try:
        with understood(place.folder):
            known = mark.read(place.mark)
            aside, reason = (None, None) if place.repaired.exists() else _rebuild(place, clock.now())
            level = _swap(place)
            lost = None if known is None or aside is None else max(known.seq - level.seq, 0)
            return Repair(level.seq, lost, reason, aside)
    finally:
        held.release()


def _rebuild(place: Place, now: int) -> tuple[Path, str | None]:
    """Build the new journal, whole and synced, as `place.repaired`. Gives where the old files were copied, and why no more was kept."""
    aside = _copied_aside(place, now)
    salvage, unfinished = place.folder / "journal.salvage", place.folder / "journal.repairing"
    make(unfinished, _unobserved)
    _copy_for_salvage(place, salvage, unfinished)
    with contextlib.closing(connect(unfinished)) as new:
        new.execute("PRAGMA synchronous = FULL")
        reason = _keep_what_is_sound(place, salvage, new)
        new.execute(QUERIES["checkpoint_all"]).fetchall()
    for scratch in _with_log(salvage):
        scratch.unlink(missing_ok=True)
    unfinished.rename(place.repaired)
    sync(place.folder)
    return aside, reason


def _keep_what_is_sound(place: Place, salvage: Path, new: sqlite3.Connection) -> str | None:
    """Copy facts until one is unsound, and give what is wrong with it. An error of the disk ends the repair: it is no loss yet."""
    try:
        with contextlib.closing(connect(salvage)) as old:
            check_version(old, place)
            epoch = old.execute(QUERIES["journal"]).fetchone()[1]
            reason = _copy_facts(old, new)
            new.execute(QUERIES["set_epoch"], (epoch,))
            return reason
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return f"no fact can be read: {error}"
        raise


def _copy_facts(old: sqlite3.Connection, new: sqlite3.Connection) -> str | None:
    page: list[Draft] = []
    reason = None
    try:
        for record in _sound(old):
            page.append(Draft(Unit(record.at, (record.fact,)), (encode(record.fact),)))
            if len(page) == _PAGE:
                write_batch(new, page, 0, _unobserved)
                page = []
    except UnsoundHistory as error:
        reason = str(error)
    write_batch(new, page, 0, _unobserved)
    return reason


def _sound(old: sqlite3.Connection) -> Iterator[Record]:
    history = History()
    for record in read_history(old):
        history.take(record)
        yield record


def _swap(place: Place) -> Level:
    """Put the repaired journal in the old one's place, and begin a new mark. May be done again after a crash at any point."""
    with contextlib.closing(connect(place.repaired)) as connection:
        journal, _, seq = connection.execute(QUERIES["journal"]).fetchone()
    level = Level(journal, seq)
    mark.create(place.mark, Level(journal, 0))  # from here on the old mark speaks of a journal that nobody will open again
    # The old log must be gone before the new file has the name: SQLite would take one for the other's.
    for old in _with_log(place.journal)[1:]:
        old.unlink(missing_ok=True)
    sync(place.folder)
    place.repaired.rename(place.journal)
    sync(place.folder)
    mark.create(place.mark, level)
    return level


def _copied_aside(place: Place, now: int) -> Path:
    aside = place.folder / f"damaged-{datetime.fromtimestamp(now / 1_000_000, UTC):%Y%m%dT%H%M%S.%fZ}"
    aside.mkdir(mode=0o700, exist_ok=True)
    for file in (place.journal, place.log, place.mark):
        if file.exists():
            _copy(file, aside / file.name)
    sync(aside)
    sync(place.folder)
    return aside


def _copy_for_salvage(place: Place, salvage: Path, fresh: Path) -> None:
    """Copy the damaged journal once more, to read it: SQLite changes what it opens. A lost file header is the same in all journals."""
    for scratch in _with_log(salvage):
        scratch.unlink(missing_ok=True)
    _copy(place.journal if place.journal.exists() else fresh, salvage)
    if place.log.exists():
        _copy(place.log, _with_log(salvage)[1])
    with salvage.open("r+b") as file:
        if file.read(16) != b"SQLite format 3\0":
            header = fresh.read_bytes()[:100]
            file.seek(0)
            file.write(header[:28] + bytes(4) + header[32:])  # without the number of pages: it is then taken from the file's size


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as old, os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as new:
        shutil.copyfileobj(old, new)
        new.flush()
        os.fsync(new.fileno())


def _with_log(journal: Path) -> list[Path]:
    return [journal, *(journal.with_name(journal.name + suffix) for suffix in ("-wal", "-shm"))]


def _unobserved(_point: str) -> None:
    """Tell nobody: a repair has no instruments."""
