"""The key of a project: made once, known to its owner alone, and what its pickled artifacts are signed with."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from eventflow.durable import write_durably
from eventflow.errors import JournalDenied

BYTES = 32


def project_key(folder: Path) -> bytes:
    """Give the key in a state folder, which is made where there is none. Raises `JournalDenied` where others could have read it."""
    place = folder / "key"
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        write_durably(place, secrets.token_bytes(BYTES), aside=folder)
        return project_key(folder)
    with os.fdopen(descriptor, "rb") as file:
        if os.fstat(descriptor).st_mode & 0o077:
            raise JournalDenied(f"{place} signs what is unpickled, and others can read it: chmod 600 it, or remove it to have a new one")
        key = file.read()
    if len(key) != BYTES:
        raise JournalDenied(f"{place} holds {len(key)} bytes where a key has {BYTES}: remove it to have a new one")
    return key
