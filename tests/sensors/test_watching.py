"""The watcher on the real kernel. Waiting is always for a condition; what never comes ends the test by its time-out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import cast

import anyio
import anyio.lowlevel
import pytest
import watchfiles

from eventflow.ports import Hint, Instrument
from eventflow.sensors.files.sensor import FileSensor
from eventflow.sensors.waiting import News
from eventflow.sensors.watching import FolderWatcher
from eventflow.system import SystemClock
from eventflow.testing import VirtualClock
from tests.sensors.files.sensing import sensing


class Notes(Instrument):
    def __init__(self) -> None:
        self.errors: list[BaseException] = []

    def troubled(self, place: str, error: BaseException) -> None:
        assert place == "watcher"
        self.errors.append(error)


def told(hint: Hint) -> bool:
    return cast("News", hint)._told.is_set()


def instances() -> int:
    """How many inotify instances this process has."""
    return sum(_target(fd) == "anon_inode:inotify" for fd in Path("/proc/self/fd").iterdir())


def _target(fd: Path) -> str:
    try:
        return str(fd.readlink())
    except FileNotFoundError:
        return ""


async def until_open(count: int) -> None:
    while instances() != count:
        await anyio.lowlevel.checkpoint()


async def until_told(clock: VirtualClock, *hints: Hint) -> None:
    """Let time pass until every hint was given, and take them."""
    while not all(map(told, hints)):
        await clock.advance(0.5)
    for hint in hints:
        await hint.wait()


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Generator[None]:
    before = instances()
    yield
    while instances() != before:  # the library's own thread closes it, a moment after it was told to
        os.sched_yield()


async def test_a_change_in_a_folder_is_told_to_whoever_watches_it(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    async with FolderWatcher(SystemClock()) as watcher:
        with watcher.watch(tmp_path / "one", recursive=False) as one, watcher.watch(tmp_path / "two", recursive=False) as two:
            await one.wait()
            await two.wait()
            (tmp_path / "one" / "a").touch()
            await one.wait()
            assert not told(two)
            (tmp_path / "two" / "a").touch()
            await two.wait()
            (tmp_path / "two" / "a").unlink()
            await two.wait()
            assert not told(one)
            await until_open(1)


async def test_changes_below_are_told_only_to_who_asked_for_them(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    async with FolderWatcher(SystemClock()) as watcher:
        with watcher.watch(tmp_path, recursive=False) as flat, watcher.watch(tmp_path, recursive=True) as deep:
            await flat.wait()
            await deep.wait()
            (tmp_path / "sub" / "a").touch()
            await deep.wait()
            assert not told(flat)
            (tmp_path / "a").touch()
            await flat.wait()


async def test_a_folder_that_is_watched_by_two_names_tells_both(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    async with FolderWatcher(SystemClock()) as watcher:
        with (
            watcher.watch(tmp_path / "real", recursive=False) as real,
            watcher.watch(tmp_path / "link", recursive=False) as link,
            watcher.watch(tmp_path / "real" / ".." / "real", recursive=False) as dots,
        ):
            for hint in (real, link, dots):
                await hint.wait()
            (tmp_path / "real" / "a").touch()
            for hint in (real, link, dots):
                await hint.wait()


async def test_after_the_last_has_gone_nothing_is_watched_and_nothing_left_open(tmp_path: Path) -> None:
    async with FolderWatcher(SystemClock()) as watcher:
        with watcher.watch(tmp_path, recursive=False) as hint:
            await hint.wait()
            await until_open(1)
        await until_open(0)
        with watcher.watch(tmp_path, recursive=False) as hint:
            await hint.wait()
    await until_open(0)


async def test_being_cancelled_from_outside_leaves_nothing_open(tmp_path: Path) -> None:
    with anyio.CancelScope() as scope:
        async with FolderWatcher(SystemClock()) as watcher:
            with watcher.watch(tmp_path, recursive=False) as hint:
                await hint.wait()
                scope.cancel()
                await anyio.sleep_forever()
    await until_open(0)


async def test_a_name_that_stops_the_library_is_told_to_everyone_and_outlived(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    clock, notes = VirtualClock(), Notes()
    async with FolderWatcher(clock, notes) as watcher:
        with watcher.watch(tmp_path / "one", recursive=False) as one, watcher.watch(tmp_path / "two", recursive=False) as two:
            await until_told(clock, one, two)
            Path(os.fsdecode(os.fsencode(tmp_path) + b"/one/\xff")).touch()
            await until_told(clock, one, two)
            assert len(notes.errors) == 1
            await until_told(clock, one, two)
            (tmp_path / "two" / "a").touch()
            await until_told(clock, two)
            assert len(notes.errors) == 1


async def test_a_missing_folder_is_told_by_the_clock_and_watched_once_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    clock = VirtualClock()
    async with FolderWatcher(clock) as watcher:
        with watcher.watch(tmp_path / "late", recursive=False) as late:
            await until_told(clock, late)
            await until_told(clock, late)
            with watcher.watch(tmp_path / "there", recursive=False) as there:
                await until_told(clock, there, late)
                await until_told(clock, late)
                (tmp_path / "late").mkdir()
                await until_told(clock, there, late)
                (tmp_path / "late" / "a").touch()
                await until_told(clock, late)


@pytest.mark.parametrize("how", ["removed", "moved away"])
async def test_F50_a_folder_that_is_made_again_is_watched_again(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    clock, notes = VirtualClock(), Notes()
    async with FolderWatcher(clock, notes) as watcher:
        with watcher.watch(folder, recursive=False) as hint:
            await until_told(clock, hint)
            if how == "removed":
                shutil.rmtree(folder)
            else:
                folder.rename(tmp_path / "away")
            await until_told(clock, hint)
            folder.mkdir()
            for name in "abc":
                (folder / name).touch()
                await until_told(clock, hint)
    assert notes.errors == []


async def test_a_folder_whose_name_the_library_can_not_take_is_told_by_the_clock(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    odd.mkdir()
    (tmp_path / "fine").mkdir()
    clock, notes = VirtualClock(), Notes()
    async with FolderWatcher(clock, notes) as watcher:
        with watcher.watch(odd, recursive=False) as one, watcher.watch(tmp_path / "fine", recursive=False) as two:
            await until_told(clock, one, two)
            await until_told(clock, one)
            (tmp_path / "fine" / "a").touch()
            await until_told(clock, two)
    assert notes.errors == []


async def test_a_link_that_leads_to_itself_is_told_by_the_clock(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    clock = VirtualClock()
    async with FolderWatcher(clock) as watcher:
        with watcher.watch(tmp_path / "loop", recursive=True) as hint:
            await until_told(clock, hint)
            await until_told(clock, hint)


async def test_F49_while_the_kernel_has_no_watcher_left_hints_come_by_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object, **__: object) -> Generator[set[tuple[watchfiles.Change, str]]]:
        raise RuntimeError("Too many open files (os error 24)")
        yield

    clock, notes = VirtualClock(), Notes()
    real = watchfiles.watch
    monkeypatch.setattr(watchfiles, "watch", exhausted)
    async with FolderWatcher(clock, notes) as watcher:
        with watcher.watch(tmp_path, recursive=False) as hint:
            for _ in range(20):
                await until_told(clock, hint)
            assert 1 <= len(notes.errors) <= 12 + clock.monotonic() / 60
            monkeypatch.setattr(watchfiles, "watch", real)
            while instances() == 0:
                await clock.advance(0.5)
            await until_told(clock, hint)
            (tmp_path / "a").touch()
            await until_told(clock, hint)


async def test_a_dropped_file_reaches_the_sensor_without_waiting_for_a_rescan(tmp_path: Path) -> None:
    clock = VirtualClock()
    async with FolderWatcher(clock) as watcher, sensing(FileSensor("files", tmp_path, rescan="7d"), clock=clock, watcher=watcher) as sensor:
        for name in "abc":
            (tmp_path / name).touch()
            begun = clock.monotonic()
            while name not in sensor.book.names:
                await sensor.after(0.1)
            assert clock.monotonic() - begun < 7 * 86400
        assert sensor.book.names == ["a", "b", "c"]
