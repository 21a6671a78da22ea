"""What the API answers by having the engine do something. Everything here is durable before it is answered, and needs a daemon."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from eventflow.definition.pipelines import Call, Pipeline
from eventflow.errors import ParameterError
from eventflow.projections import RunRow
from eventflow.server import forms
from eventflow.server.answers import PlannedNode, Rerun
from eventflow.server.questions import (
    Cancellation,
    GivenAnswer,
    PauseReason,
    Publication,
    Question,
    Repetition,
    Resolution,
    Submission,
    body,
)
from eventflow.server.replies import reply
from eventflow.server.sources import Sources
from eventflow.server.views import pipelines, publishing, runs, search, sensors, waiting


class Changing:
    """What each route answers that changes something."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._journal = sources.journal

    async def submit(self, request: Request) -> Response:
        engine = self._sources.live
        wanted = await body(request, Submission)
        pipeline = self._sources.pipeline(wanted.pipeline)
        call = Call(pipeline, pipeline.parameters.encode(_values(pipeline, wanted)))
        run = await engine.submit(call, key=wanted.key, priority=wanted.priority)
        return await self._told(run.id, 201)

    async def cancel(self, request: Request) -> Response:
        engine = self._sources.live
        row, wanted = await self._run(request), await body(request, Cancellation)
        await engine.cancel(row.run, wanted.node)
        return await self._told(row.run)

    async def pause(self, request: Request) -> Response:
        engine = self._sources.live
        row = await self._run(request)
        await engine.pause(row.run)
        return await self._told(row.run)

    async def unpause(self, request: Request) -> Response:
        engine = self._sources.live
        row = await self._run(request)
        await engine.unpause(row.run)
        return await self._told(row.run)

    async def pause_pipeline(self, request: Request) -> Response:
        pipeline = self._pipeline(request)
        await self._sources.live.pause_pipeline(pipeline.name, (await body(request, PauseReason)).reason)
        return await self._told_of(pipeline)

    async def unpause_pipeline(self, request: Request) -> Response:
        pipeline = self._pipeline(request)
        await self._sources.live.unpause_pipeline(pipeline.name)
        return await self._told_of(pipeline)

    async def answer(self, request: Request) -> Response:
        engine = self._sources.live
        row, given = await self._run(request), await body(request, GivenAnswer)
        asked = next(iter(await waiting.of_nodes(self._journal, row, [given.node])), None)
        said = forms.answer(given, None if asked is None else asked.form)
        await engine.answer(row.run, given.node, said, given.by)
        return await self._told(row.run)

    async def rerun(self, request: Request) -> Response:
        engine = self._sources.live
        row, wanted = await self._run(request), await body(request, Repetition)
        pipeline = self._sources.pipeline(row.pipeline)
        arguments = _values(pipeline, wanted) or None
        plan = await engine.plan_rerun(row.run, wanted.since, arguments)
        planned = [PlannedNode(one.name, one.what, one.why) for one in plan.entries]
        if wanted.dry:
            return reply(Rerun(None, planned))
        run = await engine.rerun(row.run, wanted.since, arguments, wanted.key)
        (entry,) = await runs.entries(self._journal, [await engine.state(run.id)])
        return reply(Rerun(entry, planned), status=201)

    async def resolve(self, request: Request) -> Response:
        engine = self._sources.live
        row, wanted = await self._run(request), await body(request, Resolution)
        run = await engine.resolve(row.run, wanted.choice)
        return await self._told(run.id)

    async def publish(self, request: Request) -> Response:
        Question(request, ())
        told = await publishing.publish(self._sources, await body(request, Publication))
        return reply(told, status=200 if told.duplicate else 201)

    async def pause_sensor(self, request: Request) -> Response:
        name = self._sensor(request)
        await self._sources.live.sensors.pause(name, (await body(request, PauseReason)).reason)
        return reply(await sensors.entry(self._sources, name))

    async def resume_sensor(self, request: Request) -> Response:
        name = self._sensor(request)
        await self._sources.live.sensors.resume(name)
        return reply(await sensors.entry(self._sources, name))

    async def poke_sensor(self, request: Request) -> Response:
        name = self._sensor(request)
        self._sources.live.sensors.poke(name)
        return reply(await sensors.entry(self._sources, name))

    def _sensor(self, request: Request) -> str:
        """Give the name of a sensor of the engine. Raises `NotFound`, naming those there are, and `NoDaemon`."""
        Question(request, ())
        return self._sources.live.sensors[request.path_params["sensor"]].name

    async def _run(self, request: Request) -> RunRow:
        Question(request, ())
        return await search.find_run(self._journal, request.path_params["run"])

    def _pipeline(self, request: Request) -> Pipeline[..., Any]:
        Question(request, ())
        return self._sources.pipeline(request.path_params["pipeline"])

    async def _told(self, run: str, status: int = 200) -> Response:
        """Answer with how a run stands now."""
        (entry,) = await runs.entries(self._journal, [await self._sources.live.state(run)])
        return reply(entry, status=status)

    async def _told_of(self, pipeline: Pipeline[..., Any]) -> Response:
        """Answer with how a pipeline stands now."""
        paused = await pipelines.pauses(self._journal, [pipeline.name])
        return reply(pipelines.entry(pipeline, paused.get(pipeline.name)))


def _values(pipeline: Pipeline[..., Any], wanted: Submission | Repetition) -> dict[str, object]:
    """Give the arguments that were sent, as values. Raises `ParameterError` for one that doesn't fit its parameter."""
    parameters = pipeline.parameters
    if wanted.texts and wanted.parameters:
        raise ParameterError("give `parameters` as JSON or `texts` as they were typed, not both")
    if wanted.texts:
        return parameters.parse(wanted.texts)
    raw = msgspec.json.encode(wanted.parameters)
    if isinstance(wanted, Submission):
        return parameters.decode(raw)
    # Those that aren't there are as they were; one that nobody knows is refused with all the others.
    known = parameters.annotations
    return {name: parameters.value(raw, name) if name in known else msgspec.json.decode(one) for name, one in wanted.parameters.items()}
