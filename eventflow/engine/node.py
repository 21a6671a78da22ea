"""One node of a run: its attempts, one after the other, and the future of its outcome.

Each attempt is two facts. Its start is journaled with or before its ending, or durably before the body where a crash under the body must
be found out. Its ending is durable before the outcome is told to anyone, and is recorded even while the run is being stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import anyio

from eventflow import facts, states
from eventflow.context import Context, Stop
from eventflow.definition.bodies import Body
from eventflow.definition.graph import Node
from eventflow.durations import SECOND
from eventflow.engine import failures
from eventflow.engine.attempt import Ending, Raised, Returned, Stopped, attempt, is_cancelled
from eventflow.engine.checkpoints import AttemptCheckpoint, Saved
from eventflow.engine.gate import Outcome
from eventflow.engine.inputs import Read, arguments
from eventflow.engine.values import Values
from eventflow.facts import Fact, Unit, Value
from eventflow.ports import Ports, Slot


class Wish(Enum):
    """Why a run is to stop."""

    CANCEL = "cancel"
    SHUTDOWN = "shutdown"


@dataclass(slots=True)
class Frame:
    """What the nodes of one run share.

    `careful` makes every start durable before its body; `start` starts a coroutine of the run; `alone`, which is one for all runs, is
    held by a node on its last chance. `wish` is set once the run is to stop; `active` counts the attempts under way.
    """

    run: str
    pipeline: str
    ports: Ports
    values: Values
    careful: bool
    parameter: Read
    output: Read
    start: Callable[[Callable[[], Coroutine[Any, Any, None]]], None]
    alone: asyncio.Lock
    wish: Wish | None = None
    active: int = 0

    def unit(self, *happened: Fact) -> Unit:
        """Give facts as a unit made now."""
        return Unit(self.ports.clock.now(), happened)


@dataclass(frozen=True, slots=True)
class Past:
    """What was recorded of a node before this process: how it ended (`outcome`), or how far it got. `due` is when it is tried again."""

    outcome: Outcome | None = None
    attempt: int = 0
    failures: int = 0
    crashes: int = 0
    due: int | None = None
    saved: Saved = field(default_factory=Saved)


class NodeExecution:
    """A node's attempts. `outcome` is set once, when it has ended; until then `due` tells when a failed one is tried again."""

    __slots__ = ("_body", "_busy", "_failures", "_frame", "_saved", "_started_at", "attempt", "crashes", "due", "node", "outcome", "stop")

    def __init__(self, frame: Frame, node: Node, body: Body, past: Past) -> None:
        self.node = node
        self.attempt = past.attempt
        self.crashes = past.crashes
        self.due = past.due
        self.outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.stop: Stop | None = None
        self._frame = frame
        self._body = body
        self._failures = past.failures
        self._saved = past.saved
        self._started_at = 0
        self._busy: Slot | None = None
        if past.outcome is not None:
            self.outcome.set_result(past.outcome)

    @property
    def wait(self) -> float:
        """Seconds until the node may be tried."""
        return 0.0 if self.due is None else max(0.0, (self.due - self._frame.ports.clock.now()) / SECOND)

    async def run(self) -> None:
        """Make one attempt and record how it ended. Where a shutdown or a cancel came first, make none."""
        if self._busy is not None:
            await self._busy.ended()
        async with self._frame.alone if self._on_last_chance else _IN_COMPANY, self._frame.ports.executor.slot(self._body.fn) as slot:
            if self._frame.wish is not None:
                return
            self._busy = slot
            self._frame.active += 1
            try:
                await self._record_start()
                await self._attempt(slot)
            finally:
                self._frame.active -= 1

    async def fail_upstream(self, cause: Outcome) -> None:
        """Record that the node can't run, and tell those that depend on it."""
        frame, by = self._frame, cause.node
        frame.ports.journal.enqueue(frame.unit(facts.NodeUpstreamFailed(frame.run, self.node.name, by)))
        self.outcome.set_result(Outcome(states.UPSTREAM_FAILED, self.node.name, failure=cause.failure))

    @property
    def _on_last_chance(self) -> bool:
        # Of several nodes under which the process died, one is the culprit: each alone, it dies without taking the others along.
        return self.crashes > 0 and self.crashes + 1 >= self._body.options.max_crashes

    # One attempt

    async def _record_start(self) -> None:
        frame = self._frame
        self.attempt += 1
        self.due = None
        unit = frame.unit(facts.AttemptStarted(frame.run, self.node.name, self.attempt))
        self._started_at = unit.at
        if frame.careful or self._body.options.at_most_once:
            with anyio.CancelScope(shield=True):
                await frame.ports.journal.commit(unit)
        else:
            frame.ports.journal.enqueue(unit)
        frame.ports.instrument.reached("engine.attempt.started")

    async def _attempt(self, slot: Slot) -> None:
        self.stop = Stop()
        checkpoint = AttemptCheckpoint(self._saved, self._frame.values, self._save, self._frame.start, self._frame.ports.instrument)
        ending = await self._call(slot, checkpoint, self.stop)
        self.stop = None
        self._frame.ports.instrument.reached("engine.attempt.ended")
        with anyio.CancelScope(shield=True):
            if isinstance(ending, Returned) and self._frame.wish is not Wish.CANCEL:
                checkpoint.drop()
                await self._succeed(ending)
                return
            await checkpoint.close()
            self._saved = checkpoint.saved
            if isinstance(ending, Raised) and self._frame.wish is not Wish.CANCEL:
                await self._fail(ending)
            else:
                begun = not isinstance(ending, Stopped) or ending.begun
                await self._be_stopped(slot, begun=begun)

    async def _call(self, slot: Slot, checkpoint: AttemptCheckpoint, stop: Stop) -> Ending:
        frame = self._frame
        context = Context(frame.run, frame.pipeline, self.node.name, self.attempt, checkpoint, stop)
        try:
            args, kwargs = await arguments(self.node, self._body, frame.parameter, frame.output)
            await checkpoint.open()
        except BaseException as error:  # noqa: BLE001 - inputs are user values: whatever one raises when it is read fails this attempt alone
            return Stopped(begun=False) if is_cancelled() else Raised(error, states.INPUT)
        if frame.wish is not None:
            # It came while the start was recorded or the inputs were read: the body isn't begun any more.
            return Stopped(begun=False)
        return await attempt(self._body, args, kwargs, context=context, slot=slot, values=frame.values, clock=frame.ports.clock)

    async def _save(self, position: int, state: Value | None) -> None:
        frame = self._frame
        saved = facts.CheckpointSaved(frame.run, self.node.name, self.attempt, position, state)
        await frame.ports.journal.commit(frame.unit(saved))
        frame.ports.instrument.reached("engine.checkpoint.saved")

    # Its ending

    async def _succeed(self, ending: Returned) -> None:
        frame, name = self._frame, self.node.name
        try:
            result = await frame.values.keep(ending.result)
        except OSError as error:
            await self._fail(Raised(error, states.RESULT))
            return
        succeeded = facts.AttemptSucceeded(frame.run, name, self.attempt, self._started_at, result)
        await frame.ports.journal.commit(frame.unit(succeeded))
        frame.ports.instrument.reached("engine.attempt.succeeded")
        self.outcome.set_result(Outcome(states.SUCCEEDED, name, result))

    async def _fail(self, ending: Raised) -> None:
        frame, name = self._frame, self.node.name
        self._failures += 1
        what = failures.failure(ending.error)
        now = frame.ports.clock.now()
        due = self._next_try(ending.error, now)
        failed = facts.AttemptFailed(frame.run, name, self.attempt, self._started_at, ending.reason, what, due)
        if due is not None:
            await frame.ports.journal.commit(Unit(now, (failed,)))
            frame.ports.instrument.reached("engine.attempt.failed")
            self.due = due
            return
        await frame.ports.journal.commit(Unit(now, (failed, facts.NodeFailed(frame.run, name, states.FAILED))))
        self.outcome.set_result(Outcome(states.FAILED, name, failure=what))

    def _next_try(self, error: BaseException, now: int) -> int | None:
        retry = self._body.options.retry
        if self._failures >= retry.attempts or not isinstance(error, retry.on):
            return None
        return now + round(retry.wait(self._failures, self._frame.ports.random.fraction()) * SECOND)

    async def _be_stopped(self, slot: Slot, *, begun: bool) -> None:
        frame, name = self._frame, self.node.name
        reason = states.ABANDONED if slot.running else states.CANCELLED
        # Cancelled from around the engine, before the engine itself could say why.
        frame.wish = frame.wish or Wish.SHUTDOWN
        if frame.wish is Wish.CANCEL:
            cancelled = facts.AttemptCancelled(frame.run, name, self.attempt, self._started_at, reason)
            await frame.ports.journal.commit(frame.unit(cancelled))
            self.outcome.set_result(Outcome(states.CANCELLED, name))
            return
        lost = facts.AttemptLost(frame.run, name, self.attempt, self._started_at, states.SHUTDOWN, self.crashes)
        if begun and self._body.options.at_most_once:
            await frame.ports.journal.commit(frame.unit(lost, facts.NodeFailed(frame.run, name, states.UNKNOWN)))
            self.outcome.set_result(Outcome(states.FAILED, name, failure=failures.lost(states.UNKNOWN)))
            return
        await frame.ports.journal.commit(frame.unit(lost))


_IN_COMPANY = nullcontext()
