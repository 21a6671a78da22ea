"""One node of a run: the future of its outcome, and the endings that need no beginning. What it does between is said by its kind."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import anyio
from anyio import TaskHandle

from eventflow import facts, states
from eventflow.definition.graph import TASK, Node, dependencies
from eventflow.definition.options import Predicate
from eventflow.engine import failures
from eventflow.engine.attempt import is_cancelled
from eventflow.engine.frame import NEW, Frame, Past, Wish
from eventflow.engine.inputs import Reader, available, resolve
from eventflow.engine.outcome import Outcome
from eventflow.facts import Fact


@dataclass(frozen=True, slots=True)
class Placed:
    """A node where it stands: in which run, with what to read, under which name and path, and with which past."""

    frame: Frame
    reader: Reader
    node: Node
    name: str
    path: str
    past: Past = NEW


class Spoilt(Exception):
    """What a node needs to begin is no good: `error`, which user code raised, is its failure, for this `reason`."""

    def __init__(self, reason: str, error: BaseException) -> None:
        super().__init__(reason)
        self.reason = reason
        self.error = error


@contextmanager
def user_code(reason: str) -> Generator[None]:
    """Run user code that is no body: whatever it raises, SystemExit too, is `Spoilt`, but for a cancellation of whoever runs it."""
    try:
        yield
    except BaseException as error:
        if is_cancelled():
            raise
        raise Spoilt(reason, error) from error


class NodeExecution:
    """A node, named as it is in its run. `outcome` is set once, when it has ended, and what it says is durable by then.

    `queued` says that its gate has opened and it waits for a limit. `due` tells when it wants to begin again (microseconds UTC), where it
    has begun, hasn't ended and doesn't wait for the world; `under_way` is the coroutine in which it is at work.
    """

    __slots__ = (
        "due",
        "frame",
        "is_cancelled",
        "name",
        "node",
        "outcome",
        "past",
        "queued",
        "reader",
        "settling",
        "suspended",
        "under_way",
    )

    def __init__(self, placed: Placed) -> None:
        self.frame = placed.frame
        self.reader = placed.reader
        self.node = placed.node
        self.name = placed.name
        self.past = past = placed.past
        self.due = past.due
        self.queued = past.state == states.QUEUED
        self.suspended = past.state == states.SUSPENDED
        self.is_cancelled = self.settling = False
        self.outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.under_way: TaskHandle[None] | None = None
        if past.outcome is not None:
            self.outcome.set_result(self.passing(past.outcome))

    @property
    def attempt(self) -> int:
        """The number of its last attempt, 0 before the first one."""
        return 0

    @property
    def has_row(self) -> bool:
        """Whether the journal has a row of it."""
        return bool(self.past.state) or self.queued or self.suspended

    @property
    def is_closing(self) -> bool:
        """Whether it runs at the end, on a cancel too."""
        return self.node.role != TASK

    @property
    def wish(self) -> Wish | None:
        """Why it is to stop."""
        if self.is_cancelled:
            return Wish.CANCEL
        if self.frame.ending is not None and not self.is_closing:
            return self.frame.ending
        return Wish.SHUTDOWN if self.frame.shutdown else None

    # What its gate may say

    async def begin(self) -> None:
        """Do what the node is for, once its gate has opened, until it has ended, waits, or is to begin again when it is due."""
        try:
            if self.wish is None:
                await self.work()
        except Spoilt as spoilt:
            await self.fail(spoilt.reason, spoilt.error)
        finally:
            if self.is_cancelled and not self.outcome.done():
                await self.settle(Outcome(states.CANCELLED, self.name), *self.cancelled())

    async def work(self) -> None:
        """Do what the node is for."""
        raise NotImplementedError

    async def skip(self, cause: Outcome | None) -> None:
        """Record that the node isn't run, because of a skipped one or of its own rule."""
        by = self.name if cause is None else cause.by or cause.node
        await self.settle(Outcome(states.SKIPPED, self.name, by=by), facts.NodeSkipped(self.frame.run, self.name, by))

    async def fail_upstream(self, cause: Outcome | None) -> None:
        """Record that the node can't run, and tell those that depend on it."""
        by = self.name if cause is None else cause.node
        outcome = Outcome(states.UPSTREAM_FAILED, self.name, failure=None if cause is None else cause.failure)
        await self.settle(outcome, facts.NodeUpstreamFailed(self.frame.run, self.name, by))

    async def fail(self, reason: str, error: BaseException) -> None:
        """Record that the node could not begin."""
        what = failures.failure(error)
        failed = facts.NodeFailed(self.frame.run, self.name, reason, what, begun=self.has_row)
        await self.settle(Outcome(states.FAILED, self.name, failure=what), failed)

    async def cancel(self) -> None:
        """End the node, whatever it does. What is running is told to stop, and records its ending by itself."""
        self.is_cancelled = True
        await self.abandon()
        if self.under_way is not None:
            self.under_way.cancel()
        elif not self.outcome.done():
            await self.settle(Outcome(states.CANCELLED, self.name), *self.cancelled())

    async def abandon(self) -> None:
        """Give up what the node has elsewhere, because it is about to be cancelled."""

    def cancelled(self) -> tuple[Fact, ...]:
        """Give the facts by which the node is cancelled, with no attempt of it running."""
        return (facts.NodeCancelled(self.frame.run, self.name, self.attempt, begun=self.has_row and not self.attempt),)

    async def settle(self, outcome: Outcome, *happened: Fact) -> None:
        """Record the node's end durably, then tell it. Of two ends that come together the first one counts."""
        if self.settling:
            await asyncio.wait([self.outcome])
            return
        self.settling = True
        with anyio.CancelScope(shield=True):
            await self.frame.commit(*happened)
            self.tell(outcome)

    def tell(self, outcome: Outcome) -> None:
        """Tell the node's end, which is durable."""
        self.suspended = False
        if not self.outcome.done():
            self.outcome.set_result(self.passing(outcome))

    def passing(self, outcome: Outcome) -> Outcome:
        """Give an outcome with whether it hands a value on, though it is none of success."""
        if outcome.state != states.SKIPPED or not self.node.passes:
            return outcome
        first = next(iter(self.node.inputs.values()))
        return outcome._replace(passes=available(first, self.reader))

    async def asked(self) -> bool:
        """Ask the node's predicate, record what it said, and tell whether the node is to begin."""
        frame, rule = self.frame, self.predicate
        if self.wish is not None:
            return False
        try:
            with user_code(states.RULE):
                runs = callable(rule) and bool(rule(self._upstream()))
        except Spoilt as spoilt:
            await self.fail(spoilt.reason, spoilt.error)
            return False
        if not runs:
            await self.skip(None)
            return False
        with anyio.CancelScope(shield=True):
            self.queued = True
            await frame.commit(facts.NodeQueued(frame.run, self.name))
        frame.ports.instrument.reached("engine.rule.asked")
        return True

    @property
    def predicate(self) -> str | Predicate:
        """The node's rule as its task has it today."""
        return self.node.rule

    def _upstream(self) -> dict[str, str]:
        names = (name for one in dependencies(self.node) for name in one.nodes)
        return {name: self.reader.outcome(name).state for name in names}

    # What others take of it

    async def value(self) -> object:
        """Give what it hands on, as a fresh copy."""
        raise NotImplementedError

    async def passed(self, annotation: object) -> object:
        """Give its first input, which a skipped node that `passes` hands on."""
        first = next(iter(self.node.inputs.values()))
        return await resolve(first, annotation, self.reader)
