"""A gate: what a node waits on. It hears each upstream outcome as it comes, and decides as soon as the answer can no longer change."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable, Iterable
from typing import NamedTuple

from eventflow import states
from eventflow.facts import Failure, Value


class Outcome(NamedTuple):
    """How a node ended: the state, its name, its result where it succeeded, what went wrong where it failed."""

    state: str
    node: str
    result: Value | None = None
    failure: Failure | None = None


class Gate:
    """Opens once every upstream node has succeeded, and closes for good at the first that did not.

    It calls `decided` once, on the loop: with nothing when it opens, with the outcome that closed it otherwise.
    """

    __slots__ = ("_decided", "_left")

    def __init__(self, decided: Callable[[Outcome | None], None]) -> None:
        self._decided: Callable[[Outcome | None], None] | None = decided
        self._left = 0

    def listen(self, upstream: Iterable[Future[Outcome]]) -> None:
        """Wait on these outcomes. With none of them the gate opens at once."""
        waited = tuple(upstream)
        self._left = len(waited)
        for outcome in waited:
            outcome.add_done_callback(self._hear)
        if not waited:
            self._decide(None)

    def _hear(self, future: Future[Outcome]) -> None:
        outcome = future.result()
        if outcome.state != states.SUCCEEDED:
            self._decide(outcome)
            return
        self._left -= 1
        if self._left == 0:
            self._decide(None)

    def _decide(self, outcome: Outcome | None) -> None:
        decided, self._decided = self._decided, None
        if decided is not None:
            decided(outcome)
