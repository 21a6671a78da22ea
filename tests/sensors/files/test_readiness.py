"""When a file is complete: by a marker, by nobody having it open, by one's own test."""

from __future__ import annotations

import asyncio
import mmap
import sys
from collections.abc import Collection
from itertools import pairwise
from pathlib import Path

import pytest

from eventflow.errors import SensorError
from eventflow.sensors.files import closing
from eventflow.sensors.files.readiness import Pauses
from eventflow.sensors.files.sensor import FileSensor, Marker
from eventflow.sensors.files.writers import Inode, Writers, writers
from eventflow.testing import VirtualClock
from tests.sensors.files.sensing import Book, sensing

# Markers


async def test_a_file_fires_when_its_marker_lies_beside_it(inbox: Path) -> None:
    async with sensing(FileSensor("files", inbox, match="*.csv", ready=Marker(".done"))) as sensor:
        (inbox / "a.csv").write_text("half")
        assert await sensor.told() == []
        (inbox / "a.csv").write_text("whole")
        (inbox / "a.csv.done").touch()
        assert await sensor.told() == ["a.csv"]
        assert sensor.book.events[0].data.size == 5
        (inbox / "b.csv.done").touch()
        (inbox / "a.done").touch()
        assert await sensor.told() == ["a.csv"]


async def test_markers_never_fire_themselves_and_lie_in_the_folder_of_their_file(inbox: Path) -> None:
    (inbox / "sub").mkdir()
    for name in ("a.csv", "a.csv.done", "a.csv.done.done", "sub/a.csv", "sub/b c#.csv", "sub/b c#.csv.done", ".done"):
        (inbox / name).touch()
    async with sensing(FileSensor("files", inbox, recursive=True, ready=Marker(".done"))) as sensor:
        assert sorted(sensor.book.names) == ["a.csv", "b c#.csv"]


async def test_a_marked_file_can_be_made_to_settle_as_well(inbox: Path) -> None:
    async with sensing(FileSensor("files", inbox, ready=Marker(".done"), settle="5s")) as sensor:
        (inbox / "a").touch()
        (inbox / "a.done").touch()
        assert await sensor.told() == []
        assert await sensor.after(5) == ["a"]


# No open writer

WRITER = """
import ctypes, os, sys

libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]

file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.write(file, b"x" * 4096)
if sys.argv[2] == "mmap":
    place = libc.mmap(None, 4096, 3, 1, file, 0)  # readable, writable, shared
    os.close(file)
print("open", flush=True)
sys.stdin.readline()
if sys.argv[2] == "mmap":
    ctypes.memset(place, 65, 1)
    libc.munmap(place, 4096)
else:
    os.close(file)
print("closed", flush=True)
sys.stdin.readline()
"""
# Python's own mmap keeps a descriptor open, which would be seen instead.


async def writing(path: Path, how: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    writer = await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, path, how, stdin=pipe, stdout=pipe)
    assert await said(writer) == "open"
    return writer


async def said(writer: asyncio.subprocess.Process) -> str:
    assert writer.stdout is not None
    return (await writer.stdout.readline()).decode().strip()


async def go_on(writer: asyncio.subprocess.Process) -> None:
    assert writer.stdin is not None
    writer.stdin.write(b"\n")
    await writer.stdin.drain()


@pytest.mark.parametrize("how", ["open", "mmap"])
async def test_F51_a_file_that_another_process_has_open_for_writing_waits_for_it_to_close(inbox: Path, how: str) -> None:
    async with sensing(FileSensor("files", inbox, ready="closed", settle="1s")) as sensor:
        writer = await writing(inbox / "slow", how)
        await sensor.told()
        for _ in range(5):
            assert await sensor.after(60) == []
        await go_on(writer)
        assert await said(writer) == "closed"
        await sensor.after(60)
        assert await sensor.after(60) == ["slow"]
        await go_on(writer)
        await writer.wait()
        assert await sensor.after(120) == ["slow"]


async def test_F51_a_writer_that_never_closes_fires_by_settling_alone(inbox: Path) -> None:
    writer = await writing(inbox / "slow", "open")
    async with sensing(FileSensor("files", inbox, ready="settle")) as sensor:
        assert await sensor.after(2) == ["slow"]
    writer.kill()
    await writer.wait()


def inode(path: Path) -> Inode:
    return Inode(path.stat().st_dev, path.stat().st_ino)


def test_a_reader_is_no_writer_and_a_writer_of_another_name_is_one(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 4096)
    (tmp_path / "link").hardlink_to(path)
    with path.open("rb") as reader, mmap.mmap(reader.fileno(), 4096, access=mmap.ACCESS_READ):
        assert writers([inode(path)]).of == frozenset()
        with (tmp_path / "link").open("ab"):
            assert writers([inode(path)]).of == {inode(path)}


def test_a_private_mapping_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 4096)
    with path.open("rb") as reader, mmap.mmap(reader.fileno(), 4096, access=mmap.ACCESS_COPY) as private:
        private[0] = 65
        assert writers([inode(path)]).of == frozenset()


def test_an_older_kernel_that_names_no_inode_is_understood(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    process = tmp_path / "proc" / "7"
    (process / "fd").mkdir(parents=True)
    (process / "fdinfo").mkdir()
    for number, flags in (("1", "0100001"), ("2", "0100000")):
        (process / "fd" / number).symlink_to(tmp_path / ("a" if number == "1" else "b"))
        (process / "fdinfo" / number).write_text(f"pos:\t0\nflags:\t{flags}\nmnt_id:\t1\n")
    (process / "maps").touch()
    (tmp_path / "proc" / "self").mkdir()
    assert writers([inode(tmp_path / "a")], tmp_path / "proc") == ({inode(tmp_path / "a")}, 0)


async def test_that_other_users_writers_can_not_be_seen_is_said_once(ordinary_user: Path) -> None:
    async with sensing(FileSensor("files", ordinary_user, ready="closed", settle="1s")) as sensor:
        for name in "ab":
            (ordinary_user / name).touch()
            await sensor.told()
            await sensor.after(1)
        assert sensor.book.names == ["a", "b"]
        [told] = sensor.troubles.told
        assert "processes of other users can't be looked into" in told
        assert "counts as complete once it has settled" in told


async def test_a_file_that_is_written_and_closed_while_proc_is_read_fires_as_what_it_became(
    inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def racing(files: Collection[Inode]) -> Writers:
        if (inbox / "a").read_text() == "one":
            (inbox / "a").write_text("three")
        return writers(files)

    monkeypatch.setattr(closing, "writers", racing)
    (inbox / "a").write_text("one")
    async with sensing(FileSensor("files", inbox, ready="closed", settle="1s")) as sensor:
        for _ in range(20):
            await sensor.after(1)
        await sensor.told()
        await sensor.after(1)
        assert [event.data.size for event in sensor.book.events] == [5]


async def test_without_proc_it_is_said_what_to_do_instead(inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "PROC", tmp_path / "none")
    async with sensing(FileSensor("files", inbox, ready="closed")) as sensor:
        assert isinstance(sensor.error, SensorError)
        assert "use ready='settle', or a marker" in str(sensor.error)


# One's own test


def test_pauses_grow_up_to_the_longest_and_nothing_is_due_while_it_is_asked_about() -> None:
    pauses, now, waited = Pauses(1, 10), 0.0, list[float]()
    assert pauses.due(["a", "b"], now) == ["a", "b"]
    for _ in range(6):
        pauses.not_yet("a", now)
        assert pauses.next is not None
        waited.append(pauses.next - now)
        assert pauses.due(["a"], now) == []
        now = pauses.next
        assert pauses.due(["a"], now) == ["a"]
        pauses.asked("a")
        assert pauses.next is None
        assert pauses.due(["a"], now) == []
    assert waited == [1, 2, 4, 8, 10, 10]
    assert pauses.due(["b"], now) == ["b"]
    assert pauses.due(["a"], now) == ["a"], "it was forgotten with the last look that didn't name it"


async def test_ones_own_test_is_asked_until_it_says_yes(inbox: Path) -> None:
    asked: list[float] = []
    clock = VirtualClock()

    async def ready(path: Path) -> bool:
        assert path == inbox / "a"
        asked.append(clock.monotonic())
        return len(asked) == 6

    async with sensing(FileSensor("files", inbox, ready=ready), clock=clock) as sensor:
        (inbox / "a").touch()
        await sensor.told()
        for _ in range(60):
            await sensor.after(1)
        assert sensor.book.names == ["a"]
    pauses = [later - earlier for earlier, later in pairwise(asked)]
    assert len(asked) == 6
    assert pauses == sorted(pauses)
    assert pauses[-1] > 15.9  # the difference of two fractions may be a little less than 16


async def test_a_slow_test_holds_up_no_other_file(inbox: Path) -> None:
    tries = 0

    async def ready(path: Path) -> bool:
        nonlocal tries
        if path.name == "slow":
            tries += 1
            await asyncio.Event().wait()
        return True

    names = ["slow", *map(str, range(50))]
    for name in names:
        (inbox / name).touch()
    async with sensing(FileSensor("files", inbox, ready=ready, settle=0)) as sensor:
        while len(sensor.book.names) < 50:
            await sensor.after(0.001)
        assert sorted(sensor.book.names) == sorted(names[1:])
        assert tries == 1
        while tries == 1:
            await sensor.after(1)
        assert ["gave no answer within 30.0s" in told for told in sensor.troubles.told] == [True]


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (SystemExit(3), "raised SystemExit: 3"),
        (TimeoutError("later"), "raised TimeoutError: later"),
        (ValueError("a\x1b[2J"), "raised ValueError: a\\x1b[2J"),
        (asyncio.CancelledError(), "cancelled itself"),
        (None, "gave NoneType, neither True nor False"),
    ],
    ids=["SystemExit", "TimeoutError", "ValueError", "CancelledError", "None"],
)
async def test_a_test_that_fails_is_said_and_asked_again(inbox: Path, outcome: BaseException | None, said: str) -> None:
    tries = 0

    async def ready(path: Path) -> bool:
        nonlocal tries
        tries += 1
        if tries <= 2 and outcome is not None:
            raise outcome
        return True if tries > 2 else None  # type: ignore[return-value]

    (inbox / "a").touch()
    async with sensing(FileSensor("files", inbox, ready=ready, settle=0)) as sensor:
        while not sensor.book.names:
            await sensor.after(1)
        assert len(sensor.troubles.told) == 1
        assert said in sensor.troubles.told[0]


async def test_a_file_that_changes_while_it_is_asked_about_fires_as_what_it_became(inbox: Path) -> None:
    (inbox / "a").write_text("one")

    async def ready(path: Path) -> bool:
        if path.read_text() == "one":
            path.write_text("three")
        return True

    async with sensing(FileSensor("files", inbox, ready=ready, settle=0)) as sensor:
        while not sensor.book.names:
            await sensor.after(1)
        await sensor.after(100)
        assert [event.data.size for event in sensor.book.events] == [5]


async def test_tests_under_way_end_with_the_sensor(inbox: Path) -> None:
    (inbox / "a").touch()
    ended: list[str] = []

    async def ready(path: Path) -> bool:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(path.name)
        return True

    async with sensing(FileSensor("files", inbox, ready=ready, settle=0)) as sensor:
        await sensor.after(1)
    assert ended == ["a"]


async def test_a_test_may_be_an_object(inbox: Path) -> None:
    class Ready:
        async def __call__(self, path: Path) -> bool:
            return path.name == "a"

    for name in "ab":
        (inbox / name).touch()
    book = Book()
    async with sensing(FileSensor("files", inbox, ready=Ready(), settle=0), book) as sensor:
        while not book.names:
            await sensor.after(1)
        assert await sensor.after(10) == ["a"]
