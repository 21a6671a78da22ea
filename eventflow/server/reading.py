"""What the API answers without changing anything: from the journal, and, about pipelines, from the engine."""

from __future__ import annotations

import os
from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import Response

from eventflow import states
from eventflow.projections import EventRow, RunRow, SensorRow
from eventflow.server.answers import Health, LogPage
from eventflow.server.questions import Question
from eventflow.server.replies import reply
from eventflow.server.sources import Sources
from eventflow.server.views import events, pipelines, runs, search, sensors, stream, waiting, why
from eventflow.server.views.items import BEGUN, NOTABLE, Listing

PATIENCE = 30.0
"""The longest, in seconds, that a question for new facts is kept waiting."""

_PAGE, _LIMIT = 50, 1000


class Reading:
    """What each route answers that only looks."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._journal = sources.journal

    async def health(self, request: Request) -> Response:
        Question(request, ())
        healths = [sensors.health(row) for row in await self._journal.select(SensorRow)]
        engine = self._sources.engine
        pid, full = (None, False) if engine is None else (os.getpid(), engine.ports.journal.full)
        return reply(Health(version("eventflow"), pid, self._journal.seq, full, healths))

    async def pipelines(self, request: Request) -> Response:
        Question(request, ())
        known = self._sources.live.pipelines
        paused = await pipelines.pauses(self._journal, [one.name for one in known])
        return reply([pipelines.entry(one, paused.get(one.name)) for one in known])

    async def pipeline(self, request: Request) -> Response:
        Question(request, ())
        found = self._sources.pipeline(request.path_params["pipeline"])
        paused = await pipelines.pauses(self._journal, [found.name])
        return reply(pipelines.detail(found, paused.get(found.name)))

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
        return reply(await runs.entries(self._journal, rows))

    async def run(self, request: Request) -> Response:
        asked = Question(request, ("state", "within", "after", "limit"))
        chosen = asked.among("state", BEGUN)
        listing = Listing(
            NOTABLE if chosen is None else frozenset(chosen),
            asked.text("within"),
            asked.text("after"),
            asked.whole("limit", least=1, most=_LIMIT) or _PAGE,
        )
        return reply(await runs.detail(self._journal, await self._run(request), listing))

    async def waiting(self, request: Request) -> Response:
        Question(request, ())
        return reply(await waiting.waiting(self._journal))

    async def logs(self, request: Request) -> Response:
        asked = Question(request, ("node", "attempt", "after", "limit"))
        row = await self._run(request)
        node, attempt = asked.text("node"), asked.whole("attempt", least=1)
        after, limit = asked.whole("after") or 0, asked.whole("limit", least=1, most=_LIMIT) or _LIMIT
        if node is not None:
            await runs.check_part(self._journal, row, node)
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
        asked = Question(request, ("source", "decision", "limit", "before"))
        source, outcome = asked.name("source"), asked.one_of("decision", states.OUTCOMES)
        limit, before = asked.whole("limit", least=1, most=_LIMIT) or _PAGE, asked.whole("before")
        if outcome is not None:
            rows = await search.decided(self._journal, outcome, source=source, limit=limit, before=before)
        else:
            equals = {} if source is None else {"source": source}
            rows = await search.newest(self._journal, EventRow, limit=limit, before=before, equals=equals)
        return reply(await events.entries(self._journal, rows))

    async def event(self, request: Request) -> Response:
        Question(request, ())
        row = await search.find_event(self._journal, request.path_params["event"])
        return reply(await events.detail(self._journal, row))

    async def sensors(self, request: Request) -> Response:
        Question(request, ())
        return reply(await sensors.entries(self._sources))

    async def sensor(self, request: Request) -> Response:
        Question(request, ())
        return reply(await sensors.detail(self._sources, request.path_params["sensor"]))

    async def why(self, request: Request) -> Response:
        Question(request, ())
        return reply(await why.why(self._sources, request.path_params["what"]))

    async def _run(self, request: Request) -> RunRow:
        return await search.find_run(self._journal, request.path_params["run"])
