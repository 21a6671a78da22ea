"""Sensors are tried without being started."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from eventflow.errors import SourceUnreachable
from eventflow.ports import Sensor, World
from eventflow.project.trials import Trial, Trials
from tests.engine.sources import Source
from tests.sensors.outside import outside


class Tried(Source):
    """A sensor that is tried by what its function does."""

    def __init__(self, name: str, check: Callable[[World], Awaitable[None]]) -> None:
        super().__init__(name)
        self._check = check

    async def check(self, world: World) -> None:
        await self._check(world)


async def fine(world: World) -> None:
    await world.clock.sleep(0)


async def unreachable(world: World) -> None:
    raise SourceUnreachable(f"no answer from https://ada:secret@shop.example for {world.source}")


async def broken(world: World) -> None:
    raise KeyError(world.source)


async def leaves(world: World) -> None:
    raise SystemExit(world.source)


async def hangs(world: World) -> None:
    await anyio.sleep_forever()


def world_of(sensor: Sensor[Any]) -> World:
    return outside(sensor.name)


async def tried(*sensors: Sensor[Any], patience: float = 10.0) -> list[Trial]:
    trials = Trials(sensors, patience)
    await trials.run(world_of)
    return trials.results()


async def test_each_sensor_is_tried_and_none_is_started() -> None:
    sensors = [Tried("b", fine), Source("a"), Tried("c", unreachable)]
    assert await tried(*sensors) == [
        Trial("b", "ok"),
        Trial("a", "untried", "it offers no check"),
        Trial("c", "wrong", "no answer from https://***@shop.example for c"),
    ]
    assert [sensor.cursors for sensor in sensors] == [[], [], []]


@pytest.mark.parametrize(("check", "said"), [(broken, "KeyError: 'own' ("), (leaves, "SystemExit: own (")])
async def test_what_a_check_raises_by_mistake_is_said_of_it_alone(check, said) -> None:
    first, second = await tried(Tried("own", check), Tried("fine", fine))
    assert (first.outcome, second.outcome) == ("wrong", "ok")
    assert (first.reason or "").startswith(said)


async def test_a_check_that_hangs_is_given_up_and_said_to_hang() -> None:
    assert await tried(Tried("slow", hangs), Tried("fine", fine), patience=0.01) == [
        Trial("slow", "wrong", "it hangs: no answer within 10ms"),
        Trial("fine", "ok"),
    ]


async def test_all_are_tried_at_once() -> None:
    both = [anyio.Event(), anyio.Event()]

    def meets(mine: int) -> Callable[[World], Awaitable[None]]:
        async def check(_: World) -> None:
            both[mine].set()
            await both[1 - mine].wait()

        return check

    assert [one.outcome for one in await tried(Tried("a", meets(0)), Tried("b", meets(1)))] == ["ok", "ok"]


async def test_the_results_so_far_tell_who_has_not_answered() -> None:
    trials = Trials([Tried("slow", hangs), Tried("fine", fine)])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(trials.run, world_of)
        await anyio.wait_all_tasks_blocked()
        assert [one.outcome for one in trials.results()] == ["wrong", "ok"]
        tasks.cancel_scope.cancel()
