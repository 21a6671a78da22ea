"""eventflow inside a program: what it gives, and that it leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI

from eventflow import (
    DefinitionError,
    EngineClosed,
    EventflowError,
    FileSensor,
    JournalError,
    RunFailed,
    Trigger,
    open_engine,
    pipeline,
    run,
    task,
)
from eventflow.errors import JournalOwned
from eventflow.projections import DecisionRow, RunRow


@task
async def double(number: int) -> int:
    return 2 * number


@task
def add(left: int, right: int) -> int:
    return left + right


@pipeline
def six_times(number: int) -> int:
    twice = double(number)
    return add(double(twice), twice)


@task
async def fail(number: int) -> int:
    raise ValueError(f"{number} is no good")


@pipeline
def failing(number: int) -> int:
    return double(fail(number))


@task
def size_of(path: Path) -> int:
    return path.stat().st_size


@pipeline
def measure(path: Path) -> int:
    return size_of(path)


def test_a_pipeline_runs_here_and_now_and_gives_its_result() -> None:
    assert six_times.run(7) == 42
    assert run(six_times.bind(number=1)) == 6


@task(uses={"gpu": 1})
def lift(number: int) -> int:
    return number


@pipeline
def lifted(number: int) -> int:
    return lift(number)


def test_a_run_here_and_now_has_the_resources_that_it_is_given() -> None:
    assert run(lifted.bind(3), resources={"gpu": 1}) == 3
    with pytest.raises(DefinitionError, match="there is no such resource"):
        run(lifted.bind(3))
    with pytest.raises(DefinitionError, match=r"test_embed\.py:\d+: resource 'gpu' is a number above 0"):
        run(lifted.bind(3), resources={"gpu": 0})


def test_a_failed_run_raises_what_its_node_raised() -> None:
    with pytest.raises(RunFailed, match="node 'fail' failed: ValueError: 3 is no good"):
        failing.run(3)


async def test_run_in_a_running_loop_says_what_to_write_instead() -> None:
    with pytest.raises(EventflowError, match=r"await engine\.submit"):
        six_times.run(1)


async def test_a_run_and_its_result_outlive_the_engine(tmp_path: Path) -> None:
    async with open_engine(tmp_path / "state", pipelines=[six_times]) as engine:
        submitted = await engine.submit(six_times.bind(7), key="once")
        assert await submitted.result() == 42
    async with open_engine(tmp_path / "state", pipelines=[six_times]) as engine:
        again = await engine.submit(six_times.bind(8), key="once")
        assert again.id == submitted.id
        assert await again.result() == 42


async def test_results_stay_in_the_state_folder_wherever_tasks_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    @task
    def wander() -> str:
        os.chdir(elsewhere)
        return "x" * 100_000

    @pipeline
    def wandering() -> str:
        return wander()

    async with open_engine("state", pipelines=[wandering]) as engine:
        run = await engine.submit(wandering.bind())
        assert len(await run.result()) == 100_000
    assert list(elsewhere.iterdir()) == []
    monkeypatch.chdir(tmp_path)
    async with open_engine("state", pipelines=[wandering]) as engine:
        assert len(str(await engine.result(run.id))) == 100_000


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"state": ""}, "is no folder"),
        ({"threads": 0}, "threads=0: plain functions need at least one"),
        ({"durability": "none"}, "durability='none' is unknown"),
        ({"drain": "soon"}, "'soon' is not a duration"),
    ],
)
async def test_options_that_make_no_sense_are_refused_before_anything_is_made(tmp_path: Path, options: dict[str, Any], says: str) -> None:
    with pytest.raises(DefinitionError, match=says) as caught:
        async with open_engine(**{"state": tmp_path / "state", **options}):
            pass
    assert str(caught.value.where).startswith(f"{__file__}:")
    assert list(tmp_path.iterdir()) == []


async def test_a_second_engine_on_the_same_state_is_refused_and_told_whose_it_is(tmp_path: Path) -> None:
    async with open_engine(tmp_path):
        with pytest.raises(JournalOwned, match=str(os.getpid())):
            async with open_engine(tmp_path):
                pass


async def test_an_engine_that_was_left_takes_nothing_more(tmp_path: Path) -> None:
    async with open_engine(tmp_path, pipelines=[six_times]) as engine:
        pass
    with pytest.raises((EngineClosed, JournalError)):
        await engine.submit(six_times.bind(1))


async def test_what_is_no_pipeline_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="'six_times' is no pipeline"):
        async with open_engine(tmp_path, pipelines=["six_times"]):  # pyright: ignore[reportArgumentType]
            pass


async def test_an_error_in_the_block_comes_out_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="mine"):
        async with open_engine(tmp_path):
            raise LookupError("mine")


async def test_a_dropped_file_fires_one_run(tmp_path: Path) -> None:
    inbox = tmp_path / "in"
    inbox.mkdir()
    sensor = FileSensor("inbox", inbox, match="*.csv", ready="atomic")
    trigger = Trigger("measure-on-drop", on=sensor, run=measure)
    async with open_engine(tmp_path / "state", pipelines=[measure], sensors=[sensor], triggers=[trigger]) as engine:
        (tmp_path / "aside").write_text("a,b,c")
        (tmp_path / "aside").rename(inbox / "a.csv")
        rows: list[RunRow] = []
        seen = 0
        while not rows:
            await engine.ports.journal.changed(seen)
            seen = engine.ports.journal.seq
            rows = await engine.ports.journal.select(RunRow)
        assert await engine.handle(rows[0]).result() == 5
        decisions = await engine.ports.journal.select(DecisionRow)
        assert [(decision.trigger, decision.outcome, decision.run) for decision in decisions] == [("measure-on-drop", "fired", rows[0].run)]


async def test_an_app_that_embeds_the_engine_serves_its_results(tmp_path: Path) -> None:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with open_engine(tmp_path / "state", pipelines=[six_times]) as engine:
            app.state.engine = engine
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/six/{number}")
    async def six(number: int) -> int:  # pyright: ignore[reportUnusedFunction] - the route is the use
        submitted = await app.state.engine.submit(six_times.bind(number))
        return await submitted.result()

    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
        answers = [(await client.post(f"/six/{number}")).json() for number in range(3)]
    assert answers == [0, 6, 12]


async def test_nothing_is_left_behind(tmp_path: Path) -> None:
    inbox = tmp_path / "in"
    inbox.mkdir()
    sensor = FileSensor("inbox", inbox)

    async def use() -> None:
        async with open_engine(tmp_path / "state", pipelines=[six_times], sensors=[sensor]) as engine:
            submitted = await engine.submit(six_times.bind(7))
            assert await submitted.result() == 42
            assert _handlers() == handlers

    tasks, handlers, threads = asyncio.all_tasks(), _handlers(), set(threading.enumerate())
    await use()  # the library that watches folders opens one descriptor for the whole process, once
    files = _open_files()
    await use()
    assert asyncio.all_tasks() == tasks
    for thread in set(threading.enumerate()) - threads:
        thread.join(10)  # a thread that has told its result may still be on its way out
    assert set(threading.enumerate()) <= threads
    with anyio.fail_after(10):
        while _open_files() - files:  # noqa: ASYNC110 - that library closes its watch in a thread of its own
            await anyio.sleep(0.01)


def _handlers() -> dict[int, object]:
    return {number: signal.getsignal(number) for number in signal.valid_signals()}


def _open_files() -> Counter[str]:
    found: Counter[str] = Counter()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            found[str(descriptor.readlink())] += 1
        except FileNotFoundError:
            continue  # the listing's own descriptor
    return found
