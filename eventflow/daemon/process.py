"""The daemon as a process: from the command line to the exit code, by one way out."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import anyio

from eventflow import escapes
from eventflow.config import load_settings
from eventflow.daemon.serving import MakeApp, serve
from eventflow.daemon.watchdog import GRACE, Watchdog
from eventflow.errors import EventflowError, ProjectError
from eventflow.journal import lock
from eventflow.journal.place import Place
from eventflow.project import Project, find, load
from eventflow.system import SystemClock, collect_less_often

INTERRUPTED = 130


def main(root: Path, make_app: MakeApp) -> NoReturn:
    """Serve the project in a folder until told to stop, and leave the process: with 0, or with the exit code of what went wrong."""
    os.umask(0o077)
    collect_less_often()
    watchdog = Watchdog()
    with watchdog:
        try:
            project = _loaded(root)
        except BaseException as error:  # noqa: BLE001 - the process ends here, whatever it is
            _leave(_explained(error), watchdog)
        anyio.run(_live, project, make_app, watchdog)
    raise AssertionError("a daemon leaves by itself")


async def _live(project: Project, make_app: MakeApp, watchdog: Watchdog) -> NoReturn:
    try:
        await serve(project, make_app, watchdog)
    except BaseException as error:  # noqa: BLE001 - as above
        _leave(_explained(error), watchdog)
    _leave(0, watchdog)


def _loaded(root: Path) -> Project:
    _check_owner(find(root))
    project = load(root)
    os.chdir(project.root)
    # What tasks say at the level "info" belongs into their logs. Nobody else hears it, unless the project has set logging up itself.
    if not logging.root.handlers and logging.root.level == logging.WARNING:
        logging.root.setLevel(logging.INFO)
    return project


def _check_owner(root: Path) -> None:
    """Raise `JournalOwned` at once where a daemon is at work already: importing a project takes long, and does whatever its code says."""
    try:
        place = Place(root / load_settings(root, os.environ).state)
        is_old = place.lock.exists()
    except (ProjectError, OSError):
        return  # it is said later, with all there is to say
    if is_old:
        lock.take(place, SystemClock().now()).release()


def _explained(error: BaseException) -> int:
    """Say what went wrong, and give the exit code for it."""
    with suppress(OSError, ValueError):  # nobody may be there to read it
        sys.stderr.write("".join(f"{escapes.line(line)}\n" for line in _lines(error)))
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    return error.exit_code if isinstance(error, EventflowError) else 1


def _lines(error: BaseException) -> list[str]:
    match error:
        case ProjectError(mistakes=mistakes):
            return ["eventflow: this project can't be served:", *(f"  {mistake}" for mistake in mistakes)]
        case EventflowError():
            return [f"eventflow: {error}"]
        case KeyboardInterrupt():
            return ["eventflow: interrupted"]
        case _:
            return "".join(traceback.format_exception(error)).splitlines()


def _leave(code: int, watchdog: Watchdog) -> NoReturn:
    """End the process with what is written flushed. What would join threads, such as the interpreter's own end, is left out."""
    watchdog.arm(GRACE)
    with suppress(Exception):
        logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(code)
