"""The lock by which one process owns a journal. The kernel decides by `flock`, and lets go when the process ends; the text only informs."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from datetime import UTC, datetime
from io import FileIO
from weakref import WeakSet

import msgspec

from eventflow.errors import JournalOwned
from eventflow.journal.faults import understood
from eventflow.journal.place import Place


class Owner(msgspec.Struct, frozen=True):
    """Who holds the lock: a process of a host, and when it took it."""

    pid: int
    host: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


class Lock:
    """The lock of a journal, held from `take` to `release`, or until nobody holds this object any more."""

    def __init__(self, file: FileIO) -> None:
        self._file = file
        _held.add(self)

    def release(self) -> None:
        """Let others have the journal. In a forked child, let go of the parent's lock, which the parent keeps."""
        self._file.close()


def take(place: Place, now: int) -> Lock:
    """Take the lock at the instant `now`. Raises `JournalOwned`, naming the owner, where another process, or this one, holds it.

    Raises `JournalDenied`, `JournalFull` or `JournalDamaged` where the file can't be opened.
    """
    # Python opens with O_CLOEXEC: a child that got the descriptor would keep the lock beyond our death.
    with understood(place.folder):
        file = FileIO(os.open(place.lock, os.O_RDWR | os.O_CREAT, 0o600), "r+")
        try:
            _lock(file, place)
            _write(file, Owner(os.getpid(), socket.gethostname(), _instant(now)))
        except BaseException:
            file.close()
            raise
        return Lock(file)


def _let_go_in_child() -> None:
    for lock in _held:
        lock.release()


def _lock(file: FileIO, place: Place) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise JournalOwned(f"the journal in {place.folder} is owned by {_read(file) or 'another process'}") from error


def _write(file: FileIO, owner: Owner) -> None:
    # The text is for people. Where it can't be written, the lock holds all the same.
    with contextlib.suppress(OSError):
        os.ftruncate(file.fileno(), 0)
        os.pwrite(file.fileno(), msgspec.json.encode(owner) + b"\n", 0)


def _read(file: FileIO) -> Owner | None:
    try:
        return msgspec.json.decode(os.pread(file.fileno(), 4096, 0), type=Owner)
    except (OSError, msgspec.MsgspecError):
        return None


def _instant(now: int) -> str:
    return datetime.fromtimestamp(now / 1_000_000, UTC).isoformat(timespec="seconds")


_held: WeakSet[Lock] = WeakSet()
"""The locks of this process. A child that a task forks would share them, and keep the journal locked for as long as it outlives us."""

os.register_at_fork(after_in_child=_let_go_in_child)
