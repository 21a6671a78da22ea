"""Asking the API one question, for commands that print its answer."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import TypeVar

import anyio

from eventflow.cli import endings
from eventflow.client import Client, connect, reading
from eventflow.errors import NoDaemon, ProjectError
from eventflow.project import Project, find, load, state_folder

T = TypeVar("T")


def ask(place: Path, question: Callable[[Client], Awaitable[T]]) -> T:
    """Give the answer of the daemon, or, where none runs, of the journal. Raises what `connect` and the question raise."""

    async def asking() -> T:
        async with connect(place) as client:
            return await question(client)

    return anyio.run(asking)


def ask_daemon(place: Path, question: Callable[[Client], Awaitable[T]]) -> T:
    """Give the answer of the daemon. Raises `NoDaemon` where none runs."""

    async def asking() -> T:
        async with Client(place) as client:
            return await question(client)

    return anyio.run(asking)


def ask_about_sensors(place: Path, question: Callable[[Client], Awaitable[T]]) -> T:
    """Give the answer of the daemon. Where none runs, say so first, and give that of the journal, in the words of the project's sensors."""
    try:
        return ask_daemon(place, question)
    except NoDaemon as absent:
        endings.say(f"{absent}. Until then no sensor looks: this is how they stood when the last one ended")
    project = _code(place)

    async def asking() -> T:
        async with reading(place, project) as client:
            return await question(client)

    return anyio.run(asking)


def _code(place: Path) -> Project | None:
    """Load the project whose journal is meant; None where it can't be loaded, or the state folder is of another one."""
    with redirect_stdout(sys.stderr), suppress(ProjectError):  # what modules print
        project = load(find(place))
        return project if project.state.resolve() == state_folder(place).resolve() else None
    return None
