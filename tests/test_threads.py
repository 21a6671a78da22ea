from __future__ import annotations

import asyncio
import contextvars
import threading

import anyio
import pytest

from eventflow.threads import ThreadCall, in_loose_thread, in_thread
from tests.engine.world import Halt, turns

colour: contextvars.ContextVar[str] = contextvars.ContextVar("colour", default="none")


async def test_a_function_is_called_in_a_thread_of_its_own_with_the_callers_context() -> None:
    colour.set("red")

    def look(extra: str, *, more: str) -> tuple[str, str, int]:
        seen = colour.get()
        colour.set("blue")
        return seen, extra + more, threading.get_ident()

    seen, text, thread = await in_thread(look, "a", more="b")
    assert (seen, text) == ("red", "ab")
    assert thread != threading.get_ident()
    assert colour.get() == "red"


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1), KeyboardInterrupt(), asyncio.CancelledError()])
async def test_what_the_function_raises_comes_out(error: BaseException) -> None:
    def fails() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        await in_thread(fails)
    assert raised.value is error


@pytest.mark.parametrize("error", [StopIteration("x"), GeneratorExit("x")])
async def test_what_would_end_the_coroutine_that_waits_comes_out_as_something_else(error: BaseException) -> None:
    def fails() -> None:
        raise error

    with pytest.raises(RuntimeError, match=f"the function raised {type(error).__name__}: x"):
        await in_thread(fails)


async def test_the_thread_ends_with_its_call() -> None:
    thread = await in_thread(threading.current_thread)
    await asyncio.to_thread(thread.join, 10)
    assert not thread.is_alive()
    assert thread.daemon


async def test_a_cancellation_waits_for_in_thread() -> None:
    halt, ended = Halt(), []

    def work() -> None:
        halt.here()
        ended.append(True)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(in_thread, work)
        await halt.reached.wait()
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await turns()
        assert ended == []
        halt.go()
    assert ended == [True]


async def test_a_cancellation_leaves_a_loose_thread_behind() -> None:
    halt = Halt()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(in_loose_thread, halt.here, "loose")
        await halt.reached.wait()
        tasks.cancel_scope.cancel()
    assert any(thread.name == "loose" for thread in threading.enumerate())
    halt.go()


async def test_a_call_can_be_given_up_and_tells_its_end() -> None:
    halt, told = Halt(), anyio.Event()
    call = ThreadCall(halt.here, "given-up")
    call.when_ended(told.set)
    await halt.reached.wait()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await call.result()
    assert call.running
    halt.go()
    await call.ended()
    assert told.is_set()
    assert not call.running


async def test_the_failure_of_a_call_that_was_given_up_is_nobodys() -> None:
    halt, complaints = Halt(), []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))

    def fails() -> None:
        halt.here()
        raise ValueError

    call = ThreadCall(fails, "given-up")
    await halt.reached.wait()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await call.result()
    halt.go()
    await call.ended()
    del call
    await turns()
    assert complaints == []


def test_a_thread_that_outlives_its_loop_ends_quietly() -> None:
    go = threading.Event()

    def outlives() -> None:
        assert go.wait(30)

    async def main() -> ThreadCall[None]:
        return ThreadCall(outlives, "outlives")

    before = set(threading.enumerate())
    asyncio.run(main())
    (thread,) = set(threading.enumerate()) - before
    go.set()
    thread.join(10)
    assert not thread.is_alive()
