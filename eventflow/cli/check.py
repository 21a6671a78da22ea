"""`eventflow check`: every mistake in the project at once, and whether its sensors could look."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import anyio
import click

from eventflow import escapes
from eventflow.cli import output
from eventflow.cli.options import as_json
from eventflow.errors import JournalError, NotFound, ProjectError
from eventflow.journal.memory import MemoryJournal
from eventflow.journal.view import read_sqlite
from eventflow.ports import Instrument, JournalView, Sensor, World
from eventflow.project import Project, find, load
from eventflow.project.trials import PATIENCE, Trial, Trials
from eventflow.sensors.watching import FolderWatcher
from eventflow.system import SystemClock, SystemRandom

_GRACE = 2.0
"""Seconds that are allowed beside those that each sensor has: to begin, and to end."""


@click.command()
@click.option("--offline", is_flag=True, help="Don't try the sensors.")
@as_json
@click.pass_obj
def check(place: Path, *, offline: bool, as_json: bool) -> int:
    """Load the project and report every mistake in it, with file and line. The exit code is 78 if there is one.

    Then try each sensor without starting it: whether its folder, its table, its address is there and fits. Nothing is changed, no event
    is taken, and a daemon may be at work. The exit code is 1 if one of them can't look.
    """
    mistakes: list[str] = []
    said, trials = "", list[Trial]()
    with redirect_stdout(sys.stderr):  # what modules, and sensors, print
        try:
            project = load(find(place))
            said = f"{project.summary}: no mistakes"
            trials = [] if offline else _tried(project)
        except ProjectError as error:
            mistakes = error.mistakes
    if as_json:
        output.print_json({"mistakes": list(map(escapes.block, mistakes)), "sensors": trials})
    else:
        click.echo("\n".join(map(escapes.block, mistakes)) if mistakes else escapes.line(said))
        _print(trials)
    if mistakes:
        return ProjectError.exit_code
    return 1 if any(trial.outcome == "wrong" for trial in trials) else 0


def _print(trials: Sequence[Trial]) -> None:
    for trial in trials:
        said = {"ok": "ok", "wrong": trial.reason or "", "untried": f"not tried: {trial.reason}"}[trial.outcome]
        click.echo(escapes.line(f"sensor {trial.sensor}: {said}"))


def _tried(project: Project) -> list[Trial]:
    trials = Trials(project.sensors, PATIENCE)
    # In a thread that can't hold the process, and nor can threads that begin there: a sensor that blocks would do so for ever.
    thread = threading.Thread(target=anyio.run, args=(_try_all, project, trials), name="eventflow-check", daemon=True)
    with contextlib.chdir(project.root):  # as in the daemon
        thread.start()
        thread.join(PATIENCE + _GRACE)
    return trials.results()


async def _try_all(project: Project, trials: Trials) -> None:
    clock, instrument = SystemClock(), Instrument()
    async with _journal(project, clock) as journal, FolderWatcher(clock, instrument) as watcher:

        def world(sensor: Sensor[Any]) -> World:
            return World(
                source=sensor.name,
                clock=clock,
                random=SystemRandom(),
                watcher=watcher,
                instrument=instrument,
                journal=journal,
                root=project.root,
            )

        await trials.run(world)


@asynccontextmanager
async def _journal(project: Project, clock: SystemClock) -> AsyncGenerator[JournalView]:
    """Give the project's journal to read, or an empty one where there is none that can be read: that isn't what is checked here."""
    async with contextlib.AsyncExitStack() as stack:
        journal: JournalView = MemoryJournal()
        with contextlib.suppress(NotFound, JournalError):
            journal = await stack.enter_async_context(read_sqlite(project.state, clock=clock))
        yield journal
