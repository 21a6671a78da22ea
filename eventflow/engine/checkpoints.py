"""How a body's checkpoints reach the journal: offered from any thread, recorded one after the other, the newest replacing what waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple

import anyio

from eventflow.engine.values import Snapshot, Values
from eventflow.errors import EventflowError
from eventflow.facts import Value
from eventflow.ports import Instrument


class Saved(NamedTuple):
    """What is recorded of a node's progress: the next position, and the state if there is one."""

    position: int = 0
    state: Value | None = None


class _Offered(NamedTuple):
    position: int = 0
    state: Snapshot | None = None


Write = Callable[[int, Value | None], Awaitable[None]]
"""Records a position and a state durably."""

Start = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]
"""Starts a coroutine that the run owns."""


class AttemptCheckpoint:
    """The `Checkpoint` of one attempt.

    `load`, `save` and `advance` belong to the body, in whatever thread; the rest belongs to the loop. `write` records a checkpoint,
    `start` starts a coroutine that the run owns.
    """

    # One for each attempt, and most never save: it is kept small, and what only a save needs is made by the first one.
    __slots__ = (
        "_closed",
        "_dropped",
        "_instrument",
        "_lock",
        "_loop",
        "_looping",
        "_offered",
        "_recorded",
        "_start",
        "_values",
        "_waiting",
        "_write",
        "saved",
    )

    def __init__(self, saved: Saved, values: Values, write: Write, start: Start, instrument: Instrument) -> None:
        self.saved = saved
        self._offered = _Offered(saved.position)
        self._looping = False
        self._values = values
        self._write = write
        self._start = start
        self._instrument = instrument
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._waiting: _Offered | None = None
        self._recorded: asyncio.Event | None = None
        self._closed = False
        self._dropped = False

    async def open(self) -> None:
        """Read the state that was recorded before, ahead of the body. Raises what the artifact store raises."""
        if self.saved.state is not None:
            self._offered = _Offered(self.saved.position, await self._values.read(self.saved.state))

    def begin(self) -> int:
        if self._looping:
            raise EventflowError("a task has one resume() loop: put the second one into a task of its own")
        self._looping = True
        return self._offered.position

    def load(self, default: object = None) -> object:
        state = self._offered.state
        return default if state is None else self._values.load(state)

    def save(self, state: object) -> None:
        self._offered = self._offered._replace(state=self._values.snapshot(state))
        if not self._looping:
            self._queue()

    def advance(self, position: int) -> None:
        self._offered = self._offered._replace(position=position)
        self._queue()

    async def close(self) -> None:
        """Record what still waits, then take nothing more: what a body offers after this is dropped."""
        with self._lock:
            self._closed = True
        if self._recorded is not None:
            await self._recorded.wait()
        await self._record()

    def drop(self) -> None:
        """Forget what still waits and take nothing more: the attempt has its result."""
        with self._lock:
            self._closed = self._dropped = True
            self._waiting = None

    def _queue(self) -> None:
        with self._lock:
            if self._closed:
                return
            first, self._waiting = self._waiting is None, self._offered
        if first:
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if self._recorded is None and self._waiting is not None:
            self._recorded = asyncio.Event()
            self._start(self._record)

    async def _record(self) -> None:
        try:
            with anyio.CancelScope(shield=True):
                while (waiting := self._take()) is not None:
                    await self._keep(waiting)
        finally:
            recorded, self._recorded = self._recorded, None
            if recorded is not None:
                recorded.set()

    async def _keep(self, offered: _Offered) -> None:
        try:
            state = None if offered.state is None else await self._values.keep(offered.state)
        except OSError as error:
            # The body goes on, and from an earlier state after a crash: no reason to end it.
            self._instrument.troubled("engine.checkpoint", error)
            return
        if not self._dropped:
            await self._write(offered.position, state)
            self.saved = Saved(offered.position, state)

    def _take(self) -> _Offered | None:
        with self._lock:
            waiting, self._waiting = self._waiting, None
        return waiting
