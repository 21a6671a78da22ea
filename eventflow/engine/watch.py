"""One sensor, and what keeps it going."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, cast

import anyio

from eventflow import codec, facts
from eventflow.engine.attempt import is_cancelled
from eventflow.engine.backoff import Backoff
from eventflow.engine.dispatch import Dispatch
from eventflow.engine.health import SensorHealth
from eventflow.engine.identities import JournalSeen
from eventflow.engine.retention import Retention
from eventflow.errors import EngineClosed, EventflowError, JournalError, JournalFull
from eventflow.events import Observation
from eventflow.ports import Journal, Ports, Sensor, Watcher, World
from eventflow.projections import CursorRow

_PATIENCE = 60.0
"""Seconds that a first look is left to itself, however often its sensor is poked."""


class Watch:
    """Observes one sensor: again where it fails, not while it is paused, and anew when it is poked."""

    def __init__(self, sensor: Sensor[Any], ports: Ports, dispatch: Dispatch, *, root: Path, retention: int) -> None:
        self.sensor = sensor
        self.looked = anyio.Event()
        self.looked_at: int | None = None
        self._root = root
        self._ports = ports
        self._dispatch = dispatch
        self._backoff = Backoff(ports.random)
        self._retention = Retention(ports, sensor.name, retention)
        self._health: SensorHealth | None = None
        self._news = anyio.Event()
        self._scope: anyio.CancelScope | None = None
        self._anew = False
        self._looking_since: float | None = None
        self._switching = anyio.Lock()

    @property
    def is_paused(self) -> bool:
        """Whether the sensor is paused."""
        return self._health is not None and self._health.is_paused

    async def keep(self, watcher: Watcher) -> None:
        """Observe until cancelled; where that fails, say so, wait, and observe again."""
        health = await self.health()
        while True:
            try:
                await self._until_resumed(health)
                await self._observe(health, watcher)
            except _Anew:
                continue
            except EngineClosed:
                return
            except BaseException as error:  # sensors are user code: whatever one raises, SystemExit too, degrades it alone
                if _concerns_all(error):
                    raise
                failed = error
            health.degraded(failed)
            try:
                with self._interruptible():
                    await self._ports.clock.sleep(self._backoff.wait(failed))
            except _Anew:
                continue

    async def health(self) -> SensorHealth:
        """Give the sensor's health, which is read from the journal at the first time."""
        if self._health is None:
            health = await SensorHealth.of(self.sensor, self._ports)
            self._health = self._health or health
        return self._health

    async def pause(self, reason: str) -> None:
        """Have it look no more: durably, once this returns."""
        async with self._switching:
            health = await self.health()
            if not health.is_paused:
                try:
                    await health.pause(reason)
                finally:  # whoever asked may be gone: it is committed all the same
                    self._begin_anew()

    async def resume(self) -> None:
        """Let it go on: durably, once this returns. Nothing where it isn't paused."""
        async with self._switching:
            health = await self.health()
            if health.is_paused:
                try:
                    await health.resume()
                finally:  # as above
                    self._begin_anew()

    def poke(self) -> None:
        """Have it look at once; nothing where it is having a first look: it would never end if it were begun anew again and again."""
        if self._looking_since is None or self._ports.clock.monotonic() - self._looking_since > _PATIENCE:
            self._begin_anew()

    async def _until_resumed(self, health: SensorHealth) -> None:
        while health.is_paused:
            self._anew = False
            self._news = anyio.Event()
            await self._news.wait()
        self._anew = False

    async def _observe(self, health: SensorHealth, watcher: Watcher) -> NoReturn:
        journal, name = self._ports.journal, self.sensor.name
        await self._retention.look()
        cursor = await _cursor(journal, name)
        observations = _started(self.sensor.observe(codec.decode(cursor), JournalSeen(journal, name), self._world(watcher)))
        begun = self._looking_since = self._ports.clock.monotonic()
        try:
            while True:
                # Only the sensor's own work is watched and interrupted: a commit under way is never cancelled for its sake.
                with health.watched(), self._interruptible():
                    observation = await _next(observations)
                self._ports.instrument.reached("engine.sensor.observed")
                cursor = await self._dispatch.accept(name, observation, cursor)
                self.looked_at, self._looking_since = self._ports.clock.now(), None
                self.looked.set()
                health.recovered(observation.lagging)
                await self._retention.look()
        finally:
            if self._looking_since is None:
                self._backoff.lasted(self._ports.clock.monotonic() - begun)
            self._looking_since = None
            with health.watched():
                await _close(observations)

    @contextmanager
    def _interruptible(self) -> Generator[None]:
        """Let `_begin_anew` end what happens in the block: that raises `_Anew` then, or at once where it was asked for before."""
        with anyio.CancelScope() as scope:
            if self._anew:
                scope.cancel()
            self._scope = scope
            try:
                yield
            finally:
                self._scope = None
        if scope.cancelled_caught:
            raise _Anew

    def _begin_anew(self) -> None:
        self._anew = True
        self._news.set()
        if self._scope is not None:
            self._scope.cancel()

    def _world(self, watcher: Watcher) -> World:
        ports = self._ports
        return World(
            source=self.sensor.name,
            clock=ports.clock,
            random=ports.random,
            watcher=watcher,
            instrument=ports.instrument,
            journal=ports.journal,
            root=self._root,
        )


class _Anew(Exception):
    """The sensor is to be observed anew, from its cursor."""


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
    except (EngineClosed, JournalError) as error:  # of another engine, perhaps; where ours has failed, whoever writes next hears of it
        raise EventflowError(f"it raised {type(error).__name__}: {error}") from error


async def _close(observations: AsyncIterator[object]) -> None:
    # A sensor may be an async generator, which must be closed where it is iterated, or any other iterator.
    if isinstance(observations, AsyncGenerator):
        await observations.aclose()
