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

    def recovered(self) -> None:
        """Note that an observation has been committed."""
        self._change(states.HEALTHY, None)

    def degraded(self, error: BaseException) -> None:
        """Note that the sensor has failed."""
        told = failure(error)
        reason = told.message if isinstance(error, EventflowError) else str(told)
        if (self._state, self._reason) != (states.DEGRADED, reason):
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
        if (self._state, self._reason) == (state, reason):
            return
        self._state, self._reason = state, reason
        changed = facts.SensorChanged(self._sensor.name, state, reason)
        self._ports.journal.enqueue(Unit(self._ports.clock.now(), (changed,)))
