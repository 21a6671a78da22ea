"""Asking a daemon, over its Unix socket; or, for reading where none runs, the same API in this process over the journal itself.

    async with connect(".") as client:
        for run in await client.runs(state="failed"):
            print(run.pipeline, run.reason)

`Client(...)` insists on a daemon, and raises `NoDaemon` where there is none.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from urllib.parse import quote

import httpx
import msgspec
from msgspec import UNSET

from eventflow.address import find_socket
from eventflow.errors import NoDaemon, ParameterError
from eventflow.facts import Record
from eventflow.journal.view import read_sqlite
from eventflow.logs.folder import LogFolder
from eventflow.project import Project, state_folder
from eventflow.server.answers import (
    Error,
    EventDetail,
    EventEntry,
    Explanation,
    FactPage,
    Health,
    LogPage,
    PipelineDetail,
    PipelineEntry,
    Rerun,
    RunDetail,
    RunEntry,
    WaitingEntry,
)
from eventflow.server.app import create_reading_app
from eventflow.server.questions import Cancellation, GivenAnswer, PauseReason, Publication, Repetition, Resolution, Submission
from eventflow.server.sightings import PublishedEvent, SensorDetail, SensorEntry
from eventflow.server.statuses import error_of
from eventflow.system import SystemClock

__all__ = ["Client", "NoDaemon", "connect", "reading"]

T = TypeVar("T")

POLL = 20.0
"""For how many seconds the daemon is asked to hold an answer back while there are no new facts."""

_PATIENCE = httpx.Timeout(60.0, connect=5.0)


class Client:
    """The HTTP API of a daemon, method by method. `place` is the project's folder or one inside it, or the state folder.

    Used as `async with Client(place) as client`, which raises `NoDaemon` where no daemon answers. Later too, each method raises it where
    the daemon has gone away; other errors are those that the daemon tells: `NotFound`, `InvalidRequest`, `ParameterError` and so on.
    """

    def __init__(self, place: str | os.PathLike[str], *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._folder = state_folder(Path(place))
        self._transport = transport
        self._http: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        transport = self._transport or httpx.AsyncHTTPTransport(uds=str(self._socket()))
        # What the environment says of proxies is about the network, and this isn't it.
        self._http = httpx.AsyncClient(transport=transport, base_url="http://eventflow", timeout=_PATIENCE, trust_env=False)
        try:
            await self.health()
        except BaseException:
            await self._http.aclose()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._http is not None:
            await self._http.aclose()

    async def health(self) -> Health:
        """Tell who answers: a daemon's pid, or none where the journal is only read."""
        return await self._get(Health, "health")

    async def pipelines(self) -> list[PipelineEntry]:
        """List the pipelines that the daemon has loaded."""
        return await self._get(list[PipelineEntry], "pipelines")

    async def pipeline(self, name: str) -> PipelineDetail:
        """Give a pipeline with its graph and parameters."""
        return await self._get(PipelineDetail, "pipelines", name)

    async def runs(
        self, *, state: str | None = None, pipeline: str | None = None, limit: int | None = None, before: int | None = None
    ) -> list[RunEntry]:
        """List runs, the newest first; `before` is the `seq` of the last one of the page before."""
        return await self._get(list[RunEntry], "runs", state=state, pipeline=pipeline, limit=limit, before=before)

    async def submit(
        self,
        pipeline: str,
        parameters: Mapping[str, object] | None = None,
        *,
        texts: Mapping[str, str] | None = None,
        key: str | None = None,
        priority: int = 0,
    ) -> RunEntry:
        """Have a pipeline run: durably, once this returns. `parameters` are what JSON carries; `texts` are as a person typed them."""
        return await self._post(RunEntry, Submission(pipeline, _raw(parameters), dict(texts or {}), key, priority), "runs")

    async def run(
        self,
        run: str,
        *,
        state: str | None = None,
        within: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> RunDetail:
        """Give a run with its nodes. `run` is its id, or the last four digits or more.

        Of the nodes inside maps it gives a page: those in some states, with commas between them, instead of those that call for attention;
        of the map `within`; behind the node `after`; `limit` of them.
        """
        return await self._get(RunDetail, "runs", run, state=state, within=within, after=after, limit=limit)

    async def cancel(self, run: str, node: str | None = None) -> RunEntry:
        """Have a run, or one node of it, cancelled: durably, once this returns. Gives how the run stands now, as those below do."""
        return await self._post(RunEntry, Cancellation(node), "runs", run, "cancel")

    async def pause(self, run: str) -> RunEntry:
        """Have a run start nothing more until `unpause`; what runs goes on."""
        return await self._post(RunEntry, None, "runs", run, "pause")

    async def unpause(self, run: str) -> RunEntry:
        """Let a paused run go on."""
        return await self._post(RunEntry, None, "runs", run, "unpause")

    async def pause_pipeline(self, pipeline: str, reason: str = "asked for") -> PipelineEntry:
        """Leave a pipeline's runs in the queue until `unpause_pipeline`; those under way go on."""
        return await self._post(PipelineEntry, PauseReason(reason), "pipelines", pipeline, "pause")

    async def unpause_pipeline(self, pipeline: str) -> PipelineEntry:
        """Admit a pipeline's runs again."""
        return await self._post(PipelineEntry, None, "pipelines", pipeline, "unpause")

    async def waiting(self) -> list[WaitingEntry]:
        """List what runs wait for, the oldest first: answers, events, instants, other runs."""
        return await self._get(list[WaitingEntry], "waiting")

    async def answer(self, run: str, node: str, answer: object = UNSET, *, text: str | None = None, by: str | None = None) -> RunEntry:
        """Answer what a node asks: with what JSON carries, or with `text` as a person typed it; `by` is who says so."""
        raw = UNSET if answer is UNSET else msgspec.Raw(msgspec.json.encode(answer))
        return await self._post(RunEntry, GivenAnswer(node, raw, text, by), "runs", run, "answer")

    async def plan_rerun(
        self,
        run: str,
        since: str = "failed",
        parameters: Mapping[str, object] | None = None,
        *,
        texts: Mapping[str, str] | None = None,
    ) -> Rerun:
        """Tell what a rerun would do with each node, and why. It takes what `rerun` takes, and changes nothing."""
        return await self._post(Rerun, Repetition(since, _raw(parameters), dict(texts or {}), dry=True), "runs", run, "rerun")

    async def rerun(
        self,
        run: str,
        since: str = "failed",
        parameters: Mapping[str, object] | None = None,
        *,
        texts: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> Rerun:
        """Have a run that has ended made again, as a new one: durably, once this returns. Results that still hold are taken over.

        `since` is where it begins anew: at what `failed`, a node, an item or a group, or `everything`. Parameters that aren't given are as
        they were.
        """
        return await self._post(Rerun, Repetition(since, _raw(parameters), dict(texts or {}), key), "runs", run, "rerun")

    async def resolve(self, run: str, choice: Literal["resume", "restart", "fail"]) -> RunEntry:
        """Decide about a held run: have it go on, made again, or fail. Gives how the run that this leads to stands now."""
        return await self._post(RunEntry, Resolution(choice), "runs", run, "resolve")

    async def logs(
        self, run: str, *, node: str | None = None, attempt: int | None = None, after: int = 0, limit: int | None = None
    ) -> LogPage:
        """Give lines that a run's attempts printed and logged, behind the place `after`."""
        return await self._get(LogPage, "runs", run, "logs", node=node, attempt=attempt, after=after, limit=limit)

    async def events(
        self, *, source: str | None = None, decision: str | None = None, limit: int | None = None, before: int | None = None
    ) -> list[EventEntry]:
        """List events with what was decided about them, the newest first; `before` is the `seq` of the last one of the page before.

        With a `decision` those of which some trigger decided so: `fired`, `filtered` or `refused`.
        """
        return await self._get(list[EventEntry], "events", source=source, decision=decision, limit=limit, before=before)

    async def event(self, event: str) -> EventDetail:
        """Give an event with its data."""
        return await self._get(EventDetail, "events", event)

    async def publish(
        self,
        source: str,
        data: object = UNSET,
        *,
        texts: Mapping[str, str] | None = None,
        id: str | None = None,  # noqa: A002 - an event's own words
        type: str | None = None,  # noqa: A002
        subject: str | None = None,
        time: int | None = None,
    ) -> PublishedEvent:
        """Have an event taken as if a sensor had seen it: durably, with what was decided, once this returns. By its id only once.

        `data` is what JSON carries, `texts` are the fields of an object as a person typed them. `time` is in microseconds UTC. Raises
        `EventConflict` where the id is taken by an event that says something else.
        """
        raw = UNSET if data is UNSET else msgspec.Raw(msgspec.json.encode(data))
        return await self._post(PublishedEvent, Publication(source, id, type, subject, time, raw, dict(texts or {})), "events")

    async def sensors(self) -> list[SensorEntry]:
        """List the sensors with their health and where they stand."""
        return await self._get(list[SensorEntry], "sensors")

    async def sensor(self, name: str) -> SensorDetail:
        """Give a sensor with its triggers and its newest events."""
        return await self._get(SensorDetail, "sensors", name)

    async def pause_sensor(self, name: str, reason: str = "asked for") -> SensorEntry:
        """Have a sensor look no more until `resume_sensor`: durably, once this returns. Gives how it stands now, as those below do."""
        return await self._post(SensorEntry, PauseReason(reason), "sensors", name, "pause")

    async def resume_sensor(self, name: str) -> SensorEntry:
        """Let a paused sensor go on from where it stands."""
        return await self._post(SensorEntry, None, "sensors", name, "resume")

    async def poke_sensor(self, name: str) -> SensorEntry:
        """Have a sensor look at once."""
        return await self._post(SensorEntry, None, "sensors", name, "poke")

    async def why(self, what: str) -> Explanation:
        """Explain an event, a run, a node as `RUN/NODE`, or an event as `SOURCE/ID`."""
        return await self._get(Explanation, "why", *what.split("/", 1))

    async def facts(self, *, after: int = 0, run: str | None = None, limit: int | None = None, wait: float = 0.0) -> FactPage:
        """Give facts behind the place `after`. Where there are none, the answer is held back up to `wait` seconds (at most 30)."""
        return await self._get(FactPage, "facts", after=after, run=run, limit=limit, wait=wait)

    async def follow(self, *, after: int = 0, run: str | None = None) -> AsyncIterator[Record]:
        """Give every fact behind `after`, in order: those there are, and each that comes. It ends with `NoDaemon` when the daemon does."""
        while True:
            page = await self.facts(after=after, run=run, wait=POLL)
            for record in page.records:
                yield record
                after = record.seq

    async def _get(self, shape: type[T], *path: str, **query: object) -> T:
        return await self._ask(shape, "GET", path, query={name: str(value) for name, value in query.items() if value is not None})

    async def _post(self, shape: type[T], wish: msgspec.Struct | None, *path: str) -> T:
        try:
            content = b"" if wish is None else msgspec.json.encode(wish)
        except UnicodeEncodeError as error:
            raise ParameterError(
                "a parameter or the key holds what is no Unicode text, such as a file's name in other bytes:"
                " rename the file, or use `eventflow run`"
            ) from error
        return await self._ask(shape, "POST", path, content=content)

    async def _ask(self, shape: type[T], method: str, path: tuple[str, ...], *, query: Any = None, content: bytes | None = None) -> T:
        if self._http is None:
            raise RuntimeError("a Client is used inside `async with`")
        address = "/".join(("/api", *(quote(part, safe="") for part in path)))
        try:
            answer = await self._http.request(method, address, params=query, content=content)
        except httpx.TransportError as error:
            raise self._gone(error, method) from error
        if answer.is_success:
            return msgspec.json.decode(answer.content, type=shape)
        raise error_of(answer.status_code)(_message(answer))

    def _socket(self) -> Path:
        socket = find_socket(self._folder)
        if socket is None:
            raise NoDaemon(self._absent())
        return socket

    def _gone(self, error: httpx.TransportError, method: str) -> NoDaemon:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return NoDaemon(self._absent())
        unsure = "; whether it did what it was asked to isn't known: look before you ask again" if method == "POST" else ""
        return NoDaemon(f"the daemon of {self._folder} ended before it had answered{unsure}")

    def _absent(self) -> str:
        return f"no daemon is at work on {self._folder}: start one with `eventflow serve`"


@asynccontextmanager
async def connect(place: str | os.PathLike[str]) -> AsyncGenerator[Client]:
    """Give a client of the daemon, or, where none runs, one that reads the journal in this process and raises `NoDaemon` for all else.

    Raises `NotFound` where there is neither daemon nor journal, and the errors of a journal that can't be read.
    """
    live = Client(place)
    try:
        await live.__aenter__()
    except NoDaemon:
        async with reading(place) as client:
            yield client
        return
    try:
        yield live
    finally:
        await live.__aexit__(None, None, None)


@asynccontextmanager
async def reading(place: str | os.PathLike[str], project: Project | None = None) -> AsyncGenerator[Client]:
    """Give a client that reads the journal in this process, whether or not a daemon is at work. It raises `NoDaemon` for all else.

    `project`, where its code is loaded, says of sensors what the journal doesn't have. Raises `NotFound` where there is no journal, and
    the errors of one that can't be read.
    """
    folder, clock = state_folder(Path(place)), SystemClock()
    async with read_sqlite(folder, clock=clock) as journal:
        app = create_reading_app(journal, logs=LogFolder(folder / "logs", clock), project=project)
        async with Client(place, transport=httpx.ASGITransport(app)) as client:
            yield client


def _raw(parameters: Mapping[str, object] | None) -> dict[str, msgspec.Raw]:
    return {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in (parameters or {}).items()}


def _message(answer: httpx.Response) -> str:
    try:
        return msgspec.json.decode(answer.content, type=Error).error
    except msgspec.DecodeError:
        return f"the daemon answered {answer.status_code}, and nothing that can be read"
