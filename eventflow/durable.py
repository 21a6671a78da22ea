"""Files that are there whole or not at all, whatever crashes: written aside, synced, renamed into their place, and the folder synced."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

_ASIDE = ".writing-"


def write_durably(place: Path, data: bytes, *, aside: Path, written: Callable[[], None] = lambda: None) -> None:
    """Write a file of its owner's alone, so that after any crash it is there whole or not at all.

    It is written in the folder `aside`, on the same disk, and gets its name after `written` was called. What a crash leaves there is
    for `remove_leftovers`.
    """
    descriptor, name = tempfile.mkstemp(dir=aside, prefix=_ASIDE)
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        written()
        unfinished.rename(place)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync(place.parent)


def remove_leftovers(*asides: Path) -> None:
    """Remove what `write_durably` left in these folders when a process died. Only for whoever owns them, before anything is written."""
    for aside in asides:
        for unfinished in aside.glob(f"{_ASIDE}*"):
            unfinished.unlink()


def sync(path: Path) -> None:
    """Make what a file holds, or the names in a folder, survive a power failure. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
