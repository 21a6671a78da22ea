"""What fires once: a version, a path, a content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from eventflow.sensors.files.sensor import FileSensor
from eventflow.sensors.options import Existing
from tests.sensors.files.sensing import Book, sensing


def put(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def content(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=32).hexdigest()


def by_content(inbox: Path, existing: Existing = "fire") -> FileSensor:
    return FileSensor("files", inbox, ready="atomic", identity="content", existing=existing)


def by_path(inbox: Path) -> FileSensor:
    return FileSensor("files", inbox, ready="atomic", identity="path")


async def test_a_content_fires_once_whatever_the_files_name(inbox: Path) -> None:
    book = Book()
    put(inbox / "a", "same")
    async with sensing(by_content(inbox), book) as sensor:
        assert book.names == ["a"]
        put(inbox / "copy", "same")
        (inbox / "a").touch()
        os.utime(inbox / "a", ns=(1, 1))
        await sensor.told()
        (inbox / "a").rename(inbox / "renamed")
        await sensor.told()
        assert book.names == ["a"]
        put(inbox / "b", "other")
        await sensor.told()
    async with sensing(by_content(inbox), book) as sensor:
        assert await sensor.after(100) == ["a", "b"]
    assert [event.id for event in book.events] == [f"blake2b#{content('same')}", f"blake2b#{content('other')}"]
    assert [event.data.content for event in book.events] == [content("same"), content("other")]


async def test_of_several_new_files_of_one_content_the_oldest_fires(inbox: Path) -> None:
    for name, mtime in (("a", 3), ("b", 1), ("c", 2)):
        os.utime(put(inbox / name, "same"), ns=(mtime, mtime))
    async with sensing(by_content(inbox)) as sensor:
        assert sensor.book.names == ["b"]


async def test_a_content_is_remembered_while_any_file_holds_it_and_for_the_retention_after(inbox: Path) -> None:
    book = Book()
    put(inbox / "a", "same")
    put(inbox / "b", "same")
    async with sensing(by_content(inbox), book) as sensor:
        (inbox / "a").unlink()
        await sensor.told()
        assert book.taken[f"blake2b#{content('same')}"] is None
        book.expire()
    async with sensing(by_content(inbox), book) as sensor:
        put(inbox / "c", "same")
        await sensor.told()
        for name in "bc":
            (inbox / name).unlink()
        await sensor.told()
        assert book.gone == len(book.taken) == 3
        put(inbox / "d", "same")
        await sensor.told()
        assert len(book.names) == 1
        (inbox / "d").unlink()
        await sensor.told()
        book.expire()
    async with sensing(by_content(inbox), book) as sensor:
        put(inbox / "e", "same")
        await sensor.told()
        assert book.names[1:] == ["e"]


async def test_files_whose_content_is_known_are_not_read_again_at_the_next_start(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(inbox / "a", "same")
    book = Book()
    async with sensing(by_content(inbox), book):
        pass
    monkeypatch.setattr(os, "open", None)  # whatever is opened now fails
    async with sensing(by_content(inbox), book) as sensor:
        assert sensor.error is None
        assert await sensor.after(100) == ["a"]


async def test_contents_that_are_there_can_be_left_alone(inbox: Path) -> None:
    book = Book()
    put(inbox / "old", "old")
    put(inbox / "too", "old")
    async with sensing(by_content(inbox, "ignore"), book) as sensor:
        (inbox / "old").rename(inbox / "renamed")
        put(inbox / "new", "new")
        await sensor.told()
        assert book.names == ["new"]


@pytest.mark.parametrize("existing", ["fire", "ignore"])
async def test_by_content_too_a_crash_at_any_observation_loses_and_doubles_nothing(inbox: Path, existing: Existing) -> None:
    for number in range(1200):
        put(inbox / f"old{number}", f"content {number % 900}")
    book, new = Book(), list[str]()
    for commits in (0, 0, 1, 0, 2, 1, 1, 3):
        book.commits_left = commits
        async with sensing(by_content(inbox, existing), book) as sensor:
            await sensor.after(60)
        if book.cursor is not None:
            new += [put(inbox / f"new{len(new) + number}", f"new {len(new) + number}").name for number in range(300)]
    book.commits_left = None
    async with sensing(by_content(inbox, existing), book) as sensor:
        await sensor.after(60)
    assert len({event.id for event in book.events}) == len(book.events) == len(new) + (900 if existing == "fire" else 0)


async def test_a_path_fires_once_whatever_happens_to_the_file(inbox: Path) -> None:
    book = Book()
    put(inbox / "a", "one")
    async with sensing(by_path(inbox), book) as sensor:
        put(inbox / "a", "quite another")
        await sensor.told()
        put(inbox.parent / "new", "new").rename(inbox / "a")
        await sensor.told()
        put(inbox / "b", "two")
        await sensor.told()
    async with sensing(by_path(inbox), book) as sensor:
        assert await sensor.after(100) == ["a", "b"]
        (inbox / "a").unlink()
        await sensor.told()
        put(inbox / "a", "again")
        assert await sensor.told() == ["a", "b"]
        assert book.gone == 0
    assert [event.id for event in book.events] == [f"{inbox}/a#", f"{inbox}/b#"]


async def test_a_sensor_that_goes_over_to_another_identity_looks_at_everything_anew(inbox: Path) -> None:
    book = Book()
    put(inbox / "a", "one")
    async with sensing(FileSensor("files", inbox, ready="atomic"), book):
        pass
    async with sensing(by_content(inbox), book):
        assert book.names == ["a", "a"]
    async with sensing(FileSensor("files", inbox, ready="atomic", identity="path", existing="ignore"), book) as sensor:
        assert await sensor.after(100) == ["a", "a"]
