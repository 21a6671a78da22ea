"""Taking a file away: deleted or moved, never one that has become another, never over one that is there, whole after any crash.

A file is first renamed aside, to a name that carries the id of its event, and then looked at: by then nobody can put another in its place.
Only what is still the version that fired goes its way; anything else is put back. What a crash leaves aside is finished at the next start.
Blocks: all of this is to be called in a thread.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

from eventflow import escapes
from eventflow.durable import sync
from eventflow.errors import FileChanged
from eventflow.sensors.files.scan import ASIDE, Version
from eventflow.sensors.files.versions import BLOCK, Stamped, digest, fits, opened

_COPY = f"{ASIDE}copy-"
_LONGEST_NAME = 255


class Stopped(Exception):
    """There was no more time: what was half done is done again at the next start."""


def delete(path: Path, version: Stamped, token: str) -> None:
    """Delete a file. Raises `FileChanged` where it isn't that version, and `OSError`."""
    aside = path.with_name(f"{ASIDE}{token}")
    _take(path, aside, version)
    aside.unlink()


def move(path: Path, version: Stamped, token: str, target: Path, below: Path, *, stopping: Callable[[], bool]) -> None:
    """Move a file into the folder `below` of a folder, over file systems too. What is there already is never written over.

    Raises `FileChanged` where it isn't that version, `Stopped` where a long copy was to end early, and `OSError`.
    """
    folder = target / below
    folder.mkdir(parents=True, exist_ok=True)
    aside = target / f"{ASIDE}{token}"
    try:
        _take(path, aside, version)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        if not _is_copied(path, version, folder):
            _copy(path, version, target / f"{_COPY}{token}", folder, stopping)
        delete(path, version, token)
    else:
        _give_name(aside, folder, path.name)


def left_aside(target: Path) -> list[Path]:
    """Give what a crash left aside in a folder into which files are moved. A half copy is removed, as its file is still where it was."""
    asides: list[Path] = []
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(target) as entries:
        for entry in entries:
            if entry.name.startswith(_COPY):
                os.unlink(entry.path)  # noqa: PTH108 - an entry has no Path
            elif entry.name.startswith(ASIDE):
                asides.append(Path(entry.path))
    return asides


def token_of(aside: Path) -> str:
    """Give the id of the event in the name of a file that was left aside."""
    return aside.name.removeprefix(ASIDE)


def as_it_is(path: Path) -> Version:
    """Give the version of a file that is there now. Raises `OSError`."""
    now = path.lstat()
    return Version(str(path), now.st_ino, now.st_size, now.st_mtime_ns)


def finish(aside: Path, version: Stamped, path: Path, folder: Path | None) -> None:
    """Finish what a crash interrupted: a move into a folder, or where there is none, a deletion. What isn't that version is put back."""
    if not fits(version, aside.lstat()):
        _give_name(aside, path.parent, path.name)
    elif folder is None:
        aside.unlink()
    else:
        folder.mkdir(parents=True, exist_ok=True)
        _give_name(aside, folder, path.name)


def _take(path: Path, aside: Path, version: Stamped) -> None:
    if fits(version, path.lstat()):
        path.rename(aside)
        if fits(version, aside.lstat()):
            return
        _give_name(aside, path.parent, path.name)
    raise FileChanged(f"the file {escapes.path(path)} has changed since its event")


def _give_name(aside: Path, folder: Path, name: str) -> None:
    """Give a file its name in a folder, or where that is taken, the name with a number. Doing it again does nothing more."""
    for candidate in _names(name):
        place = folder / candidate
        try:
            os.link(aside, place, follow_symlinks=False)
        except FileExistsError:
            if place.samefile(aside):
                break
            continue
        except OSError:  # a file system without links, or a file of which this user may make none
            if not _reserve(place):
                continue
            aside.rename(place)
            return
        break
    aside.unlink()


def _reserve(place: Path) -> bool:
    try:
        place.open("x").close()
    except FileExistsError:
        return False
    return True


def _names(name: str) -> Iterator[str]:
    yield name
    end = name.find(".", 1)
    stem, ending = (name, "") if end < 0 else (name[:end], name[end:])
    for number in count(1):
        numbered = f"-{number}{ending}"
        yield _shortened(stem, _LONGEST_NAME - len(os.fsencode(numbered))) + numbered


def _shortened(stem: str, longest: int) -> str:
    while len(os.fsencode(stem)) > max(longest, 0):
        stem = stem[:-1]
    return stem


def _copy(path: Path, version: Stamped, aside: Path, folder: Path, stopping: Callable[[], bool]) -> None:
    """Copy a file under its name into a folder of another file system. It is there whole, and synced, before it has its name."""
    with opened(path, version) as source, aside.open("wb") as copy:
        while block := source.read(BLOCK):
            if stopping():
                raise Stopped
            copy.write(block)
        copy.flush()
        os.fsync(copy.fileno())
    shutil.copystat(path, aside)
    _give_name(aside, folder, path.name)
    sync(folder)


def _is_copied(path: Path, version: Stamped, folder: Path) -> bool:
    """Tell whether a copy is there already, from before a crash."""
    for candidate in _names(path.name):
        try:
            now = (folder / candidate).lstat()
        except FileNotFoundError:
            return False
        if (now.st_size, now.st_mtime_ns) == (version.size, version.mtime) and _holds_the_same(folder / candidate, path, version):
            return True
    return False


def _holds_the_same(copy: Path, path: Path, version: Stamped) -> bool:
    return digest(copy, as_it_is(copy)) == digest(path, version)
