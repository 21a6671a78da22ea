"""Sensors tried without being started: whether each of them could look."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import anyio
import msgspec

from eventflow import durations
from eventflow.engine.failures import failure
from eventflow.errors import EventflowError
from eventflow.ports import Checkable, Sensor, World

PATIENCE = 10.0
"""For how many seconds a sensor may try."""


class Trial(msgspec.Struct, frozen=True):
    """What came of trying a sensor: `ok`, `wrong` with what is wrong, or `untried` where it doesn't offer that."""

    sensor: str
    outcome: str
    reason: str | None = None


class Trials:
    """The trials of some sensors: what isn't known of one that hasn't answered yet."""

    def __init__(self, sensors: Iterable[Sensor[Any]], patience: float = PATIENCE) -> None:
        self._sensors = tuple(sensors)
        self._patience = patience
        self._known: dict[str, Trial] = {}

    async def run(self, world: Callable[[Sensor[Any]], World]) -> None:
        """Try all of them at once, each in the world that it is given. Nothing is changed, and no event is taken."""
        async with anyio.create_task_group() as tasks:
            for sensor in self._sensors:
                tasks.start_soon(self._try, sensor, world)

    def results(self) -> list[Trial]:
        """Give what came of each, in their order. May be asked from another thread: who hasn't answered hangs."""
        return [self._known.get(sensor.name) or self._hanging(sensor) for sensor in self._sensors]

    async def _try(self, sensor: Sensor[Any], world: Callable[[Sensor[Any]], World]) -> None:
        if not isinstance(sensor, Checkable):
            self._known[sensor.name] = Trial(sensor.name, "untried", "it offers no check")
            return
        with anyio.move_on_after(self._patience):
            self._known[sensor.name] = await _tried(sensor, sensor.name, world(sensor))

    def _hanging(self, sensor: Sensor[Any]) -> Trial:
        return Trial(sensor.name, "wrong", f"it hangs: no answer within {durations.text(self._patience)}")


async def _tried(sensor: Checkable, name: str, world: World) -> Trial:
    try:
        await sensor.check(world)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - sensors are user code: whatever one raises is said of it alone
        told = failure(error)
        return Trial(name, "wrong", told.message if isinstance(error, EventflowError) else str(told))
    return Trial(name, "ok")
