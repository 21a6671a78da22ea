"""What is measured in a process of its own: memory, imports, engines at rest. `fresh.py memory|idle|waiting FOLDER` prints JSON."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eventflow import Engine, Run

HERE = Path(__file__)
REST = 5.0


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
    print(json.dumps(asyncio.run({"memory": _run, "idle": _idle, "waiting": _waiting}[sys.argv[1]](Path(sys.argv[2])))))
