"""The engine: takes runs, executes them, and takes up what an earlier process left.

Its truth is the journal. What it holds in memory is the open runs, and any of it can be rebuilt from the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ParamSpec, TypeVar

import anyio
from anyio.abc import TaskGroup

from eventflow import facts, ids, states
from eventflow.definition.pipelines import Call, Pipeline, checked_call
from eventflow.engine.cancels import Cancels, orphans
from eventflow.engine.catalogue import Catalogue
from eventflow.engine.dispatch import Dispatch
from eventflow.engine.handle import Run
from eventflow.engine.intake import Intake
from eventflow.engine.limits import Limits
from eventflow.engine.opened import Opened
from eventflow.engine.openruns import OpenRuns
from eventflow.engine.planning import planned
from eventflow.engine.publishing import Published, Publishing
from eventflow.engine.recorded import RecordedRun, run_row
from eventflow.engine.recovery import Plan, has_unwanted_map
from eventflow.engine.repeats import Repeats
from eventflow.engine.reruns import RerunPlan
from eventflow.engine.resolutions import Resolutions
from eventflow.engine.results import result_of
from eventflow.engine.retention import RETENTION
from eventflow.engine.steps import accepted, whole
from eventflow.engine.supervisor import Supervisor
from eventflow.engine.surroundings import Surroundings
from eventflow.engine.values import Values
from eventflow.engine.waits import Waiting, Waits
from eventflow.errors import EngineClosed, InvalidRequest, NotFound
from eventflow.events import Event
from eventflow.facts import Fact, Unit
from eventflow.groups import unwrapped
from eventflow.ports import Ports, Sensor
from eventflow.projections import GraphRow, PipelineRow, RateRow, RunRow
from eventflow.triggers import Trigger

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Engine:
    """Runs pipelines on the given ports. Made by `open_engine`; works inside `async with engine.running()`."""

    def __init__(
        self,
        ports: Ports,
        values: Values,
        pipelines: Iterable[Pipeline[..., Any]] = (),
        *,
        sensors: Iterable[Sensor[Any]] = (),
        triggers: Iterable[Trigger[Any]] = (),
        retention: int = RETENTION,
        resources: Mapping[str, float] | None = None,
    ) -> None:
        self._ports = ports
        self._values = values
        self._limits = Limits(ports.clock, resources or {})
        self._catalogue = Catalogue(self._limits)
        self._runs = OpenRuns(ports, values, self._catalogue, self._limits)
        self._intake = Intake(ports, self._catalogue, self._runs)
        self._waits = Waits(ports, values, self._catalogue, self._runs)
        self._cancels = Cancels(ports, self._catalogue, self._runs, self._waits)
        self._repeats = Repeats(ports, values, self._catalogue, self._intake)
        self._resolutions = Resolutions(ports, self._catalogue, self._runs, self._intake, self._cancels)
        self._intake.on_events = self._waits.happened
        self._triggers = tuple(triggers)
        dispatch = Dispatch(ports, self._intake, self._triggers)
        self._supervisor = Supervisor(ports, dispatch, sensors, retention=retention)
        watched = [sensor.name for sensor in self._supervisor]
        self._publishing = Publishing(ports, self._intake, dispatch, watched=watched, retention=retention)
        self._retention = retention
        self._surroundings = Surroundings(self._waits, self._intake, self._cancel_children)
        self._tasks: TaskGroup | None = None
        self._recovered = asyncio.Event()
        for pipeline in pipelines:
            self._catalogue.add(pipeline)

    @property
    def ports(self) -> Ports:
        """The adapters that this engine works with."""
        return self._ports

    @property
    def intake(self) -> Intake:
        """Where runs come in that a decision has fired."""
        return self._intake

    @property
    def sensors(self) -> Supervisor:
        """The sensors that the engine observes, to be paused, resumed and poked."""
        return self._supervisor

    @property
    def retention(self) -> int:
        """How long, in microseconds, the identity of an event is kept that is gone from its source."""
        return self._retention

    @property
    def pipelines(self) -> tuple[Pipeline[..., Any], ...]:
        """The pipelines that the engine knows."""
        return tuple(self._catalogue)

    @property
    def triggers(self) -> tuple[Trigger[Any], ...]:
        """The triggers by which the engine acts on events."""
        return self._triggers

    # Events

    async def publish(self, event: Event[Any]) -> Published:
        """Have an event taken as if a sensor had seen it: durably, with what the triggers on its source decided, once this returns.

        The same event again, by its source and id, is a duplicate, and fires nothing. Raises `EventConflict` where that identity is taken
        by an event that says something else, `InvalidRequest` for what is no event, `EngineClosed`, and `JournalFull`.
        """
        return (await self.publish_all([event]))[0]

    async def publish_all(self, events: Sequence[Event[Any]]) -> list[Published]:
        """Have several events of one source taken, in one transaction: all of them or none. Raises as `publish` does."""
        return await self._whole(self._publishing.publish, events)

    # Runs

    async def submit(self, call: Call[R], *, key: str | None = None, priority: int = 0) -> Run[R]:
        """Have a pipeline run: durably, once this returns. With a `key`, the first run of that pipeline and key is given again.

        Raises `EngineClosed` where the engine is stopping, `JournalFull` where the disk is full, `InvalidRequest` for what can't be meant.
        """
        self._catalogue.add(checked_call(call).pipeline)
        return Run(await self._whole(self._submit, call, key, priority), call.pipeline.name, self)

    async def find(self, run: str) -> Run[object]:
        """Give a handle on a run by its whole id. Raises `NotFound`."""
        return self.handle(await self.state(run))

    def handle(self, run: RunRow) -> Run[object]:
        """Give a handle on a run."""
        return Run(run.run, run.pipeline, self)

    async def cancel(self, run: str, node: str | None = None) -> None:
        """Have a run, or one node of it, cancelled: durably, once this returns. Nothing happens where it has ended already.

        A run's open children are cancelled with it, and those that a node began with that. Raises `NotFound`, and `InvalidRequest` for a
        node of a run that is neither running nor suspended.
        """
        if node is None:
            await self._whole(self._cancels.cancel, run)
        else:
            await self._whole(self._cancels.cancel_node, run, node)

    async def plan_rerun(self, run: str, since: str = "failed", arguments: Mapping[str, object] | None = None) -> RerunPlan:
        """Give what `rerun` would do, node by node, and why. Nothing is run. Raises as `rerun`, but not where nothing would be done."""
        return await self._repeats.plan(await self.state(run), since, arguments)

    async def rerun(
        self, run: str, since: str = "failed", arguments: Mapping[str, object] | None = None, key: str | None = None
    ) -> Run[object]:
        """Have what a run did done again, as a new run that takes over whatever still stands: durably, once this returns.

        `since` is `failed` (all that didn't come to a good end), `everything`, or the name of a node, of a group, or of an item of a map,
        such as `train[3]`: that is done again, and all that depends on it. So is whatever has new code. `arguments` take the place of
        the run's own; `key` is as in `submit`. Raises `NotFound`, `ParameterError`, and `InvalidRequest` for a run that hasn't ended, or of
        which nothing would be done again.
        """
        row = await self.state(run)
        return Run(await self._whole(self._repeats.submit, row, since, arguments, key), row.pipeline, self)

    async def resolve(self, run: str, choice: str) -> Run[object]:
        """Decide about a held run: durably, once this returns. Gives the run that it leads to.

        `resume` has it go on with the code as it is, `restart` begins it anew, as a new run with the same arguments, and cancels the old
        one. `fail` ends it as failed; its closing nodes aren't run, for the code doesn't fit it. Raises `NotFound`, `ParameterError`
        where its arguments no longer fit, and `InvalidRequest` where it isn't held, or can't go on even so.
        """
        row = await self.state(run)
        return Run(await self._whole(self._resolutions.resolve, run, choice), row.pipeline, self)

    async def pause(self, run: str) -> None:
        """Have a run start nothing more until `unpause`; what runs goes on. Durable when this returns.

        Raises `NotFound`, and `InvalidRequest` for a run that has ended.
        """
        await self._whole(self._pause, run, paused=True)

    async def unpause(self, run: str) -> None:
        """Let a paused run go on. Raises as `pause` does."""
        await self._whole(self._pause, run, paused=False)

    async def pause_pipeline(self, pipeline: str, reason: str = "asked for") -> None:
        """Leave a pipeline's runs in the queue until `unpause_pipeline`; those under way go on. Raises `NotFound`."""
        await self._whole(self._pause_pipeline, pipeline, reason)

    async def unpause_pipeline(self, pipeline: str) -> None:
        """Admit a pipeline's runs again. Raises `NotFound`."""
        await self._whole(self._pause_pipeline, pipeline, None)

    def waiting(self) -> list[Waiting]:
        """Give what runs wait for, the oldest first: answers, events, instants, other runs."""
        return self._waits.waiting()

    async def answer(self, run: str, node: str, answer: object, by: str | None = None) -> None:
        """Answer what a node asks, with plain data that fits its form: durably, once this returns.

        Raises `NotFound`, and `InvalidRequest` for an answer that doesn't fit, a second one, or one by somebody who isn't asked.
        """
        await self._whole(self._waits.answer, run, node, answer, by)

    async def wait(self, run: str) -> RunRow:
        """Wait for a run's end and give its row. Raises `NotFound`, and `EngineClosed` where the engine stops before."""
        await self._runs.ended(run)
        row = await self.state(run)
        if row.state not in states.ENDED_RUN:
            raise EngineClosed(f"the engine stopped before run {ids.short(run)} had ended: it goes on when the engine is next started")
        return row

    async def state(self, run: str) -> RunRow:
        """Give the row of a run. Raises `NotFound`."""
        return await run_row(self._ports.journal, run)

    async def result(self, run: str) -> object:
        """Wait for a run's end and give its result. Raises `RunFailed`, `RunCancelled`, `NotFound`."""
        row = await self.wait(run)
        definition = self._catalogue.definition(row.pipeline)
        return await result_of(row, self._ports.journal, self._values, Any if definition is None else definition.result)

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
                    self._runs.begin(tasks, self._surroundings, overtaken=self._cancel_for, on_end=self._waits.hear_end)
                    self._waits.begin(tasks)
                    try:
                        await self._recover()
                        yield
                        await self.close(drain)
                    finally:
                        self._recovered.set()
                        self._waits.stop()
                        self._runs.stop()
            finally:
                self._tasks = None

    async def close(self, drain: float) -> None:
        """Take nothing more, start nothing more, ask what runs to save, and wait up to `drain` seconds for it to end."""
        self._ports.instrument.reached("engine.shutdown.before")
        await self._runs.drain(drain)
        self._ports.instrument.reached("engine.shutdown.after")

    # Steps

    async def _whole(self, step: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Go through a step that is wholly done or not at all, after the recovery, which doesn't expect other changes."""
        if self._tasks is not None:
            await self._recovered.wait()
        if self._tasks is None:
            return await step(*args, **kwargs)
        return await whole(self._tasks, step, *args, **kwargs)

    async def _submit(self, call: Call[Any], key: str | None, priority: int) -> str:
        submitted = self._intake.submission(call, key=key, priority=priority)
        self._ports.instrument.reached("engine.submit.before")
        run, is_new = await self._intake.commit(submitted)
        if is_new:
            self._ports.instrument.reached("engine.submit.after")
        return run

    async def _cancel_for(self, run: str, reason: str) -> None:
        await self._whole(self._cancels.cancel, run, reason)

    async def _cancel_children(self, run: str, node: str) -> None:
        await self._whole(self._cancels.cancel_children, run, node)

    async def _pause(self, run: str, *, paused: bool) -> None:
        row = await self.state(run)
        is_open = row.state in states.OPEN_RUN
        if is_open and row.paused is paused:
            return
        happened = facts.RunPaused(run) if paused else facts.RunUnpaused(run)
        if not is_open or not await accepted(self._ports, happened):
            what, now = "paused" if paused else "let go on", (await self.state(run)).state
            raise InvalidRequest(f"run {ids.short(run)} is {now}: only a run that hasn't ended is {what}")
        self._ports.instrument.reached("engine.pause.after")
        self._runs.pause(run, paused=paused)

    async def _pause_pipeline(self, pipeline: str, reason: str | None) -> None:
        if self._catalogue.find(pipeline) is None:
            raise NotFound(f"there is no pipeline {pipeline!r}")
        if reason is not None:
            await accepted(self._ports, facts.PipelinePaused(pipeline, reason))
            self._runs.pause_pipeline(pipeline)
        else:
            await accepted(self._ports, facts.PipelineUnpaused(pipeline))
            self._runs.unpause_pipeline(pipeline)

    # Recovery

    async def _recover(self) -> None:
        journal, instrument = self._ports.journal, self._ports.instrument
        instrument.reached("engine.recovery.before")
        self._catalogue.note_recorded(*(row.digest for row in await journal.select(GraphRow)))
        self._limits.recall(await journal.select(RateRow))
        rows = await self._left_open()
        plans = [(row, *await self._plan(row)) for row in rows]
        if happened := [fact for _, plan, _ in plans for fact in plan.facts]:
            await journal.commit(self._unit(*happened))
        instrument.reached("engine.recovery.after")
        for row in await journal.select(PipelineRow, paused=True):
            self._runs.pause_pipeline(row.pipeline)
        for row, plan, recorded in plans:
            if plan.resumes or not plan.cancelled:
                self._take_up(row, plan, recorded)
        await self._waits.recover()
        for row, _, recorded in plans:
            if row.state == states.SUSPENDED and (self._waits.count(row.run) < row.waiting or has_unwanted_map(recorded.nodes)):
                self._runs.wake(row.run)
        await self._runs.admit_all()
        await self._supervisor.recall()
        self._recovered.set()

    async def _left_open(self) -> list[RunRow]:
        """Give the runs that haven't ended, once children have been asked to end that a cancel had not reached."""
        journal = self._ports.journal
        rows = await journal.select(RunRow, state=tuple(states.OPEN_RUN), order="seq")
        left = await orphans(journal, rows)
        if not left:
            return rows
        await journal.commit(self._unit(*(facts.CancelRequested(run, "its parent was cancelled") for run in left)))
        return await journal.select(RunRow, state=tuple(states.OPEN_RUN), order="seq")

    async def _plan(self, row: RunRow) -> tuple[Plan, RecordedRun]:
        return await planned(self._ports.journal, row, self._catalogue.find(row.pipeline))

    def _take_up(self, row: RunRow, plan: Plan, recorded: RecordedRun) -> None:
        opened = Opened(
            row.run,
            row.pipeline,
            plan.graph,
            recorded.given,
            priority=row.priority,
            created_at=row.created_at,
            seq=row.seq,
            key=row.concurrency_key,
            began=self._ports.clock.now() if row.state == states.RUNNING else row.started_at or 0,
            ran=row.ran + (recorded.ran_since(row.started_at) if row.state == states.RUNNING else 0),
            recovered=True,
            has_past=row.started_at is not None or row.rerun_of is not None,
            paused=row.paused,
            cancelled=plan.cancelled,
        )
        if not plan.resumes:
            self._runs.hold(opened)
        elif row.state == states.RUNNING:
            self._runs.resume(opened)
        elif row.state == states.SUSPENDED and not plan.cancelled:
            self._runs.suspend(opened)
        else:
            self._runs.queue(opened)

    def _unit(self, *happened: Fact) -> Unit:
        return Unit(self._ports.clock.now(), happened)
