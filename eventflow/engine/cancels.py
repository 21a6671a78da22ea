"""How runs and nodes are cancelled: asked for durably first, then carried out; and with a run go its open children."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eventflow import facts, ids, states
from eventflow.engine.catalogue import Catalogue
from eventflow.engine.opened import Opened
from eventflow.engine.openruns import OpenRuns
from eventflow.engine.planning import planned
from eventflow.engine.recorded import run_row
from eventflow.engine.recovery import cancelled_node
from eventflow.engine.steps import accepted
from eventflow.engine.waits import Waits
from eventflow.errors import InvalidRequest, NotFound
from eventflow.ports import JournalView, Ports
from eventflow.projections import NodeRow, RunRow


class Cancels:
    """Cancels what is open: what is executed by its execution, what isn't at once."""

    def __init__(self, ports: Ports, catalogue: Catalogue, runs: OpenRuns, waits: Waits) -> None:
        self._ports = ports
        self._catalogue = catalogue
        self._runs = runs
        self._waits = waits

    async def cancel(self, run: str, reason: str | None = None) -> None:
        """Have a run cancelled with its open children, and theirs: durably, once this returns. Nothing happens where it has ended."""
        row = await run_row(self._ports.journal, run)
        if row.state in states.ENDED_RUN:
            return
        self._ports.instrument.reached("engine.cancel.before")
        left = [row]
        while left:
            one = left.pop()
            if one.cancel_requested or await accepted(self._ports, facts.CancelRequested(one.run, reason)):
                self._ports.instrument.reached("engine.cancel.after")
                # Before its children are looked for: from here on it begins none, and cancels by itself what it is just beginning.
                await self.carry_out(one.run)
                left += await self._children(one.run)

    async def descendants(self, run: str) -> list[RunRow]:
        """Give a run's open children, theirs, and so on, each behind its parent."""
        found = await self._children(run)
        for child in found:
            found += await self._children(child.run)
        return found

    async def cancel_children(self, run: str, node: str) -> None:
        """Have the open runs cancelled that a node has begun, because it is cancelled itself."""
        for child in await self._children(run):
            if child.parent_node == node:
                await self.cancel(child.run, f"the node {node} that began it was cancelled")

    async def carry_out(self, run: str) -> None:
        """Cancel a run whose end is durably asked for: by its execution, where it has one or is to be closed, at once otherwise."""
        opened = self._runs.find(run)
        if opened is None:
            await self._cancel_resting(run, None)
            return
        async with opened.changing:
            if not self._runs.cancel(run):
                self._runs.withdraw(run)
                await self._cancel_resting(run, opened)

    async def cancel_node(self, run: str, node: str) -> None:
        """Have a node cancelled, in a run that is running or suspended: durably, once this returns.

        Raises `NotFound` where no such node is open, and `InvalidRequest` for a run in which nothing can be cancelled by itself.
        """
        row = await run_row(self._ports.journal, run)
        while (opened := await self._runs.steady(run)) is not None and row.state != states.HELD:
            if opened.execution is None:
                if await self._cancel_in_resting(opened, node):
                    return
            elif await self._cancel_in(opened, node):
                return
            row = await run_row(self._ports.journal, run)
        raise InvalidRequest(f"run {ids.short(run)} is {row.state}: a node can be cancelled in a run that is running or suspended")

    async def _cancel_in(self, opened: Opened, node: str) -> bool:
        """Cancel a node by the run's execution, and tell whether that was still at work."""
        execution = opened.execution
        await accepted(self._ports, facts.NodeCancelRequested(opened.run, node))
        self._ports.instrument.reached("engine.cancel_node.after")
        if execution is None or execution is not opened.execution or execution.is_suspended:
            return False
        if not await execution.cancel_node(node):
            raise _nothing(opened.run, node)
        return True

    async def _cancel_in_resting(self, opened: Opened, node: str) -> bool:
        """Cancel a node of a run that nothing executes, and tell whether that is still so. The run goes on from there."""
        if not opened.has_past:
            raise InvalidRequest(f"run {ids.short(opened.run)} hasn't begun: cancel the whole of it, or wait until it has")
        async with opened.changing:
            if opened.admitted:
                return False
            self._runs.withdraw(opened.run)
            try:
                await self._end_node(opened, node)
            finally:
                self._runs.put_back(opened.run)
        return True

    async def _end_node(self, opened: Opened, node: str) -> None:
        journal = self._ports.journal
        await accepted(self._ports, facts.NodeCancelRequested(opened.run, node))
        self._ports.instrument.reached("engine.cancel_node.after")
        await self.cancel_children(opened.run, node)
        while True:
            happened = cancelled_node(opened.run, await journal.select(NodeRow, run=opened.run), opened.graph, node)
            if happened is None:
                raise _nothing(opened.run, node)
            if await accepted(self._ports, *happened):
                break
        self._waits.drop(opened.run, node)
        opened.woken = True

    async def _cancel_resting(self, run: str, opened: Opened | None) -> None:
        while (row := await run_row(self._ports.journal, run)).state not in states.ENDED_RUN:
            plan, _ = await planned(self._ports.journal, row, self._catalogue.find(row.pipeline))
            if await accepted(self._ports, *plan.facts):
                self._follow(opened, run, closes=plan.resumes)
                return
            # One of its waits has just ended.

    def _follow(self, opened: Opened | None, run: str, *, closes: bool) -> None:
        if opened is None or not closes:
            self._runs.forget(run)
            return
        opened.cancelled = opened.has_past = True
        self._waits.forget(run)
        self._runs.queue(opened)
        self._runs.admit(opened.pipeline)

    async def _children(self, run: str) -> list[RunRow]:
        return await self._ports.journal.select(RunRow, parent=run, state=tuple(states.OPEN_RUN))


async def orphans(journal: JournalView, rows: Iterable[RunRow]) -> Sequence[str]:
    """Of the open runs, which are given in the order of their submission, name the children that were to go with a cancelled parent or
    node, where a crash came before that was asked for.
    """
    children = [row for row in rows if row.parent is not None]
    parents = tuple({row.parent for row in children})
    if not parents:
        return []
    asked = {row.run for row in await journal.select(RunRow, run=parents, cancel_requested=True)}
    nodes = {(row.run, row.node) for row in await journal.select(NodeRow, run=parents, cancel_requested=True)}
    found: list[str] = []
    for child in children:
        is_asked = child.parent in asked or (child.parent, child.parent_node) in nodes
        if is_asked and not child.cancel_requested:
            found.append(child.run)
            asked.add(child.run)
    return found


def _nothing(run: str, node: str) -> NotFound:
    why = "it has ended, its item hasn't begun, or there is none of that name"
    return NotFound(f"run {ids.short(run)} has no node {node!r} that can be cancelled: {why}")
