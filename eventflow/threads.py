"""Calls in threads of their own. A thread ends with its call, so that nothing is left behind by an engine that was closed.

A thread costs some 60 µs, about what a hop to a waiting one costs. It is a daemon thread: one that never ends can't hold the process.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

import anyio

P = ParamSpec("P")
T = TypeVar("T")


class ThreadCall(Generic[T]):
    """A function called in a thread, in a copy of the caller's context. The call begins at once."""

    def __init__(self, function: Callable[[], T], name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[T] = self._loop.create_future()
        self._ended = asyncio.Event()
        self._at_end: list[Callable[[], None]] = []
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(self._call, function), name=name, daemon=True).start()

    @property
    def running(self) -> bool:
        """Whether the function has not returned yet."""
        return not self._ended.is_set()

    async def result(self) -> T:
        """Give what the function returned, or raise what it raised. Cancelled, this returns at once and the thread goes on."""
        return await asyncio.shield(self._done)

    async def ended(self) -> None:
        """Return once the function has returned."""
        await self._ended.wait()

    def when_ended(self, callback: Callable[[], None]) -> None:
        """Have a function called on the loop once this one has returned."""
        self._at_end.append(callback)

    def _call(self, function: Callable[[], T]) -> None:
        try:
            value = function()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to whoever waits for the result
            self._tell(self._fail, error)
        else:
            self._tell(self._succeed, value)

    def _tell(self, callback: Callable[..., None], value: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, value)
        except RuntimeError:
            # The loop is closed: nobody waits for this thread any more.
            return

    def _succeed(self, value: T) -> None:
        if not self._done.done():
            self._done.set_result(value)
        self._end()

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, StopIteration | GeneratorExit):
            # Thrown into the coroutine that waits, these would end it without giving it a word.
            error = RuntimeError(f"the function raised {type(error).__name__}: {error}")
        if not self._done.done():
            self._done.set_exception(error)
            # Retrieved here, so that an abandoned thread's failure isn't reported a second time by asyncio.
            self._done.exception()
        self._end()

    def _end(self) -> None:
        self._ended.set()
        for callback in self._at_end:
            callback()


async def in_loose_thread(function: Callable[[], T], name: str) -> T:
    """Call a function that may never return, as on a disk that never answers, in a thread. A cancellation leaves the thread behind."""
    return await ThreadCall(function, name).result()


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that blocks in a thread and give its result. A cancellation waits for the function to return."""
    call = ThreadCall(lambda: function(*args, **kwargs), getattr(function, "__name__", "call"))
    with anyio.CancelScope(shield=True):
        return await call.result()
    raise AssertionError("a shielded scope isn't cancelled")
