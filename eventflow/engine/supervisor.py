"""Keeps the sensors at work: each in a coroutine of its own, so that one which fails or hangs never harms another."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from typing import Any, NoReturn, cast

import anyio

from eventflow import codec, facts
from eventflow.engine.attempt import is_cancelled
from eventflow.engine.backoff import Backoff
from eventflow.engine.dispatch import Dispatch
from eventflow.engine.groups import unwrapped
from eventflow.engine.health import SensorHealth
from eventflow.engine.identities import JournalSeen
from eventflow.engine.retention import Retention
from eventflow.errors import EngineClosed, EventflowError, JournalError, JournalFull
from eventflow.events import Observation
from eventflow.ports import Journal, Ports, Sensor, Watcher, World
from eventflow.projections import CursorRow


class Supervisor:
    """Observes all sensors for as long as `run` isn't cancelled."""

    def __init__(self, ports: Ports, dispatch: Dispatch, sensors: Iterable[Sensor[Any]], watcher: Watcher) -> None:
        self._kept = tuple(_Kept(sensor, ports, dispatch, _world(sensor, ports, watcher)) for sensor in sensors)

    async def run(self) -> None:
        """Observe until cancelled. Raises `JournalError` where the journal has failed."""
        with unwrapped():
            async with anyio.create_task_group() as tasks:
                for kept in self._kept:
                    tasks.start_soon(kept.keep)


def _world(sensor: Sensor[Any], ports: Ports, watcher: Watcher) -> World:
    return World(
        source=sensor.name,
        clock=ports.clock,
        random=ports.random,
        watcher=watcher,
        instrument=ports.instrument,
        journal=ports.journal,
    )


class _Kept:
    """One sensor, and what keeps it going."""

    def __init__(self, sensor: Sensor[Any], ports: Ports, dispatch: Dispatch, world: World) -> None:
        self._sensor = sensor
        self._ports = ports
        self._dispatch = dispatch
        self._world = world
        self._backoff = Backoff(ports.random)
        self._retention = Retention(ports, sensor.name)

    async def keep(self) -> None:
        """Observe; where that fails, say so, wait, and observe again."""
        health = await SensorHealth.of(self._sensor, self._ports)
        while True:
            try:
                await self._observe(health)
            except EngineClosed:
                return
            except BaseException as error:  # sensors are user code: whatever one raises, SystemExit too, degrades it alone
                if _concerns_all(error):
                    raise
                failed = error
            health.degraded(failed)
            await self._ports.clock.sleep(self._backoff.wait(failed))

    async def _observe(self, health: SensorHealth) -> NoReturn:
        journal, name = self._ports.journal, self._sensor.name
        await self._retention.look()
        cursor = await _cursor(journal, name)
        observations = _started(self._sensor.observe(codec.decode(cursor), JournalSeen(journal, name), self._world))
        try:
            while True:
                # Only the sensor's own work is watched: a commit under way is never cancelled for a sensor that was late.
                with health.watched():
                    observation = await _next(observations)
                self._ports.instrument.reached("engine.sensor.observed")
                cursor = await self._dispatch.accept(name, observation, cursor)
                health.recovered()
                self._backoff.reset()
                await self._retention.look()
        finally:
            with health.watched():
                await _close(observations)


def _concerns_all(error: BaseException) -> bool:
    if isinstance(error, asyncio.CancelledError):
        return is_cancelled()  # a sensor may raise it by itself: that would end all others without a word
    return isinstance(error, KeyboardInterrupt) or (isinstance(error, JournalError) and not isinstance(error, JournalFull))


async def _cursor(journal: Journal, source: str) -> bytes:
    rows = await journal.select(CursorRow, source=source)
    moved = (await journal.facts([rows[0].seq])).get(rows[0].seq) if rows else None
    return bytes(moved.cursor) if isinstance(moved, facts.CursorMoved) else codec.canonical(None)


def _started(observations: object) -> AsyncIterator[Observation[Any]]:
    if isinstance(observations, AsyncIterator):
        return cast("AsyncIterator[Observation[Any]]", observations)
    if inspect.iscoroutine(observations):
        observations.close()
    raise EventflowError(f"its observe() gives a {type(observations).__name__}: write it as `async def` with `yield` in it")


async def _next(observations: AsyncIterator[Observation[Any]]) -> Observation[Any]:
    try:
        return await anext(observations)
    except StopAsyncIteration:
        raise EventflowError("it ended: a sensor's observe() must go on for ever") from None


async def _close(observations: AsyncIterator[object]) -> None:
    # A sensor may be an async generator, which must be closed where it is iterated, or any other iterator.
    if isinstance(observations, AsyncGenerator):
        await observations.aclose()
