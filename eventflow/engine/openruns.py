"""The runs of an engine that haven't ended: waiting in their queues, running, suspended, or held."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable

import anyio
from anyio.abc import TaskGroup

from eventflow import durations, facts
from eventflow.engine.admission import aged
from eventflow.engine.catalogue import Catalogue
from eventflow.engine.frame import Outside, Wish
from eventflow.engine.limits import Limits
from eventflow.engine.opened import Opened
from eventflow.engine.outcome import Outcome
from eventflow.engine.queues import Overtaken, Queues
from eventflow.engine.recorded import past
from eventflow.engine.run import Progress, RunExecution
from eventflow.engine.values import Values
from eventflow.errors import EngineClosed
from eventflow.facts import Unit
from eventflow.ports import Ports


class OpenRuns:
    """Admits open runs, executes them, and stops them when the engine stops.

    It works between `begin` and `stop`.
    """

    def __init__(self, ports: Ports, values: Values, catalogue: Catalogue, limits: Limits) -> None:
        self._ports = ports
        self._values = values
        self._catalogue = catalogue
        self._limits = limits
        self._opened: dict[str, Opened] = {}
        self._queues = Queues(ports, catalogue, self.forget)
        self._alone = asyncio.Lock()
        self._tasks: TaskGroup | None = None
        self.stopping = False
        self._outside: Outside | None = None
        self._on_end: Callable[[str], None] = _nobody

    @property
    def working(self) -> bool:
        """Whether runs are taken."""
        return self._tasks is not None and not self.stopping

    def begin(self, tasks: TaskGroup, outside: Outside, *, overtaken: Overtaken, on_end: Callable[[str], None]) -> None:
        """Work from here on. `tasks` owns all runs, whose nodes turn to `outside`; `on_end` is called with each run that has ended."""
        self._tasks = tasks
        self._outside = outside
        self._on_end = on_end
        self._queues.begin(tasks, overtaken)

    def wake(self, run: str) -> None:
        """Have a suspended run go on: what it waited for has come."""
        opened = self._opened.get(run)
        if opened is not None:
            self._wake(opened)

    def find(self, run: str) -> Opened | None:
        """Give an open run, or None."""
        return self._opened.get(run)

    # How runs come in

    def hold(self, opened: Opened) -> None:
        """Remember a run that waits for a person."""
        self._opened[opened.run] = opened

    def suspend(self, opened: Opened) -> None:
        """Remember a run that waits for the world."""
        opened.suspended = opened.has_past = True
        self._opened[opened.run] = opened

    def queue(self, opened: Opened) -> None:
        """Put a run into the queue of its pipeline. `admit` lets it out."""
        self._opened[opened.run] = opened
        opened.suspended = opened.withdrawn = False
        self._queues.put(opened)

    def resume(self, opened: Opened) -> None:
        """Go on with a run that was running when an earlier process ended."""
        opened.has_past = True
        self._opened[opened.run] = opened
        self._queues.enter(opened)
        self._start(opened)

    def admit(self, pipeline: str) -> None:
        """Start as many of a pipeline's queued runs as may run."""
        if not self.working:
            return
        for run in self._queues.admitted(pipeline):
            opened = self._opened[run]
            unit = Unit(self._ports.clock.now(), (facts.RunStarted(run),))
            self._ports.journal.enqueue(unit)
            self._ports.instrument.reached("engine.run.admitted")
            opened.began = unit.at
            self._start(opened)

    async def admit_all(self) -> None:
        """Start what may run of all pipelines; those are paused first of which the last runs failed, where a crash came before that."""
        for pipeline in self._catalogue:
            await self._queues.judge(pipeline.name)
            self.admit(pipeline.name)

    def pause_pipeline(self, pipeline: str) -> None:
        """Admit no more of a pipeline's runs."""
        self._queues.pause(pipeline)

    def unpause_pipeline(self, pipeline: str) -> None:
        """Admit a pipeline's runs again."""
        self._queues.unpause(pipeline)
        self.admit(pipeline)

    # What happens to them

    async def ended(self, run: str) -> None:
        """Return once a run has ended, isn't open, or the engine has stopped under it."""
        opened = self._opened.get(run)
        if opened is not None:
            await opened.ended.wait()

    def cancel(self, run: str) -> bool:
        """Stop a run that is under way, and tell whether it is. It is recorded as cancelled by itself."""
        opened = self._opened.get(run)
        if opened is None or not opened.admitted:
            return False
        opened.cancelled = True
        if opened.execution is not None:
            opened.execution.cancel()
        return True

    def withdraw(self, run: str) -> None:
        """Take a run out of its queue, so that it is neither admitted nor woken before it is put back or queued again."""
        self._queues.withdraw(run)
        opened = self._opened.get(run)
        if opened is not None:
            opened.withdrawn = True

    def put_back(self, run: str) -> None:
        """Put a withdrawn run back to where it was."""
        opened = self._opened.get(run)
        if opened is None:
            return
        opened.withdrawn = False
        if not opened.suspended:
            self.queue(opened)
            self.admit(opened.pipeline)
        elif opened.woken:
            self._wake(opened)

    async def steady(self, run: str) -> Opened | None:
        """Give an open run, None where it isn't, once it either is executed or isn't, and is in between no longer.

        Raises `EngineClosed` where the engine is stopping.
        """
        while (opened := self._opened.get(run)) is not None and opened.is_turning:
            if self.stopping:
                raise EngineClosed("the engine is stopping or has stopped: it cancels nothing any more")
            await opened.turn.wait()
        return opened

    def forget(self, run: str) -> None:
        """Note that a run has ended."""
        opened = self._opened.pop(run, None)
        if opened is not None:
            if opened.patience is not None:
                opened.patience.cancel()
            opened.ended.set()
            self._on_end(run)

    def pause(self, run: str, *, paused: bool) -> None:
        """Have a run start nothing more, or go on."""
        opened = self._opened.get(run)
        if opened is None:
            return
        opened.paused = paused
        if opened.execution is not None:
            if paused:
                opened.execution.pause()
            else:
                opened.execution.unpause()

    def tell(self, run: str, node: str, outcome: Outcome) -> None:
        """Tell a run the durable end of one of its suspended nodes; a suspended run is woken."""
        opened = self._opened.get(run)
        if opened is not None and (opened.execution is None or not opened.execution.tell(node, outcome)):
            self._wake(opened)

    # The engine's end

    async def drain(self, seconds: float) -> None:
        """Start nothing more, ask what runs to save, and wait up to so many seconds for it to end."""
        self.stopping = True
        self._queues.stop()
        executions = [opened.execution for opened in self._opened.values() if opened.execution is not None]
        for execution in executions:
            execution.drain()
        if seconds > 0:
            await self._drained(executions, seconds)

    def stop(self) -> None:
        """Stop what still runs, and tell everybody who waits."""
        self.stopping = True
        self._queues.stop()
        for opened in self._opened.values():
            if opened.patience is not None:
                opened.patience.cancel()
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

    # Under way

    def _start(self, opened: Opened) -> None:
        opened.admitted = True
        if opened.patience is not None:
            opened.patience.cancel()
        if self._tasks is not None:
            self._tasks.start_soon(self._execute, opened)

    async def _execute(self, opened: Opened) -> None:
        opened.execution = execution = await self._from_past(opened)
        opened.note_turn()
        if opened.paused:
            execution.pause()
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
                opened.note_turn()
        if not self.stopping:
            await self._after(opened, execution)

    async def _from_past(self, opened: Opened) -> RunExecution:
        """Make a run's execution from what is recorded: anew, where something was told while that was read."""
        while True:
            opened.woken = False
            execution = await self._execution(opened)
            if not opened.woken:
                return execution

    async def _after(self, opened: Opened, execution: RunExecution) -> None:
        self._queues.leave(opened)
        opened.admitted = False
        opened.note_turn()
        if execution.is_suspended:
            opened.ran = execution.ran
            self.suspend(opened)
            if opened.woken or opened.cancelled:
                self._wake(opened)
        else:
            await self._queues.judge(opened.pipeline)
            self.forget(opened.run)
        self.admit(opened.pipeline)

    def _wake(self, opened: Opened) -> None:
        """Have a suspended run go on, through its queue; one that is about to be suspended, once it is."""
        opened.woken = not opened.suspended or opened.withdrawn
        if opened.suspended and self.working and not opened.withdrawn:
            self._ports.journal.enqueue(Unit(self._ports.clock.now(), (facts.RunWoken(opened.run),)))
            self._ports.instrument.reached("engine.run.woken")
            self.queue(opened)
            self.admit(opened.pipeline)

    async def _execution(self, opened: Opened) -> RunExecution:
        if self._outside is None:
            raise AssertionError("runs are executed by an engine, which says what is outside of them")
        pipeline = self._catalogue[opened.pipeline]
        timeout = pipeline.settings.timeout
        progress = Progress(
            await past(self._ports.journal, opened.run) if opened.has_past else {},
            opened.began,
            opened.ran,
            careful=opened.recovered,
            ending=Wish.CANCEL if opened.cancelled else None,
        )
        return RunExecution(
            opened.run,
            opened.graph,
            pipeline.definition,
            opened.given,
            progress,
            ports=self._ports,
            values=self._values,
            alone=self._alone,
            limits=self._limits,
            outside=self._outside,
            order=aged(opened.created_at, opened.priority),
            timeout=None if timeout is None else durations.seconds(timeout),
        )


def _nobody(_: str) -> None:
    """Nobody has asked to be told."""
