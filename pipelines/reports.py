"""A retraining has ended: keep what became of it, and bring the table of all of them up to date.

    keep -> tabulate

One file for each retraining, named after its run, and `retrainings.md` for people, newest first. Doing it twice is doing it once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from eventflow import pipeline, task

REPORTS = Path(__file__).parents[1] / "data" / "reports"
SHOWN = 100


@dataclass(frozen=True)
class Retraining:
    """How one retraining ended: `deployed`, `kept`, `failed` or `cancelled`. `accuracy` is of the new model, 0 to 1; `seconds` it took."""

    run: str
    file: str
    ended: datetime
    seconds: float
    outcome: str
    champion: str | None
    accuracy: float | None
    error: str | None


@task
def keep(retraining: Retraining) -> Path:
    """Write what became of a retraining beside what became of the others."""
    return _written(REPORTS / f"{retraining.run}.json", msgspec.json.encode(retraining))


@task
def tabulate(folder: Path) -> Path:
    """Write the table of the newest retrainings."""
    known = [msgspec.json.decode(path.read_bytes(), type=Retraining) for path in folder.glob("*.json")]
    newest = sorted(known, key=lambda one: (one.ended, one.run), reverse=True)[:SHOWN]
    lines = ["| ended | file | outcome | new model | champion | took | error |", "|---|---|---|---|---|---|---|", *map(_line, newest)]
    return _written(folder / "retrainings.md", ("\n".join(lines) + "\n").encode())


@pipeline(max_active_runs=1, tags=["ml"])
def report(retraining: Retraining) -> Path:
    """From the end of a retraining to a line in the table."""
    return tabulate(keep(retraining).parent)


def retraining_of(
    *, run: str, state: str, arguments: dict[str, Any], result: dict[str, Any] | None, error: str | None, created_at: int, ended_at: int
) -> Retraining:
    """Give what is to be kept of a run of `retrain`, of which this is known. Instants are microseconds UTC."""
    verdict: dict[str, Any] = result or {}
    return Retraining(
        run=run,
        file=Path(str(arguments.get("path", ""))).name,
        ended=datetime.fromtimestamp(ended_at / 1e6, tz=UTC),
        seconds=(ended_at - created_at) / 1e6,
        outcome=verdict.get("outcome", state),
        champion=verdict.get("version"),
        accuracy=verdict.get("scores", {}).get("model"),
        error=error,
    )


def _written(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}")
    aside.write_bytes(content)
    return aside.replace(path)


def _line(one: Retraining) -> str:
    accuracy = "" if one.accuracy is None else f"{one.accuracy:.1%}"
    cells = [f"{one.ended:%Y-%m-%d %H:%M}", one.file, one.outcome, accuracy, one.champion or "", f"{one.seconds:.0f} s", one.error or ""]
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    first = text.partition("\n")[0]
    return "".join(letter if letter.isprintable() and letter not in "|<" else " " for letter in first)
