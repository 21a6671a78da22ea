"""One attempt: a node's body called once, in its slot, within its time, with its context; and how that ended, as a value."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

import anyio
import msgspec

from eventflow import durations, states
from eventflow.context import Context, Interrupted, Skip, running
from eventflow.definition.bodies import Body
from eventflow.engine.values import Snapshot, Values
from eventflow.ports import Clock, Slot


class Returned(msgspec.Struct, frozen=True, gc=False):
    """The body returned, and its result can be stored."""

    result: Snapshot


@dataclass(frozen=True, slots=True)
class Raised:
    """The body raised (`error`), ran out of time (`timeout`; `abandoned` where it runs on), or its result can't be stored (`result`)."""

    error: BaseException
    reason: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The body was cancelled, or stopped by itself because it was asked to; or it was never called (`begun`)."""

    begun: bool = True


@dataclass(frozen=True, slots=True)
class Left:
    """The body asked to be skipped."""

    reason: str


Ending: TypeAlias = Returned | Raised | Stopped | Left


def is_cancelled() -> bool:
    """Tell whether somebody wishes that the caller stops. A body may raise CancelledError by itself, or turn ours into something else."""
    return anyio.current_effective_deadline() == -math.inf


async def attempt(
    body: Body, args: list[object], kwargs: dict[str, object], *, context: Context, slot: Slot, values: Values, clock: Clock
) -> Ending:
    """Call a body and give how it ended. Never raises: whoever is cancelled while waiting here gets `Stopped`, and records that."""
    token, task = running.set(context), asyncio.current_task()
    cancelling = 0 if task is None else task.cancelling()
    try:
        value = await _within(body.options.timeout, clock, context, slot, lambda: slot.run(body.fn, args, kwargs))
    except _Timeout as timeout:
        return Raised(TimeoutError(f"no result within {body.options.timeout}"), timeout.reason)
    except BaseException as error:  # noqa: BLE001 - the body is user code: whatever it raises, SystemExit too, ends this attempt alone
        if is_cancelled() or (isinstance(error, Interrupted) and context.stop.asked):
            context.stop.asked = True
            return Stopped()
        return Left(error.reason) if isinstance(error, Skip) else Raised(error, states.ERROR)
    finally:
        running.reset(token)
        await _absorb(task, cancelling)
    return _returned(value, body, values)


class _Timeout(Exception):
    def __init__(self, reason: str) -> None:
        self.reason = reason


async def _within(
    timeout: durations.Duration | None, clock: Clock, context: Context, slot: Slot, call: Callable[[], Awaitable[object]]
) -> object:
    if timeout is None:
        return await call()
    with anyio.CancelScope() as scope:
        timer = clock.call_later(durations.seconds(timeout), scope.cancel)
        try:
            return await call()
        finally:
            timer.cancel()
    context.stop.asked = True
    raise _Timeout(states.ABANDONED if slot.running else states.TIMEOUT)


def _returned(value: object, body: Body, values: Values) -> Ending:
    try:
        return Returned(values.snapshot(value, body.result))
    except BaseException as error:  # noqa: BLE001 - the value is user code as well, when it is compared and pickled
        return Raised(error, states.RESULT)


async def _absorb(task: asyncio.Task[object] | None, before: int) -> None:
    """Take back a cancellation that the body asked of its own task, and left: it would hit whoever records the ending."""
    if task is None or task.cancelling() <= before or is_cancelled():
        return
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(0)
    while task.cancelling() > before:
        task.uncancel()
