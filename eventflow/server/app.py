"""The HTTP API as an ASGI app: routes, the question each of them takes, and the view that answers it.

create_app(engine)           in a daemon, or to be mounted in an app that embeds the engine
create_reading_app(journal)  the same over a journal that is only read: what needs a daemon answers 409
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from eventflow import states
from eventflow.definition.pipelines import Call, Pipeline
from eventflow.engine.engine import Engine
from eventflow.errors import NotFound, ParameterError
from eventflow.ports import JournalView
from eventflow.projections import EventRow, RunRow, SensorRow
from eventflow.server.answers import Health, LogPage, SensorEntry
from eventflow.server.questions import Question, Submission, body
from eventflow.server.replies import error_replies, reply
from eventflow.server.sources import Logs, Sources
from eventflow.server.views import events, pipelines, runs, search, stream, why

PATIENCE = 30.0
"""The longest, in seconds, that a question for new facts is kept waiting."""

_PAGE, _LIMIT = 50, 1000


def create_app(engine: Engine, *, logs: Logs | None = None, stopping: Callable[[], Awaitable[None]] | None = None) -> Starlette:
    """Give the API of a running engine. Where `stopping` is given, answers that wait for news end as soon as it returns."""
    return _app(Sources(engine.ports.journal, engine, logs, stopping))


def create_reading_app(journal: JournalView, *, logs: Logs | None = None) -> Starlette:
    """Give the API of a journal without an engine, as one reads it when no daemon is at work."""
    return _app(Sources(journal, logs=logs))


def _app(sources: Sources) -> Starlette:
    api = Api(sources)
    routes = [
        Route("/api/health", api.health),
        Route("/api/pipelines", api.pipelines),
        Route("/api/pipelines/{pipeline}", api.pipeline),
        Route("/api/runs", api.runs),
        Route("/api/runs", api.submit, methods=["POST"]),
        Route("/api/runs/{run}", api.run),
        Route("/api/runs/{run}/cancel", api.cancel, methods=["POST"]),
        Route("/api/runs/{run}/logs", api.logs),
        Route("/api/facts", api.facts),
        Route("/api/events", api.events),
        Route("/api/events/{event}", api.event),
        Route("/api/why/{what:path}", api.why),
    ]
    app = Starlette(routes=routes, exception_handlers=error_replies())
    app.router.redirect_slashes = False  # an address is right or wrong
    return app


class Api:
    """What each route answers."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._journal = sources.journal

    async def health(self, request: Request) -> Response:
        Question(request, ())
        sensors = [SensorEntry(row.sensor, row.state, row.since, row.reason) for row in await self._journal.select(SensorRow)]
        engine = self._sources.engine
        pid, full = (None, False) if engine is None else (os.getpid(), engine.ports.journal.full)
        return reply(Health(version("eventflow"), pid, self._journal.seq, full, sensors))

    async def pipelines(self, request: Request) -> Response:
        Question(request, ())
        return reply([pipelines.entry(one) for one in self._sources.live.pipelines])

    async def pipeline(self, request: Request) -> Response:
        Question(request, ())
        return reply(pipelines.detail(self._pipeline(request.path_params["pipeline"])))

    async def runs(self, request: Request) -> Response:
        asked = Question(request, ("state", "pipeline", "limit", "before"))
        equals = {"state": asked.among("state", states.OPEN_RUN | states.ENDED_RUN), "pipeline": asked.name("pipeline")}
        rows = await search.newest(
            self._journal,
            RunRow,
            limit=asked.whole("limit", least=1, most=_LIMIT) or _PAGE,
            before=asked.whole("before"),
            equals={column: value for column, value in equals.items() if value is not None},
        )
        return reply([runs.entry(row) for row in rows])

    async def submit(self, request: Request) -> Response:
        engine = self._sources.live
        wanted = await body(request, Submission)
        call = _call(self._pipeline(wanted.pipeline), wanted)
        run = await engine.submit(call, key=wanted.key, priority=wanted.priority)
        return reply(runs.entry(await engine.state(run.id)), status=201)

    async def run(self, request: Request) -> Response:
        Question(request, ())
        return reply(await runs.detail(self._journal, await self._run(request)))

    async def cancel(self, request: Request) -> Response:
        engine = self._sources.live
        row = await self._run(request)
        await engine.cancel(row.run)
        return reply(runs.entry(await engine.state(row.run)))

    async def logs(self, request: Request) -> Response:
        asked = Question(request, ("node", "attempt", "after", "limit"))
        row = await self._run(request)
        node, attempt = asked.name("node"), asked.whole("attempt", least=1)
        after, limit = asked.whole("after") or 0, asked.whole("limit", least=1, most=_LIMIT) or _LIMIT
        await self._check_node(row, node)
        if self._sources.logs is None:
            return reply(LogPage([], after, more=False))
        page = await self._sources.logs.read(row.run, node, attempt, after=after, limit=limit)
        return reply(LogPage(page.lines, page.after, page.more))

    async def facts(self, request: Request) -> Response:
        asked = Question(request, ("after", "run", "limit", "wait"))
        typed = asked.text("run")
        run = None if typed is None else (await search.find_run(self._journal, typed)).run
        limit = asked.whole("limit", least=1, most=_LIMIT) or _LIMIT
        wait = asked.seconds("wait", most=PATIENCE)
        return reply(await stream.page(self._sources, asked.whole("after") or 0, limit=limit, run=run, wait=wait))

    async def events(self, request: Request) -> Response:
        asked = Question(request, ("source", "limit", "before"))
        source = asked.name("source")
        limit = asked.whole("limit", least=1, most=_LIMIT) or _PAGE
        equals = {} if source is None else {"source": source}
        rows = await search.newest(self._journal, EventRow, limit=limit, before=asked.whole("before"), equals=equals)
        return reply(await events.entries(self._journal, rows))

    async def event(self, request: Request) -> Response:
        Question(request, ())
        row = await search.find_event(self._journal, request.path_params["event"])
        return reply(await events.detail(self._journal, row))

    async def why(self, request: Request) -> Response:
        Question(request, ())
        return reply(await why.why(self._sources, request.path_params["what"]))

    async def _run(self, request: Request) -> RunRow:
        return await search.find_run(self._journal, request.path_params["run"])

    async def _check_node(self, row: RunRow, node: str | None) -> None:
        if node is not None:
            await runs.check_node(self._journal, row, node)

    def _pipeline(self, name: str) -> Pipeline[..., Any]:
        known = {pipeline.name: pipeline for pipeline in self._sources.live.pipelines}
        if name not in known:
            raise NotFound(f"there is no pipeline {name[:64]!r}: there is {', '.join(sorted(known)) or 'none'}")
        return known[name]


def _call(pipeline: Pipeline[..., Any], wanted: Submission) -> Call[Any]:
    """Give the call that a submission asks for. Raises `ParameterError` where it doesn't fit the pipeline."""
    parameters = pipeline.parameters
    if wanted.texts and wanted.parameters:
        raise ParameterError("give `parameters` as JSON or `texts` as they were typed, not both")
    values = parameters.parse(wanted.texts) if wanted.texts else parameters.decode(msgspec.json.encode(wanted.parameters))
    return Call(pipeline, parameters.encode(values))
