from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

HERE = Path(__file__).parent

Driver: TypeAlias = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that stands between SQLite and the disk. It needs a C compiler: on a desk without one these tests are left out."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None and "CI" not in os.environ:
        pytest.skip("needs a C compiler")
    built = tmp_path_factory.mktemp("shim") / "shim.so"
    subprocess.run([compiler or "cc", "-shared", "-fPIC", "-O1", "-o", built, HERE / "shim.c", "-ldl"], check=True)
    return built


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory, where there is one: these tests write much, and what a process leaves behind is the same there."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="eventflow-", dir=memory if os.access(memory, os.W_OK) else None) as name:
        yield Path(name).resolve()


@pytest.fixture
def driver(shim: Path, folder: Path) -> Driver:
    """Runs `driver.py` with the shim, and gives the lines that it tells."""

    def run(verb: str, *options: object) -> list[dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, HERE / "driver.py", verb, folder, *map(str, options)],
            env={**os.environ, "LD_PRELOAD": str(shim), "PYTHONPATH": str(HERE.parents[1])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run
