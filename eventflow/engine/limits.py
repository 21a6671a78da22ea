"""What an attempt must have before it may start: its task's rate, and amounts of named resources. Who waits for these is `queued`."""

from __future__ import annotations

from collections.abc import Mapping

from eventflow.definition.bodies import AnyBody, Body
from eventflow.definition.options import TaskOptions
from eventflow.engine.rates import Rates
from eventflow.engine.resources import Hold, Resources
from eventflow.ports import Clock


class Limits:
    """The limits of an engine. `resources` are the sizes of those that there are."""

    def __init__(self, clock: Clock, resources: Mapping[str, float], *, fresh: bool) -> None:
        self._resources = Resources(resources)
        self._rates = Rates(clock, full=fresh)

    def check(self, bodies: Mapping[str, AnyBody], where: str | None) -> None:
        """Raise `DefinitionError` where a task asks for what it could never have."""
        for body in bodies.values():
            if isinstance(body, Body):
                self._resources.check(body.options.uses, where)

    async def enter(self, task: str, options: TaskOptions, order: int) -> Hold:
        """Wait for what an attempt needs, the smallest `order` first. Cancelled, it holds nothing."""
        hold = await self._resources.acquire(options.uses, order)
        if options.limit is not None:
            try:
                await self._rates.take(task, options.limit, order)
            except BaseException:  # a cancellation: what it holds is for others
                hold.release()
                raise
        return hold


def is_limited(options: TaskOptions) -> bool:
    """Tell whether an attempt may have to wait for anything."""
    return bool(options.uses) or options.limit is not None
