"""What the world does to files and to those who watch them: real programs, real processes, the real kernel."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import anyio
import pytest

from eventflow import Trigger, open_engine, pipeline, task
from eventflow.projections import RunRow, SensorRow
from eventflow.sensors.files.sensor import FileSensor, FileVersion
from eventflow.sensors.watching import FolderWatcher
from eventflow.system import SystemClock
from tests.sensors.files.sensing import Book, sensing, until
from tests.sensors.outside import outside

ROOT = Path(__file__).parents[3]
PIPE = asyncio.subprocess.PIPE


@asynccontextmanager
async def dropping(folder: Path, count: int, *around: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A sensor at work in a process of its own."""
    program = [*around, sys.executable, str(Path(__file__).with_name("drop.py")), str(folder), str(count)]
    process = await asyncio.create_subprocess_exec(*program, stdout=PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def line(process: asyncio.subprocess.Process, beginning: str) -> str:
    """Give the next line of a process that begins so."""
    assert process.stdout is not None
    while told := (await process.stdout.readline()).decode():
        if told.startswith(beginning):
            return told.strip()
    raise AssertionError(f"it ended without a word of {beginning!r}")


async def run(*argv: str | Path) -> None:
    process = await asyncio.create_subprocess_exec(*map(str, argv))
    assert await process.wait() == 0


async def test_F48_more_changes_than_the_kernel_keeps_are_found_without_a_rescan(inbox: Path) -> None:
    """The reader of the kernel's news is stopped while 20,000 files are made, some 3,600 more than the queue holds."""
    count = 20_000
    kept = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    assert count > kept or kept > 16_384, "this machine keeps more changes than usual: nothing would overflow"
    async with dropping(inbox, count) as process:
        assert await line(process, "fired") == "fired 0"
        (inbox / "first").touch()
        assert await line(process, "fired") == "fired 1"
        process.send_signal(signal.SIGSTOP)
        for number in range(count - 1):
            (inbox / str(number)).touch()
        process.send_signal(signal.SIGCONT)
        assert await line(process, f"fired {count}")
        assert await process.wait() == 0


async def test_F49_without_a_watcher_left_in_the_kernel_it_is_said_and_files_are_found_all_the_same(inbox: Path) -> None:
    """In a user namespace of its own, whose share of inotify instances is none."""
    none_left = 'echo 0 >/proc/sys/user/max_inotify_instances && exec "$@"'
    async with dropping(inbox, 3, "unshare", "-Ur", "sh", "-c", none_left, "sh") as process:
        assert "Too many open files" in await line(process, "troubled watcher")
        for number in range(3):
            (inbox / str(number)).touch()
            await line(process, f"fired {number + 1}")
        assert await process.wait() == 0


async def test_F49_where_only_folders_can_not_be_watched_it_is_the_same(inbox: Path) -> None:
    (inbox / "a").touch()
    none_left = 'echo 0 >/proc/sys/user/max_inotify_watches && exec "$@"'
    async with dropping(inbox, 2, "unshare", "-Ur", "sh", "-c", none_left, "sh") as process:
        assert "raise fs.inotify.max_user_watches" in await line(process, "troubled watcher")
        (inbox / "b").touch()
        await line(process, "fired 2")
        assert await process.wait() == 0


@pytest.mark.parametrize("how", ["removed", "replaced by a file", "replaced by a link", "moved away"])
async def test_F50_a_folder_that_is_taken_away_and_given_back_goes_on_and_doubles_nothing(inbox: Path, tmp_path: Path, how: str) -> None:
    @task
    def look(path: Path) -> str:
        return path.name

    @pipeline
    def looking(path: Path) -> str:
        return look(path)

    sensor = FileSensor("files", inbox, ready="atomic", rescan="7d")
    (inbox / "a").touch()
    async with open_engine(
        tmp_path / "state", pipelines=[looking], sensors=[sensor], triggers=[Trigger("look", on=sensor, run=looking)]
    ) as engine:
        journal = engine.ports.journal
        await until(lambda: journal.select(RunRow, state="succeeded"))
        if how == "removed":
            shutil.rmtree(inbox)
        else:
            inbox.rename(tmp_path / "away")
        if how == "replaced by a file":
            inbox.touch()
        if how != "replaced by a link":
            await until(lambda: journal.select(SensorRow, state="degraded"))
            inbox.unlink(missing_ok=True)
            if how == "removed":
                inbox.mkdir()
            else:
                (tmp_path / "away").rename(inbox)
        else:
            inbox.symlink_to("away")
        (inbox / "b").touch()
        runs = await until(lambda: _two(journal.select(RunRow, state="succeeded")))
        assert len(runs) == 2
        await until(lambda: journal.select(SensorRow, state="healthy"))


async def _two(rows: object) -> object:
    found = await rows  # type: ignore[misc]
    return found if len(found) > 1 else None


async def test_F50_a_folder_below_that_comes_back_is_not_forgotten(inbox: Path, tmp_path: Path) -> None:
    (inbox / "sub").mkdir()
    (inbox / "sub" / "a").touch()
    book = Book()
    async with sensing(FileSensor("files", inbox, recursive=True, ready="atomic"), book) as sensor:
        (inbox / "sub").rename(tmp_path / "sub")
        await sensor.told()
        assert book.gone == 1
        (tmp_path / "sub").rename(inbox / "sub")
        assert await sensor.told() == ["a"]
        assert book.gone == 0


@pytest.mark.parametrize("how", ["cp", "cp -p", "mv", "mv from elsewhere", "rsync", "rsync over", "install"])
async def test_F52_programs_that_bring_files_fire_each_once_and_whole(inbox: Path, tmp_path: Path, elsewhere: Path, how: str) -> None:
    if how.startswith("rsync") and shutil.which("rsync") is None and "CI" not in os.environ:
        pytest.skip("needs rsync")
    source = tmp_path / "source.csv"
    source.write_bytes(b"x" * 3_000_000)
    os.utime(source, ns=(10**18, 10**18))
    if how == "rsync over":
        (inbox / "a.csv").write_bytes(b"old")
    async with bringing(inbox) as book:
        if how == "rsync over":
            await until(lambda: book.names)
        if how == "mv from elsewhere":
            await run("cp", source, elsewhere)
            source = elsewhere / source.name
        program = {"mv from elsewhere": "mv", "rsync": "rsync -a", "rsync over": "rsync -a", "install": "install -m 600"}.get(how, how)
        await run(*program.split(), source, inbox / "a.csv")
        await until(lambda: len(book.events) > (how == "rsync over"))
        (inbox / "last.csv").touch()
        await until(lambda: book.names[-1] == "last.csv")
    assert book.names == ["a.csv"] * (1 + (how == "rsync over")) + ["last.csv"]
    assert book.events[-2].data.size == 3_000_000


@asynccontextmanager
async def bringing(inbox: Path) -> AsyncGenerator[Book]:
    """A sensor in this process, on the real watcher."""
    book, clock = Book(), SystemClock()
    sensor = FileSensor("files", inbox, match="*.csv", settle="300ms")

    async def keep(watcher: FolderWatcher) -> None:
        async with aclosing(sensor.observe(None, book, outside("files", clock=clock, watcher=watcher))) as observations:
            async for observation in observations:
                book.commit(observation)

    async with FolderWatcher(clock) as watcher, anyio.create_task_group() as tasks:
        tasks.start_soon(keep, watcher)
        yield book
        tasks.cancel_scope.cancel()


async def test_F56_a_file_that_went_before_its_task_fails_the_attempt_and_not_the_sensor(inbox: Path, tmp_path: Path) -> None:
    @task
    def read(file: FileVersion) -> str:
        if file.path.name == "gone":
            file.path.unlink()
        if file.path.name == "changed":
            file.path.write_text("another")
        file.check()
        return file.path.read_text()

    @pipeline
    def reading(file: FileVersion) -> str:
        return read(file)

    sensor = FileSensor("files", inbox, ready="atomic", identity="path")
    told = Trigger("read", on=sensor, run=reading, params=lambda event: {"file": event.data})
    async with open_engine(tmp_path / "state", pipelines=[reading], sensors=[sensor], triggers=[told]) as engine:
        for name in ("gone", "changed", "fine"):
            (tmp_path / "new").write_text("x")
            (tmp_path / "new").rename(inbox / name)
            await until(lambda name=name: _ended(engine.ports.journal.select(RunRow), name))  # type: ignore[misc]
        rows = await engine.ports.journal.select(RunRow, order="seq")
        assert [row.state for row in rows] == ["failed", "failed", "succeeded"]
        assert (await engine.ports.journal.select(SensorRow))[0].state == "healthy"
        events = await engine.ports.journal.select(RunRow, state="failed")
        assert len(events) == 2


async def _ended(rows: object, name: str) -> bool:
    found = await rows  # type: ignore[misc]
    return len(found) == ("gone", "changed", "fine").index(name) + 1 and all(row.ended_at is not None for row in found)
