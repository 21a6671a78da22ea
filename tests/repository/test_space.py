"""Space: when a shortage is told, and what is found out then."""

from __future__ import annotations

import asyncio
import importlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from eventflow.testing import VirtualClock
from pipelines import space as looking
from pipelines.space import Usage, look_for_space, measure
from sensors import space as sensing
from tests.sensors.outside import Book, outside, watch

GB = 10**9


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """How many gigabytes are free at each look; the last one stays."""
    told: list[float] = []

    def disk_usage(_path: object) -> SimpleNamespace:
        return SimpleNamespace(free=int((told.pop(0) if len(told) > 1 else told[0]) * GB), total=100 * GB)

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    return told


async def looks(book: Book, count: int) -> list[str]:
    """Let the sensor look so many times, a minute apart, and give the ids of its events."""
    clock, enough = VirtualClock(), len(book.observations) + count
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(watch(sensing.space, book, outside("space", clock=clock), lambda book: len(book.observations) >= enough))
        while not task.done():
            await clock.advance(60)
    return book.ids


async def test_a_shortage_is_told_once_however_long_it_lasts(free: list[float]) -> None:
    free += [5, 1.9, 1.8, 1.7]
    book = Book()
    assert await looks(book, 6) == ["shortage-1"]
    assert (book.events[0].data.free, book.events[0].data.total) == (int(1.9 * GB), 100 * GB)


async def test_it_is_told_again_only_after_there_was_clearly_more_room(free: list[float]) -> None:
    free += [1.9, 2.1, 1.9, 2.6, 1.9]
    assert await looks(Book(), 6) == ["shortage-1", "shortage-2"]


async def test_a_shortage_that_lasts_over_a_restart_is_not_told_again(free: list[float]) -> None:
    free += [1.9]
    book = Book()
    for _ in range(3):
        await looks(book, 1)
    assert book.ids == ["shortage-1"]
    assert book.repeated == []


def test_how_much_is_enough_can_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_LEAST_GB", "7")
    assert importlib.reload(sensing).LEAST == 7 * GB
    monkeypatch.delenv("SPACE_LEAST_GB")
    importlib.reload(sensing)


def test_the_trigger_joins_the_sensor_and_the_pipeline() -> None:
    assert sensing.look_on_shortage.on is sensing.space
    assert sensing.look_on_shortage.run is look_for_space
    assert (sensing.space.name, sensing.space.interval) == ("space", 600.0)


def test_the_largest_folders_come_first(tmp_path: Path) -> None:
    for name, size in (("a/deep/er/big", 5000), ("a/small", 10), ("b/middle", 300)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * size)
    (tmp_path / "broken").symlink_to("nowhere")
    found = measure.fn(tmp_path)
    assert found[1:] == [Usage("a", 5010), Usage("a/deep", 5000), Usage("b", 300)]
    assert found[0].folder == "."
    assert found[0].size >= 5310


def test_the_findings_are_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "REPORT", tmp_path / "reports" / "space.md")
    (tmp_path / "watched").mkdir()
    (tmp_path / "watched/file").write_bytes(b"x" * 2_000_000)
    findings = look_for_space.run(free=GB, total=10 * GB, folder=tmp_path / "watched")
    written = (tmp_path / "reports/space.md").read_text()
    assert findings.largest == [Usage(".", 2_000_000)]
    assert written.startswith("# 1.0 GB of 10.0 GB are free\n")
    assert "- 2.0 MB in `.`" in written
