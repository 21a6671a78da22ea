"""The disk is nearly full: find out what takes the room, so that a person can decide what may go.

    measure -> keep

Nothing is deleted: `data/reports/space.md` names the largest folders, and the run's result says the same.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from eventflow import pipeline, task

ROOT = Path(__file__).parents[1]
REPORT = ROOT / "data" / "reports" / "space.md"
SHOWN = 20
DEPTH = 2


@dataclass(frozen=True)
class Usage:
    """How many bytes lie in a folder, and in all that is below it."""

    folder: str
    size: int


@dataclass(frozen=True)
class Findings:
    """The largest folders, and how many bytes were free of how many when this began."""

    free: int
    total: int
    largest: list[Usage]


@task(timeout="10m")
def measure(folder: Path) -> list[Usage]:
    """Give the largest folders, up to two levels down, largest first. What can't be read, or goes meanwhile, counts nothing."""
    sizes: dict[Path, int] = {}
    for place, _, files in os.walk(folder):
        parts = Path(place).relative_to(folder).parts[:DEPTH]
        size = sum(_size(Path(place) / name) for name in files)
        for depth in range(len(parts) + 1):
            of = folder.joinpath(*parts[:depth])
            sizes[of] = sizes.get(of, 0) + size
    largest = sorted(sizes, key=lambda of: sizes[of], reverse=True)[:SHOWN]
    return [Usage(os.fsencode(of.relative_to(folder)).decode("utf-8", "backslashreplace"), sizes[of]) for of in largest]


@task
def keep(free: int, total: int, largest: list[Usage]) -> Findings:
    """Write the findings where people look for them."""
    lines = [
        f"# {free / 1e9:.1f} GB of {total / 1e9:.1f} GB are free",
        "",
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. What takes the room in this project:",
        "",
        *(f"- {usage.size / 1e6:,.1f} MB in `{usage.folder}`" for usage in largest),
    ]
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    aside = REPORT.with_name(f".{REPORT.name}")
    aside.write_text("\n".join(lines) + "\n", encoding="utf-8")
    aside.replace(REPORT)
    return Findings(free, total, largest)


@pipeline(max_active_runs=1, tags=["repository"])
def look_for_space(free: int, total: int, folder: Path = ROOT) -> Findings:
    """From a disk that is nearly full to what fills it."""
    return keep(free, total, measure(folder))


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
