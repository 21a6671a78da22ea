"""The runs of an engine that haven't ended: waiting in their queues, running, or held."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup

from eventflow import facts
from eventflow.definition.graph import Graph
from eventflow.engine.admission import Admission
from eventflow.engine.catalogue import Catalogue
from eventflow.engine.recorded import past
from eventflow.engine.run import RunExecution
from eventflow.engine.values import Values
from eventflow.facts import Unit
from eventflow.ports import Ports


@dataclass(slots=True)
class Opened:
    """An open run: how to begin it, whether it has been, its execution once it is under way, and what tells its end.

    A `recovered` run was left by an earlier process: it has a past, and may have killed that process.
    """

    run: str
    pipeline: str
    graph: Graph
    given: bytes
    recovered: bool = False
    admitted: bool = False
    cancelled: bool = False
    execution: RunExecution | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class OpenRuns:
    """Admits open runs, executes them, and stops them when the engine stops.

    It works between `begin`, which lends it the task group that owns all runs, and `stop`.
    """

    def __init__(self, ports: Ports, values: Values, catalogue: Catalogue) -> None:
        self._ports = ports
        self._values = values
        self._catalogue = catalogue
        self._opened: dict[str, Opened] = {}
        self._admission = Admission()
        self._alone = asyncio.Lock()
        self._tasks: TaskGroup | None = None
        self.stopping = False

    @property
    def working(self) -> bool:
        """Whether runs are taken."""
        return self._tasks is not None and not self.stopping

    def begin(self, tasks: TaskGroup) -> None:
        """Work from here on."""
        self._tasks = tasks

    def hold(self, opened: Opened) -> None:
        """Remember a run that waits for a person."""
        self._opened[opened.run] = opened

    def queue(self, opened: Opened, priority: int, seq: int) -> None:
        """Put a run into the queue of its pipeline; `seq` is the place of the fact that submitted it. `admit` lets it out."""
        self._opened[opened.run] = opened
        self._admission.queue(opened.pipeline, opened.run, priority, seq)

    def resume(self, opened: Opened) -> None:
        """Go on with a run that was running when an earlier process ended."""
        self._opened[opened.run] = opened
        self._admission.enter(opened.pipeline)
        self._start(opened)

    def admit(self, pipeline: str) -> None:
        """Start as many of a pipeline's queued runs as may run."""
        if not self.working:
            return
        for run in self._admission.admit(pipeline, self._catalogue[pipeline].settings.max_active_runs):
            self._ports.journal.enqueue(Unit(self._ports.clock.now(), (facts.RunStarted(run),)))
            self._ports.instrument.reached("engine.run.admitted")
            self._start(self._opened[run])

    async def ended(self, run: str) -> None:
        """Return once a run has ended, isn't open, or the engine has stopped under it."""
        opened = self._opened.get(run)
        if opened is not None:
            await opened.ended.wait()

    def cancel(self, run: str) -> bool:
        """Stop a run that was admitted, and tell whether it was. It is recorded as cancelled by itself."""
        opened = self._opened.get(run)
        if opened is None or not opened.admitted:
            return False
        opened.cancelled = True
        if opened.execution is not None:
            opened.execution.cancel()
        return True

    def withdraw(self, run: str) -> None:
        """Take a run out of its queue, so that it won't be admitted."""
        self._admission.withdraw(run)

    def forget(self, run: str) -> None:
        """Note that a run has ended."""
        opened = self._opened.pop(run, None)
        if opened is not None:
            opened.ended.set()

    async def drain(self, seconds: float) -> None:
        """Start nothing more, ask what runs to save, and wait up to so many seconds for it to end."""
        self.stopping = True
        executions = [opened.execution for opened in self._opened.values() if opened.execution is not None]
        for execution in executions:
            execution.drain()
        if seconds > 0:
            await self._drained(executions, seconds)

    def stop(self) -> None:
        """Stop what still runs, and tell everybody who waits."""
        self.stopping = True
        for opened in self._opened.values():
            if opened.execution is None:
                opened.ended.set()
            else:
                opened.execution.shut()

    async def _drained(self, executions: Iterable[RunExecution], seconds: float) -> None:
        with anyio.CancelScope() as scope:
            timer = None if seconds == math.inf else self._ports.clock.call_later(seconds, scope.cancel)
            try:
                for execution in executions:
                    await execution.drained()
            finally:
                if timer is not None:
                    timer.cancel()

    def _start(self, opened: Opened) -> None:
        opened.admitted = True
        if self._tasks is not None:
            self._tasks.start_soon(self._execute, opened)

    async def _execute(self, opened: Opened) -> None:
        opened.execution = execution = await self._execution(opened)
        if opened.cancelled:
            execution.cancel()
        if self.stopping:
            execution.drain()
        try:
            await execution.execute()
        finally:
            opened.execution = None
            if self.stopping:
                opened.ended.set()
        if not self.stopping:
            self.forget(opened.run)
            self._admission.leave(opened.pipeline)
            self.admit(opened.pipeline)

    async def _execution(self, opened: Opened) -> RunExecution:
        definition = self._catalogue[opened.pipeline].definition
        known = await past(self._ports.journal, opened.run) if opened.recovered else None
        return RunExecution(
            opened.run, opened.graph, definition, opened.given, ports=self._ports, values=self._values, alone=self._alone, past=known
        )
