"""Several folders in one sensor, and links between them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eventflow import mounts
from eventflow.errors import SensorError, WatchedFolderMissing, WatchedFolderUnreadable
from eventflow.sensors.files import places
from eventflow.sensors.files.sensor import FileSensor, Move
from tests.sensors.files.sensing import Book, sensing
from tests.sensors.outside import Troubles, outside


def put(path: Path, content: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def atomic(*folders: Path | str, **options: object) -> FileSensor:
    return FileSensor("files", folders, ready="atomic", **options)  # type: ignore[arg-type]


async def test_files_of_all_folders_fire_oldest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for place, name in enumerate(("a/1", "b/2", "a/3", "c/deep/4", "b/5")):
        os.utime(put(tmp_path / name), ns=(place, place))
    book = Book()
    async with sensing(atomic("a", "b", tmp_path / "c", recursive=True), book):
        assert book.names == ["1", "2", "3", "4", "5"]
    assert book.events[1].id.startswith("b/2#")
    assert book.events[3].id.startswith(f"{tmp_path}/c/deep/4#")
    assert book.cursor == {"folders": [f"{tmp_path}/c", "a", "b"]}


async def test_news_of_any_folder_are_heard(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    async with sensing(atomic(tmp_path / "a", tmp_path / "b")) as sensor:
        put(tmp_path / "b" / "x")
        assert await sensor.told() == ["x"]


@pytest.mark.parametrize("identity", ["version", "content", "path"])
async def test_a_missing_folder_is_lagging_and_holds_up_no_other(tmp_path: Path, identity: str) -> None:
    put(tmp_path / "a" / "1", "1")
    put(tmp_path / "b" / "2", "2")
    book = Book()
    async with sensing(atomic(tmp_path / "a", tmp_path / "b", identity=identity), book) as sensor:
        assert sorted(book.names) == ["1", "2"]
        assert book.observations[-1].lagging is None
        (tmp_path / "b").rename(tmp_path / "away")
        await sensor.told()
        assert book.observations[-1].lagging is not None
        put(tmp_path / "a" / "3", "3")
        await sensor.told()
        assert sorted(book.names) == ["1", "2", "3"]
        assert book.gone == 0
        lagging = book.observations[-1].lagging
        assert lagging is not None
        assert f"the folder {tmp_path}/b, which sensor 'files' watches, is missing" in lagging
        await sensor.told()
        assert len(sensor.troubles.told) == 1
    async with sensing(atomic(tmp_path / "a", tmp_path / "b", identity=identity), book) as sensor:
        assert book.gone == 0
        (tmp_path / "away").rename(tmp_path / "b")
        put(tmp_path / "b" / "4", "4")
        await sensor.told()
        assert sorted(book.names) == ["1", "2", "3", "4"]
        assert book.observations[-1].lagging is None
        assert book.gone == 0


async def test_without_any_folder_the_sensor_is_degraded(tmp_path: Path) -> None:
    async with sensing(atomic(tmp_path / "a", tmp_path / "b")) as sensor:
        assert isinstance(sensor.error, WatchedFolderMissing)
        assert f"{tmp_path}/a" in str(sensor.error)


async def test_what_lies_in_a_folder_that_turns_up_later_is_left_alone_if_so_wished(tmp_path: Path) -> None:
    put(tmp_path / "a" / "old")
    put(tmp_path / "away" / "old too")
    book = Book()
    sensor = atomic(tmp_path / "a", tmp_path / "b", existing="ignore")
    async with sensing(sensor, book) as under_way:
        (tmp_path / "away").rename(tmp_path / "b")
        await under_way.told()
        put(tmp_path / "b" / "new")
        assert await under_way.told() == ["new"]
    async with sensing(sensor, book) as under_way:
        assert await under_way.after(60) == ["new"]


async def test_a_folder_that_is_added_keeps_the_memory_of_the_others(tmp_path: Path) -> None:
    put(tmp_path / "a" / "1")
    put(tmp_path / "b" / "2")
    book = Book()
    async with sensing(FileSensor("files", tmp_path / "a", ready="atomic"), book):
        assert book.cursor == {"folder": f"{tmp_path}/a"}
    async with sensing(atomic(tmp_path / "a", tmp_path / "b"), book):
        assert book.names == ["1", "2"]
    async with sensing(FileSensor("files", tmp_path / "a", ready="atomic", existing="ignore"), book) as sensor:
        assert await sensor.after(60) == ["1", "2"]
        assert book.gone == 1


async def test_folders_within_each_other_fire_each_file_once(tmp_path: Path) -> None:
    put(tmp_path / "a" / "b" / "1")
    async with sensing(atomic(tmp_path / "a", tmp_path / "a" / "b", recursive=True)) as sensor:
        assert sensor.book.names == ["1"]


# Links


async def test_F53_links_are_followed_to_files_within_the_folders_and_nowhere_else(tmp_path: Path) -> None:
    inbox, other = tmp_path / "in", tmp_path / "other"
    put(inbox / "sub" / "real")
    put(other / "far", "longer")
    put(tmp_path / "outside" / "secret")
    (inbox / "near").symlink_to("sub/real")
    (inbox / "across").symlink_to(other / "far")
    (inbox / "chain").symlink_to("across")
    (inbox / "out").symlink_to(tmp_path / "outside" / "secret")
    (inbox / "loop").symlink_to("loop")
    (inbox / "up").symlink_to("..")
    (inbox / "folder").symlink_to("sub")
    (inbox / "dangling").symlink_to("nowhere")
    os.mkfifo(inbox / "pipe")
    (inbox / "piped").symlink_to("pipe")
    async with sensing(atomic(inbox, other, recursive=True, follow_links=True)) as sensor:
        assert sorted(sensor.book.names) == ["across", "chain", "far", "near", "real"]
        for event in sensor.book.events:
            event.data.check()
        [told] = sensor.troubles.told
        assert f"{inbox}/out is a link that leads out of the watched folders" in told
        (other / "far").write_text("another")
        await sensor.told()
        assert sorted(sensor.book.names[5:]) == ["across", "chain", "far"]


async def test_F53_devices_and_sockets_are_never_opened(inbox: Path) -> None:
    (inbox / "zero").symlink_to("/dev/zero")
    put(inbox / "a")
    async with sensing(atomic(inbox, follow_links=True, identity="content")) as sensor:
        assert sensor.book.names == ["a"]
        assert sensor.troubles.told == []


# What can be said without looking


async def test_the_cursor_says_in_words_which_folders_were_looked_through(inbox: Path, tmp_path: Path) -> None:
    put(tmp_path / "b\n" / "x")
    sensor = atomic(inbox, tmp_path / "b\n", tmp_path / "c")
    assert sensor.in_words(None) == "has not looked yet"
    async with sensing(sensor) as under_way:
        assert sensor.in_words(under_way.book.cursor) == f"knows what lies in {inbox}, {tmp_path}/b\\n"


async def test_a_check_finds_a_folder_that_is_missing_and_touches_nothing(inbox: Path, tmp_path: Path) -> None:
    world = outside("files", root=tmp_path)
    await FileSensor("files", "inbox", after=Move("done")).check(world)
    assert list(tmp_path.iterdir()) == [inbox]
    with pytest.raises(WatchedFolderMissing, match="gone"):
        await FileSensor("files", ["inbox", "gone"]).check(world)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(WatchedFolderUnreadable, match="loop"):
        await FileSensor("files", "loop").check(world)
    (tmp_path / "link").symlink_to("inbox")
    with pytest.raises(SensorError, match="there the files would fire again"):
        await FileSensor("files", "inbox", after=Move("link")).check(world)


async def test_F57_on_a_network_mount_it_is_said_that_the_folder_is_polled_and_how_often(
    inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = mounts.Mounts(f"9 1 0:1 / {inbox} rw - fuse.sshfs host: rw".encode())
    monkeypatch.setattr(places.Mounts, "read", lambda: table)
    troubles = Troubles()
    await FileSensor("files", inbox, rescan="5s").check(outside("files", instrument=troubles))
    assert "is on fuse.sshfs, where the kernel doesn't tell what others write" in troubles.told[0]
    assert "every 5.0s" in troubles.told[0]
    async with sensing(FileSensor("files", inbox, rescan="5s", settle="2s")) as sensor:
        put(inbox / "a")
        await sensor.after(5)
        assert await sensor.after(2) == ["a"]
        assert sensor.book.events[0].data.inode is None
        assert len(sensor.troubles.told) == 1
