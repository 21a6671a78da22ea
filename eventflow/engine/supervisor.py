"""Keeps the sensors at work: each in a coroutine of its own, so that one which fails or hangs never harms another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import anyio

from eventflow.engine.dispatch import Dispatch
from eventflow.engine.retention import RETENTION
from eventflow.engine.watch import Watch
from eventflow.errors import NotFound
from eventflow.groups import unwrapped
from eventflow.ports import Ports, Sensor, Watcher


class Supervisor:
    """All sensors of an engine, which it observes for as long as `run` isn't cancelled."""

    def __init__(self, ports: Ports, dispatch: Dispatch, sensors: Iterable[Sensor[Any]] = (), *, retention: int = RETENTION) -> None:
        root = Path.cwd()  # once: the current folder is whatever a task makes it
        self._watches = {sensor.name: Watch(sensor, ports, dispatch, root=root, retention=retention) for sensor in sensors}

    def __iter__(self) -> Iterator[Sensor[Any]]:
        return (watch.sensor for watch in self._watches.values())

    def __getitem__(self, name: str) -> Sensor[Any]:
        """Give a sensor by its name. Raises `NotFound`, naming those there are."""
        return self._watch(name).sensor

    async def recall(self) -> None:
        """Learn from the journal how the sensors are: from then on it is known which of them are paused."""
        for watch in self._watches.values():
            await watch.health()

    async def run(self, watcher: Watcher) -> None:
        """Observe until cancelled. Raises `JournalError` where the journal has failed."""
        with unwrapped():
            async with anyio.create_task_group() as tasks:
                for watch in self._watches.values():
                    tasks.start_soon(watch.keep, watcher)

    async def pause(self, name: str, reason: str = "asked for") -> None:
        """Have a sensor look no more until `resume`: durably, once this returns. Its cursor stays where it is. Raises `NotFound`."""
        await self._watch(name).pause(reason)

    async def resume(self, name: str) -> None:
        """Let a paused sensor go on from its cursor: durably, once this returns. Raises `NotFound`."""
        await self._watch(name).resume()

    def poke(self, name: str) -> None:
        """Have a sensor begin a new look at once, whatever it waits for, and one that failed try again. Nothing where it is paused.

        Raises `NotFound`.
        """
        self._watch(name).poke()

    def is_paused(self, name: str) -> bool:
        """Tell whether a sensor is paused. Raises `NotFound`."""
        return self._watch(name).is_paused

    async def looked(self, name: str) -> None:
        """Return once a sensor has looked for the first time since the engine began. Raises `NotFound`."""
        await self._watch(name).looked.wait()

    def looked_at(self, name: str) -> int | None:
        """Give when a sensor last told that it had looked, microseconds UTC; None where it hasn't since the engine began."""
        return self._watch(name).looked_at

    def _watch(self, name: str) -> Watch:
        if name not in self._watches:
            raise NotFound(f"there is no sensor {name[:64]!r}: there is {', '.join(sorted(self._watches)) or 'none'}")
        return self._watches[name]
