"""One's own test of whether a file is complete: an async function that is asked beside everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeAlias, cast

from eventflow import durations, escapes
from eventflow.deadlines import DeadlinePassed, within
from eventflow.errors import SensorError
from eventflow.ports import World
from eventflow.sensors.files.readiness import Pauses, Readiness, Ready
from eventflow.sensors.files.scan import version_of
from eventflow.sensors.files.sweep import Sweep

ReadyTest: TypeAlias = Callable[[Path], Awaitable[bool]]

LONGEST = 30.0
"""Seconds after which a test that has not answered is given up: it is asked again later."""

_AT_ONCE = 16


class Asked(Readiness):
    """Files of which the user's test has said that they are complete.

    Each test is a task of its own, a few at once, so that a slow one holds up nobody. One that says False, raises or doesn't answer is
    asked again, later each time; what it raises is told once.
    """

    def __init__(self, test: ReadyTest, world: World, tell: Callable[[], None]) -> None:
        self._test = test
        self._world = world
        self._tell = tell
        self._pauses = Pauses()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._complete: set[str] = set()
        self._said: str | None = None

    async def of(self, settled: Sequence[str], sweep: Sweep) -> Ready:  # noqa: ARG002 - it stands for every way
        self._complete.intersection_update(settled)
        due = self._pauses.due(settled, self._world.clock.monotonic())
        idle = [version for version in due if version not in self._tasks and version not in self._complete]
        for version in idle[: max(0, _AT_ONCE - len(self._tasks))]:
            self._pauses.asked(version)
            self._tasks[version] = asyncio.create_task(self._ask(version))
        # One that became another version while it was asked about has not settled, as that version, by now.
        return Ready([version for version in settled if version in self._complete])

    @property
    def next(self) -> float | None:
        return self._pauses.next if len(self._tasks) < _AT_ONCE else None  # a test that ends tells

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=1)  # a test may refuse to be cancelled

    async def _ask(self, version: str) -> None:
        path = self._world.root / version_of(version).path
        try:
            if await self._answer(path):
                self._complete.add(version)
            else:
                self._pauses.not_yet(version, self._world.clock.monotonic())
        finally:
            del self._tasks[version]
            self._tell()

    async def _answer(self, path: Path) -> bool:
        try:
            with within(LONGEST, self._world.clock):
                answer = cast("object", await self._test(path))
        except DeadlinePassed:
            self._say(path, f"gave no answer within {durations.text(LONGEST)}")
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            self._say(path, "cancelled itself")
        except BaseException as error:  # noqa: BLE001 - user code: whatever it raises, SystemExit too, only means that the file isn't ready
            self._say(path, f"raised {type(error).__name__}: {error}")
        else:
            if not isinstance(answer, bool):
                self._say(path, f"gave {type(answer).__name__}, neither True nor False")
            return answer is True
        return False

    def _say(self, path: Path, what: str) -> None:
        if what == self._said:
            return
        self._said = what
        error = SensorError(f"its test whether {escapes.path(path)} is ready {escapes.line(what)}. The file is asked about again later.")
        self._world.instrument.troubled(f"sensor {self._world.source}", error)


def _is_cancelled() -> bool:
    # These tasks are asyncio's own, in no scope of anyio's that could tell.
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
