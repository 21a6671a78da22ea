"""eventflow inside a program: `open_engine` for as long as the program likes, `run` for one run here and now.

No server, no signal handlers, no folders that are loaded, nothing left behind. This is a composition root: it picks the adapters.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

import anyio

from eventflow import durations, states
from eventflow.artifacts.folder import ArtifactFolder
from eventflow.artifacts.key import project_key
from eventflow.artifacts.memory import MemoryArtifacts
from eventflow.definition.bodies import WaitBody
from eventflow.definition.graph import Wait, walk
from eventflow.definition.pipelines import Call, Pipeline, checked_call
from eventflow.definition.places import naming_the_line
from eventflow.durable import remove_leftovers
from eventflow.durations import Duration
from eventflow.engine.engine import Engine
from eventflow.engine.resources import check_sizes
from eventflow.engine.retention import checked_retention
from eventflow.engine.values import Values
from eventflow.errors import EventflowError, InvalidRequest
from eventflow.executors.local import LocalExecutor
from eventflow.groups import unwrapped
from eventflow.journal.memory import MemoryJournal
from eventflow.journal.sqlite import open_sqlite
from eventflow.ports import Instrument, Instruments, Ports, Sensor
from eventflow.sensors.watching import FolderWatcher
from eventflow.system import SystemClock, SystemRandom
from eventflow.threads import in_thread
from eventflow.triggers import Trigger, check

R = TypeVar("R")


@asynccontextmanager
async def open_engine(
    state: str | os.PathLike[str],
    *,
    pipelines: Iterable[Pipeline[..., Any]] = (),
    sensors: Iterable[Sensor[Any]] = (),
    triggers: Iterable[Trigger[Any]] = (),
    durability: Literal["full", "relaxed"] = "full",
    drain: Duration = "30s",
    threads: int = 32,
    pickle: bool = True,
    resources: Mapping[str, float] | None = None,
    retention: Duration = "30d",
    instruments: Sequence[Instrument] = (),
) -> AsyncGenerator[Engine]:
    """Give an engine whose state is kept in a folder, and keep its sensors at work, until the block is left.

    Runs that an earlier process left open are taken up; those of pipelines that aren't given are held. Leaving the block, what runs has
    `drain` to end by itself; what doesn't goes on at the next start. `threads` bounds how many plain functions run at once; with
    `pickle=False` a result that JSON can't carry is refused. `resources` says how much there is of what tasks name in `uses`. `retention`
    is how long an event's identity is kept once the event is gone from its source: at least a week.

    Raises `DefinitionError` for what is wrongly written, `JournalOwned` where another process has this state, and other `JournalError`s
    where the journal can't be trusted: each says what to do.
    """
    with naming_the_line():
        folder = await in_thread(_state_folder, state)
        _check_settings(durability, threads)
        check_sizes(resources or {})
        patience, remembered = durations.seconds(drain), checked_retention(retention)
    sensing, fitting = tuple(sensors), tuple(triggers)
    check(sensing, fitting)
    clock, instrument = SystemClock(), Instruments(instruments)
    with unwrapped():
        async with open_sqlite(folder, clock=clock, instruments=instruments, durability=durability) as journal:
            kept = folder / "artifacts"
            await in_thread(remove_leftovers, folder, kept)
            artifacts = ArtifactFolder(kept, instrument)
            values = Values(artifacts, project_key(folder), pickles=pickle)
            ports = Ports(journal, artifacts, LocalExecutor(threads), clock, SystemRandom(), instrument)
            engine = Engine(ports, values, pipelines, sensors=sensing, triggers=fitting, retention=remembered, resources=resources)
            async with engine.running(drain=patience), _sensing(engine):
                yield engine


@asynccontextmanager
async def memory_engine(
    pipelines: Iterable[Pipeline[..., Any]] = (),
    *,
    resources: Mapping[str, float] | None = None,
    instruments: Sequence[Instrument] = (),
) -> AsyncGenerator[Engine]:
    """Give an engine whose journal and artifacts are in memory: for runs that should leave no trace."""
    artifacts = MemoryArtifacts()
    ports = Ports(MemoryJournal(instruments), artifacts, LocalExecutor(), SystemClock(), SystemRandom(), Instruments(instruments))
    engine = Engine(ports, Values(artifacts, os.urandom(32)), pipelines, resources=resources)
    async with engine.running():
        yield engine


def run(call: Call[R], *, resources: Mapping[str, float] | None = None, instruments: Sequence[Instrument] = ()) -> R:
    """Run a pipeline here and now, wait for its end, and give its result. Nothing is kept. `resources` are as in `open_engine`.

    Raises `RunFailed`; `InvalidRequest` for a pipeline that asks a person or waits for an event without a deadline; `EventflowError` where
    an event loop is running already: there, `await engine.submit(...)`.
    """
    _check_answerable(checked_call(call))
    if _in_loop():
        raise EventflowError("run() can't wait inside a running event loop: use `run = await engine.submit(...)` and `await run.result()`")

    with naming_the_line():
        check_sizes(resources or {})

    async def main() -> R:
        async with memory_engine(resources=resources, instruments=instruments) as engine:
            submitted = await engine.submit(call)
            return await submitted.result()

    return anyio.run(main)


def _check_answerable(call: Call[Any]) -> None:
    """Raise `InvalidRequest` for a run that would wait for ever: nobody can answer it here, and no sensor sees an event."""
    for path, node in walk(call.pipeline.definition.graph.nodes):
        body = call.pipeline.definition.bodies[path]
        if isinstance(body, WaitBody) and body.timeout is None and isinstance(node.does, Wait) and node.does.kind != states.TIME:
            raise InvalidRequest(
                f"{path} of pipeline {call.pipeline.name!r} waits for what can't come in run(), and has no deadline: "
                "use open_engine(...), or the daemon"
            )


def _state_folder(state: str | os.PathLike[str]) -> Path:
    """Give a state folder as an absolute path: tasks may change the current folder."""
    if not os.fspath(state):
        raise ValueError("state='' is no folder: name one of its own, such as 'state'")
    return Path(os.path.abspath(state))  # noqa: PTH100 - follows no links


def _check_settings(durability: object, threads: object) -> None:
    if durability not in ("full", "relaxed"):
        raise ValueError(f"durability={durability!r} is unknown: use 'full' or 'relaxed'")
    if not isinstance(threads, int) or threads < 1:
        raise ValueError(f"threads={threads!r}: plain functions need at least one thread")


def _in_loop() -> bool:
    try:
        anyio.get_current_task()
    except RuntimeError:
        return False
    return True


@asynccontextmanager
async def _sensing(engine: Engine) -> AsyncGenerator[None]:
    if not list(engine.sensors):
        yield
        return
    async with FolderWatcher(engine.ports.clock, engine.ports.instrument) as watcher, anyio.create_task_group() as tasks:
        tasks.start_soon(engine.sensors.run, watcher)
        yield
        tasks.cancel_scope.cancel()
