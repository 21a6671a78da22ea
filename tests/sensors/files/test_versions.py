"""What an event says of its file, and how a task can tell that it has changed since."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from eventflow import codec
from eventflow.errors import FileChanged
from eventflow.sensors.files.sensor import FileEvent, FileSensor, FileVersion
from tests.sensors.files.sensing import sensing


def version(path: Path) -> FileVersion:
    now = path.stat()
    return FileVersion(path, now.st_size, now.st_mtime_ns, now.st_ino)


def rewrite(path: Path) -> None:
    path.write_text("other")


def replace(path: Path) -> None:
    now = path.stat()
    (path.parent / "new").write_text(path.read_text())
    os.utime(path.parent / "new", ns=(now.st_mtime_ns, now.st_mtime_ns))
    (path.parent / "new").rename(path)


def make_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def make_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


CHANGES: list[Callable[[Path], None]] = [rewrite, replace, make_a_pipe, make_a_folder, Path.unlink, Path.touch]


async def test_an_unchanged_file_passes_and_gives_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 3_000_000)
    version(path).check()
    assert await version(path).digest() == hashlib.blake2b(b"x" * 3_000_000, digest_size=32).hexdigest()


@pytest.mark.parametrize("change", CHANGES)
async def test_F56_a_file_that_changed_since_its_event_is_told_apart(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = tmp_path / "a\n"
    path.write_text("one")
    os.utime(path, ns=(5, 5))
    before = version(path)
    change(path)
    with pytest.raises(FileChanged, match=r"a\\n"):
        before.check()
    with pytest.raises((FileChanged, FileNotFoundError)):
        await before.digest()


async def test_what_the_sensor_yields_passes_while_it_is_true(inbox: Path) -> None:
    (inbox / "a").write_text("one")
    async with sensing(FileSensor("files", inbox, ready="atomic")) as sensor:
        event: FileEvent = sensor.book.events[0]
    event.data.check()
    (inbox / "a").write_text("two")
    with pytest.raises(FileChanged):
        event.data.check()


def test_an_event_of_an_older_journal_can_still_be_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    old = codec.canonical({"path": {"$path": str(tmp_path / "a")}, "size": 3, "mtime": (tmp_path / "a").stat().st_mtime_ns})
    told: FileVersion = codec.decode(old, FileVersion)
    assert (told.inode, told.content) == (None, None)
    told.check()
