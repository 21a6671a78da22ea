"""Steps that are gone through to their end, even where whoever asked for them is cancelled meanwhile; and those that may come too late."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

import anyio
from anyio.abc import TaskGroup

from eventflow.errors import Refused
from eventflow.facts import Fact, Unit
from eventflow.ports import Ports

P = ParamSpec("P")
T = TypeVar("T")


async def whole(tasks: TaskGroup, step: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Give what a step gives, or raise what it raises. `tasks` owns it: only its result is lost with the caller."""
    result: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    async def finish() -> None:
        with anyio.CancelScope(shield=True):
            try:
                value = await step(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - it is the caller's, who may be gone
                if not result.done():
                    result.set_exception(error)
            else:
                if not result.done():
                    result.set_result(value)
            finally:
                result.cancel()

    tasks.start_soon(finish)
    return await result


async def accepted(ports: Ports, *happened: Fact) -> bool:
    """Commit facts as a unit made now, and tell whether the journal took them: something else may have come first."""
    try:
        await ports.journal.commit(Unit(ports.clock.now(), happened))
    except Refused:
        return False
    return True
