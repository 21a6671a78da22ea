"""Pipelines, events and an API to ask, over a real engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import msgspec
import pytest

from eventflow import Engine, Pipeline, Retry, pipeline, task
from eventflow.artifacts.memory import MemoryArtifacts
from eventflow.engine.values import Values
from eventflow.executors.local import LocalExecutor
from eventflow.facts import DecisionMade, EventRecorded, Unit
from eventflow.journal.memory import MemoryJournal
from eventflow.journal.sqlite import open_sqlite
from eventflow.ports import Clock, Instrument, Journal, Ports
from eventflow.server.app import create_app, create_reading_app
from eventflow.system import SystemClock, SystemRandom
from eventflow.testing.clock import VirtualClock
from tests.engine.sources import NoWatcher

ESCAPES = "\x1b[31mred\x1b]52;c;aGk=\x07\nnext\u202e"


class Odd:
    """A value that JSON can't carry."""


@task
async def load(path: Path) -> str:
    return str(path)


@task
async def double(text: str) -> str:
    if "bad" in text:
        raise ValueError(f"no good: {ESCAPES}")
    return text * 2


@task
async def report(text: str) -> dict[str, str]:
    return {"said": text}


@pipeline(max_active_runs=1, tags=["sample"], owner="ada")
def words(path: Path, times: int = 2) -> dict[str, str]:
    """Words, doubled."""
    return report(double(load(path)))


@task
async def odd() -> object:
    return Odd()


@pipeline
def odds() -> object:
    return odd()


gates: dict[str, asyncio.Event] = {}


@task
async def wait(name: str) -> str:
    await gates[name].wait()
    return name


@task
async def after(name: str) -> str:
    return name


@pipeline(max_active_runs=1)
def gated(name: str) -> str:
    return after(wait(name))


@task(retry=Retry(attempts=2, delay="1h"))
async def flaky() -> None:
    raise OSError("not now")


@pipeline
def stubborn() -> None:
    return flaky()


PIPELINES = (words, odds, gated, stubborn)


@dataclass
class Asked:
    """An API with its engine."""

    engine: Engine
    http: httpx.AsyncClient

    async def get(self, address: str, status: int = 200, **query: object) -> Any:
        answer = await self.http.get(address, params={name: str(value) for name, value in query.items()})
        assert answer.status_code == status, answer.text
        return answer.json()

    async def post(self, address: str, content: object = None, status: int = 200) -> Any:
        raw = content if isinstance(content, bytes) else b"" if content is None else msgspec.json.encode(content)
        answer = await self.http.post(address, content=raw)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def submit(self, name: str, /, **parameters: object) -> str:
        return (await self.post("/api/runs", {"pipeline": name, "parameters": parameters}, 201))["run"]

    async def end(self, run: str) -> None:
        await self.engine.wait(run)

    async def event(self, number: int, outcome: str | None = None, run: str | None = None, reason: str | None = None) -> str:
        event = f"{number:032x}"
        recorded = EventRecorded(event, "inbox", f"file-{number}", "file", number, msgspec.Raw(b'{"path":"x.csv"}'), f"x{number}.csv")
        decided = () if outcome is None else (DecisionMade(event, "on-drop", outcome, run, reason),)
        await self.engine.ports.journal.commit(Unit(number, (recorded, *decided)))
        return event

    async def until(self, run: str, true: Callable[[Any], bool]) -> Any:
        """Wait until a run's answer is as wanted, looking again at each new fact."""
        return await self.until_at(f"/api/runs/{run}", true)

    async def until_at(self, address: str, true: Callable[[Any], bool]) -> Any:
        """Wait until an answer is as wanted, looking again at each new fact."""
        journal = self.engine.ports.journal
        while True:
            seq = journal.seq
            known = await self.get(address)
            if true(known):
                return known
            await journal.changed(seq)


def _engine(journal: Journal, clock: Clock, pipelines: Sequence[Pipeline[..., Any]], **sensing: Any) -> Engine:
    artifacts = MemoryArtifacts()
    ports = Ports(journal, artifacts, LocalExecutor(), clock, SystemRandom(), Instrument())
    return Engine(ports, Values(artifacts, bytes(32)), pipelines, **sensing)


@asynccontextmanager
async def _asked(open_journal: Callable[[], AbstractAsyncContextManager[Journal]], **options: Any) -> AsyncGenerator[Asked]:
    clock, pipelines = options.pop("clock", SystemClock()), options.pop("pipelines", PIPELINES)
    sensing = {name: options.pop(name, ()) for name in ("sensors", "triggers")}
    async with open_journal() as journal, (engine := _engine(journal, clock, pipelines, **sensing)).running(), _sensing(engine):
        transport = httpx.ASGITransport(create_app(engine, **options))
        async with httpx.AsyncClient(transport=transport, base_url="http://eventflow") as http:
            yield Asked(engine, http)


@asynccontextmanager
async def _sensing(engine: Engine) -> AsyncGenerator[None]:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(engine.sensors.run, NoWatcher())
        yield
        tasks.cancel_scope.cancel()


@pytest.fixture(params=["memory", "sqlite"])
def asked(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Any]:
    """Gives an API over a new engine on one journal and on the other: `async with asked() as api`. Its sensors are at work."""
    return partial(_asked, MemoryJournal if request.param == "memory" else partial(open_sqlite, tmp_path / "state", clock=SystemClock()))


@asynccontextmanager
async def _reading(engine: Engine) -> AsyncGenerator[Asked]:
    transport = httpx.ASGITransport(create_reading_app(engine.ports.journal))
    async with httpx.AsyncClient(transport=transport, base_url="http://eventflow") as http:
        yield Asked(engine, http)


@pytest.fixture
def reading() -> Callable[..., Any]:
    """Gives an API that only reads the journal of an engine: `async with reading(engine) as api`."""
    return _reading


@pytest.fixture
def gate() -> Callable[[str], asyncio.Event]:
    """Gives a new event, for which `wait(name)` waits."""

    def new(name: str) -> asyncio.Event:
        gates[name] = asyncio.Event()
        return gates[name]

    return new


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()
