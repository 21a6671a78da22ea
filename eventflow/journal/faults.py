"""What goes wrong on a disk, sorted by what must follow: wait for space, wait for a lock, or stop for good."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from eventflow.errors import JournalDamaged, JournalDenied, JournalError, JournalFull, JournalOwned

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})

# The write of the log, and the growth of its index, report a full disk or quota as a plain I/O error.
_MAYBE_FULL = frozenset(
    {"SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_SHMMAP", "SQLITE_IOERR_SHMOPEN", "SQLITE_IOERR_TRUNCATE"}
)


@contextmanager
def understood(folder: Path) -> Generator[None]:
    """Turn an error of SQLite or of the disk into the `JournalError` that says what it means for the journal in `folder`."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise meaning(error, folder) from error


class JournalLocked(JournalOwned):
    """Another program holds SQLite's own lock on the journal, as its command line does in a transaction. It will pass."""


def meaning(error: sqlite3.Error | OSError | msgspec.MsgspecError, folder: Path) -> JournalError:
    """Give what an error means: `JournalFull`, `JournalLocked`, `JournalDenied`, or `JournalDamaged` for all that is unknown."""
    if isinstance(error, OSError):
        return _of_system(error, folder)
    if isinstance(error, msgspec.MsgspecError):
        return JournalDamaged(f"the journal in {folder} holds what no eventflow wrote: {error}")
    name = error_name(error)
    if name == "SQLITE_FULL" or (name in _MAYBE_FULL and _is_full(folder)):
        return JournalFull(f"no space is left for the journal in {folder}")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return JournalLocked(f"another program keeps the journal in {folder} locked")
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")):
        return JournalDenied(f"the journal in {folder} can't be written: {error}")
    return JournalDamaged(f"the journal in {folder} can't be trusted any more: {error} ({name})")


def is_damage(error: sqlite3.Error) -> bool:
    """Tell whether an error speaks of what is in a file, not of the disk under it."""
    return error_name(error).startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR"))


def error_name(error: sqlite3.Error) -> str:
    """Give SQLite's own name of an error, such as `SQLITE_IOERR_FSYNC`; empty where Python's module found it before SQLite did."""
    return getattr(error, "sqlite_errorname", "")


def _of_system(error: OSError, folder: Path) -> JournalError:
    if error.errno in FULL:
        return JournalFull(f"no space is left for the journal in {folder}")
    named = f"{error.filename or folder}: {error.strerror}"
    return JournalDenied(named) if error.errno in _DENIED else JournalDamaged(f"the journal's disk failed: {named}")


def _is_full(folder: Path) -> bool:
    """Try to write a little beside the journal: free blocks alone would say nothing of quotas."""
    probe = folder / "journal.probe"
    try:
        with os.fdopen(os.open(probe, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(bytes(65536))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno in FULL
    finally:
        probe.unlink(missing_ok=True)
    return False
