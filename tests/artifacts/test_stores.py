"""What every artifact store keeps to, and what the one on a folder does beside."""

from __future__ import annotations

import os
from pathlib import Path

import anyio
import pytest

from eventflow import codec
from eventflow.artifacts.folder import ArtifactFolder
from eventflow.artifacts.memory import MemoryArtifacts
from eventflow.errors import JournalDamaged, NotFound
from eventflow.ports import ArtifactStore


@pytest.fixture(params=["memory", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    return MemoryArtifacts() if request.param == "memory" else ArtifactFolder(tmp_path / "artifacts")


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 1000])
async def test_bytes_come_back_by_their_digest(store: ArtifactStore, data: bytes) -> None:
    digest = await store.put(data)
    assert digest == codec.digest(data)
    assert await store.get(digest) == data
    assert await store.put(data) == digest


async def test_an_unknown_digest_is_not_found(store: ArtifactStore) -> None:
    with pytest.raises(NotFound):
        await store.get("0" * 64)


async def test_the_same_bytes_can_be_put_many_times_at_once(store: ArtifactStore) -> None:
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(store.put, b"same")
    assert await store.get(codec.digest(b"same")) == b"same"


async def test_a_folder_survives_its_store(tmp_path: Path) -> None:
    digest = await ArtifactFolder(tmp_path / "deep" / "er").put(b"kept")
    assert await ArtifactFolder(tmp_path / "deep" / "er").get(digest) == b"kept"


async def test_files_are_whole_named_by_digest_and_their_owners_alone(tmp_path: Path) -> None:
    tmp_path = tmp_path / "artifacts"
    digest = await ArtifactFolder(tmp_path).put(b"data")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files == [tmp_path / digest[:2] / digest]
    assert files[0].stat().st_mode & 0o777 == 0o600
    assert files[0].parent.stat().st_mode & 0o077 == 0
    assert tmp_path.stat().st_mode & 0o077 == 0


async def test_a_file_that_was_changed_is_damage(tmp_path: Path) -> None:
    store = ArtifactFolder(tmp_path)
    digest = await store.put(b"data")
    (tmp_path / digest[:2] / digest).write_bytes(b"datum")
    with pytest.raises(JournalDamaged, match="no longer holds what was written"):
        await store.get(digest)


@pytest.mark.parametrize("wrong", ["", "..", "../../etc/passwd", "0" * 63, "G" * 64, "0" * 64 + "\n", "/" + "0" * 63])
async def test_only_a_digest_leads_to_a_file(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(NotFound, match="no digest"):
        await ArtifactFolder(tmp_path).get(wrong)


async def test_a_link_isnt_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    digest = codec.digest(b"secret")
    store = ArtifactFolder(tmp_path / "artifacts")
    (tmp_path / "artifacts" / digest[:2]).mkdir(parents=True)
    (tmp_path / "artifacts" / digest[:2] / digest).symlink_to(secret)
    with pytest.raises((JournalDamaged, OSError)):
        await store.get(digest)


async def test_what_fails_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        await ArtifactFolder(tmp_path).put(b"data")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
