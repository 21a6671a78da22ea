"""The file sensor on real files, with the time in the test's hand and a watcher that never says a word unless told to."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from eventflow.durations import SECOND
from eventflow.errors import DefinitionError, WatchedFolderMissing, WatchedFolderUnreadable
from eventflow.ports import Sensor
from eventflow.sensors.files.sensor import Delete, FileSensor, FileVersion, Manifest, Marker, Move
from eventflow.sensors.options import Existing
from eventflow.testing import VirtualClock
from tests.sensors.files.sensing import Book, sensing
from tests.sensors.outside import outside


def put(path: Path, content: str = "x", mtime: int | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    if mtime is not None:
        os.utime(path, ns=(mtime, mtime))
    return path


async def run(*argv: str | Path) -> None:
    process = await asyncio.create_subprocess_exec(*map(str, argv))
    assert await process.wait() == 0


# What an event says


async def test_an_event_says_which_file_it_is_and_when_it_was_written(inbox: Path) -> None:
    path = put(inbox / "a.csv", "1,2", mtime=1_600_000_000_123_456_789)
    async with sensing(FileSensor("files", inbox)) as sensor:
        await sensor.after(2)
    [event] = sensor.book.events
    assert event.source == "files"
    assert event.type == "file"
    assert event.subject == str(path)
    assert event.time == 1_600_000_000_123_456
    assert event.data == FileVersion(path, 3, 1_600_000_000_123_456_789, path.stat().st_ino)
    assert event.id == f"{path}#{path.stat().st_ino}.3.1600000000123456789"


async def test_a_relative_path_stays_relative_in_the_identity_so_that_a_project_can_be_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = Book()
    put(tmp_path / "old" / "in" / "a.csv")
    monkeypatch.chdir(tmp_path / "old")
    async with sensing(FileSensor("files", "./in/"), book) as sensor:
        assert await sensor.after(2) == ["a.csv"]
    assert book.events[0].subject == "in/a.csv"
    assert book.events[0].id.startswith("in/a.csv#")
    assert book.events[0].data.path == tmp_path / "old" / "in" / "a.csv"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old").rename(tmp_path / "new")
    monkeypatch.chdir(tmp_path / "new")
    async with sensing(FileSensor("files", "in"), book) as sensor:
        assert await sensor.after(60) == ["a.csv"]
        assert book.gone == 0


async def test_the_projects_own_folder_can_be_watched(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(inbox / "a.csv")
    monkeypatch.chdir(inbox)
    async with sensing(FileSensor("files", ".", ready="atomic")) as sensor:
        assert sensor.book.events[0].subject == "a.csv"


async def test_a_task_that_changes_the_current_folder_moves_no_watched_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "project" / "in" / "a.csv")
    monkeypatch.chdir(tmp_path / "project")
    world = outside("files", clock=VirtualClock())
    monkeypatch.chdir(tmp_path)
    book = Book()
    stream = FileSensor("files", "in", ready="atomic").observe(None, book, world)
    while not book.events:
        book.commit(await anext(stream))
    await stream.aclose()
    assert book.events[0].data.path == tmp_path / "project" / "in" / "a.csv"


async def test_events_come_by_time_of_writing_and_then_by_name(inbox: Path) -> None:
    for name, mtime in [("c", 5), ("b", 7), ("a", 7), ("z", 1)]:
        put(inbox / name, mtime=mtime)
    async with sensing(FileSensor("files", inbox)) as sensor:
        assert await sensor.after(2) == ["z", "c", "a", "b"]


NAMES = [
    b"two\nlines",
    b"\xff\xfe.csv",
    b"\x1b[2J",
    b"n" * 255,
    b"-rf *",
    b"$(id)",
    b"back\\slash",
    b"%41#1.2.3",
    "\u202egnp.exe".encode(),
    b"a b",
    b"'\"`",
]


async def test_F55_names_of_any_bytes_survive_and_are_told_apart(inbox: Path) -> None:
    twins = ["\u00c5".encode(), "A\u030a".encode()]
    for name in [*NAMES, *twins]:
        Path(os.fsdecode(os.fsencode(inbox) + b"/" + name)).write_bytes(name)
    async with sensing(FileSensor("files", inbox)) as sensor:
        await sensor.after(2)
        assert {os.fsencode(event.data.path.name) for event in sensor.book.events} == {*NAMES, *twins}
        assert {event.data.path.read_bytes() for event in sensor.book.events} == {*NAMES, *twins}
        assert len({event.subject for event in sensor.book.events}) == len(NAMES) + 2
    async with sensing(FileSensor("files", inbox), sensor.book) as again:
        assert len(await again.after(100)) == len(NAMES) + 2


async def test_a_folder_whose_own_name_is_no_text_can_be_watched(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n"))
    put(folder / "a")
    async with sensing(FileSensor("files", folder, ready="atomic")) as sensor:
        assert sensor.book.names == ["a"]


# When a file is ready


async def test_a_file_fires_once_it_has_not_changed_for_settle(inbox: Path) -> None:
    async with sensing(FileSensor("files", inbox, settle="10s")) as sensor:
        put(inbox / "a", "one")
        assert await sensor.told() == []
        assert await sensor.after(9) == []
        assert await sensor.after(1) == ["a"]


async def test_F51_a_slow_writer_is_never_caught_half_way(inbox: Path) -> None:
    writer = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import sys\nout = open(sys.argv[1], 'w')\nfor line in sys.stdin:\n out.write(line); out.flush(); print(flush=True)",
        str(inbox / "slow"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    async with sensing(FileSensor("files", inbox, settle="10s")) as sensor:
        for chunk in range(5):
            writer.stdin.write(b"12345\n")
            await writer.stdout.readline()
            assert await sensor.told() == [], chunk
            assert await sensor.after(8) == [], chunk
        writer.stdin.close()
        await writer.wait()
        assert await sensor.after(2) == ["slow"]
        assert sensor.book.events[0].data.size == 30
        assert await sensor.after(300) == ["slow"]


async def test_a_file_written_over_by_an_old_stamp_still_has_to_settle(inbox: Path) -> None:
    """`cp -p` and other machines' clocks say nothing about whether a writer is done."""
    async with sensing(FileSensor("files", inbox)) as sensor:
        put(inbox / "a", mtime=1)
        assert await sensor.told() == []
        put(inbox / "a", "longer", mtime=1)
        assert await sensor.told() == []
        assert await sensor.after(2) == ["a"]
        assert sensor.book.events[0].data.size == 6


async def test_what_came_long_before_the_start_fires_at_the_first_look(inbox: Path) -> None:
    put(inbox / "a", mtime=time.time_ns() + 10**15)
    clock = VirtualClock(time.time_ns() // 1000 + 3 * SECOND)
    async with sensing(FileSensor("files", inbox), clock=clock) as sensor:
        assert sensor.book.names == ["a"]


async def test_what_came_just_before_the_start_has_to_settle_whatever_its_stamp_says(inbox: Path) -> None:
    put(inbox / "a", mtime=1)
    clock = VirtualClock(time.time_ns() // 1000 + SECOND)
    async with sensing(FileSensor("files", inbox), clock=clock) as sensor:
        assert sensor.book.names == []
        assert await sensor.after(2) == ["a"]


async def test_after_the_first_look_a_leap_of_the_wall_clock_makes_no_file_ready(inbox: Path) -> None:
    async with sensing(FileSensor("files", inbox)) as sensor:
        put(inbox / "a")
        sensor.clock.jump(10**9)
        assert await sensor.told() == []


async def test_an_atomic_file_fires_at_the_first_look(inbox: Path) -> None:
    async with sensing(FileSensor("files", inbox, ready="atomic")) as sensor:
        put(inbox / "a")
        assert await sensor.told() == ["a"]


# Versions


async def test_an_unchanged_file_never_fires_again_however_long_it_lies_there(inbox: Path) -> None:
    put(inbox / "a")
    book = Book()
    for _ in range(3):
        async with sensing(FileSensor("files", inbox), book) as sensor:
            for _ in range(5):
                assert await sensor.after(3600) == ["a"]


@pytest.mark.parametrize("change", ["append", "replace", "touch", "rewrite", "rename over"])
async def test_F52_a_changed_file_fires_again_once_it_has_settled(inbox: Path, tmp_path: Path, change: str) -> None:
    path = put(inbox / "a", "old", mtime=10**9)
    async with sensing(FileSensor("files", inbox)) as sensor:
        assert await sensor.after(2) == ["a"]
        if change == "append":
            with path.open("a") as file:
                file.write("more")
        elif change == "replace":
            path.unlink()
            put(path, "old", mtime=10**9 + 1)
        elif change == "touch":
            await run("touch", path)
        elif change == "rewrite":
            path.write_text("new")
        else:
            await run("mv", put(tmp_path / "new", "new", mtime=10**9), path)
        assert await sensor.told() == ["a"]
        assert await sensor.after(2) == ["a", "a"]
        assert sensor.book.gone == 1


async def test_F52_copies_moves_and_hard_links_fire_once_each(inbox: Path, tmp_path: Path) -> None:
    source = put(tmp_path / "source", "content")
    async with sensing(FileSensor("files", inbox)) as sensor:
        await run("cp", source, inbox / "copied")
        await run("ln", source, inbox / "linked")
        await run("mv", source, inbox / "moved")
        await sensor.told()
        assert sorted(await sensor.after(2)) == ["copied", "linked", "moved"]
        await run("mv", inbox / "moved", inbox / "renamed")
        await sensor.told()
        assert (await sensor.after(2))[3:] == ["renamed"]


async def test_a_file_that_goes_and_comes_back_unchanged_does_not_fire_again(inbox: Path, tmp_path: Path) -> None:
    path = put(inbox / "a")
    async with sensing(FileSensor("files", inbox)) as sensor:
        assert await sensor.after(2) == ["a"]
        path.rename(tmp_path / "a")
        await sensor.told()
        assert sensor.book.gone == 1
        (tmp_path / "a").rename(path)
        await sensor.told()
        assert await sensor.after(60) == ["a"]
        assert sensor.book.gone == 0


async def test_a_file_that_comes_back_while_nobody_looks_does_not_fire_again(inbox: Path, tmp_path: Path) -> None:
    path = put(inbox / "a")
    book = Book()
    async with sensing(FileSensor("files", inbox), book) as sensor:
        await sensor.after(2)
        path.rename(tmp_path / "a")
        await sensor.told()
    (tmp_path / "a").rename(path)
    async with sensing(FileSensor("files", inbox), book) as sensor:
        assert await sensor.after(60) == ["a"]
        assert book.gone == 0


async def test_a_file_that_comes_back_after_the_retention_is_new(inbox: Path, tmp_path: Path) -> None:
    path = put(inbox / "a")
    async with sensing(FileSensor("files", inbox)) as sensor:
        await sensor.after(2)
        path.rename(tmp_path / "a")
        await sensor.told()
        sensor.book.expire()
        (tmp_path / "a").rename(path)
        await sensor.told()
        assert await sensor.after(2) == ["a", "a"]


async def test_a_file_that_went_while_nobody_looked_is_forgotten(inbox: Path) -> None:
    path = put(inbox / "a")
    book = Book()
    async with sensing(FileSensor("files", inbox), book) as sensor:
        await sensor.after(2)
    path.unlink()
    async with sensing(FileSensor("files", inbox), book):
        assert book.gone == 1


# Finding


async def test_files_that_came_while_nobody_looked_are_found(inbox: Path) -> None:
    book = Book()
    async with sensing(FileSensor("files", inbox), book):
        pass
    put(inbox / "a")
    async with sensing(FileSensor("files", inbox), book) as sensor:
        assert await sensor.after(2) == ["a"]


async def test_without_any_hint_the_rescan_finds_everything(inbox: Path) -> None:
    async with sensing(FileSensor("files", inbox, rescan="30s")) as sensor:
        put(inbox / "a")
        assert await sensor.after(29) == []
        assert await sensor.after(1) == []
        assert await sensor.after(2) == ["a"]


async def test_each_rescan_is_a_heartbeat_well_within_the_interval(inbox: Path) -> None:
    sensor = FileSensor("files", inbox, rescan="30s")
    async with sensing(sensor) as under_way:
        for _ in range(4):
            await under_way.after(30)
        assert len(under_way.book.observations) == 5
    assert sensor.interval > 30


async def test_hints_without_news_yield_nothing(inbox: Path) -> None:
    async with sensing(FileSensor("files", inbox)) as sensor:
        for _ in range(10):
            await sensor.told()
        assert len(sensor.book.observations) == 1


async def test_F54_ten_thousand_files_at_once_fire_once_each_in_order(inbox: Path) -> None:
    for number in range(10_000):
        put(inbox / f"{number:05}", mtime=10_000 - number)
    async with sensing(FileSensor("files", inbox)) as sensor:
        assert await sensor.after(2) == [f"{number:05}" for number in reversed(range(10_000))]
        assert max(len(observation.events) for observation in sensor.book.observations) == 500
    for path in inbox.iterdir():
        path.unlink()
    async with sensing(FileSensor("files", inbox), sensor.book) as again:
        assert len(await again.after(60)) == 10_000
        assert again.book.gone == 10_000


@pytest.mark.parametrize("existing", ["fire", "ignore"])
async def test_a_crash_at_any_observation_loses_nothing_and_doubles_nothing(inbox: Path, existing: Existing) -> None:
    old = [put(inbox / f"old{number}").name for number in range(1200)]
    sensor, book, new = FileSensor("files", inbox, ready="atomic", existing=existing), Book(), list[str]()
    for commits in (0, 0, 1, 2, 0, 3, 1, 2, 5):
        book.commits_left = commits
        async with sensing(sensor, book) as under_way:
            await under_way.after(60)
        if book.cursor is not None:
            new += [put(inbox / f"new{len(new) + number}").name for number in range(400)]
    book.commits_left = None
    async with sensing(sensor, book) as under_way:
        await under_way.after(60)
    assert sorted(book.names) == sorted(new + (old if existing == "fire" else []))


async def test_a_crash_in_a_long_first_look_still_leaves_alone_what_was_there(inbox: Path) -> None:
    class Racing(VirtualClock):
        def monotonic(self) -> float:
            self._elapsed += 100
            return self._elapsed

    for number in range(2100):
        put(inbox / str(number))
    sensor, book = FileSensor("files", inbox, existing="ignore"), Book()
    stream = sensor.observe(None, book, outside("files", clock=Racing()))
    heartbeat = await anext(stream)
    await stream.aclose()
    assert heartbeat.known == ()
    book.commit(heartbeat)
    async with sensing(sensor, book) as under_way:
        assert await under_way.after(60) == []
        assert len(book.taken) == 2100


async def test_F58_two_sensors_on_one_folder_each_fire_for_each_file(inbox: Path) -> None:
    put(inbox / "a.csv")
    async with sensing(FileSensor("one", inbox, match="*.csv")) as one, sensing(FileSensor("two", inbox, match=["a*", "*.csv"])) as two:
        assert await one.after(2) == ["a.csv"]
        assert await two.after(2) == ["a.csv"]


# Files that are already there


async def test_existing_files_can_be_left_alone_until_they_change(inbox: Path) -> None:
    path = put(inbox / "old", mtime=1)
    sensor, book = FileSensor("files", inbox, existing="ignore"), Book()
    async with sensing(sensor, book) as under_way:
        put(inbox / "new")
        await under_way.told()
        assert await under_way.after(2) == ["new"]
    async with sensing(sensor, book) as under_way:
        assert await under_way.after(60) == ["new"]
        path.write_text("changed")
        await under_way.told()
        assert await under_way.after(2) == ["new", "old"]


async def test_what_comes_while_nobody_looks_is_not_left_alone(inbox: Path) -> None:
    sensor, book = FileSensor("files", inbox, existing="ignore"), Book()
    async with sensing(sensor, book):
        pass
    put(inbox / "a")
    async with sensing(sensor, book) as under_way:
        assert await under_way.after(2) == ["a"]


async def test_another_folder_is_watched_for_the_first_time_again(inbox: Path, tmp_path: Path) -> None:
    book = Book()
    put(inbox / "a")
    put(tmp_path / "other" / "b")
    async with sensing(FileSensor("files", inbox), book) as under_way:
        assert await under_way.after(2) == ["a"]
    async with sensing(FileSensor("files", tmp_path / "other", existing="ignore"), book) as under_way:
        assert await under_way.after(60) == ["a"]


# Which files count


async def test_subfolders_count_only_when_asked_for(inbox: Path) -> None:
    for name in ["top.csv", "a/deep.csv", "a/b/deeper.csv", "a/b/other.txt", ".hidden.csv", ".git/x.csv", "a/.b/y.csv"]:
        put(inbox / name)
    async with sensing(FileSensor("files", inbox, match="*.csv", ready="atomic")) as sensor:
        assert sensor.book.names == ["top.csv"]
    async with sensing(FileSensor("files", inbox, match="*.csv", recursive=True, ready="atomic")) as sensor:
        assert sorted(sensor.book.names) == ["deep.csv", "deeper.csv", "top.csv"]
    async with sensing(FileSensor("files", inbox, match="a/*.csv", recursive=True, ready="atomic")) as sensor:
        assert sensor.book.names == ["deep.csv"]


async def test_a_new_subfolder_full_of_files_is_found_whole(inbox: Path, tmp_path: Path) -> None:
    for number in range(100):
        put(tmp_path / "full" / "er" / str(number))
    async with sensing(FileSensor("files", inbox, recursive=True)) as sensor:
        (tmp_path / "full").rename(inbox / "full")
        await sensor.told()
        assert len(await sensor.after(2)) == 100


async def test_F53_links_pipes_and_sockets_are_never_opened_or_followed(inbox: Path, tmp_path: Path) -> None:
    put(tmp_path / "outside" / "secret")
    put(inbox / "real")
    (inbox / "loop").symlink_to(inbox)
    (inbox / "out").symlink_to(tmp_path / "outside")
    (inbox / "link").symlink_to(tmp_path / "outside" / "secret")
    (inbox / "dangling").symlink_to("nowhere")
    os.mkfifo(inbox / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(inbox / "socket"))
        async with sensing(FileSensor("files", inbox, recursive=True)) as sensor:
            assert await sensor.after(2) == ["real"]


async def test_a_watched_folder_may_be_a_link(inbox: Path, tmp_path: Path) -> None:
    put(inbox / "a")
    (tmp_path / "link").symlink_to(inbox)
    async with sensing(FileSensor("files", tmp_path / "link")) as sensor:
        assert await sensor.after(2) == ["a"]
        assert sensor.book.events[0].data.path == tmp_path / "link" / "a"


# The folder itself


async def test_a_missing_folder_is_named_and_tried_again_soon(tmp_path: Path) -> None:
    async with sensing(FileSensor("files", tmp_path / "not\nyet")) as sensor:
        assert isinstance(sensor.error, WatchedFolderMissing)
        assert f"{tmp_path}/not\\nyet" in str(sensor.error)
        assert "sensor 'files'" in str(sensor.error)
        assert sensor.error.retry_after == 2


async def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    async with sensing(FileSensor("files", put(tmp_path / "file"))) as sensor:
        assert isinstance(sensor.error, WatchedFolderMissing)
        assert "is no folder" in str(sensor.error)


async def test_a_folder_that_can_not_be_listed_is_named(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(link)
    async with sensing(FileSensor("files", link)) as sensor:
        assert isinstance(sensor.error, WatchedFolderUnreadable)
        assert str(link) in str(sensor.error)


async def test_a_subfolder_that_can_not_be_read_hides_its_files_and_harms_nothing(ordinary_user: Path) -> None:
    put(ordinary_user / "open" / "a")
    put(ordinary_user / "closed" / "b")
    put(ordinary_user / "unlisted" / "c")
    book = Book()
    async with sensing(FileSensor("files", ordinary_user, recursive=True), book) as sensor:
        assert sorted(await sensor.after(2)) == ["a", "b", "c"]
        (ordinary_user / "closed").chmod(0)
        (ordinary_user / "unlisted").chmod(0o400)
        put(ordinary_user / "open" / "d")
        await sensor.told()
        assert sorted(await sensor.after(2)) == ["a", "b", "c", "d"]
        assert book.gone == 0
        await sensor.told()
        assert len(sensor.troubles.told) == 2  # each said once
        assert "closed can't be looked at" in sensor.troubles.told[0]
    async with sensing(FileSensor("files", ordinary_user, recursive=True), book) as sensor:
        assert book.gone == 0
        (ordinary_user / "closed").chmod(0o700)
        (ordinary_user / "unlisted").chmod(0o700)
        await sensor.told()
        assert len(await sensor.after(60)) == 4


async def test_a_file_that_nobody_may_read_is_an_event_all_the_same(ordinary_user: Path) -> None:
    put(ordinary_user / "a").chmod(0)
    async with sensing(FileSensor("files", ordinary_user)) as sensor:
        assert await sensor.after(2) == ["a"]


async def test_a_folder_without_permission_is_named(ordinary_user: Path) -> None:
    (ordinary_user / "mine").mkdir(mode=0)
    async with sensing(FileSensor("files", ordinary_user / "mine")) as sensor:
        assert isinstance(sensor.error, WatchedFolderUnreadable)
        assert "Permission denied" in str(sensor.error)


async def test_F50_a_folder_that_goes_and_comes_back_fires_nothing_twice(inbox: Path, tmp_path: Path) -> None:
    put(inbox / "a")
    book = Book()
    async with sensing(FileSensor("files", inbox), book) as sensor:
        assert await sensor.after(2) == ["a"]
        inbox.rename(tmp_path / "away")
        await sensor.told()
        assert isinstance(sensor.error, WatchedFolderMissing)
        assert book.gone == 0
    put(tmp_path / "away" / "b")
    (tmp_path / "away").rename(inbox)
    async with sensing(FileSensor("files", inbox), book) as sensor:
        assert await sensor.after(2) == ["a", "b"]


async def test_F50_a_folder_that_is_removed_and_made_again_goes_on(inbox: Path) -> None:
    path = put(inbox / "a")
    book = Book()
    async with sensing(FileSensor("files", inbox), book) as sensor:
        await sensor.after(2)
        path.unlink()
        inbox.rmdir()
        await sensor.told()
        assert isinstance(sensor.error, WatchedFolderMissing)
    put(inbox / "b")
    async with sensing(FileSensor("files", inbox), book) as sensor:
        assert await sensor.after(2) == ["a", "b"]
        assert book.gone == 1


# Definitions


@pytest.mark.parametrize(("part", "written"), [(Move, ""), (Move, "a\0b"), (Marker, "a/b"), (Marker, ""), (Manifest, "a/*")])
def test_a_part_that_can_not_be_meant_is_an_error_at_the_users_line(part: Callable[[str], object], written: str) -> None:
    with pytest.raises(DefinitionError, match=r"test_sensor\.py:\d+: "):
        part(written)


def test_files_may_be_moved_to_where_the_sensor_does_not_look() -> None:
    FileSensor("files", "inbox", after=Move("inbox/done"))
    FileSensor("files", "inbox", recursive=True, after=Move("inbox/.done"), failed=Move("failed"))


def test_it_is_a_sensor() -> None:
    sensor: Sensor[FileVersion] = FileSensor("files", "inbox")
    assert sensor.name == "files"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "No Name"}, "'No Name' can't name a sensor"),
        ({"path": ""}, "no folder"),
        ({"path": "a\0b"}, "no folder"),
        ({"path": []}, "path=[] is no folder"),
        ({"path": ["in", "./in/"]}, "names the folder 'in' twice"),
        ({"ready": "now"}, "ready='now' is unknown: use 'settle', 'atomic', 'closed', Marker('.done')"),
        ({"ready": 5}, "ready=5 is unknown: use 'settle', 'atomic', 'closed', Marker('.done')"),
        ({"ready": put}, "your own `async def ready(path: Path) -> bool`"),
        ({"identity": "name"}, "identity='name' is unknown: use 'version', 'content' or 'path'"),
        ({"after": "done/"}, "after='done/' is unknown: use Leave(), Move('done/') or Delete()"),
        ({"failed": Move("inbox")}, "Move('inbox') leads into 'inbox', which the sensor watches"),
        ({"after": Move("./inbox/done/.."), "path": ["other", "inbox"]}, "Move('inbox/done/..') leads into 'inbox'"),
        ({"after": Move("inbox/done"), "recursive": True}, "there the files would fire again"),
        ({"after": Delete(), "follow_links": True}, "would take away links"),
        ({"existing": "skip"}, "existing='skip' is unknown: use 'fire' or 'ignore'"),
        ({"settle": "two"}, "'two' is not a duration"),
        ({"settle": -1}, "-1 is not a duration"),
        ({"rescan": "0s"}, "rescan='0s' is too often"),
        ({"match": []}, "matches nothing"),
        ({"match": "/etc/*"}, "can't match a file"),
        ({"match": "../*"}, "can't match a file"),
        ({"match": "a/*"}, "say recursive=True"),
    ],
)
def test_what_can_not_be_meant_is_an_error_at_the_users_line(options: dict[str, object], said: str) -> None:
    with pytest.raises(DefinitionError, match=r"test_sensor\.py:\d+: ") as caught:
        FileSensor(**{"name": "files", "path": "inbox", **options})  # type: ignore[arg-type]
    assert said in str(caught.value)
