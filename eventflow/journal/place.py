"""The state folder: the names of the journal's files in it, and whether it can hold a journal at all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from eventflow.errors import JournalDenied, JournalMisplaced
from eventflow.mounts import TABLE, Mounts, is_far

_LONGEST = 490  # SQLite takes 512 bytes with the longest of its own files' names


@dataclass(frozen=True, slots=True)
class Place:
    """A state folder, and the journal's files in it."""

    folder: Path

    @property
    def journal(self) -> Path:
        """The database. SQLite keeps its log and the log's index beside it."""
        return self.folder / "journal.db"

    @property
    def log(self) -> Path:
        """SQLite's write-ahead log."""
        return self.folder / "journal.db-wal"

    @property
    def index(self) -> Path:
        """The log's index, which SQLite makes anew when it isn't there."""
        return self.folder / "journal.db-shm"

    @property
    def unborn(self) -> Path:
        """A journal that is still being made."""
        return self.folder / "journal.new"

    @property
    def repaired(self) -> Path:
        """A journal that `repair` has made, and that is still to take the place of the damaged one."""
        return self.folder / "journal.repaired"

    @property
    def lock(self) -> Path:
        """Who holds this file's lock writes the journal."""
        return self.folder / "journal.lock"

    @property
    def mark(self) -> Path:
        """How far the journal had come, told apart from it."""
        return self.folder / "journal.mark"

    def backup(self, version: int) -> Path:
        """The copy that is made before a journal of this version is migrated."""
        return self.folder / f"journal.v{version}.db"


def take_place(folder: Path, *, anywhere: bool = False, mounts: Path = TABLE) -> Place:
    """Make the state folder where it isn't there, and give it as an absolute path.

    Raises `JournalDenied` where it can't be made, read or written, and `JournalMisplaced` where its path is too long for SQLite, or where
    it lies on a network or user-space file system, unless `anywhere`.
    """
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - `resolve` would need to read every folder above
    if len(os.fsencode(os.path.realpath(folder))) > _LONGEST:
        raise JournalMisplaced(f"the path of the state folder is too long for SQLite, over {_LONGEST} bytes: {folder}")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise JournalDenied(f"the state folder {folder} can't be made: {error.strerror}") from error
    kind = Mounts.read(mounts).kind(folder)
    if is_far(kind) and not anywhere:
        raise JournalMisplaced(
            f"the state folder {folder} is on a {kind} file system, on which SQLite's locks and syncs can't be trusted; "
            "put it on a local disk, or force it if you know that this one keeps its promises"
        )
    place = Place(folder)
    check_permission(place)
    return place


def check_permission(place: Place, *, write: bool = True) -> None:
    """Raise `JournalDenied`, naming the path, where this user can't read (and write) the state folder and the journal."""
    mode = os.R_OK | os.W_OK if write else os.R_OK
    if not os.access(place.folder, mode | os.X_OK):
        raise _denied(place.folder, write=write)
    for file in (place.journal, place.log, place.index, place.lock, place.mark):
        if file.exists() and not os.access(file, mode):
            raise _denied(file, write=write)


def _denied(path: Path, *, write: bool) -> JournalDenied:
    wanted = "read and written" if write else "read"
    return JournalDenied(f"{path} can't be {wanted} by user {os.geteuid()}{', or its file system is read-only' if write else ''}")
