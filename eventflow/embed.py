"""eventflow inside a program: `run` for one run here and now.

No server, no signal handlers, no folders that are loaded, nothing left behind. This is a composition root: it picks the adapters.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio

from eventflow.artifacts.folder import ArtifactFolder, remove_leftovers
from eventflow.artifacts.memory import MemoryArtifacts
from eventflow.definition.pipelines import Call, Pipeline
from eventflow.engine.engine import Engine
from eventflow.engine.values import Values
from eventflow.errors import EventflowError
from eventflow.executors.local import LocalExecutor
from eventflow.journal.memory import MemoryJournal
from eventflow.ports import Instrument, Instruments, Ports
from eventflow.system import SystemClock, SystemRandom
from eventflow.threads import in_thread

R = TypeVar("R")


@asynccontextmanager
async def memory_engine(
    pipelines: Iterable[Pipeline[..., Any]] = (), *, instruments: Sequence[Instrument] = ()
) -> AsyncGenerator[Engine]:
    """Give an engine whose journal and artifacts are in memory: for runs that should leave no trace."""
    artifacts = MemoryArtifacts()
    ports = Ports(MemoryJournal(instruments), artifacts, LocalExecutor(), SystemClock(), SystemRandom(), Instruments(instruments))
    engine = Engine(ports, Values(artifacts, os.urandom(32)), pipelines)
    async with engine.running():
        yield engine


def run(call: Call[R], *, instruments: Sequence[Instrument] = ()) -> R:
    """Run a pipeline here and now, wait for its end, and give its result. Nothing is kept.

    Raises `RunFailed`; `EventflowError` where an event loop is running already: there, `await engine.submit(...)`.
    """
    if _in_loop():
        raise EventflowError("run() can't wait inside a running event loop: use `run = await engine.submit(...)` and `await run.result()`")

    async def main() -> R:
        async with memory_engine(instruments=instruments) as engine:
            submitted = await engine.submit(call)
            return await submitted.result()

    return anyio.run(main)


def _in_loop() -> bool:
    try:
        anyio.get_current_task()
    except RuntimeError:
        return False
    return True
