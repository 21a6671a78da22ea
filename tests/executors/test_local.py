from __future__ import annotations

import functools
import threading
from typing import Any

import anyio
import pytest

from eventflow.errors import EventflowError
from eventflow.executors.local import LocalExecutor, is_async
from tests.engine.world import Halt, turns


async def coroutine(value: int) -> int:
    return value


def function(value: int) -> int:
    return value


class AsyncObject:
    async def __call__(self, value: int) -> int:
        return value


async def call(executor: LocalExecutor, fn: Any, *args: Any, **kwargs: Any) -> Any:
    async with executor.slot(fn) as slot:
        return await slot.run(fn, args, kwargs)


@pytest.mark.parametrize(
    ("fn", "expected"),
    [
        (coroutine, True),
        (function, False),
        (AsyncObject(), True),
        (functools.partial(coroutine, 1), True),
        (functools.partial(function, 1), False),
    ],
)
def test_async_functions_and_objects_are_known(fn: Any, expected: bool) -> None:
    assert is_async(fn) is expected


async def test_coroutines_run_on_the_loop_and_functions_in_a_thread() -> None:
    executor = LocalExecutor()

    async def here() -> int:
        return threading.get_ident()

    def there() -> int:
        return threading.get_ident()

    assert await call(executor, here) == threading.get_ident()
    assert await call(executor, there) != threading.get_ident()
    assert await call(executor, coroutine, 4) == await call(executor, function, value=4) == 4


async def test_at_most_so_many_threads_run_at_once_and_coroutines_dont_count() -> None:
    executor, halts, begun = LocalExecutor(threads=2), [Halt() for _ in range(3)], []

    def body(number: int) -> None:
        begun.append(number)
        halts[number].here()

    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(call, executor, body, number)
        await halts[0].reached.wait()
        await halts[1].reached.wait()
        await turns()
        assert begun == [0, 1]
        assert await call(executor, coroutine, 1) == 1
        halts[0].go()
        await halts[2].reached.wait()
        halts[1].go()
        halts[2].go()


async def test_a_thread_that_is_given_up_keeps_its_slot_until_it_ends() -> None:
    executor, halt = LocalExecutor(threads=1), Halt()

    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, executor, halt.here)
            await halt.reached.wait()
            scope.cancel()
    got: list[int] = []

    async def second() -> None:
        got.append(await call(executor, function, 2))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(second)
        await turns()
        assert got == []
        halt.go()
    assert got == [2]


async def test_a_slot_tells_whether_its_body_runs() -> None:
    executor, halt = LocalExecutor(), Halt()
    async with executor.slot(halt.here) as slot:
        assert not slot.running
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(slot.run, halt.here, (), {})
                await halt.reached.wait()
                scope.cancel()
        assert slot.running
        halt.go()
        await slot.ended()
        assert not slot.running
    async with executor.slot(coroutine) as slot:
        assert await slot.run(coroutine, (), {"value": 3}) == 3
        assert not slot.running
        await slot.ended()


async def test_who_is_cancelled_while_waiting_for_a_slot_takes_none() -> None:
    executor, halt = LocalExecutor(threads=1), Halt()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call, executor, halt.here)
        await halt.reached.wait()
        async with anyio.create_task_group() as waiting:
            for _ in range(3):
                waiting.start_soon(call, executor, function, 1)
            await turns()
            waiting.cancel_scope.cancel()
        halt.go()
    assert await call(executor, function, 5) == 5


async def test_a_function_that_gives_a_coroutine_is_refused() -> None:
    def forgets() -> Any:
        return coroutine(1)

    with pytest.raises(EventflowError, match="nobody awaited"):
        await call(LocalExecutor(), forgets)
