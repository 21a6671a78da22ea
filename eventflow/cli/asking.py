"""Asking the API one question, for commands that print its answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import anyio

from eventflow.client import Client, connect

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
