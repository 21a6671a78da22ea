"""A project at work: its engine, its sensors and its HTTP API, from the start until it is told to stop."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import anyio
from starlette.types import ASGIApp

from eventflow import durations, escapes, failpoints
from eventflow.daemon.signals import HURRY, Signals
from eventflow.daemon.watchdog import GRACE, Watchdog
from eventflow.daemon.web import web
from eventflow.embed import open_engine
from eventflow.engine.engine import Engine
from eventflow.errors import JournalDenied
from eventflow.groups import unwrapped
from eventflow.journal.place import take_place
from eventflow.logs.capture import Capture
from eventflow.logs.daemon import DaemonLog
from eventflow.logs.folder import LogFolder
from eventflow.project import Project
from eventflow.system import SystemClock
from eventflow.threads import in_thread


class MakeApp(Protocol):
    """Makes the HTTP API. What it answers without end must end as soon as `stopping` returns."""

    def __call__(self, engine: Engine, *, logs: LogFolder, stopping: Callable[[], Awaitable[None]]) -> ASGIApp: ...


async def serve(project: Project, make_app: MakeApp, watchdog: Watchdog) -> None:
    """Serve a project until SIGTERM or SIGINT, then let what runs end, for as long as the project's `drain` says.

    Returns when all is committed and closed. Raises `JournalError` where the journal can't be opened, or fails.
    """
    clock, settings = SystemClock(), project.settings
    drain = durations.seconds(settings.drain)
    state = await in_thread(_private, project.state)
    with unwrapped(), Signals(watchdog, drain) as signals:
        async with DaemonLog(sys.stderr, clock) as log, LogFolder(state / "logs", clock, settings.logs, log) as logs:
            with Capture(logs):
                async with open_engine(
                    state,
                    pipelines=project.pipelines,
                    sensors=project.sensors,
                    triggers=project.triggers,
                    durability=settings.durability,
                    drain=0,  # it is awaited below, where a second signal can shorten it, and while the API still answers
                    threads=settings.threads,
                    pickle=settings.pickle,
                    resources=settings.resources,
                    retention=settings.retention,
                    instruments=(log, logs, *failpoints.from_environment(os.environ)),
                ) as engine:
                    try:
                        stopping = anyio.Event()
                        async with web(make_app(engine, logs=logs, stopping=stopping.wait), state, stopping) as socket:
                            _announce(project, socket, log)
                            await signals.asked.wait()
                            log.say("info", "stopping", drain=durations.text(drain))
                            await _drain(engine, drain, signals)
                    finally:
                        watchdog.arm(GRACE)


async def _drain(engine: Engine, drain: float, signals: Signals) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_hurry, signals, tasks.cancel_scope)
        await engine.close(drain)
        tasks.cancel_scope.cancel()


async def _hurry(signals: Signals, scope: anyio.CancelScope) -> None:
    await signals.hurried.wait()
    await anyio.sleep(HURRY)
    scope.cancel()


def _private(folder: Path) -> Path:
    """Give the state folder, closed to others. Raises `JournalDenied`, `JournalMisplaced`."""
    place = take_place(folder)
    if stat.S_IMODE(place.folder.stat().st_mode) & 0o077:
        try:
            place.folder.chmod(0o700)
        except OSError as error:
            raise JournalDenied(f"the state folder {place.folder} is open to others, and can't be closed: {error.strerror}") from error
    return place.folder


def _announce(project: Project, socket: Path, log: DaemonLog) -> None:
    try:
        print(f"eventflow: serving {escapes.line(project.name)} ({project.summary}), socket {escapes.path(socket)}", flush=True)  # noqa: T201 - for who started it
    except OSError as error:  # nobody listens: that is no reason not to work
        log.troubled("stdout", error)
    if os.geteuid() == 0:
        log.say("info", "running as root, which eventflow doesn't need")
