"""What the nodes of one run share, and what was recorded of a node before this process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from eventflow import facts
from eventflow.context import Ended, Stop
from eventflow.definition.bodies import AnyBody
from eventflow.definition.pipelines import Call
from eventflow.engine.checkpoints import Saved
from eventflow.engine.limits import Limits
from eventflow.engine.outcome import Outcome
from eventflow.engine.scope import Scope
from eventflow.engine.steps import accepted
from eventflow.engine.values import Values
from eventflow.engine.wanted import OpenWait
from eventflow.facts import Fact, Unit, Value
from eventflow.ports import Ports


class Wish(Enum):
    """Why a run, or a node, is to stop: for good, out of time, or until the next process takes it up."""

    CANCEL = "cancel"
    TIMEOUT = "timeout"
    SHUTDOWN = "shutdown"


@dataclass(frozen=True, slots=True)
class Past:
    """What was recorded of a node before: how it ended (`outcome`), or in which state it was and how far it had got.

    `due` is when it is tried again, `queued_until` how long it waits for its limits (microseconds UTC). `failures` are those since its
    fallback took over, if that has (`fallback`). `items` are a map's, as they were recorded; it `is_unwanted` where it was to be cancelled.
    """

    state: str = ""
    outcome: Outcome | None = None
    attempt: int = 0
    failures: int = 0
    crashes: int = 0
    due: int | None = None
    queued_until: int | None = None
    fallback: bool = False
    items: Value | None = None
    is_unwanted: bool = False
    saved: Saved = field(default_factory=Saved)


NEW = Past()
"""Nothing was recorded."""


Spawned = Callable[[], Coroutine[Any, Any, None]]
"""A coroutine function that a run is to own."""


class Owner(Protocol):
    """What nodes ask of the run that owns them."""

    def spawn(self, function: Spawned, *, closing: bool = False) -> None:
        """Start a coroutine of the run; a `closing` one isn't stopped by a cancel."""
        ...

    def open(self, scope: Scope) -> None:
        """Make the nodes of a scope, and have each wait at its gate or go on where it was."""
        ...


class Outside(Protocol):
    """What nodes ask of the engine: to wait for the world, and to have other pipelines run."""

    def suspend(self, wait: OpenWait) -> None:
        """Take a wait that has just become durable."""
        ...

    def drop(self, run: str, node: str) -> None:
        """Forget a wait that has ended."""
        ...

    def submission(self, call: Call[Any], key: str | None, *, parent: str, node: str) -> facts.RunSubmitted:
        """Give the fact that asks for a child run. Raises `EventflowError`s for what can't be meant."""
        ...

    async def commit(self, submission: facts.RunSubmitted, *along: Fact) -> tuple[str, bool]:
        """Have a child run, which becomes durable with what goes along. Gives its run and True, or the one that has its key and False."""
        ...

    def waits_for(self, run: str, other: str) -> bool:
        """Tell whether a run waits for another one's end, or for one that does."""
        ...

    async def cancel_children(self, run: str, node: str) -> None:
        """Have the open runs cancelled that a node has begun."""
        ...


class Attempting(Protocol):
    """A node with an attempt under way."""

    stop: Stop | None

    @property
    def is_closing(self) -> bool:
        """Whether it runs at the end, on a cancel too."""
        ...


@dataclass(slots=True)
class Frame:
    """What the nodes of one run share.

    `bodies` and `past` are by path and by name. `careful` makes every start durable before its body; `alone`, which is one for all runs, is
    held by a node on its last chance. Where nodes wait for a limit, those of the smallest `order` come first. `ending` is set once the run
    is to end before its time, `shutdown` once the process is to end. `attempting` are the nodes with an attempt under way.
    """

    run: str
    pipeline: str
    ports: Ports
    values: Values
    bodies: Mapping[str, AnyBody]
    past: Mapping[str, Past]
    careful: bool
    alone: asyncio.Lock
    limits: Limits
    outside: Outside
    owner: Owner
    ended: Callable[[str | None], Ended]
    order: int = 0
    ending: Wish | None = None
    shutdown: bool = False
    attempting: set[Attempting] = field(default_factory=set["Attempting"])

    def unit(self, *happened: Fact) -> Unit:
        """Give facts as a unit made now."""
        return Unit(self.ports.clock.now(), happened)

    async def commit(self, *happened: Fact) -> None:
        """Commit facts as a unit made now."""
        await self.ports.journal.commit(self.unit(*happened))

    async def accepted(self, *happened: Fact) -> bool:
        """Commit facts as a unit made now, and tell whether the journal took them: something else may have come first."""
        return await accepted(self.ports, *happened)
