"""What an attempt must have before it may start: amounts of named resources, and its task's rate. Who waits for these is `queued`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from eventflow.definition.bodies import AnyBody, Body
from eventflow.definition.options import TaskOptions
from eventflow.engine.rates import Rates, Token
from eventflow.engine.resources import Hold, Resources
from eventflow.ports import Clock
from eventflow.projections import RateRow


class Entry:
    """What an attempt has got: the amounts that it holds until `release` is called, and leave to start once."""

    def __init__(self, hold: Hold, token: Token | None) -> None:
        self._hold = hold
        self._token = token

    def start(self) -> RateRow | None:
        """Start now. Gives what is to be recorded durably with the start, before the body is called; None where no rate is kept."""
        return None if self._token is None else self._token.use()

    def release(self) -> None:
        """Give the amounts back, and the start where there was none. A second call does nothing."""
        if self._token is not None:
            self._token.give_back()
        self._hold.release()


class Limits:
    """The limits of an engine. `resources` are the sizes of those that there are."""

    def __init__(self, clock: Clock, resources: Mapping[str, float]) -> None:
        self._resources = Resources(resources)
        self._rates = Rates(clock)

    def check(self, bodies: Mapping[str, AnyBody], where: str | None) -> None:
        """Raise `DefinitionError` where a task asks for what it could never have."""
        for body in bodies.values():
            if isinstance(body, Body):
                self._resources.check(body.options.uses, where)

    def recall(self, rates: Iterable[RateRow]) -> None:
        """Count what earlier processes have started, before anything is started here."""
        self._rates.recall(rates)

    async def enter(self, body: Body, order: int) -> Entry:
        """Wait for what an attempt needs, the smallest `order` first. Cancelled, it holds nothing."""
        options = body.options
        hold = await self._resources.acquire(options.uses, order)
        if options.limit is None:
            return Entry(hold, None)
        try:
            return Entry(hold, await self._rates.take(body.path, options.limit, order))
        except BaseException:  # a cancellation: what it holds is for others
            hold.release()
            raise


def is_limited(options: TaskOptions) -> bool:
    """Tell whether an attempt may have to wait for anything."""
    return bool(options.uses) or options.limit is not None
