"""The engine: takes runs, admits them, executes them, and takes up what an earlier process left.

Its truth is the journal. What it holds in memory is the open runs, and any of it can be rebuilt from the journal.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, ParamSpec, TypeVar

import anyio
import msgspec
from anyio.abc import TaskGroup

from eventflow import facts, ids, states
from eventflow.definition import graph as graphs
from eventflow.definition.pipelines import Call, Pipeline, checked_call
from eventflow.engine import recovery
from eventflow.engine.admission import Admission, check_wishes
from eventflow.engine.groups import unwrapped
from eventflow.engine.handle import Run
from eventflow.engine.opened import Opened
from eventflow.engine.recorded import past, recorded_run
from eventflow.engine.results import result_of
from eventflow.engine.run import RunExecution
from eventflow.engine.steps import whole
from eventflow.engine.values import Values
from eventflow.errors import DefinitionError, EngineClosed, JournalFull, NotFound, Refused
from eventflow.facts import Fact, Unit
from eventflow.ports import Ports
from eventflow.projections import GraphRow, KeyRow, RunRow

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Engine:
    """Runs pipelines on the given ports. Made by `open_engine`; works inside `async with engine.running()`."""

    def __init__(self, ports: Ports, values: Values, pipelines: Iterable[Pipeline[..., Any]] = ()) -> None:
        self._ports = ports
        self._values = values
        self._pipelines: dict[str, Pipeline[..., Any]] = {}
        self._recorded: set[str] = set()
        self._open: dict[str, Opened] = {}
        self._admission = Admission()
        self._tasks: TaskGroup | None = None
        self._recovered = asyncio.Event()
        self._alone = asyncio.Lock()
        self._closing = False
        for pipeline in pipelines:
            self.add(pipeline)

    @property
    def ports(self) -> Ports:
        """The adapters that this engine works with."""
        return self._ports

    @property
    def pipelines(self) -> tuple[Pipeline[..., Any], ...]:
        """The pipelines that the engine was given."""
        return tuple(self._pipelines.values())

    def add(self, pipeline: Pipeline[..., Any]) -> None:
        """Make a pipeline known, and check it. Raises `DefinitionError` where it is wrong, or where another one has its name."""
        known = self._pipelines.get(pipeline.name)
        if known is not None and known is not pipeline:
            raise DefinitionError(f"two pipelines are named {pipeline.name!r}: the other one is at {known.where}", pipeline.where)
        pipeline.definition  # noqa: B018 - traces and checks it
        self._pipelines[pipeline.name] = pipeline
        self._admission.limit(pipeline.name, pipeline.settings.max_active_runs)

    # Runs

    async def submit(self, call: Call[R], *, key: str | None = None, priority: int = 0) -> Run[R]:
        """Have a pipeline run: durably, once this returns. With a `key`, the first run of that pipeline and key is given again.

        Raises `EngineClosed` where the engine is stopping, `JournalFull` where the disk is full, `InvalidRequest` for what can't be meant.
        """
        self.add(checked_call(call).pipeline)
        return Run(await self._whole(self._submit, call, key, priority), call.pipeline.name, self)

    def submission(
        self, call: Call[Any], *, key: str | None = None, priority: int = 0, event: str | None = None, trigger: str | None = None
    ) -> facts.RunSubmitted:
        """Give the fact that asks for a run, with a new id; whoever commits it hands it to `submitted` afterwards."""
        self._check_open()
        check_wishes(key, priority)
        return facts.RunSubmitted(
            run=self.new_id(),
            pipeline=call.pipeline.name,
            graph=call.pipeline.definition.version,
            arguments=msgspec.Raw(call.arguments),
            key=key,
            priority=priority,
            event=event,
            trigger=trigger,
        )

    def graph_facts(self, pipeline: Pipeline[..., Any]) -> tuple[Fact, ...]:
        """Give the fact that records a pipeline's graph, if it isn't recorded yet: it belongs before the first submission."""
        definition = pipeline.definition
        if definition.version in self._recorded:
            return ()
        return (facts.GraphRecorded(definition.version, msgspec.Raw(graphs.encode(definition.graph))),)

    def submitted(self, submission: facts.RunSubmitted, seq: int) -> None:
        """Take a committed submission into the queue of its pipeline; `seq` is its place, or any behind it in its unit."""
        if self._closing:
            # The engine has begun to stop while this was committed: the next one takes it up.
            return
        self._recorded.add(submission.graph)
        graph = self._pipelines[submission.pipeline].definition.graph
        self._open[submission.run] = Opened(submission.run, submission.pipeline, graph, bytes(submission.arguments))
        self._admission.queue(submission.pipeline, submission.run, submission.priority, seq)
        self._admit(submission.pipeline)

    def new_id(self) -> str:
        """Give a new id."""
        return ids.uuid7(self._ports.clock.now(), self._ports.random.bits(74))

    def handle(self, run: RunRow) -> Run[object]:
        """Give a handle on a run."""
        return Run(run.run, run.pipeline, self)

    async def find(self, run: str) -> Run[object]:
        """Give a handle on a run by its whole id. Raises `NotFound`."""
        return self.handle(await self.state(run))

    async def cancel(self, run: str) -> None:
        """Have a run cancelled: durably, once this returns. Nothing happens where it has ended already. Raises `NotFound`."""
        await self._whole(self._cancel, run)

    async def wait(self, run: str) -> RunRow:
        """Wait for a run's end and give its row. Raises `NotFound`, and `EngineClosed` where the engine stops before."""
        opened = self._open.get(run)
        if opened is not None:
            await opened.ended.wait()
        row = await self.state(run)
        if row.state not in states.ENDED_RUN:
            raise EngineClosed(f"the engine stopped before run {ids.short(run)} had ended: it goes on when the engine is next started")
        return row

    async def state(self, run: str) -> RunRow:
        """Give the row of a run. Raises `NotFound`."""
        rows = await self._ports.journal.select(RunRow, run=run)
        if not rows:
            raise NotFound(f"there is no run {run}")
        return rows[0]

    async def result(self, run: str) -> object:
        """Wait for a run's end and give its result. Raises `RunFailed`, `RunCancelled`, `NotFound`."""
        row = await self.wait(run)
        pipeline = self._pipelines.get(row.pipeline)
        return await result_of(row, self._ports.journal, self._values, Any if pipeline is None else pipeline.definition.result)

    # The engine's own life

    @asynccontextmanager
    async def running(self, *, drain: float = 0.0) -> AsyncGenerator[None]:
        """Take up what an earlier process left, then run until the block is left.

        Leaving it, what runs has `drain` seconds to end by itself; what doesn't is stopped, and goes on at the next start.
        """
        with unwrapped():
            try:
                async with anyio.create_task_group() as tasks:
                    self._tasks = tasks
                    try:
                        await self._recover()
                        yield
                        await self.close(drain)
                    finally:
                        self._stop()
            finally:
                self._tasks = None

    async def close(self, drain: float) -> None:
        """Take nothing more, start nothing more, ask what runs to save, and wait up to `drain` seconds for it to end."""
        self._closing = True
        self._ports.instrument.reached("engine.shutdown.before")
        executions = [opened.execution for opened in self._open.values() if opened.execution is not None]
        for execution in executions:
            execution.drain()
        if drain > 0:
            await self._drained(executions, drain)
        self._ports.instrument.reached("engine.shutdown.after")

    async def _drained(self, executions: Iterable[RunExecution], drain: float) -> None:
        with anyio.CancelScope() as scope:
            timer = None if drain == math.inf else self._ports.clock.call_later(drain, scope.cancel)
            try:
                for execution in executions:
                    await execution.drained()
            finally:
                if timer is not None:
                    timer.cancel()

    def _stop(self) -> None:
        self._closing = True
        self._recovered.set()
        for opened in self._open.values():
            if opened.execution is None:
                opened.ended.set()
            else:
                opened.execution.shut()

    def _check_open(self) -> None:
        if self._closing or self._tasks is None:
            raise EngineClosed("the engine is stopping or has stopped: it takes no new runs")
        if self._ports.journal.full:
            raise JournalFull("no space is left on the journal's disk: nothing new is taken until there is")

    # Execution

    def _admit(self, pipeline: str) -> None:
        if self._tasks is None or self._closing:
            return
        for run in self._admission.admit(pipeline):
            self._ports.journal.enqueue(self._unit(facts.RunStarted(run)))
            self._ports.instrument.reached("engine.run.admitted")
            self._begin(self._open[run], self._tasks)

    def _begin(self, opened: Opened, tasks: TaskGroup) -> None:
        opened.admitted = True
        tasks.start_soon(self._execute, opened)

    async def _execute(self, opened: Opened) -> None:
        definition = self._pipelines[opened.pipeline].definition
        known = await past(self._ports.journal, opened.run) if opened.recovered else None
        opened.execution = RunExecution(
            opened.run, opened.graph, definition, opened.given, ports=self._ports, values=self._values, alone=self._alone, past=known
        )
        if opened.cancelled:
            opened.execution.cancel()
        if self._closing:
            opened.execution.drain()
        try:
            await opened.execution.execute()
        finally:
            opened.execution = None
            if self._closing:
                opened.ended.set()
        self._leave(opened)

    def _leave(self, opened: Opened) -> None:
        if self._closing:
            return
        self._forget(opened)
        self._admission.leave(opened.pipeline)
        self._admit(opened.pipeline)

    def _forget(self, opened: Opened) -> None:
        self._open.pop(opened.run, None)
        opened.ended.set()

    async def _whole(self, step: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Go through a step that is wholly done or not at all, after the recovery, which doesn't expect other changes."""
        if self._tasks is not None:
            await self._recovered.wait()
        if self._tasks is None:
            return await step(*args, **kwargs)
        return await whole(self._tasks, step, *args, **kwargs)

    async def _submit(self, call: Call[Any], key: str | None, priority: int) -> str:
        submitted = self.submission(call, key=key, priority=priority)
        self._ports.instrument.reached("engine.submit.before")
        try:
            seq = await self._ports.journal.commit(self._unit(*self.graph_facts(call.pipeline), submitted))
        except Refused as refused:
            if refused.table != "keys" or key is None:
                raise
            return (await self._ports.journal.select(KeyRow, pipeline=call.pipeline.name, key=key))[0].run
        self._ports.instrument.reached("engine.submit.after")
        self.submitted(submitted, seq)
        return submitted.run

    async def _cancel(self, run: str) -> None:
        row = await self.state(run)
        if row.state in states.ENDED_RUN:
            return
        self._ports.instrument.reached("engine.cancel.before")
        if not row.cancel_requested and not await self._accepted(facts.CancelRequested(run)):
            return
        self._ports.instrument.reached("engine.cancel.after")
        opened = self._open.get(run)
        if opened is None or not opened.admitted:
            await self._cancel_unadmitted(row)
        else:
            opened.cancelled = True
            if opened.execution is not None:
                opened.execution.cancel()

    async def _cancel_unadmitted(self, row: RunRow) -> None:
        self._admission.withdraw(row.run)
        recorded = await recorded_run(self._ports.journal, row)
        await self._accepted(*recovery.cancelled(row.run, recorded.nodes, recorded.graph))
        if opened := self._open.get(row.run):
            self._forget(opened)

    async def _accepted(self, *happened: Fact) -> bool:
        """Commit facts about a run, unless it has ended meanwhile."""
        try:
            await self._ports.journal.commit(self._unit(*happened))
        except Refused:
            return False
        return True

    # Recovery

    async def _recover(self) -> None:
        journal, instrument = self._ports.journal, self._ports.instrument
        instrument.reached("engine.recovery.before")
        self._recorded = {row.digest for row in await journal.select(GraphRow)}
        rows = await journal.select(RunRow, state=tuple(states.OPEN_RUN), order="seq")
        plans = [(row, *await self._plan(row)) for row in rows]
        if happened := [fact for _, plan, _ in plans for fact in plan.facts]:
            await journal.commit(self._unit(*happened))
        instrument.reached("engine.recovery.after")
        for row, plan, given in plans:
            if not row.cancel_requested:
                self._take_up(row, plan, given)
        for pipeline in self._pipelines:
            self._admit(pipeline)
        self._recovered.set()

    async def _plan(self, row: RunRow) -> tuple[recovery.Plan, bytes]:
        recorded = await recorded_run(self._ports.journal, row)
        pipeline = self._pipelines.get(row.pipeline)
        definition = None if pipeline is None else pipeline.definition
        return recovery.plan(row, recorded.nodes, recorded.graph, recorded.given, definition), recorded.given

    def _take_up(self, row: RunRow, plan: recovery.Plan, given: bytes) -> None:
        opened = Opened(row.run, row.pipeline, plan.graph, given, recovered=True)
        self._open[row.run] = opened
        if not plan.resumes or self._tasks is None:
            return
        if row.state == states.RUNNING:
            self._admission.enter(row.pipeline)
            self._begin(opened, self._tasks)
        else:
            self._admission.queue(row.pipeline, row.run, row.priority, row.seq)

    def _unit(self, *happened: Fact) -> Unit:
        return Unit(self._ports.clock.now(), happened)
