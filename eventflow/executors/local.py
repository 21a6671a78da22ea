"""Bodies in this process: coroutines on the loop, plain functions in threads. The one place where the two meet."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import cast

from eventflow.errors import EventflowError
from eventflow.ports import Slot
from eventflow.threads import ThreadCall


class LocalExecutor:
    """Runs `async def` bodies on the loop, any number of them, and others in at most `threads` threads at once."""

    def __init__(self, threads: int = 32) -> None:
        self._free = asyncio.Semaphore(threads)

    def slot(self, fn: Callable[..., object]) -> AbstractAsyncContextManager[Slot]:
        return _LOOP if is_async(fn) else ThreadSlot(self._free)


def is_async(fn: Callable[..., object]) -> bool:
    """Tell whether calling a function gives a coroutine."""
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(getattr(fn, "__call__", None))  # noqa: B004 - a callable object


class LoopSlot:
    """Room on the loop, which has no end. A coroutine ends when it is cancelled, so it never outlives its slot."""

    running = False

    async def __aenter__(self) -> Slot:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    async def run(self, fn: Callable[..., object], args: Sequence[object], kwargs: Mapping[str, object]) -> object:
        return await cast("Callable[..., asyncio.Future[object]]", fn)(*args, **kwargs)

    async def ended(self) -> None:
        return None

    def when_ended(self, callback: Callable[[], None]) -> None:
        callback()


class ThreadSlot:
    """One of the threads. A thread can't be stopped: when its body is given up, the slot stays taken until it has returned."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free = free
        self._call: ThreadCall[object] | None = None

    async def __aenter__(self) -> Slot:
        await self._free.acquire()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._call is not None and self._call.running:
            self._call.when_ended(self._free.release)
        else:
            self._free.release()

    @property
    def running(self) -> bool:
        return self._call is not None and self._call.running

    async def run(self, fn: Callable[..., object], args: Sequence[object], kwargs: Mapping[str, object]) -> object:
        self._call = ThreadCall(lambda: fn(*args, **kwargs), f"eventflow-{getattr(fn, '__name__', 'task')}")
        result = await self._call.result()
        if inspect.iscoroutine(result):
            result.close()
            raise EventflowError("the task returned a coroutine that nobody awaited: write the task itself as `async def`")
        return result

    async def ended(self) -> None:
        if self._call is not None:
            await self._call.ended()

    def when_ended(self, callback: Callable[[], None]) -> None:
        if self._call is not None and self._call.running:
            self._call.when_ended(callback)
        else:
            callback()


_LOOP = LoopSlot()
