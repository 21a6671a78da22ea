"""The queues of all pipelines as their options want them: who is admitted, who gives way to whom, who has waited too long."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from anyio.abc import TaskGroup

from eventflow import durations, facts
from eventflow.definition.options import PipelineOptions
from eventflow.engine.admission import Admission
from eventflow.engine.breaker import trips
from eventflow.engine.catalogue import Catalogue
from eventflow.engine.opened import Opened
from eventflow.engine.steps import accepted
from eventflow.facts import Failure
from eventflow.ports import Ports

Overtaken = Callable[[str, str], Coroutine[Any, Any, None]]
"""Cancels a run that another one takes the place of, and is told why."""


class Queues:
    """Holds queued runs, and counts active ones. It works between `begin` and `stop`; `ended` is told of each run that it has failed."""

    def __init__(self, ports: Ports, catalogue: Catalogue, ended: Callable[[str], None]) -> None:
        self._ports = ports
        self._catalogue = catalogue
        self._ended = ended
        self._admission = Admission()
        self._tasks: TaskGroup | None = None
        self._overtaken: Overtaken | None = None

    def begin(self, tasks: TaskGroup, overtaken: Overtaken) -> None:
        """Work from here on: `tasks` owns what is done for runs that aren't admitted."""
        self._tasks = tasks
        self._overtaken = overtaken

    def stop(self) -> None:
        """Fail and cancel no more runs."""
        self._tasks = None

    def put(self, opened: Opened) -> None:
        """Put a run into the queue of its pipeline. A new one makes others give way, or gives way itself, and may wait only so long."""
        self._admission.queue(
            opened.pipeline,
            opened.run,
            priority=opened.priority,
            created_at=opened.created_at,
            seq=opened.seq,
            key=opened.key,
            begun=bool(opened.began),
        )
        options = self._options(opened)
        if not opened.recovered and not opened.began:
            self._give_way(opened, options)
        if not opened.began:
            self._limit_patience(opened, options)

    def withdraw(self, run: str) -> None:
        """Take a run out of its queue."""
        self._admission.withdraw(run)

    def admitted(self, pipeline: str) -> list[str]:
        """Give the runs of a pipeline that may run now, in order. They count as active from here on."""
        return self._admission.admit(pipeline, self._catalogue[pipeline].settings.max_active_runs)

    def enter(self, opened: Opened) -> None:
        """Count a run as active."""
        self._admission.enter(opened.pipeline, opened.run, opened.key)

    def leave(self, opened: Opened) -> None:
        """Count a run as active no longer."""
        self._admission.leave(opened.run)

    def pause(self, pipeline: str) -> None:
        """Admit no more of a pipeline's runs."""
        self._admission.pause(pipeline)

    def unpause(self, pipeline: str) -> None:
        """Admit a pipeline's runs again."""
        self._admission.unpause(pipeline)

    async def judge(self, pipeline: str) -> None:
        """Pause a pipeline of which too many runs have failed in a row."""
        limit = self._catalogue[pipeline].settings.pause_after
        if limit is None or self._admission.is_paused(pipeline) or not await trips(self._ports.journal, pipeline, limit):
            return
        reason = f"its last {limit} runs failed" if limit > 1 else "its last run failed"
        if await accepted(self._ports, facts.PipelinePaused(pipeline, reason)):
            self.pause(pipeline)

    def _options(self, opened: Opened) -> PipelineOptions:
        return self._catalogue[opened.pipeline].settings

    def _give_way(self, opened: Opened, options: PipelineOptions) -> None:
        """Have runs cancelled that this one takes the place of, or this one, as the pipeline says."""
        victims = self._admission.overlapping(opened.pipeline, opened.run, options.max_active_runs, options.on_overlap)
        for victim in victims:
            self._admission.withdraw(victim)
        if self._tasks is not None and self._overtaken is not None:
            for victim in victims:
                self._tasks.start_soon(self._overtaken, victim, f"on_overlap={options.on_overlap}")

    def _limit_patience(self, opened: Opened, options: PipelineOptions) -> None:
        if options.queue_timeout is not None:
            waited = (self._ports.clock.now() - opened.created_at) / durations.SECOND
            left = max(0.0, durations.seconds(options.queue_timeout) - waited)
            opened.patience = self._ports.clock.call_later(left, partial(self._lose_patience, opened))

    def _lose_patience(self, opened: Opened) -> None:
        if not opened.admitted and self._tasks is not None:
            opened.withdrawn = True
            self.withdraw(opened.run)
            self._tasks.start_soon(self._fail_queued, opened)

    async def _fail_queued(self, opened: Opened) -> None:
        limit = self._options(opened).queue_timeout
        failure = Failure("QueueTimeout", f"the run waited in the queue for longer than {limit}")
        if await accepted(self._ports, facts.RunFailed(opened.run, failure)):
            await self.judge(opened.pipeline)
            self._ended(opened.run)
