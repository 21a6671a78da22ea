"""Writing in a thread of its own: whoever has something to write hands it over and goes on, from the loop or from any thread."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Generic, Self, TypeVar

import anyio

from eventflow.ports import Clock
from eventflow.threads import ThreadCall

T = TypeVar("T")

CLOSING = 5.0
"""How many seconds the end waits for a disk or a terminal that takes nothing."""

_BATCH = 1000


class Writer(Generic[T]):
    """Calls `write` with what was handed over since, in order, in a thread, until the block is left and everything is written.

    `write` must not raise.
    """

    def __init__(self, write: Callable[[list[T]], None], clock: Clock, name: str) -> None:
        self._write = write
        self._clock = clock
        self._name = name
        self._queue: SimpleQueue[T | None] = SimpleQueue()
        self._thread: ThreadCall[None] | None = None

    async def __aenter__(self) -> Self:
        self._thread = ThreadCall(self._run, self._name)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._queue.put(None)
        if self._thread is None:
            return
        with anyio.CancelScope(shield=True) as scope:
            timer = self._clock.call_later(CLOSING, scope.cancel)
            await self._thread.result()
            timer.cancel()

    @property
    def waiting(self) -> int:
        """How much is still to be written."""
        return self._queue.qsize()

    def put(self, item: T) -> None:
        """Hand something over. Never blocks."""
        self._queue.put(item)

    def _run(self) -> None:
        ended = False
        while not ended:
            batch = self._batch()
            ended = None in batch
            if items := [item for item in batch if item is not None]:
                self._write(items)

    def _batch(self) -> list[T | None]:
        batch = [self._queue.get()]
        while len(batch) < _BATCH:
            try:
                batch.append(self._queue.get_nowait())
            except Empty:
                break
        return batch
