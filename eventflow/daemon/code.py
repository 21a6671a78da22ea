"""The code of a project on disk: the files whose change makes a daemon old."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from eventflow.config import FILE

Code = Mapping[str, tuple[int, int]]
"""Each file's path from the root, with its modification time and its size."""


def code_in(root: Path, state: Path) -> Code:
    """Look through a project for Python files and its settings. The state folder, `data/`, environments and hidden folders don't count."""
    left_out = {state, root / "data"}
    found: dict[str, tuple[int, int]] = {}
    for folder, below, files in os.walk(root):
        below[:] = [name for name in below if _counts(Path(folder, name)) and Path(folder, name) not in left_out]
        for name in files:
            if name.endswith(".py") or (name == FILE and folder == str(root)):
                _note(found, Path(folder, name), root)
    return found


def changed(before: Code, now: Code) -> list[str]:
    """Give the files that differ."""
    return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))


def _counts(folder: Path) -> bool:
    if folder.name.startswith(".") or folder.name in ("__pycache__", "node_modules"):
        return False
    return not (folder / "pyvenv.cfg").exists()


def _note(found: dict[str, tuple[int, int]], path: Path, root: Path) -> None:
    try:
        stat = path.stat()
    except OSError:
        return  # it has gone since
    found[str(path.relative_to(root))] = (stat.st_mtime_ns, stat.st_size)
