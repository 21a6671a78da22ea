"""Sensors: from an event in the world to the start of its task, how many events a second, a hundred thousand files, a hundred at rest.

    python benchmarks/sensors.py [--folder FOLDER] [--json FILE]

Every engine is a durable one (WAL + FULL) on the disk of FOLDER. Latencies are from the instant at which the world has the event (a file
renamed in, a row committed, a request sent) to the first line of the task's body, once with nothing else to do and once under a load
of a thousand published events a second. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import fresh
import kinds
from rich.console import Console
from rich.table import Table

from eventflow import Engine, Event, Trigger, open_engine, pipeline, task
from eventflow.system import collect_less_often

ROUNDS, LOAD, BURST = 40, 1_000, 5_000

started: dict[str, asyncio.Future[float]] = {}
"""By the name of an event, when its task started: the body is in this process, and tells by itself."""


@task
async def start(name: str) -> None:
    if name in started and not started[name].done():
        started[name].set_result(time.perf_counter())


@pipeline
def note(name: str) -> None:
    start(name)


class Latency(NamedTuple):
    """Milliseconds from event to task: the middle one, and the one that 99 of 100 are below."""

    kind: str
    idle: tuple[float, float]
    loaded: tuple[float, float]


def main() -> int:
    options = _options()
    collect_less_often()  # as the daemon does
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=options.folder) as folder:
        room = Path(folder).absolute()
        latencies = [asyncio.run(_latency(kind, room)) for kind in kinds.KINDS]
        accepted = asyncio.run(_accepted(room / "accepted"))
        files, idle, none = (fresh.measured(what, _made(room / what)) for what in ("files", "hundred", "none"))
    about = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version, "on": f"{platform.system()} {platform.machine()}"}
    if options.json:
        found = {
            "about": about,
            "latencies": [one._asdict() for one in latencies],
            "accepted": accepted,
            "files": files,
            "idle": idle,
            "none": none,
        }
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    _show(latencies, accepted, files, idle, none)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(), help="measure on the disk of this folder (here)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file as well")
    return parser.parse_args()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


# From event to task


async def _latency(kind: kinds.Kind, room: Path) -> Latency:
    figures = [await _measured(kind, room / f"{kind.name}-{loaded}", loaded=loaded) for loaded in (False, True)]
    return Latency(kind.label, *figures)


async def _measured(kind: kinds.Kind, folder: Path, *, loaded: bool) -> tuple[float, float]:
    folder.mkdir()  # noqa: ASYNC240 - nothing is being measured yet
    async with kind.world(folder) as world:
        trigger: Trigger[Any] = Trigger("note", on=world.sensor, run=note, params=lambda event: {"name": world.name_of(event)})
        async with open_engine(folder / "state", pipelines=[note], sensors=[world.sensor], triggers=[trigger]) as engine:
            await world.ready(engine)
            async with _loading(engine, loaded):
                took = [await _round(world, f"{kind.name}{number}", engine) for number in range(ROUNDS + 5)][5:]
    return _quantiles([seconds * 1000 for seconds in took])


async def _round(world: kinds.Scene, name: str, engine: Engine) -> float:
    started[name] = asyncio.get_running_loop().create_future()
    begun = await world.happen(name, engine)
    async with asyncio.timeout(30):
        return await started[name] - begun


def _quantiles(figures: Sequence[float]) -> tuple[float, float]:
    ordered = sorted(figures)
    return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]


@asynccontextmanager
async def _loading(engine: Engine, loaded: bool) -> AsyncIterator[None]:  # noqa: FBT001 - one of two measurements
    """Publish a thousand events a second meanwhile, ten at a time."""
    if not loaded:
        yield
        return
    loading = asyncio.create_task(_load(engine))
    try:
        await asyncio.sleep(0.5)
        yield
    finally:
        loading.cancel()
        await asyncio.wait([loading])


async def _load(engine: Engine) -> None:
    begun, count = time.perf_counter(), 0
    while True:
        events = [Event(id=f"l{count + place}", source="load", type="load", time=0, data={"n": place}) for place in range(10)]
        await engine.publish_all(events)
        count += 10
        await asyncio.sleep(max(0.0, begun + count / LOAD - time.perf_counter()))


# Events a second


async def _accepted(folder: Path) -> dict[str, float]:
    """Give how many events a second are taken durably, each with the run that it fires: one by one from many sides, and in batches."""
    folder.mkdir()  # noqa: ASYNC240 - as above
    source = kinds.Handed("handed")
    trigger: Trigger[Any] = Trigger("note", on=source, run=note, params=lambda event: {"name": event.id})
    async with open_engine(folder / "state", pipelines=[note], sensors=[source], triggers=[trigger]) as engine:
        alone = await _timed(lambda: _one_by_one(engine, "a", BURST))
        together = await _timed(lambda: _in_batches(engine, "b", BURST))
    return {"one by one": BURST / alone, "in batches": BURST / together}


async def _timed(work: Callable[[], Awaitable[None]]) -> float:
    begun = time.perf_counter()
    await work()
    return time.perf_counter() - begun


async def _one_by_one(engine: Engine, name: str, count: int) -> None:
    numbers = iter(range(count))

    async def publish() -> None:
        for number in numbers:
            await engine.publish(_handed(f"{name}{number}"))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(64):
            tasks.create_task(publish())


async def _in_batches(engine: Engine, name: str, count: int) -> None:
    for begin in range(0, count, 100):
        await engine.publish_all([_handed(f"{name}{number}") for number in range(begin, begin + 100)])


def _handed(name: str) -> Event[dict[str, str]]:
    return Event(id=name, source="handed", type="handed", time=0, data={"name": name})


# The table


def _show(
    latencies: Sequence[Latency], accepted: dict[str, float], files: dict[str, float], idle: dict[str, float], none: dict[str, float]
) -> None:
    console = Console(width=None if sys.stdout.isatty() else 140)
    table = Table("from event to task, ms", title="", show_lines=False)
    for column in ("idle p50", "idle p99", f"p50 at {LOAD:,}/s", f"p99 at {LOAD:,}/s"):
        table.add_column(column, justify="right")
    for one in latencies:
        table.add_row(one.kind, *(f"{figure:.1f}" for figure in (*one.idle, *one.loaded)))
    console.print(table)
    rest = Table("", "figure", "unit")
    rest.add_row("events taken, each with its run, one by one", f"{accepted['one by one']:,.0f}", "events/s")
    rest.add_row("events taken, each with its run, a hundred together", f"{accepted['in batches']:,.0f}", "events/s")
    rest.add_row("100,000 files at once, until the last event", f"{files['seconds']:.1f}", "s")
    rest.add_row("100,000 files at once, extra memory", f"{files['extra']:.0f}", "MB")
    rest.add_row("100,000 files at once, the loop's lag, p99", f"{files['lag']:.0f}", "ms")
    rest.add_row("100 sensors at rest, processor", f"{idle['cpu']:.2f}", "%")
    rest.add_row("100 sensors at rest, memory beside an engine without", f"{idle['rss'] - none['rss']:.1f}", "MB")
    console.print(rest)


if __name__ == "__main__":
    sys.exit(main())
