"""What a task's body can learn about itself while it runs: `current()` gives it, in coroutines and in threads alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import NoReturn, Protocol

import msgspec

from eventflow.errors import EventflowError


class Interrupted(BaseException):
    """Raised inside a body, at a place where it can stop without harm, once its attempt is to end."""


class Skip(BaseException):
    """Raised by `skip()`: the attempt's node is skipped, and so is whatever needs it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def skip(reason: str = "") -> NoReturn:
    """Leave a task's body here and now: its node ends `skipped`, for the `reason` given, and nothing of it is wrong."""
    raise Skip(str(reason))


class Ended(msgspec.Struct, frozen=True):
    """How a node, or a run where `node` is None, has ended: what a hook is given.

    `state` is `succeeded`, `failed` or `cancelled`, `failure` what went wrong, in a line.
    """

    pipeline: str
    run: str
    node: str | None
    state: str
    failure: str | None = None


class Checkpoint(Protocol):
    """What a body saved of its progress, kept over crashes and attempts until its node has ended."""

    def begin(self) -> int:
        """Begin the body's `resume` loop: give how many iterations are done. Raises `EventflowError` where it has begun already."""
        ...

    def load(self, default: object = None) -> object:
        """Give the state that was saved last, by this attempt or an earlier one, as a fresh copy; `default` where there is none."""
        ...

    def save(self, state: object) -> None:
        """Offer a state and return at once. Inside a `resume` loop it is recorded with the next position at its end, else soon.

        What is offered before the last state was recorded replaces it: a crash loses at most the newest one.
        """
        ...

    def advance(self, position: int) -> None:
        """Record, with the state offered during it, that an iteration has ended and `position` comes next."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """A running attempt, seen from inside."""

    run: str
    pipeline: str
    node: str
    attempt: int
    checkpoint: Checkpoint
    stop: Stop

    @property
    def idempotency_key(self) -> str:
        """Names this node of this run, the same in every attempt: hand it to outside systems that must act only once."""
        return f"{self.run}-{self.node}"

    @property
    def stopping(self) -> bool:
        """Tell whether this attempt is to end soon: cancelled, out of time, or the daemon is shutting down."""
        return self.stop.asked

    def resume(self, steps: range) -> Iterator[int]:
        """Iterate over `steps`, beginning behind the last iteration that was recorded as done.

        The state saved during an iteration and the next position are one record. Where the attempt is to end, the loop does so after an
        iteration's record, by raising `Interrupted`.
        """
        for index in range(self.checkpoint.begin(), len(steps)):
            yield steps[index]
            self.checkpoint.advance(index + 1)
            if self.stopping and index + 1 < len(steps):
                raise Interrupted


class Stop:
    """A wish, set once by the engine and read by a body, which may be in another thread."""

    __slots__ = ("asked",)

    def __init__(self) -> None:
        self.asked = False


def current() -> Context:
    """Give the context of the attempt that is calling. Raises `EventflowError` outside any attempt."""
    context = running.get()
    if context is None:
        raise EventflowError("current() was called outside a running task: it works only in the body of a task that eventflow runs")
    return context


running: ContextVar[Context | None] = ContextVar("eventflow.running", default=None)
"""Set by the engine around each body."""
