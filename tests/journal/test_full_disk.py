"""A disk that is really full: a file system of one megabyte."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import anyio.lowlevel
import msgspec
import pytest

from eventflow import facts
from eventflow.errors import JournalFull
from eventflow.journal.sqlite import open_sqlite
from eventflow.journal.verify import verify
from eventflow.projections import CheckpointRow
from tests.journal.histories import submitted, unit

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount")

BIG = facts.Inline(msgspec.Raw(b'"%s"' % (b"x" * 30_000)))


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def resize(folder: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)


def saved(position: int) -> facts.CheckpointSaved:
    return facts.CheckpointSaved("a", "n", 1, position, BIG)


async def filled(journal) -> tuple[int, asyncio.Future[int]]:
    """Commit until the disk is full. Gives how many commits were acknowledged, and the one that waits."""
    await journal.commit(unit(submitted("a"), facts.AttemptStarted("a", "n", 1)))
    for acknowledged in range(100):
        waiting = asyncio.ensure_future(journal.commit(unit(saved(acknowledged + 1))))
        while not waiting.done() and not journal.full:
            await anyio.lowlevel.checkpoint()
        if not waiting.done():
            return acknowledged, waiting
    raise AssertionError("the disk never became full")


async def test_a_full_disk_delays_commits_until_there_is_space(small, clock, notes):
    async with open_sqlite(small / "state", clock=clock, instruments=[notes]) as journal:
        acknowledged, waiting = await filled(journal)
        assert journal.full
        assert 5 < acknowledged < 100
        assert (await journal.select(CheckpointRow))[0].position == acknowledged
        resize(small, "16m")
        while not waiting.done():
            await clock.advance(0.5)
        assert waiting.result() == journal.seq == 2 + acknowledged + 1
        assert not journal.full
    assert [place for place, _ in notes.troubles if place == "journal.batch"] == ["journal.batch"]
    assert verify(small / "state").problems == ()


async def test_what_was_acknowledged_is_there_when_a_full_disk_ends_the_process(small, clock):
    ends: list[tuple[int, asyncio.Future[int]]] = []

    async def fill() -> None:
        async with open_sqlite(small / "state", clock=clock) as journal:
            ends.append(await filled(journal))

    with pytest.raises(JournalFull):
        await fill()
    [(acknowledged, waiting)] = ends
    with pytest.raises(JournalFull):
        await waiting
    assert acknowledged > 5
    resize(small, "16m")
    assert verify(small / "state").problems == ()
    async with open_sqlite(small / "state", clock=clock) as journal:
        assert (await journal.select(CheckpointRow))[0].position == acknowledged
        await journal.commit(unit(saved(acknowledged + 1)))


async def test_a_journal_that_cannot_be_made_for_lack_of_space_says_so_and_can_be_made_later(small, clock):
    (small / "ballast").write_bytes(bytes(1_000_000))
    with pytest.raises(JournalFull) as full:
        async with open_sqlite(small / "state", clock=clock):
            pass
    assert full.value.exit_code == 74
    (small / "ballast").unlink()
    async with open_sqlite(small / "state", clock=clock) as journal:
        assert await journal.commit(unit(submitted("a"))) == 1
