"""The engine beside the bare limit of this machine and disk (`make bench`).

Durable runs (WAL + FULL) of async tasks that do nothing. Each load is run by the engine and at the bare limit (`bare.py`) in turn, on
the same disk, so the ratio holds where the absolute figures don't: medians of several repetitions. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import platform
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import NamedTuple

import fresh
import loads
from loads import Load
from rich.console import Console
from rich.table import Table

from eventflow.system import collect_less_often


class Result(NamedTuple):
    """A line of the table: our figure, the bare one where there is one, and the aims, as text and whether it was met."""

    name: str
    unit: str
    engine: float
    bare: float | None = None
    share: float | None = None
    aim: str = ""
    met: bool | None = None


def main() -> int:
    options = _options()
    collect_less_often()  # as the daemon does; the bare limit gains by it too
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=options.folder) as folder:
        room = Path(folder).absolute()
        results = [*_commits(room), *_throughput(room, options.repetitions), *_files(room, options.repetitions), *_processes(room)]
    about = {"eventflow": version("eventflow"), "python": platform.python_version(), "sqlite": sqlite3.sqlite_version, "on": _machine()}
    if options.json:
        options.json.write_text(json.dumps({"about": about, "results": [result._asdict() for result in results]}, indent=2) + "\n")
    _show(results, about)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(), help="measure on the disk of this folder (here)")
    parser.add_argument("--repetitions", type=int, default=5, help="how often each load is run (5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file as well")
    return parser.parse_args()


def _commits(room: Path) -> Iterable[Result]:
    """Give what one small commit costs: it tells what kind of disk this is."""
    connection = sqlite3.connect(room / "commits.db", isolation_level=None)
    connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE rows (value BLOB)")
    took = [_timed(connection) for _ in range(200)]
    connection.close()
    yield Result("one commit, WAL + FULL", "ms", median(took) * 1000)


def _timed(connection: sqlite3.Connection) -> float:
    begun = time.perf_counter()
    connection.execute("INSERT INTO rows VALUES (?)", (b"x" * 200,))
    return time.perf_counter() - begun


def _throughput(room: Path, repetitions: int) -> Iterable[Result]:
    for load in loads.LOADS:
        rounds = [_round(load, room, number) for number in range((load.repetitions or repetitions) + 1)][1:]  # the first warms up
        engine, bare = (load.count / median(took) for took in zip(*rounds, strict=True))
        yield _judged(load, engine, bare)


def _round(load: Load, room: Path, number: int) -> tuple[float, float]:
    took: dict[str, float] = {}
    order = ("engine", "bare") if number % 2 else ("bare", "engine")
    for side in order:
        state = room / f"{load.engine.__name__}-{number}-{side}"
        state.mkdir()
        gc.collect()
        took[side] = asyncio.run(getattr(load, side)(state))
    return took["engine"], took["bare"]


def _judged(load: Load, engine: float, bare: float) -> Result:
    share = engine / bare
    aim, met = {
        "chain": (">= 50 % of bare", share >= 0.5),
        "fan-o": (">= 20 % of bare, >= 8,000/s", share >= 0.2 and engine >= 8_000),
        "map o": (">= 8,000/s", engine >= 8_000),
        "100 x": ("", None),
    }.get(load.name[:5], (">= 1,000/s", engine >= 1_000))
    return Result(load.name, load.unit, engine, bare, share, aim, met)


def _files(room: Path, repetitions: int) -> Iterable[Result]:
    engine: list[float] = []
    bare: list[float] = []
    for number in range(min(repetitions, 3)):
        folder = room / f"files-{number}"
        folder.mkdir()
        ours, limit = asyncio.run(loads.drops(folder))
        engine += ours
        bare += limit
    ms, bare_ms = median(engine) * 1000, median(bare) * 1000
    yield Result("file renamed in, to task start", "ms", ms, bare_ms, bare_ms / ms, "< 50 ms", ms < 50)


def _processes(room: Path) -> Iterable[Result]:
    extra = median(fresh.measured("memory", _made(room / f"memory-{number}"))["extra"] for number in range(3))
    yield Result("extra memory, run of 10,000 nodes", "MB", extra, aim="< 150 MB", met=extra < 150)
    waits = fresh.measured("waiting", _made(room / "waiting"))
    yield Result(f"memory of a suspended run, of {loads.WAITING:,}", "kB", waits["kilobytes"])
    yield Result("answer to the run's end, 1,000 runs waiting", "ms", waits["wake"], aim="< 50 ms", met=waits["wake"] < 50)
    took = [(fresh.importing("eventflow", room), fresh.importing("asyncio", room)) for _ in range(12)][2:]  # the first ones compile
    ours, bare = (median(times) * 1000 for times in zip(*took, strict=True))
    yield Result("python -c 'import eventflow' (bare: asyncio)", "ms", ours, bare, aim="< 150 ms", met=ours < 150)
    idle = fresh.measured("idle", _made(room / "idle"))
    yield Result("idle with a file sensor, memory", "MB", idle["rss"], aim="< 60 MB", met=idle["rss"] < 60)
    yield Result("idle with a file sensor, processor", "%", idle["cpu"], aim="< 0.5 %", met=idle["cpu"] < 0.5)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _machine() -> str:
    return f"{platform.system()} {platform.release()} {platform.machine()}"


def _show(results: Iterable[Result], about: dict[str, str]) -> None:
    table = Table(caption=", ".join(f"{name} {value}" for name, value in about.items()))
    for column in ("", "eventflow", "bare limit", "unit", "of bare", "aim", "met"):
        table.add_column(column, justify="right" if column in ("eventflow", "bare limit", "of bare") else "left")
    for result in results:
        share = "" if result.share is None else f"{result.share:.0%}"
        bare = "" if result.bare is None else _figure(result.bare)
        met = {None: "", True: "yes", False: "[bold]no[/]"}[result.met]
        table.add_row(result.name, _figure(result.engine), bare, result.unit, share, result.aim, met)
    Console(width=None if sys.stdout.isatty() else 140).print(table)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


if __name__ == "__main__":
    sys.exit(main())
