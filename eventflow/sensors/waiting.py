"""Waiting for news, but not for ever."""

from __future__ import annotations

import asyncio

import anyio

from eventflow.ports import Clock, Hint


class News:
    """A `Hint` that is given by calling `tell`."""

    def __init__(self) -> None:
        self._told = asyncio.Event()

    def tell(self) -> None:
        """End the wait under way, or else the next one. Telling it twice is telling it once."""
        self._told.set()

    async def wait(self) -> None:
        """Return once something was told since the last call returned."""
        await self._told.wait()
        self._told.clear()


async def news_or(delay: float, news: Hint, clock: Clock) -> None:
    """Return at the next news, or after `delay` seconds if there is none."""
    async with anyio.create_task_group() as group:

        async def wait() -> None:
            await news.wait()
            group.cancel_scope.cancel()

        group.start_soon(wait)
        await clock.sleep(delay)
        group.cancel_scope.cancel()
