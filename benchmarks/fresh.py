"""What is measured in a process of its own: memory, imports, engines at rest, many files. `fresh.py WHAT FOLDER` prints JSON."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eventflow import Engine, Run

HERE = Path(__file__)
REST = 5.0
FILES, SENSORS = 100_000, 100


def measured(what: str, folder: Path) -> dict[str, float]:
    """Measure in a new process."""
    command = [sys.executable, str(HERE), what, str(folder)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True, env=_env(folder))  # noqa: S603 - ourselves
    return json.loads(ran.stdout)


def importing(module: str, folder: Path) -> float:
    """Give the seconds that a new Python takes to start, import a module and end. The first one compiles: the caller drops it."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True, env=_env(folder))  # noqa: S603 - our own line
    return time.perf_counter() - begun


def _env(folder: Path) -> dict[str, str]:
    """Compiled modules are kept, in a folder of our own: whoever has switched that off would measure the compiler."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**env, "PYTHONPYCACHEPREFIX": str(folder / "compiled")}


def _memory(field: str) -> float:
    """Give a figure of this process in MB. `VmHWM` is the peak; getrusage's would still know that of the process that started us."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status[field].split()[0]) / 1024


async def _run(folder: Path) -> dict[str, float]:
    from loads import fan  # noqa: PLC0415

    from eventflow import open_engine  # noqa: PLC0415

    async with open_engine(folder / "memory") as engine:
        before = _memory("VmHWM")
        await (await engine.submit(fan.bind())).result()
        return {"extra": _memory("VmHWM") - before, "before": before}


async def _idle(folder: Path) -> dict[str, float]:
    from eventflow import FileSensor, open_engine  # noqa: PLC0415

    (folder / "idle-watched").mkdir()
    sensor = FileSensor("drops", folder / "idle-watched")
    async with open_engine(folder / "idle", sensors=[sensor]):
        await asyncio.sleep(1)
        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.sleep(REST)
        share = (time.process_time() - cpu) / (time.perf_counter() - wall)
        return {"rss": _memory("VmRSS"), "cpu": 100 * share}


async def _waiting(folder: Path) -> dict[str, float]:
    from loads import WAITING, waiting  # noqa: PLC0415

    from eventflow import open_engine  # noqa: PLC0415

    async with open_engine(folder / "waiting", pipelines=[waiting]) as engine:
        warm = await engine.submit(waiting.bind())
        await _until_suspended(engine, [warm])
        before = _memory("VmRSS")
        runs = [await engine.submit(waiting.bind()) for _ in range(WAITING)]
        await _until_suspended(engine, runs)
        kilobytes = (_memory("VmRSS") - before) * 1024 / WAITING
        took = [await _answered(engine, run) for run in runs[:: WAITING // 100]]
        return {"kilobytes": kilobytes, "wake": 1000 * median(took)}


async def _files(folder: Path) -> dict[str, float]:
    """Let many files fall at once: how long until the last one's event is durable, in how much memory, how late the loop is meanwhile."""
    from eventflow import FileSensor, open_engine  # noqa: PLC0415

    inbox, aside, counter = folder / "inbox", folder / "aside", _counter()
    await asyncio.to_thread(_make_files, inbox, aside)
    async with open_engine(folder / "state", sensors=[FileSensor("drops", inbox, ready="atomic")], instruments=[counter]):
        await asyncio.sleep(1)
        before = _memory("VmHWM")
        await asyncio.to_thread(_drop, inbox, aside)
        begun, lags = time.perf_counter(), list[float]()
        while counter.events < FILES:
            asleep = time.perf_counter()
            await asyncio.sleep(0.01)
            lags.append(time.perf_counter() - asleep - 0.01)
        took = time.perf_counter() - begun
    lags.sort()
    return {"seconds": took, "extra": _memory("VmHWM") - before, "lag": 1000 * lags[len(lags) * 99 // 100], "worst": 1000 * lags[-1]}


def _make_files(inbox: Path, aside: Path) -> None:
    inbox.mkdir()
    aside.mkdir()
    for number in range(FILES):
        (aside / str(number)).touch()


def _drop(inbox: Path, aside: Path) -> None:
    for number in range(FILES):
        (aside / str(number)).rename(inbox / str(number))


def _counter() -> Any:
    from eventflow import Instrument, facts  # noqa: PLC0415

    class Counter(Instrument):
        events = 0

        def committed(self, records: Sequence[Any]) -> None:
            self.events += sum(isinstance(record.fact, facts.EventRecorded) for record in records)

    return Counter()


async def _hundred(folder: Path) -> dict[str, float]:
    """Give what a hundred sensors cost that see nothing: files, rows, pages, schedules, hooks, a fifth each."""
    return await _at_rest(folder, SENSORS)


async def _none(folder: Path) -> dict[str, float]:
    return await _at_rest(folder, 0)


async def _at_rest(folder: Path, count: int) -> dict[str, float]:
    from eventflow import open_engine  # noqa: PLC0415

    sensors = _sensors(folder, count // 5)
    async with _page() as url, open_engine(folder / "state", sensors=[make for one in sensors for make in one(url)]) as engine:
        for sensor in engine.sensors:
            await engine.sensors.looked(sensor.name)
        await asyncio.sleep(1)
        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.sleep(4 * REST)
        share = (time.process_time() - cpu) / (time.perf_counter() - wall)
        return {"rss": _memory("VmRSS"), "cpu": 100 * share}


def _sensors(folder: Path, each: int) -> list[Callable[[str], list[Any]]]:
    from eventflow import FileSensor, HTTPSensor, RowSensor, Schedule, WebhookSensor  # noqa: PLC0415

    names = [str(number) for number in range(each)]
    for name in names:
        (folder / f"inbox-{name}").mkdir()
    with sqlite3.connect(folder / "rows.db") as rows:
        rows.executescript("PRAGMA journal_mode = WAL; CREATE TABLE one (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT)")
    rows.close()
    return [
        lambda _: [FileSensor(f"files-{name}", folder / f"inbox-{name}") for name in names],
        lambda _: [RowSensor(f"rows-{name}", folder / "rows.db", table="one", cursor="id") for name in names],
        lambda url: [HTTPSensor(f"page-{name}", url) for name in names],
        lambda _: [Schedule(f"daily-{name}", "@daily") for name in names],
        lambda _: [WebhookSensor(f"hook-{name}", unsigned=True) for name in names],
    ]


@asynccontextmanager
async def _page() -> AsyncIterator[str]:
    """Serve one page, from this process: what that costs counts as well."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def _until_suspended(engine: Engine, runs: Sequence[Run[bool]]) -> None:
    journal = engine.ports.journal
    for run in runs:
        seq = journal.seq
        while await run.state() != "suspended":
            await journal.changed(seq)
            seq = journal.seq


async def _answered(engine: Engine, run: Run[bool]) -> float:
    begun = time.perf_counter()
    await engine.answer(run.id, "approval", answer=True)
    await run.result()
    return time.perf_counter() - begun


if __name__ == "__main__":
    measures = {"memory": _run, "idle": _idle, "waiting": _waiting, "files": _files, "hundred": _hundred, "none": _none}
    print(json.dumps(asyncio.run(measures[sys.argv[1]](Path(sys.argv[2])))))
