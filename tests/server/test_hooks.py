"""Hooks as they are served: what is durable before the answer, what is answered, and when a sender is asked to come again."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import httpx
import msgspec
import pytest
import uvicorn
from fastapi import FastAPI

from eventflow import FileSensor, Trigger, WebhookSensor, open_engine
from eventflow.address import find_socket
from eventflow.journal.sqlite import open_sqlite
from eventflow.sensors.webhooks.received import UNVERIFIED
from eventflow.sensors.webhooks.sensor import Reply
from eventflow.server.app import create_app, create_hooks_app
from eventflow.server.hooks import PATIENCE, READING
from eventflow.system import SystemClock
from tests.sensors.webhooks.senders import NOW, PLAIN, bearer, github, hook, slack, standard
from tests.server.hooked import Served, StalledJournal, hooked, packing

BODY = b'{"n":1}'


def answer(response: httpx.Response, status: int) -> Any:
    assert response.status_code == status, response.text
    assert response.headers["cache-control"] == "no-store"
    return response.json()


# What is durable, and what is answered


async def test_G3_a_delivery_is_committed_with_its_run_before_it_is_answered() -> None:
    async with hooked() as served:
        told = answer(await served.send(), 202)
        (event,), (run,) = await served.events(), await served.runs()
        assert told == {"event": event.event, "runs": [run.run], "duplicate": False}
        assert (event.source, event.id, run.event, run.trigger) == ("hook", "msg_1", event.event, "pack-hook")
        assert await served.engine.result(run.run) == len("{'n': 1}")


async def test_G2_a_delivery_that_is_sent_again_gets_the_first_ones_ids() -> None:
    async with hooked() as served:
        first = answer(await served.send(), 202)
        again = answer(await served.send(headers=standard(BODY, at=NOW + 60)), 202)
        assert again == {**first, "duplicate": True}
        assert (len(await served.events()), len(await served.runs())) == (1, 1)


async def test_F60_a_delivery_that_comes_a_hundred_times_at_once_fires_one_run(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path / "state", clock=SystemClock()) as journal, hooked(journal=journal) as served:
        answers = [answer(one, 202) for one in await asyncio.gather(*(served.send() for _ in range(100)))]
        assert len(await served.runs()) == 1
        assert sorted(one["duplicate"] for one in answers) == [False] + [True] * 99
        assert len({(one["event"], *one["runs"]) for one in answers}) == 1
    async with open_sqlite(tmp_path / "state", clock=SystemClock()) as journal, hooked(journal=journal) as served:
        assert answer(await served.send(), 202) == {**answers[0], "duplicate": True}
        assert len(await served.runs()) == 1


async def test_the_same_id_with_another_body_is_refused_and_told() -> None:
    async with hooked() as served:
        answer(await served.send(), 202)
        for _ in range(2):
            refused = answer(await served.send(b'{"n":2}'), 409)
            assert "known with another content" in refused["error"]
        assert [told.partition(":")[0] for told in served.troubles.told] == ["hook hook"] * 2
        assert (len(await served.events()), len(await served.runs())) == (1, 1)


async def test_a_payload_that_does_not_fit_is_told_to_both_sides_and_recorded_nowhere() -> None:
    async with hooked(hook(schema=dict[str, int])) as served:
        body = b'{"n":"x"}'
        told = answer(await served.send(body), 422)
        assert told == {"error": "its payload doesn't fit: Expected `int`, got `str` - at `$[...]`"}
        assert served.troubles.told == [f"hook hook: a delivery was refused with 422: {told['error']}"]
        assert await served.events() == []


async def test_refusals_are_told_once_a_minute_and_counted() -> None:
    async with hooked() as served:
        for _ in range(5):
            answer(await served.send(headers={}), 401)
        assert len(served.troubles.told) == 1
        await served.clock.advance(60)
        answer(await served.send(headers={}), 401)
        assert served.troubles.told[1].endswith("(4 more since this was last told)")


async def test_a_delivery_that_fires_nothing_is_an_event_all_the_same() -> None:
    alone = WebhookSensor("alone", secrets=PLAIN, scheme="bearer")
    async with hooked(others=[alone]) as served:
        told = answer(await served.send(BODY, bearer(), to="alone"), 202)
        (event,) = await served.events()
        assert told == {"event": event.event, "runs": [], "duplicate": False}


async def test_an_answer_may_be_what_the_sender_wants() -> None:
    async with hooked(hook(response=Reply(200, "ok"))) as served:
        for _ in range(2):
            told = await served.send()
            assert (told.status_code, told.text, told.headers["content-type"]) == (200, "ok", "text/plain; charset=utf-8")
        assert len(await served.runs()) == 1


async def test_a_challenge_is_answered_and_recorded_nowhere() -> None:
    body = b'{"type":"url_verification","challenge":"abc"}'
    async with hooked(hook(scheme="slack")) as served:
        told = await served.send(body, slack(body))
        assert (told.status_code, told.text) == (200, "abc")
        assert await served.events() == []


async def test_a_batch_is_answered_event_by_event() -> None:
    def event(name: str, **more: object) -> dict[str, object]:
        return {"specversion": "1.0", "id": name, "source": "/s", "type": "t", **more}

    async def send(served: Served, *events: object) -> httpx.Response:
        body = msgspec.json.encode(events)
        return await served.send(body, {**bearer(body), "content-type": "application/cloudevents-batch+json"})

    async with hooked(hook(scheme="cloudevents")) as served:
        first = answer(await send(served, event("a"), event("b")), 202)
        assert [one["duplicate"] for one in first] == [False, False]
        mixed = answer(await send(served, event("b"), event("c")), 202)
        assert [one["duplicate"] for one in mixed] == [True, False]
        assert mixed[0] == {**first[1], "duplicate": True}
        answer(await send(served, event("d"), event("a", data=1)), 409)  # all of a batch or nothing
        assert len(await served.runs()) == 3
        assert answer(await send(served), 202) == []


async def test_a_large_body_is_read_beside_the_loop_and_taken_all_the_same() -> None:
    threads: list[int] = []

    def dedup(payload: dict[str, str]) -> str:
        threads.append(threading.get_ident())
        return payload["id"]

    async with hooked(hook(dedup=dedup)) as served:
        for size in (10, 200_000):
            body = msgspec.json.encode({"id": str(size), "text": "x" * size})
            answer(await served.send(body), 202)
            answer(await served.send(body + b" ", standard(body)), 401)
    small, large = threads
    assert small == threading.get_ident() != large


# Who is let in


async def test_one_answer_for_an_unknown_hook_and_a_bad_signature(tmp_path: Path) -> None:
    inbox = FileSensor("inbox", tmp_path)
    async with hooked(others=[inbox]) as served:
        refused = [
            await served.send(to="nope"),
            await served.send(to="inbox"),
            await served.send(to="%2e%2e"),
            await served.send(to="a" * 5000),
            await served.send(headers={}),
            await served.send(headers=standard(BODY, key=bytes(24))),
            await served.send(headers=standard(BODY, at=NOW - 301)),
        ]
        assert {(one.status_code, one.text, str(sorted(one.headers.items()))) for one in refused} == {
            (401, msgspec.json.encode({"error": UNVERIFIED}).decode(), str(sorted(refused[0].headers.items())))
        }
        assert await served.events() == []


async def test_an_unknown_hook_hears_of_size_as_any_other_does() -> None:
    async with hooked() as served:
        large = b"x" * ((1 << 20) + 1)
        assert (await served.send(large, to="nope")).text == (await served.send(large)).text


async def test_only_post_means_anything() -> None:
    async with hooked() as served:
        for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
            assert [(await served.http.request(method, f"/hooks/{name}")).status_code for name in ("hook", "nope")] == [405, 405]
        assert (await served.http.post("/hooks/hook/more")).status_code == 404


# Come again


def again(response: httpx.Response, why: str) -> None:
    assert why in answer(response, 503)["error"]
    assert int(response.headers["retry-after"]) > 0


async def test_a_paused_hook_asks_to_come_again() -> None:
    async with hooked() as served:
        await served.engine.sensors.pause("hook")
        again(await served.send(), "this hook is paused")
        answer(await served.send(headers={}), 401)
        await served.engine.sensors.resume("hook")
        answer(await served.send(), 202)


async def test_a_full_disk_asks_to_come_again() -> None:
    journal = StalledJournal()
    async with hooked(journal=journal) as served:
        journal.is_full = True
        again(await served.send(), "no space is left")
        journal.is_full = False
        answer(await served.send(), 202)


async def test_an_engine_that_stops_asks_to_come_again() -> None:
    async with hooked() as served:
        await served.engine.close(0)
        again(await served.send(), "stopping")
        request = Drip(served, endless())
        assert (await request.run(), request.given) == (503, 0)
        assert await served.events() == []


async def test_F64_a_journal_that_stalls_gives_503_and_the_event_is_whole_or_not_there() -> None:
    journal = StalledJournal()
    async with hooked(journal=journal) as served:
        journal.gate = asyncio.Event()
        sent = asyncio.ensure_future(served.send())
        while not journal.waiting:
            await anyio.lowlevel.checkpoint()
        await served.clock.advance(PATIENCE - 0.1)
        assert not sent.done()
        await served.clock.advance(0.2)
        again(await sent, "takes long")
        assert await served.events() == []
        journal.gate.set()
        assert answer(await served.send(), 202)["duplicate"] is True
        assert len(await served.runs()) == 1


async def test_F63_a_sender_that_leaves_before_the_answer_leaves_its_event() -> None:
    journal = StalledJournal()
    async with hooked(journal=journal) as served:
        journal.gate = asyncio.Event()
        sent = asyncio.ensure_future(served.send())
        while not journal.waiting:
            await anyio.lowlevel.checkpoint()
        sent.cancel()
        await asyncio.wait([sent])
        journal.gate.set()
        assert answer(await served.send(), 202)["duplicate"] is True
        assert len(await served.runs()) == 1


# Bodies that never end


class Drip:
    """A request that comes as slowly, and lasts as long, as a test wants."""

    def __init__(self, served: Served, chunks: AsyncIterator[dict[str, Any]], **headers: str) -> None:
        self.app = create_app(served.engine)
        self.chunks = chunks
        self.given = 0
        self.answer: dict[str, Any] = {}
        self.scope = {
            "type": "http",
            "method": "POST",
            "path": "/hooks/hook",
            "raw_path": b"/hooks/hook",
            "root_path": "",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }

    async def run(self) -> int:
        await self.app(self.scope, self._receive, self._send)
        return self.answer["status"]

    async def _receive(self) -> dict[str, Any]:
        self.given += 1
        return await anext(self.chunks)

    async def _send(self, message: dict[str, Any]) -> None:
        self.answer.update(message)


async def endless() -> AsyncGenerator[dict[str, Any]]:
    while True:
        yield {"type": "http.request", "body": bytes(1 << 16), "more_body": True}


async def silent() -> AsyncGenerator[dict[str, Any]]:
    yield {"type": "http.request", "body": b"{", "more_body": True}
    await anyio.sleep_forever()


async def leaving() -> AsyncGenerator[dict[str, Any]]:
    yield {"type": "http.request", "body": b"{", "more_body": True}
    yield {"type": "http.disconnect"}


async def test_F62_a_body_that_is_said_to_be_too_large_is_not_read() -> None:
    async with hooked() as served:
        for length in (str((1 << 20) + 1), "9" * 5000, "-1", "x", "\u00b2"):
            request = Drip(served, endless(), **{"content-length": length})
            assert (await request.run(), request.given) == (413, 0)


async def test_F62_a_body_in_chunks_is_read_as_far_as_it_may_go() -> None:
    async with hooked() as served:
        request = Drip(served, endless(), **{"transfer-encoding": "chunked"})
        assert (await request.run(), request.given) == (413, 17)


async def test_F61_a_body_that_does_not_come_is_waited_for_but_not_for_ever() -> None:
    async with hooked() as served:
        request = Drip(served, silent())
        running = asyncio.ensure_future(request.run())
        while request.given < 2:
            await anyio.lowlevel.checkpoint()
        await served.clock.advance(READING + 1)
        assert await running == 408


async def test_a_sender_that_leaves_while_it_sends_leaves_nothing() -> None:
    async with hooked() as served:
        assert await Drip(served, leaving()).run() == 400
        assert (await served.events(), served.troubles.told) == ([], [])


# In a person's own app, and in the daemon


@asynccontextmanager
async def listening(app: Any) -> AsyncGenerator[str]:
    """Serve an app on a port of this machine."""
    with socket.socket() as listens:
        listens.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none"))
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        serving = asyncio.ensure_future(server.serve([listens]))
        while not server.started:  # noqa: ASYNC110 - uvicorn tells it in no other way
            await asyncio.sleep(0.001)
        try:
            yield f"http://127.0.0.1:{listens.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


@pytest.mark.parametrize("create", [create_app, create_hooks_app])
async def test_a_hook_in_an_app_of_ones_own(create, tmp_path: Path) -> None:
    orders = hook()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        fires = Trigger("pack", on=orders, run=packing, params=lambda event: {"order": event.data})
        async with open_engine(tmp_path / "state", sensors=[orders], triggers=[fires]) as engine:
            app.state.engine = engine
            app.mount("/flow", create(engine))
            yield

    app = FastAPI(lifespan=lifespan)
    async with listening(app) as address, httpx.AsyncClient(base_url=address) as http:
        headers = standard(BODY, at=int(time.time()))
        told = answer(await http.post("/flow/hooks/hook", content=BODY, headers=headers), 202)
        assert await app.state.engine.result(told["runs"][0]) == len("{'n': 1}")
        assert answer(await http.post("/flow/hooks/hook", content=BODY, headers=headers), 202) == {**told, "duplicate": True}
        assert answer(await http.post("/flow/hooks/nope", content=BODY, headers=headers), 401)["error"] == UNVERIFIED
        assert (await http.get("/flow/api/runs")).is_success is (create is create_app)


SENSORS = f"""
from eventflow import Secret, Trigger, WebhookSensor
from pipelines.packing import packing

orders = WebhookSensor("orders", secrets=Secret({PLAIN.reveal()!r}), scheme="github")
pack = Trigger("pack", on=orders, run=packing, params=lambda event: {{"n": event.data["n"]}})
"""

PIPELINES = """
from eventflow import pipeline, task

@task
def pack(n: int) -> int:
    return 2 * n

@pipeline
def packing(n: int) -> int:
    return pack(n)
"""


@contextmanager
def daemon(project: Path, runtime: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Keep a daemon at work on a project. Its socket is in a short folder."""
    env = {**os.environ, "XDG_RUNTIME_DIR": str(runtime)}
    with (project / "log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-m", "eventflow", "serve"], cwd=project, env=env, stdout=subprocess.PIPE, stderr=log)
        try:
            assert process.stdout is not None
            assert b"serving" in process.stdout.readline(), (project / "log").read_text()
            yield process
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder, name, source in (("pipelines", "packing", PIPELINES), ("sensors", "orders", SENSORS)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").touch()
        (tmp_path / folder / f"{name}.py").write_text(source)
    (tmp_path / "pyproject.toml").write_text("[tool.eventflow]\n")
    return tmp_path


def client(project: Path) -> httpx.Client:
    return httpx.Client(transport=httpx.HTTPTransport(uds=str(find_socket(project / ".eventflow"))), base_url="http://daemon")


def test_a_hook_in_the_daemon_keeps_what_it_has_answered_whatever_becomes_of_it(project: Path) -> None:
    headers = github(BODY)
    with TemporaryDirectory(prefix="ev", dir="/tmp") as short:
        with daemon(project, Path(short)) as process, client(project) as http:
            first = answer(http.post("/hooks/orders", content=BODY, headers=headers), 202)
            process.send_signal(signal.SIGKILL)
            process.wait()
        with daemon(project, Path(short)), client(project) as http:
            again = answer(http.post("/hooks/orders", content=BODY, headers=headers), 202)
            assert again == {**first, "duplicate": True}
            assert answer(http.get(f"/api/events/{first['event']}"), 200)["data"] == {"n": 1}
            assert [one["run"] for one in answer(http.get("/api/runs"), 200)] == first["runs"]
            assert answer(http.post("/hooks/orders", content=BODY, headers={**headers, "x-hub-signature-256": "sha256="}), 401)


def test_F63_a_sender_that_hangs_up_on_the_daemon_leaves_its_event(project: Path) -> None:
    head = "\r\n".join(f"{name}: {value}" for name, value in {"Host": "x", "Content-Length": len(BODY), **github(BODY)}.items())
    with TemporaryDirectory(prefix="ev", dir="/tmp") as short, daemon(project, Path(short)), client(project) as http:
        with socket.socket(socket.AF_UNIX) as hasty:
            hasty.connect(str(find_socket(project / ".eventflow")))
            hasty.sendall(f"POST /hooks/orders HTTP/1.1\r\n{head}\r\n\r\n".encode() + BODY)
        while not answer(http.get("/api/events"), 200):
            time.sleep(0.005)
        assert answer(http.post("/hooks/orders", content=BODY, headers=github(BODY)), 202)["duplicate"] is True
