from __future__ import annotations

from pathlib import Path

import pytest

from eventflow import open_engine
from eventflow.artifacts.folder import ArtifactFolder
from eventflow.durable import remove_leftovers
from eventflow.ports import Instrument
from eventflow.testing import check_folder


class Dying(Instrument):
    """Fails as a crash would, between the writing of a file and its name."""

    def __init__(self) -> None:
        self.points: list[str] = []

    def reached(self, point: str) -> None:
        self.points.append(point)
        if point == "artifacts.put.written":
            raise OSError("no more")


async def test_what_has_no_name_yet_is_removed_where_it_fails(tmp_path: Path):
    dying = Dying()
    with pytest.raises(OSError, match="no more"):
        await ArtifactFolder(tmp_path, dying).put(b"data")
    assert dying.points == ["artifacts.put.before", "artifacts.put.written"]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_what_a_crash_left_unfinished_is_removed_and_nothing_else(tmp_path: Path):
    digest = await ArtifactFolder(tmp_path).put(b"data")
    (tmp_path / ".writing-x").write_bytes(b"da")
    remove_leftovers(tmp_path, tmp_path / "missing")
    assert await ArtifactFolder(tmp_path).get(digest) == b"data"
    assert not (tmp_path / ".writing-x").exists()


async def test_an_engine_removes_at_its_start_what_a_crash_left_unfinished(tmp_path: Path):
    async with open_engine(tmp_path):
        pass
    (tmp_path / "artifacts").mkdir()
    for folder in (tmp_path, tmp_path / "artifacts"):
        (folder / ".writing-x").touch()
    assert len(check_folder(tmp_path)) == 2
    async with open_engine(tmp_path):
        assert check_folder(tmp_path) == []
