"""HTTP sensors in an engine: healthy and degraded, back again by themselves, and no harm to their neighbours."""

from __future__ import annotations

import asyncio
from pathlib import Path

from eventflow import HTTPSensor, StreamSensor, Trigger, pipeline, task
from eventflow.embed import open_engine
from eventflow.engine.engine import Engine
from eventflow.projections import CursorRow, EventRow, RunRow, SensorRow
from eventflow.sensors.http.changes import Status, Value
from tests.sensors.http.looking import until
from tests.sensors.http.server import Reply, Server, as_json, chunks, end, free_port, hang, serving


@task
async def noted(after: object) -> object:
    return after


@pipeline
def note(after: object) -> object:
    return noted(after)


async def health(engine: Engine, sensor: str, state: str) -> str | None:
    """Wait until the sensor is in a state, and give the reason."""
    journal = engine.ports.journal
    while True:
        seq = journal.seq
        if rows := await journal.select(SensorRow, sensor=sensor, state=state):
            return rows[0].reason
        await journal.changed(seq)


async def events(engine: Engine, source: str, count: int) -> list[EventRow]:
    journal = engine.ports.journal
    while True:
        seq = journal.seq
        rows = await journal.select(EventRow, source=source)
        if len(rows) >= count:
            return rows
        await journal.changed(seq)


async def test_a_change_becomes_a_run_by_the_names_of_its_fields(tmp_path: Path) -> None:
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/v", as_json({"n": 1}), as_json({"n": 2})), change=Value("n"), every="100ms")
        trigger = Trigger("note-it", on=sensor, run=note)
        async with asyncio.timeout(30), open_engine(tmp_path, pipelines=[note], sensors=[sensor], triggers=[trigger]) as engine:
            await events(engine, "source", 1)
            [run] = await engine.ports.journal.select(RunRow)
            assert await engine.result(run.run) == 2


async def test_G11_one_that_hangs_or_fails_blocks_no_other(tmp_path: Path) -> None:
    async with serving() as server:
        hanging = HTTPSensor("hanging", server.at("/h", hang), timeout="1h")
        nowhere = HTTPSensor("nowhere", f"http://127.0.0.1:{free_port()}/")
        good = HTTPSensor("good", server.at("/v", *(as_json(n) for n in range(5))), change=Value(""), every="100ms")
        stream = StreamSensor("stream", server.at("/s", chunks(b"id: 1\ndata: 1\n\n")))
        async with asyncio.timeout(30), open_engine(tmp_path, sensors=[hanging, nowhere, good, stream]) as engine:
            await events(engine, "good", 4)
            await events(engine, "stream", 1)
            assert "nothing listens there" in str(await health(engine, "nowhere", "degraded"))
            assert server.open >= 1


async def test_it_comes_back_by_itself_and_fires_what_changed_meanwhile(tmp_path: Path) -> None:
    async with serving() as server:
        url = server.at("/v", as_json(1))
        sensor = HTTPSensor("source", url, change=Value(""), every="100ms")
        async with asyncio.timeout(30), open_engine(tmp_path, sensors=[sensor]) as engine:
            await health(engine, "source", "healthy")
            cursor = await engine.ports.journal.select(CursorRow, source="source")
            server.at("/v", Reply(status=503))
            assert "answered 503 Service Unavailable" in str(await health(engine, "source", "degraded"))
            assert await engine.ports.journal.select(CursorRow, source="source") == cursor
            server.at("/v", as_json(2))
            await events(engine, "source", 1)
            assert await health(engine, "source", "healthy") is None


async def test_a_server_that_is_down_is_an_event_and_leaves_the_sensor_healthy(tmp_path: Path) -> None:
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/s", Reply(), Reply(status=500)), change=Status(after=1), every="100ms")
        async with asyncio.timeout(30), open_engine(tmp_path, sensors=[sensor]) as engine:
            [event] = await events(engine, "source", 1)
            assert event.type == "down"
            await health(engine, "source", "healthy")


async def test_over_restarts_of_the_engine_each_change_and_each_message_fires_once(tmp_path: Path) -> None:
    def polled(server: Server) -> HTTPSensor:
        return HTTPSensor("polled", server.url + "/v", change=Value(""), every="100ms")

    def heard(server: Server) -> StreamSensor:
        return StreamSensor("heard", server.url + "/s", retry="50ms")

    async with serving() as server:
        for life in range(3):
            server.at("/v", as_json(life))
            server.at("/s", chunks(f"id: {life}\ndata: {life}\n\n".encode()))
            async with asyncio.timeout(30), open_engine(tmp_path, sensors=[polled(server), heard(server)]) as engine:
                assert len(await events(engine, "heard", life + 1)) == life + 1
                assert len(await events(engine, "polled", life)) == life
                await health(engine, "polled", "healthy")


async def test_a_list_that_is_sent_again_at_each_connection_writes_nothing(tmp_path: Path) -> None:
    async with serving() as server:
        sent = b"".join(b'{"id": "k%d"}\n' % number for number in range(700))
        sensor = StreamSensor(
            "source", server.at("/n", chunks(sent, kind="application/x-ndjson", then=end)), format="ndjson", id="id", retry="10ms"
        )
        async with asyncio.timeout(30), open_engine(tmp_path, sensors=[sensor]) as engine:
            await events(engine, "source", 700)
            await until(lambda: len(server.asked) >= 3)
            before = engine.ports.journal.seq
            await until(lambda: len(server.asked) >= 6)
            assert engine.ports.journal.seq == before
