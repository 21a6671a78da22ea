"""When a file is complete: what each way of telling it must offer, and the ways that need nothing but settling."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eventflow.sensors.files.identities import Beginning, There
from eventflow.sensors.files.sweep import Sweep


@dataclass(frozen=True, slots=True)
class Ready:
    """Versions that are complete, in their order, and identities that are to be taken with them without firing anything."""

    versions: Sequence[str]
    known: Sequence[str] = ()


class Readiness(ABC):
    """One start of a sensor's way of telling which files are complete."""

    def beside(self, name: str) -> bool:  # noqa: ARG002 - for those that need it
        """Tell whether a file of this name is no data, but tells about other files."""
        return False

    def begin(self, seen: Mapping[str, int | None], there: There) -> Beginning:  # noqa: ARG002 - as above
        """Take what the journal has seen of `known` identities; `there` is what the first look found beside."""
        return Beginning((), ())

    @abstractmethod
    async def of(self, settled: Sequence[str], sweep: Sweep) -> Ready:
        """Tell which of the versions that have settled are complete. It is asked again about the others at each look."""

    def gone(self, there: There) -> tuple[str, ...]:  # noqa: ARG002 - as above
        """Give the `known` identities of what is no longer there, and take them no more."""
        return ()

    @property
    def next(self) -> float | None:
        """When to ask again even without news, by the clock that never jumps, or None."""
        return None

    async def close(self) -> None:
        """End what goes on beside."""
        return


class Settled(Readiness):
    """What has settled is complete: `ready="settle"`, and `"atomic"`, where nothing needs to settle."""

    async def of(self, settled: Sequence[str], sweep: Sweep) -> Ready:  # noqa: ARG002 - as above
        return Ready(settled)


class Pauses:
    """When to ask again about what was not ready: twice as late each time. Pure."""

    def __init__(self, shortest: float = 1.0, longest: float = 60.0) -> None:
        self._shortest = shortest
        self._longest = longest
        self._due: dict[str, tuple[float, float]] = {}

    def due(self, names: Sequence[str], now: float) -> list[str]:
        """Give those about which to ask now, and forget all that aren't among the names."""
        self._due = {name: self._due[name] for name in names if name in self._due}
        return [name for name in names if name not in self._due or self._due[name][0] <= now]

    def asked(self, name: str) -> None:
        """Note that it is being asked about: until `not_yet`, it isn't due again."""
        if name in self._due:
            self._due[name] = (math.inf, self._due[name][1])

    def not_yet(self, name: str, now: float) -> None:
        """Note that it wasn't ready."""
        delay = min(2 * self._due[name][1], self._longest) if name in self._due else self._shortest
        self._due[name] = (now + delay, delay)

    @property
    def next(self) -> float | None:
        """When to ask about the next of them."""
        return min((due for due, _ in self._due.values() if due != math.inf), default=None)
