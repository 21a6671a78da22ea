from __future__ import annotations

import tracemalloc

import pytest

from eventflow import pipeline, task
from eventflow.errors import RunFailed
from tests.engine.world import World

WIDE, LONG = 10_000, 3_000


@task
async def source() -> int:
    return 1


@task
async def copy(value: int) -> int:
    return value


@pipeline
def wide() -> int:
    first = source()
    for _ in range(WIDE):
        last = copy(first)
    return last


@pipeline
def long() -> int:
    value = source()
    for _ in range(LONG):
        value = copy(value)
    return value


@pytest.mark.timeout(120)
async def test_ten_thousand_nodes_fan_out_in_bounded_memory() -> None:
    wide.definition  # noqa: B018 - traced outside the measurement: it is kept for all runs
    world = World()
    tracemalloc.start()
    try:
        async with world.engine() as engine:
            run = await engine.submit(wide.bind())
            assert await run.result() == 1
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(await world.nodes(run.id)) == WIDE + 1
    assert peak < 150 * 1024**2, f"{peak / 1024**2:.0f} MiB"


async def test_a_long_chain_ends() -> None:
    async with World().engine() as engine:
        assert await (await engine.submit(long.bind())).result() == 1


async def test_a_failure_goes_down_a_long_chain() -> None:
    @task
    async def fails() -> int:
        raise ValueError("at the top")

    @pipeline
    def doomed() -> int:
        value = fails()
        for _ in range(LONG):
            value = copy(value)
        return value

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(doomed.bind())
        with pytest.raises(RunFailed, match="at the top"):
            await run.result()
    assert list((await world.nodes(run.id)).values()).count("upstream_failed") == LONG
