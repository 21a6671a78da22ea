"""A node that calls a task's function: its attempts, one after the other.

Each attempt is two facts. Its start is journaled with or before its ending, or durably before the body where a crash under the body must
be found out. Its ending is durable before the outcome is told to anyone, and is recorded even while the run is being stopped.
"""

from __future__ import annotations

from typing import Any

import anyio
from msgspec.structs import replace

from eventflow import durations, facts, states
from eventflow.context import Context, Stop
from eventflow.definition.bodies import Body
from eventflow.definition.options import NoFallback, Predicate, TaskOptions
from eventflow.definition.retries import next_try
from eventflow.durations import SECOND
from eventflow.engine import failures
from eventflow.engine.attempt import Ending, Left, Raised, Returned, Stopped, attempt, is_cancelled
from eventflow.engine.checkpoints import AttemptCheckpoint
from eventflow.engine.frame import Wish
from eventflow.engine.inputs import arguments
from eventflow.engine.limits import Entry, is_limited
from eventflow.engine.node import NodeExecution, Placed
from eventflow.engine.outcome import Outcome
from eventflow.facts import Fact, Failure, Unit, Value
from eventflow.ports import Slot


class TaskExecution(NodeExecution):
    """A task's node. `stop` is there while its body runs."""

    __slots__ = ("_attempt", "_body", "_busy", "_crashes", "_failures", "_is_fallback", "_saved", "_started_at", "_takes_over", "stop")

    def __init__(self, placed: Placed, body: Body) -> None:
        super().__init__(placed)
        past = placed.past
        self.stop: Stop | None = None
        self._attempt = past.attempt
        self._body = body
        self._crashes = past.crashes
        self._failures = past.failures
        self._is_fallback = past.fallback
        self._takes_over = False
        self._saved = past.saved
        self._started_at = 0
        self._busy: Slot | None = None

    @property
    def attempt(self) -> int:
        return self._attempt

    @property
    def has_row(self) -> bool:
        return self.queued or self._attempt > 0

    async def work(self) -> None:
        """Make one attempt and record how it ended. Where the node is to stop before, make none."""
        if self._busy is not None:
            await self._busy.ended()
        body = self._called
        if self._on_last_chance:
            async with self.frame.alone:
                await self._try(body)
        else:
            await self._try(body)

    async def _try(self, body: Body) -> None:
        if not is_limited(body.options):
            await self._in_slot(body)
            return
        entry = await self._enter(body)
        if entry is None:
            await self._tire(body.options)
            return
        try:
            await self._in_slot(body, entry)
        finally:
            if self._busy is not None and self._busy.running:
                # A thread that would not stop holds on to what it uses.
                self._busy.when_ended(entry.release)
            else:
                entry.release()

    async def _in_slot(self, body: Body, entry: Entry | None = None) -> None:
        async with self.frame.ports.executor.slot(body.fn) as slot:
            if self.wish is not None:
                return
            self._busy = slot
            self.frame.attempting.add(self)
            try:
                await self._record_start(entry)
                ending, checkpoint = await self._call(body, slot)
                with anyio.CancelScope(shield=True):
                    await self._record_ending(ending, slot, checkpoint)
            finally:
                self.frame.attempting.discard(self)

    async def _enter(self, body: Body) -> Entry | None:
        """Wait for what an attempt's limits ask for; where that takes too long, give nothing."""
        frame, until = self.frame, self._queue(body.options)
        if until is None:
            return await frame.limits.enter(body, frame.order)
        with anyio.CancelScope() as scope:
            timer = frame.ports.clock.call_later(max(0.0, (until - frame.ports.clock.now()) / SECOND), scope.cancel)
            try:
                return await frame.limits.enter(body, frame.order)
            finally:
                timer.cancel()
        return None

    def _queue(self, options: TaskOptions) -> int | None:
        """Note that the node waits for its limits, and give until when, if not for ever."""
        frame = self.frame
        patience = None if options.queue_timeout is None else durations.microseconds(options.queue_timeout)
        until = None if patience is None else frame.ports.clock.now() + patience
        if not self.has_row:
            frame.ports.journal.enqueue(frame.unit(facts.NodeQueued(frame.run, self.name, until, limited=True)))
            frame.ports.instrument.reached("engine.node.queued")
            self.queued = True
        elif self.queued and self.past.queued_until is not None and not self._is_fallback:
            until = self.past.queued_until
        return until

    async def _tire(self, options: TaskOptions) -> None:
        """Fall back, or fail, because what an attempt asks for hasn't become free in time."""
        late = TimeoutError(f"nothing became free for it within {options.queue_timeout}")
        if self._body.fallback is not None and not self._is_fallback:
            self._is_fallback = self._takes_over = True
            self._failures, self.due = 0, self.frame.ports.clock.now()
        elif self._has_value:
            with anyio.CancelScope(shield=True):
                if not await self._fall_back(states.QUEUE, failures.failure(late)):
                    self.is_cancelled = True
        else:
            await self.fail(states.QUEUE, late)

    @property
    def predicate(self) -> str | Predicate:
        return self._body.options.rule

    async def value(self) -> object:
        outcome = self.outcome.result()
        if outcome.passes:
            return await self.passed(self._body.inputs.get(next(iter(self.node.inputs)), Any))
        if outcome.result is None:
            raise AssertionError(f"{self.name} is read before it has succeeded")
        return await self.frame.values.open(outcome.result, self._body.result)

    @property
    def _called(self) -> Body:
        return self._body.fallback if self._is_fallback and self._body.fallback is not None else self._body

    @property
    def _has_value(self) -> bool:
        """Whether a value takes the place of a failure."""
        return self._body.options.fallback is not NoFallback.NONE and self._body.fallback is None

    @property
    def _on_last_chance(self) -> bool:
        # Of several nodes under which the process died, one is the culprit: each alone, it dies without taking the others along.
        return self._crashes > 0 and self._crashes + 1 >= self._body.options.max_crashes

    # One attempt

    async def _record_start(self, entry: Entry | None) -> None:
        frame = self.frame
        self._attempt += 1
        self.due = None
        queued, self.queued = self.queued, False
        takes_over, self._takes_over = self._takes_over, False
        used = None if entry is None else entry.start()
        rate, full_at = (None, None) if used is None else (used.rate, used.full_at)
        started = facts.AttemptStarted(frame.run, self.name, self._attempt, queued=queued, fallback=takes_over, rate=rate, full_at=full_at)
        unit = frame.unit(started)
        self._started_at = unit.at
        if frame.careful or self._body.options.at_most_once or used is not None:
            with anyio.CancelScope(shield=True):
                await frame.ports.journal.commit(unit)
        else:
            frame.ports.journal.enqueue(unit)
        frame.ports.instrument.reached("engine.attempt.started")

    async def _call(self, body: Body, slot: Slot) -> tuple[Ending, AttemptCheckpoint]:
        frame, stop = self.frame, Stop()
        checkpoint = AttemptCheckpoint(self._saved, frame.values, self._save, frame.owner.spawn, frame.ports.instrument)
        context = Context(frame.run, frame.pipeline, self.name, self._attempt, checkpoint, stop)
        self.stop = stop
        try:
            args, kwargs = await arguments(self.node, body, self.reader)
            await checkpoint.open()
            if self.wish is None:
                ending = await attempt(body, args, kwargs, context=context, slot=slot, values=frame.values, clock=frame.ports.clock)
            else:
                # It came while the start was recorded or the inputs were read: the body isn't begun any more.
                ending = Stopped(begun=False)
        except BaseException as error:  # noqa: BLE001 - inputs are user values: whatever one raises when it is read fails this attempt alone
            ending = Stopped(begun=False) if is_cancelled() else Raised(error, states.INPUT)
        self.stop = None
        frame.ports.instrument.reached("engine.attempt.ended")
        return ending, checkpoint

    async def _save(self, position: int, state: Value | None) -> None:
        frame = self.frame
        await frame.commit(facts.CheckpointSaved(frame.run, self.name, self._attempt, position, state))
        frame.ports.instrument.reached("engine.checkpoint.saved")

    # Its ending

    async def _record_ending(self, ending: Ending, slot: Slot, checkpoint: AttemptCheckpoint) -> None:
        is_wanted = self.wish in (None, Wish.SHUTDOWN)
        if isinstance(ending, Returned) and is_wanted:
            checkpoint.drop()
            await self._succeed(ending, slot)
            return
        await checkpoint.close()
        self._saved = checkpoint.saved
        if isinstance(ending, Left) and is_wanted:
            skipped = facts.AttemptSkipped(self.frame.run, self.name, self._attempt, self._started_at, ending.reason)
            await self.settle(Outcome(states.SKIPPED, self.name, by=self.name), skipped)
        elif isinstance(ending, Raised) and is_wanted:
            await self._fail(ending, slot)
        else:
            await self._be_stopped(slot, begun=not isinstance(ending, Stopped) or ending.begun)

    async def _succeed(self, ending: Returned, slot: Slot) -> None:
        frame = self.frame
        try:
            result = await frame.values.keep(ending.result)
        except OSError as error:
            await self._fail(Raised(error, states.RESULT), slot)
            return
        if not await frame.accepted(facts.AttemptSucceeded(frame.run, self.name, self._attempt, self._started_at, result)):
            await self._be_unwanted(slot)
            return
        frame.ports.instrument.reached("engine.attempt.succeeded")
        self.tell(Outcome(states.SUCCEEDED, self.name, result))

    async def _fail(self, ending: Raised, slot: Slot) -> None:
        frame = self.frame
        self._failures += 1
        what = failures.failure(ending.error)
        now = frame.ports.clock.now()
        failed = facts.AttemptFailed(frame.run, self.name, self._attempt, self._started_at, ending.reason, what)
        retry = self._called.options.retry
        wait = next_try(retry, ending.error, self._failures, frame.ports.random.fraction())
        if wait is not None:
            await self._try_again(now, replace(failed, due=now + round(wait * SECOND)))
        elif self._body.fallback is not None and not self._is_fallback:
            self._is_fallback, self._failures = True, 0
            await self._try_again(now, replace(failed, due=now, fallback=True))
        elif self._has_value:
            if not await self._fall_back(states.FAILED, what, failed):
                await self._be_unwanted(slot)
        else:
            await self.settle(
                Outcome(states.FAILED, self.name, failure=what), failed, facts.NodeFailed(frame.run, self.name, states.FAILED)
            )

    async def _try_again(self, now: int, failed: facts.AttemptFailed) -> None:
        await self.frame.ports.journal.commit(Unit(now, (failed,)))
        self.frame.ports.instrument.reached("engine.attempt.failed")
        self.due = failed.due

    async def _fall_back(self, reason: str, what: Failure, *before: Fact) -> bool:
        """Let the fallback value take the place of a failure, unless the node is to be cancelled: tells whether it ended so."""
        frame, told = self.frame, None if before else what
        try:
            result = await frame.values.keep(frame.values.snapshot(self._body.options.fallback, self._body.result))
        except Exception as error:  # noqa: BLE001 - the fallback is a value of the user's: one that can't be kept is none
            frame.ports.instrument.troubled("engine.fallback", error)
            failed = facts.NodeFailed(frame.run, self.name, reason, told)
            await self.settle(Outcome(states.FAILED, self.name, failure=what), *before, failed)
            return True
        if not await frame.accepted(*before, facts.NodeFellBack(frame.run, self.name, result, told)):
            return False
        self.tell(Outcome(states.SUCCEEDED, self.name, result))
        return True

    async def _be_unwanted(self, slot: Slot) -> None:
        # A cancel of the node has become durable in the meantime, and stands.
        self.is_cancelled = True
        await self._be_stopped(slot, begun=True)

    async def _be_stopped(self, slot: Slot, *, begun: bool) -> None:
        frame = self.frame
        # Cancelled from around the engine, before the engine itself could say why.
        frame.shutdown = frame.shutdown or self.wish is None
        if self.wish is not Wish.SHUTDOWN:
            wished = states.TIMEOUT if self.wish is Wish.TIMEOUT else states.CANCELLED
            reason = states.ABANDONED if slot.running else wished
            cancelled = facts.AttemptCancelled(frame.run, self.name, self._attempt, self._started_at, reason)
            await self.settle(Outcome(states.CANCELLED, self.name), cancelled)
            return
        lost = facts.AttemptLost(frame.run, self.name, self._attempt, self._started_at, states.SHUTDOWN, self._crashes)
        if begun and self._body.options.at_most_once:
            unknown = Outcome(states.FAILED, self.name, failure=failures.lost(states.UNKNOWN))
            await self.settle(unknown, lost, facts.NodeFailed(frame.run, self.name, states.UNKNOWN))
            return
        await frame.commit(lost)
