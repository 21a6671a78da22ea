"""Deadlines by the engine's clock, which tests can put on."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import anyio

from eventflow.ports import Clock


class DeadlinePassed(TimeoutError):
    """What was inside `within` took too long. Its own `TimeoutError` is another thing."""


@contextmanager
def within(limit: float, clock: Clock) -> Generator[None]:
    """Cancel what is inside after `limit` seconds. Raises `DeadlinePassed` then."""
    with anyio.CancelScope() as scope:
        timer = clock.call_later(limit, scope.cancel)
        try:
            yield
        finally:
            timer.cancel()
    if scope.cancelled_caught:
        raise DeadlinePassed
