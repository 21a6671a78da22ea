"""What is measured in a process of its own: memory, imports, an engine at rest. Run as `fresh.py memory|idle FOLDER`, it prints JSON."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

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


if __name__ == "__main__":
    print(json.dumps(asyncio.run({"memory": _run, "idle": _idle}[sys.argv[1]](Path(sys.argv[2])))))
