from __future__ import annotations

import os
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


@pytest.fixture
def ordinary_user() -> Iterator[Path]:
    """Be nobody for a while, since nothing is closed to root, and have a folder of one's own."""
    with tempfile.TemporaryDirectory() as folder:
        root = os.geteuid() == 0
        if root:
            os.chown(folder, 65534, 65534)
            os.seteuid(65534)
        try:
            yield Path(folder)
        finally:
            if root:
                os.seteuid(0)
