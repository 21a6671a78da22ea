"""A sensor's health: what it is, since when and why, journaled where it changes; and a watch on sensors that hang."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import anyio

from eventflow import durations, facts, states
from eventflow.engine.failures import failure
from eventflow.errors import EventflowError
from eventflow.facts import Unit
from eventflow.ports import Ports, Sensor
from eventflow.projections import SensorRow
from eventflow.secret import without_secrets


class SensorHealth:
    """The health of one sensor, as far as it is journaled."""

    def __init__(self, sensor: Sensor[Any], ports: Ports, recorded: SensorRow | None) -> None:
        self._sensor = sensor
        self._ports = ports
        self._state = None if recorded is None else recorded.state
        self._reason = None if recorded is None else recorded.reason

    @classmethod
    async def of(cls, sensor: Sensor[Any], ports: Ports) -> SensorHealth:
        """Give a sensor's health as it was last journaled."""
        rows = await ports.journal.select(SensorRow, sensor=sensor.name)
        return cls(sensor, ports, rows[0] if rows else None)

    @property
    def is_paused(self) -> bool:
        """Whether a person paused the sensor."""
        return self._state == states.PAUSED

    def recovered(self, lagging: str | None = None) -> None:
        """Note that an observation has been committed; `lagging` is why the sensor is behind its source, if it is."""
        if lagging is None:
            self._change(states.HEALTHY, None)
        else:
            self._change(states.LAGGING, without_secrets(lagging))

    async def pause(self, reason: str) -> None:
        """Note, durably, that a person paused the sensor."""
        await self._changed(states.PAUSED, reason)

    async def resume(self) -> None:
        """Note, durably, that a person let the sensor go on."""
        await self._changed(states.STARTING, None)

    def degraded(self, error: BaseException) -> None:
        """Note that the sensor has failed."""
        told = failure(error)
        reason = without_secrets(told.message if isinstance(error, EventflowError) else str(told))
        is_news = (self._state, self._reason) != (states.DEGRADED, reason)
        if is_news and not isinstance(error, EventflowError):  # which has said all in the reason, and needs no traceback
            self._ports.instrument.troubled(f"sensor {self._sensor.name}", error)
        self._change(states.DEGRADED, reason)

    @contextmanager
    def watched(self) -> Generator[None]:
        """Give the sensor up where what it does here takes longer than it declares: cancel it, and raise `EventflowError`."""
        interval = self._sensor.interval
        with anyio.CancelScope() as scope:
            timer = None if interval is None else self._ports.clock.call_later(interval, lambda: self._give_up(scope))
            try:
                yield
            finally:
                if timer is not None:
                    timer.cancel()
        if scope.cancelled_caught:
            raise self._verdict

    @property
    def _verdict(self) -> EventflowError:
        longest = durations.text(self._sensor.interval or 0)
        return EventflowError(f"it hangs: no observation within {longest}, the longest that it declares")

    def _give_up(self, scope: anyio.CancelScope) -> None:
        # Said before the sensor has stopped: one that hangs in a thread may never do so.
        scope.cancel()
        self.degraded(self._verdict)

    def _change(self, state: str, reason: str | None) -> None:
        # What a person said stands until a person says otherwise: the sensor may still be ending.
        if (self._state, self._reason) == (state, reason) or self.is_paused:
            return
        self._ports.journal.enqueue(self._unit(state, reason))

    async def _changed(self, state: str, reason: str | None) -> None:
        await self._ports.journal.commit(self._unit(state, reason))

    def _unit(self, state: str, reason: str | None) -> Unit:
        self._state, self._reason = state, reason
        return Unit(self._ports.clock.now(), (facts.SensorChanged(self._sensor.name, state, reason),))
