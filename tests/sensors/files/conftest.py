from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder on another file system: in memory."""
    with tempfile.TemporaryDirectory(prefix="eventflow-", dir="/dev/shm") as folder:
        yield Path(folder)
