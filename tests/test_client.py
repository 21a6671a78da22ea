from __future__ import annotations

import os
import socket
from contextlib import asynccontextmanager

import anyio
import pytest

from eventflow import Engine, Trigger, approval, pipeline, task
from eventflow.address import find_socket, publish
from eventflow.client import Client, NoDaemon, connect
from eventflow.daemon.web import web
from eventflow.embed import open_engine
from eventflow.errors import Ambiguous, EventConflict, InvalidRequest, NotFound, ParameterError
from eventflow.facts import RunSubmitted, RunSucceeded, RunSuspended
from eventflow.server.app import create_app
from tests.engine.sources import Source


@task
async def greet(name: str) -> str:
    return f"hello {name}"


@pipeline
def hello(name: str, times: int = 1) -> str:
    return greet(name)


@task
async def sign(name: str, decided: bool) -> str:
    return f"{name}: {decided}"


@pipeline
def letter(name: str) -> str:
    return sign(name, approval("Sign it?"))


CALLS = Source("calls")
ON_CALL = Trigger("on-call", on=CALLS, run=hello, where=lambda event: event.data["name"] != "nobody")


@asynccontextmanager
async def daemon(folder):
    """A real engine behind a real server on a real socket."""
    stopping = anyio.Event()
    async with (
        open_engine(folder, pipelines=[hello, letter], sensors=[CALLS], triggers=[ON_CALL], drain=0) as engine,
        web(create_app(engine, stopping=stopping.wait), folder, stopping),
    ):
        yield engine


async def run_once(engine: Engine, name: str) -> str:
    run = await engine.submit(hello.bind(name))
    await run.result()
    return run.id


async def test_everything_can_be_asked_over_the_socket(tmp_path) -> None:
    async with daemon(tmp_path) as engine, Client(tmp_path) as client:
        assert (await client.health()).pid == os.getpid()
        assert [one.pipeline for one in await client.pipelines()] == ["hello", "letter"]
        assert [node.name for node in (await client.pipeline("hello")).graph.nodes] == ["greet"]
        run = (await client.submit("hello", {"name": "ada"}, key="k", priority=3)).run
        assert (await client.submit("hello", {"name": "bob"}, key="k")).run == run
        await engine.wait(run)
        known = await client.run(run[-8:])
        assert (known.run.state, known.run.priority, known.result.json) == ("succeeded", 3, "hello ada")
        assert [one.run for one in await client.runs(state="succeeded", pipeline="hello", limit=5)] == [run]
        assert await client.runs(before=known.run.seq) == []
        assert (await client.cancel(run)).state == "succeeded"
        assert (await client.logs(run, node="greet")).lines == []
        assert await client.events() == []
        assert (await client.why(f"{run}/greet")).about == "node"
        page = await client.facts(after=1, run=run)
        assert isinstance(page.records[0].fact, RunSubmitted)


async def asked(client: Client) -> str:
    """Submit a run that asks something, and return once it does."""
    run = await client.submit("letter", {"name": "ada"})
    async for record in client.follow(run=run.run):
        if isinstance(record.fact, RunSuspended):
            break
    return run.run


async def test_everything_can_be_done_over_the_socket(tmp_path) -> None:
    async with daemon(tmp_path) as engine, Client(tmp_path) as client:
        run = await asked(client)
        assert [(one.run, one.question) for one in await client.waiting()] == [(run, "Sign it?")]
        assert [(await client.pause(run)).paused, (await client.unpause(run)).paused] == [True, False]
        with pytest.raises(InvalidRequest, match="hasn't ended"):
            await client.plan_rerun(run)
        with pytest.raises(InvalidRequest, match="held"):
            await client.resolve(run, "fail")
        with pytest.raises(InvalidRequest, match="doesn't fit its form"):
            await client.answer(run, "approval", 3)
        await client.answer(run, "approval", answer=True, by="bob")
        assert (await engine.wait(run)).state == "succeeded"
        planned = await client.plan_rerun(run, "sign")
        assert (planned.run, [(one.node, one.what) for one in planned.plan]) == (None, [("approval", "reuse"), ("sign", "rerun")])
        made = (await client.rerun(run, "sign", {"name": "eve"}, key="again")).run
        assert made is not None
        await engine.wait(made.run)
        assert (await client.run(made.run)).result.json == "eve: True"
        assert (await client.rerun(run, "sign", texts={"name": "eve"}, key="again")).run.run == made.run
        assert (await client.pause_pipeline("letter", "enough")).paused.reason == "enough"
        assert (await client.unpause_pipeline("letter")).paused is None
        waits = await asked(client)
        await client.answer(waits, "approval", text="no")
        await engine.wait(waits)
        assert (await client.run(waits, state="failed", within="x", after="x[1]", limit=1)).result.json == "ada: False"


async def test_events_are_published_and_listed_over_the_socket(tmp_path) -> None:
    async with daemon(tmp_path) as engine, Client(tmp_path) as client:
        told = await client.publish("calls", {"name": "ada"}, id="c1", type="call", subject="ada", time=7)
        (run,) = told.runs
        assert (await engine.wait(run)).state == "succeeded"
        assert [told.event.id, told.event.type, told.event.subject, told.event.time] == ["c1", "call", "ada", 7]
        assert (await client.publish("calls", {"name": "ada"}, id="c1", type="call", subject="ada")).duplicate
        with pytest.raises(EventConflict, match="another content"):
            await client.publish("calls", {"name": "bob"}, id="c1")
        passed = await client.publish("calls", texts={"name": "nobody"})
        assert [one.event for one in await client.events(source="calls", decision="filtered")] == [passed.event.event]
        assert [one.event for one in await client.events(decision="fired", limit=1, before=passed.event.seq)] == [told.event.event]
        assert (await client.why("calls/c1")).event.event == told.event.event


async def test_sensors_are_asked_about_and_steered_over_the_socket(tmp_path) -> None:
    async with daemon(tmp_path), Client(tmp_path) as client:
        assert [one.sensor for one in await client.sensors()] == ["calls"]
        assert (await client.pause_sensor("calls", "enough")).reason == "enough"
        assert (await client.poke_sensor("calls")).state == "paused"
        assert (await client.resume_sensor("calls")).state != "paused"
        assert (await client.sensor("calls")).triggers[0].trigger == "on-call"
        with pytest.raises(NotFound, match="there is no sensor 'call'"):
            await client.poke_sensor("call")


async def test_typed_texts_are_read_by_the_daemon(tmp_path) -> None:
    async with daemon(tmp_path) as engine, Client(tmp_path) as client:
        run = await client.submit("hello", texts={"name": "3", "times": "4"})
        await engine.wait(run.run)
        assert bytes((await client.run(run.run)).arguments) == b'{"name":"3","times":4}'


async def test_what_the_daemon_refuses_is_raised_as_what_it_is(tmp_path) -> None:
    async with daemon(tmp_path) as engine, Client(tmp_path) as client:
        await run_once(engine, "ada")
        with pytest.raises(NotFound, match="there is no run ffffffff"):
            await client.run("ffffffff")
        with pytest.raises(NotFound, match="there is no such address"):
            await client.run("../../etc/passwd")
        with pytest.raises(NotFound, match="there is no event 0000beef"):
            await client.event("0000beef")
        with pytest.raises(InvalidRequest, match="is no state"):
            await client.runs(state="done")
        with pytest.raises(ParameterError, match="holds what is no Unicode text"):
            await client.submit("hello", texts={"name": "\udcff"})
        with pytest.raises(InvalidRequest, match="is no key"):
            await client.submit("hello", {"name": "ada"}, key="")
        with pytest.raises(InvalidRequest, match="is no priority"):
            await client.submit("hello", {"name": "ada"}, priority=2**63)
        with pytest.raises(ParameterError, match="'name' is missing"):
            await client.submit("hello")


async def test_facts_are_followed_as_they_come_over_runs_of_any_number(tmp_path) -> None:
    async with daemon(tmp_path) as engine, Client(tmp_path) as client:
        first = await run_once(engine, "ada")
        heard: list[int] = []
        ended: list[str] = []
        async with anyio.create_task_group() as tasks:
            async for record in client.follow():
                heard.append(record.seq)
                if isinstance(record.fact, RunSucceeded):
                    ended.append(record.fact.run)
                    if len(ended) == 3:
                        break
                    tasks.start_soon(run_once, engine, "bob")
        assert heard == list(range(1, len(heard) + 1))
        assert ended[0] == first


async def follow(folder, heard: anyio.Event) -> None:
    async with Client(folder) as client:
        async for _ in client.follow():
            heard.set()


async def test_following_ends_with_no_daemon_when_the_daemon_ends(tmp_path) -> None:
    heard, over = anyio.Event(), anyio.Event()

    async def until_it_ends() -> None:
        with pytest.raises(NoDaemon):
            await follow(tmp_path, heard)
        over.set()

    async with anyio.create_task_group() as tasks:
        async with daemon(tmp_path) as engine:
            tasks.start_soon(until_it_ends)
            await run_once(engine, "ada")
            await heard.wait()
        await over.wait()


async def test_without_a_daemon_a_client_says_how_to_start_one(tmp_path) -> None:
    async with open_engine(tmp_path, pipelines=[hello]):
        pass
    with pytest.raises(NoDaemon, match=r"no daemon is at work on .*: start one with `eventflow serve`"):
        async with Client(tmp_path):
            raise AssertionError("nobody is there")


async def test_a_socket_that_a_killed_daemon_left_is_nobody(tmp_path) -> None:
    async with open_engine(tmp_path, pipelines=[hello]):
        pass
    path = publish(tmp_path)
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    assert path.exists()
    with pytest.raises(NoDaemon):
        async with Client(tmp_path):
            raise AssertionError("nobody is there")
    path.unlink()
    with pytest.raises(NoDaemon):
        async with Client(tmp_path):
            raise AssertionError("nobody is there")
    path.parent.rmdir()


async def test_connecting_prefers_the_daemon_and_reads_by_itself_without_one(tmp_path) -> None:
    async with daemon(tmp_path) as engine:
        run = await run_once(engine, "ada")
        async with connect(tmp_path) as client:
            assert (await client.health()).pid == os.getpid()
    assert find_socket(tmp_path) is None
    async with connect(tmp_path) as client:
        assert (await client.health()).pid is None
        assert (await client.run(run)).run.state == "succeeded"
        assert len((await client.facts()).records) == (await client.health()).seq
        with pytest.raises(NoDaemon, match="this needs a daemon"):
            await client.submit("hello", {"name": "bob"})
        with pytest.raises(NoDaemon, match="this needs a daemon"):
            await client.cancel(run)


async def test_without_daemon_and_journal_there_is_nothing_to_read(tmp_path) -> None:
    (tmp_path / "pipelines").mkdir()
    with pytest.raises(NotFound, match="there is no journal in"):
        async with connect(tmp_path):
            raise AssertionError("nothing is there")


async def test_proxies_of_the_environment_are_not_asked(tmp_path, monkeypatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with daemon(tmp_path), Client(tmp_path) as client:
        assert (await client.health()).pid == os.getpid()


async def test_a_server_that_is_no_daemon_is_told_apart(tmp_path) -> None:
    async def nonsense(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b"<html>"})

    async with open_engine(tmp_path, pipelines=[hello]), web(nonsense, tmp_path, anyio.Event()):
        with pytest.raises(Exception, match="the daemon answered 500, and nothing that can be read"):
            async with Client(tmp_path):
                raise AssertionError("nobody is there")


async def test_a_client_outside_its_block_is_a_mistake_in_the_program(tmp_path) -> None:
    (tmp_path / "pipelines").mkdir()
    with pytest.raises(RuntimeError, match="async with"):
        await Client(tmp_path).health()


def test_an_ambiguous_id_is_an_invalid_request() -> None:
    assert issubclass(Ambiguous, InvalidRequest)
