from __future__ import annotations

import errno
import os
from pathlib import Path

import anyio
import pytest

from eventflow import facts
from eventflow.errors import NotFound
from eventflow.facts import Fact, Failure, Inline, Record
from eventflow.logs import files
from eventflow.logs.folder import LogFolder
from eventflow.logs.lines import Attempt
from eventflow.ports import Instrument
from eventflow.system import SystemClock

RUN = "0" * 32
OTHER = "1" * 32


def attempt(node: str = "one", number: int = 1, run: str = RUN) -> Attempt:
    return Attempt(run, node, number)


def folder(tmp_path: Path, **more) -> LogFolder:
    return LogFolder(tmp_path / "logs", SystemClock(), **more)


async def texts(logs: LogFolder, run: str = RUN, **asked) -> list[str]:
    return [line.text for line in (await logs.read(run, **asked)).lines]


class Troubles(Instrument):
    def __init__(self) -> None:
        self.told: list[tuple[str, BaseException]] = []
        self.heard = anyio.Event()

    def troubled(self, place: str, error: BaseException) -> None:
        self.told.append((place, error))
        self.heard.set()


async def test_what_was_said_is_there_when_the_folder_is_closed(tmp_path: Path) -> None:
    async with folder(tmp_path) as logs:
        logs.say(attempt(), "info", "x", "said")
        logs.stream(attempt(), "stdout", "printed, and its line not ended")
        logs.say(attempt(run=OTHER), "info", "x", "elsewhere")
    assert await texts(folder(tmp_path)) == ["said", "printed, and its line not ended"]
    assert await texts(folder(tmp_path), OTHER) == ["elsewhere"]


async def test_files_and_folder_are_closed_to_others(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with folder(tmp_path) as logs:
            logs.say(attempt(), "info", "x", "said")
    finally:
        os.umask(before)
    assert (tmp_path / "logs").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "logs" / f"{RUN}.jsonl").stat().st_mode & 0o777 == 0o600


async def test_a_node_and_an_attempt_are_read_alone(tmp_path: Path) -> None:
    async with folder(tmp_path) as logs:
        logs.say(attempt("one", 1), "info", "x", "1.1")
        logs.say(attempt("two", 1), "info", "x", "2.1")
        logs.say(attempt("one", 2), "info", "x", "1.2")
    logs = folder(tmp_path)
    assert await texts(logs, node="one") == ["1.1", "1.2"]
    assert await texts(logs, node="one", attempt=2) == ["1.2"]
    assert await texts(logs, node="three") == []


async def test_a_map_an_item_and_a_group_stand_for_what_is_inside_of_them(tmp_path: Path) -> None:
    async with folder(tmp_path) as logs:
        for name in ("prep", "prep[0].load", "prep[1].load", "prep[10].load", "prepare", "group.load", "group.fit[a.b]"):
            logs.say(attempt(name), "info", "x", name)
    logs = folder(tmp_path)
    assert await texts(logs, node="prep") == ["prep", "prep[0].load", "prep[1].load", "prep[10].load"]
    assert await texts(logs, node="prep[1]") == ["prep[1].load"]
    assert await texts(logs, node="prep[1].load") == ["prep[1].load"]
    assert await texts(logs, node="group") == ["group.load", "group.fit[a.b]"]
    assert await texts(logs, node="group.fit") == ["group.fit[a.b]"]
    assert await texts(logs, node="group.fit[a]") == []


async def test_pages_follow_one_another(tmp_path: Path) -> None:
    async with folder(tmp_path) as logs:
        for number in range(5):
            logs.say(attempt(), "info", "x", str(number))
    logs = folder(tmp_path)
    first = await logs.read(RUN, limit=3)
    assert [line.text for line in first.lines] == ["0", "1", "2"]
    assert first.more
    second = await logs.read(RUN, limit=3, after=first.after)
    assert [line.text for line in second.lines] == ["3", "4"]
    assert not second.more
    async with folder(tmp_path) as more:
        more.say(attempt(), "info", "x", "5")
    third = await logs.read(RUN, after=second.after)
    assert [line.text for line in third.lines] == ["5"]


async def test_a_long_log_is_looked_through_bit_by_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CHUNK", 1000)
    async with folder(tmp_path) as logs:
        for number in range(100):
            logs.say(attempt("many"), "info", "x", str(number))
        logs.say(attempt("last"), "info", "x", "found")
    logs = folder(tmp_path)
    page = await logs.read(RUN, "last")
    assert (page.lines, page.more) == ([], True)
    while page.more:
        page = await logs.read(RUN, "last", after=page.after)
    assert [line.text for line in page.lines] == ["found"]


async def test_a_run_without_a_log_has_no_lines(tmp_path: Path) -> None:
    page = await folder(tmp_path).read(RUN, after=17)
    assert page == ([], 17, False)


@pytest.mark.parametrize("run", ["..", "", "../../etc/passwd", "0" * 31, "0" * 33, "A" * 32, RUN + "\n"])
async def test_what_is_no_id_of_a_run_is_no_file(tmp_path: Path, run: str) -> None:
    with pytest.raises(NotFound):
        await folder(tmp_path).read(run)


async def test_a_line_that_a_crash_has_torn_is_left_out_and_the_next_is_whole(tmp_path: Path) -> None:
    async with folder(tmp_path) as logs:
        logs.say(attempt(), "info", "x", "before")
        logs.say(attempt(), "info", "x", "torn")
    path = tmp_path / "logs" / f"{RUN}.jsonl"
    path.write_bytes(path.read_bytes()[:-10])
    page = await folder(tmp_path).read(RUN)
    assert [line.text for line in page.lines] == ["before"]
    async with folder(tmp_path) as logs:
        logs.say(attempt(number=2), "info", "x", "after")
    assert await texts(logs, after=page.after) == ["after"]


def failure() -> Failure:
    return Failure("ValueError", "no")


@pytest.mark.parametrize(
    "fact",
    [
        facts.AttemptSucceeded(RUN, "one", 1, 0, Inline(b"1")),
        facts.AttemptFailed(RUN, "one", 1, 0, "error", failure()),
        facts.AttemptSkipped(RUN, "one", 1, 0, "no rows"),
        facts.AttemptLost(RUN, "one", 1, 0, "shutdown", 0),
        facts.AttemptCancelled(RUN, "one", 1, 0, "cancelled"),
    ],
    ids=lambda fact: type(fact).__name__,
)
async def test_the_end_of_an_attempt_ends_its_line(tmp_path: Path, fact: Fact) -> None:
    async with folder(tmp_path) as logs:
        logs.stream(attempt(), "stdout", "no line end")
        logs.committed([Record(1, 0, fact)])
        logs.say(attempt("next"), "info", "x", "next")
    assert await texts(folder(tmp_path)) == ["no line end", "next"]


async def test_a_disk_that_takes_no_logs_is_told_of_and_harms_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    troubles, is_full = Troubles(), True
    real = files.append

    def append(path: Path, raw: bytes) -> None:
        if is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(path, raw)

    monkeypatch.setattr(files, "append", append)
    async with folder(tmp_path, instrument=troubles) as logs:
        logs.say(attempt(), "info", "x", "lost")
        await troubles.heard.wait()
        is_full = False
        logs.say(attempt(), "info", "x", "kept")
    assert await texts(folder(tmp_path)) == ["lines missing here, because they could not be written: 1", "kept"]
    assert [place for place, _ in troubles.told] == ["logs"]


async def test_what_the_disk_took_of_a_line_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    files.append(path, b"whole\n")
    real = os.write

    def half(descriptor: int, raw: memoryview) -> int:
        if len(raw) < 4:
            raise OSError(errno.ENOSPC, "full")
        return real(descriptor, raw[: len(raw) // 2])

    monkeypatch.setattr(files.os, "write", half)
    with pytest.raises(OSError, match="full"):
        files.append(path, b"this does not fit\n")
    assert path.read_bytes() == b"whole\n"


def test_a_link_in_the_place_of_a_log_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("kept")
    (tmp_path / "log").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic links"):
        files.append(tmp_path / "log", b"x\n")
    assert (tmp_path / "victim").read_text() == "kept"
