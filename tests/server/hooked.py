"""Hooks over a real engine, asked through the app that serves them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from eventflow import Engine, Trigger, WebhookSensor, pipeline, task
from eventflow.artifacts.memory import MemoryArtifacts
from eventflow.engine.values import Values
from eventflow.executors.local import LocalExecutor
from eventflow.facts import Unit
from eventflow.journal.memory import MemoryJournal
from eventflow.ports import Journal, Ports
from eventflow.projections import EventRow, RunRow
from eventflow.server.app import create_app
from eventflow.system import SystemRandom
from eventflow.testing import VirtualClock
from tests.sensors.outside import Troubles
from tests.sensors.webhooks.senders import NOW, hook, standard


@task
async def pack(order: Any) -> int:
    return len(str(order))


@pipeline
def packing(order: Any) -> int:
    return pack(order)


class StalledJournal(MemoryJournal):
    """A journal whose commits can be made to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.gate: Any = None
        self.waiting = 0
        self.is_full = False

    async def commit(self, unit: Unit) -> int:
        if self.gate is not None:
            self.waiting += 1
            await self.gate.wait()
        return await super().commit(unit)

    @property
    def full(self) -> bool:
        return self.is_full


@dataclass
class Served:
    """An app with hooks, and what is behind it."""

    engine: Engine
    http: httpx.AsyncClient
    clock: VirtualClock
    troubles: Troubles

    async def send(self, body: bytes = b'{"n":1}', headers: Mapping[str, str] | None = None, to: str = "hook") -> httpx.Response:
        return await self.http.post(f"/hooks/{to}", content=body, headers=standard(body) if headers is None else headers)

    async def events(self) -> list[EventRow]:
        return await self.engine.ports.journal.select(EventRow)

    async def runs(self) -> list[RunRow]:
        return await self.engine.ports.journal.select(RunRow)


@asynccontextmanager
async def hooked(*sensors: WebhookSensor[Any], journal: Journal | None = None, others: Sequence[Any] = ()) -> AsyncGenerator[Served]:
    """Give an app that serves these hooks, each of which fires `packing`. Its clock stands still, at the instant of the senders."""
    hooks, clock, troubles, artifacts = sensors or (hook(),), VirtualClock(NOW * 1_000_000), Troubles(), MemoryArtifacts()
    ports = Ports(journal or MemoryJournal(), artifacts, LocalExecutor(), clock, SystemRandom(), troubles)
    triggers = [Trigger(f"pack-{one.name}", on=one, run=packing, params=lambda event: {"order": event.data}) for one in hooks]
    engine = Engine(ports, Values(artifacts, bytes(32)), [packing], sensors=[*hooks, *others], triggers=triggers)
    async with engine.running():
        transport = httpx.ASGITransport(create_app(engine))
        async with httpx.AsyncClient(transport=transport, base_url="http://eventflow") as http:
            yield Served(engine, http, clock, troubles)
