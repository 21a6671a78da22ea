"""A schedule in an engine: ticks become runs, missed ones are recorded and passed over, and no identity is kept for ever."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from eventflow import Schedule, Trigger, open_engine, pipeline, task
from eventflow.engine.engine import Engine
from eventflow.projections import DecisionRow, EventRow, RunRow, SeenRow
from eventflow.sensors.schedules import All
from eventflow.testing import VirtualClock
from tests.engine.sources import decisions, supervised
from tests.engine.world import World, until_true
from tests.sensors.schedules.ticking import at


@task
async def describe(interval_start: datetime, interval_end: datetime) -> str:
    return f"{interval_start:%d %b} to {interval_end:%d %b}"


@pipeline
def monthly(interval_start: datetime, interval_end: datetime) -> str:
    return describe(interval_start, interval_end)


def schedule(**options: Any) -> Schedule:
    return Schedule("months", at=[f"2020-0{month}-01" for month in range(1, 6)], start="2020-01-01", **options)


async def ended(engine: Engine, count: int) -> list[str]:
    """Give the results of all runs, once so many have succeeded."""

    journal = engine.ports.journal

    async def enough() -> bool:
        return len(await journal.select(RunRow, state="succeeded")) == count

    await until_true(enough, journal)
    return sorted([str(await engine.result(row.run)) for row in await journal.select(RunRow)])


@pytest.mark.parametrize("again", [False, True])
async def test_ticks_fire_runs_of_their_data_intervals_and_missed_ones_are_passed_over(tmp_path: Path, again: bool) -> None:
    months = schedule(catchup=All(2))
    trigger = Trigger("sum-up", on=months, run=monthly)
    for _ in range(1 + again):
        async with open_engine(tmp_path, pipelines=[monthly], sensors=[months], triggers=[trigger]) as engine:
            assert await ended(engine, 2) == ["01 Apr to 01 May", "01 Mar to 01 Apr"]
            journal = engine.ports.journal
            made = sorted((row.outcome, row.reason) for row in await journal.select(DecisionRow))
            events = await journal.select(EventRow, order="seq")
            seen = await journal.select(SeenRow, source="months")
    assert [outcome for outcome, _ in made] == ["filtered"] * 3 + ["fired"] * 2
    assert all(reason for outcome, reason in made if outcome == "filtered")
    assert sorted(event.type for event in events) == ["tick", "tick", "tick.missed", "tick.missed", "tick.missed"]
    assert all(row.forgotten_at is not None for row in seen)


async def test_a_tick_fires_when_its_time_comes_and_the_next_one_too() -> None:
    hourly = Schedule("hourly", cron="@hourly")
    trigger = Trigger("sum-up", on=hourly, run=monthly)
    world = World(clock=VirtualClock(at("2026-11-20T11:59:30")))
    async with world.engine(monthly) as engine, supervised(engine, [hourly], [trigger]):
        for count in range(3):
            assert len(await decisions(world)) == count
            await world.clock.until_waiting()
            await world.clock.advance(31 if count == 0 else 3600)
    assert await decisions(world) == [("sum-up", "fired")] * 3
