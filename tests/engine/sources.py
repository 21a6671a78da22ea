"""Sensors for tests, and what keeps them at work."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from eventflow import Event, Observation, Trigger, facts
from eventflow.engine.dispatch import Dispatch
from eventflow.engine.engine import Engine
from eventflow.engine.supervisor import Supervisor
from eventflow.facts import Fact
from eventflow.groups import unwrapped
from eventflow.ports import Hint, Seen, Sensor
from eventflow.ports import World as Outside
from eventflow.projections import RunRow
from tests.engine.world import World

START = b"null"
"""The cursor of a sensor that never looked."""


class Source:
    """A sensor that does what its function says, which is told the cursor and what is seen."""

    def __init__(self, name: str, observe: Callable[[Any, Seen], Any] | None = None, *, interval: float | None = None) -> None:
        self.name = name
        self.interval = interval
        self.cursors: list[object] = []
        self._observe = observe or _quiet

    def observe(self, cursor: object, seen: Seen, world: Outside) -> AsyncIterator[Observation[Any]]:  # noqa: ARG002 - the port has it
        self.cursors.append(cursor)
        return self._observe(cursor, seen)


class NoWatcher:
    def watch(self, folder: Path, *, recursive: bool) -> AbstractContextManager[Hint]:
        raise NotImplementedError


async def _quiet(cursor: object, seen: Seen) -> AsyncGenerator[Observation[Any]]:
    yield Observation()
    await anyio.sleep_forever()


def once(*observations: Observation[Any]) -> Callable[[Any, Seen], AsyncGenerator[Observation[Any]]]:
    """Yield these, then nothing more."""

    async def observe(cursor: object, seen: Seen) -> AsyncGenerator[Observation[Any]]:
        for observation in observations:
            yield observation
        await anyio.sleep_forever()

    return observe


def event(name: str = "e1", data: Any = None, *, source: str = "source", **fields: Any) -> Event[Any]:
    return Event(**{"id": name, "source": source, "type": "test", "time": 5, "data": {"x": 1} if data is None else data} | fields)


def seeing(*names: str, cursor: object = None, **more: Any) -> Observation[Any]:
    return Observation(events=tuple(event(name) for name in names), cursor=cursor, **more)


def dispatch(engine: Engine, *triggers: Trigger[Any]) -> Dispatch:
    return Dispatch(engine.ports, engine.intake, triggers)


@asynccontextmanager
async def supervised(engine: Engine, sensors: Iterable[Sensor[Any]], triggers: Sequence[Trigger[Any]] = ()) -> AsyncGenerator[None]:
    """Keep sensors at work until the block is left."""
    supervisor = Supervisor(engine.ports, dispatch(engine, *triggers), sensors)
    with unwrapped():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(supervisor.run, NoWatcher())
            yield
            tasks.cancel_scope.cancel()


async def runs(world: World) -> list[RunRow]:
    return await world.journal.select(RunRow, order="seq")


async def decisions(world: World) -> list[tuple[str, str]]:
    """Give the trigger and the outcome of each decision."""
    return [(fact.trigger, fact.outcome) for fact in await world.facts(facts.DecisionMade)]


async def healths(world: World, sensor: str = "source") -> list[tuple[str, str | None]]:
    """Give the states in which a sensor has been, each with its reason."""
    return [(fact.state, fact.reason) for fact in await world.facts(facts.SensorChanged) if fact.sensor == sensor]


def kinds(happened: Iterable[Fact]) -> list[str]:
    return [type(fact).__name__ for fact in happened]
