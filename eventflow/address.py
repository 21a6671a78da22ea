"""Where a project's daemon is reached: a socket in a short private folder, which a file in the state folder names.

The socket isn't in the state folder itself, because a socket's path may have 107 bytes at most, and a project may lie deep.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from eventflow.errors import JournalDenied
from eventflow.journal.faults import understood

POINTER = "socket"
"""The file in the state folder that holds the socket's path."""

LONGEST = 107

_SOCKET = "daemon.sock"


def publish(state: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Give the path for the socket of the daemon whose state folder this is, in a folder that only we can enter, and write it down.

    What an earlier daemon left there is removed: call it while the journal is owned. Raises `JournalDenied` where there can be none,
    `JournalFull` or `JournalDamaged` where it can't be written down.
    """
    socket = _folder(state, environment) / _SOCKET
    with understood(state):
        socket.unlink(missing_ok=True)
        pointer = state / POINTER
        aside = pointer.with_name(pointer.name + ".new")
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.write(os.fsencode(socket) + b"\n")
        aside.replace(pointer)
    return socket


def withdraw(state: Path, socket: Path) -> None:
    """Remove what `publish` made."""
    with contextlib.suppress(OSError):  # somebody was faster, and nobody needs it
        (state / POINTER).unlink(missing_ok=True)
        socket.unlink(missing_ok=True)
        socket.parent.rmdir()


def find_socket(state: Path) -> Path | None:
    """Give the path of the socket of a state folder's daemon, or None where it has none. A daemon that was killed leaves its own."""
    try:
        written = (state / POINTER).read_bytes().removesuffix(b"\n")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise JournalDenied(f"{state / POINTER} can't be read: {error.strerror}") from error
    return Path(os.fsdecode(written)) if written else None


def _folder(state: Path, environment: Mapping[str, str]) -> Path:
    digest = hashlib.blake2b(bytes(state.resolve()), digest_size=8).hexdigest()
    refused: list[str] = []
    for base in _bases(environment):
        folder = base / f"eventflow-{os.geteuid()}-{digest}"
        wrong = _unfit(base) or _unmade(folder)
        if wrong is None:
            return folder
        refused.append(wrong)
    raise JournalDenied(f"there is no place for the daemon's socket: {'; '.join(refused)}; name a private folder in XDG_RUNTIME_DIR")


def _bases(environment: Mapping[str, str]) -> Iterator[Path]:
    # A unit of systemd with a private /tmp is reached only through the folder that it was given.
    for name in ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"):
        value = environment.get(name, "").partition(":")[0]
        if value.startswith("/"):
            yield Path(value)
    yield from dict.fromkeys((Path(tempfile.gettempdir()), Path("/tmp")))  # noqa: S108 - the folder made in it is checked to be ours


def _unfit(base: Path) -> str | None:
    """Give why no folder of ours would be safe there: others could put their own in its place."""
    if len(bytes(base)) + len(f"/eventflow-{2**32}-{'0' * 16}/{_SOCKET}") > LONGEST:
        return f"{base} is too long a path"
    try:
        found = base.stat()
    except OSError as error:
        return f"{base}: {error.strerror}"
    if found.st_uid not in (0, os.geteuid()):
        return f"{base} belongs to user {found.st_uid}"
    others_write = found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX
    return f"others can change {base}" if others_write else None


def _unmade(folder: Path) -> str | None:
    """Make the folder, and give why it can't be had."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        return f"{folder}: {error.strerror}"
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        return f"{folder} is there, and is no private folder of user {os.geteuid()}"
    return None
