"""Facts as they come: a page at once where there is one, else the first that comes while somebody waits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import anyio

from eventflow.facts import Record
from eventflow.groups import unwrapped
from eventflow.server.answers import FactPage
from eventflow.server.sources import Sources


async def page(sources: Sources, after: int, *, limit: int, run: str | None, wait: float) -> FactPage:
    """Give up to `limit` facts behind `after`; where there are none, wait up to `wait` seconds for the first."""
    journal = sources.journal
    records: list[Record] = []
    with anyio.move_on_after(wait):
        while True:
            seen = journal.seq  # before looking: what is committed after this is told by `changed`
            with anyio.CancelScope(shield=True):
                records = await journal.records(after, limit=limit, run=run)
            if records or wait <= 0 or await _stops(sources, partial(journal.changed, max(seen, after))):
                break
    return FactPage(records=records, seq=max([journal.seq, *(record.seq for record in records[-1:])]))


async def _stops(sources: Sources, news: Callable[[], Awaitable[None]]) -> bool:
    """Wait for news. Tell whether the daemon began to stop instead."""
    if sources.stopping is None:
        await news()
        return False
    stopped = False

    async def stop(ends: Callable[[], Awaitable[None]]) -> None:
        nonlocal stopped
        await ends()
        stopped = True
        tasks.cancel_scope.cancel()

    with unwrapped():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stop, sources.stopping)
            await news()
            tasks.cancel_scope.cancel()
    return stopped
