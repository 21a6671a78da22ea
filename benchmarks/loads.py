"""The loads: each run by the engine and at the bare limit, each time with a new journal. Every function gives seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import bare

from eventflow import FileSensor, Trigger, approval, each, open_engine, pipeline, task

CHAIN, FAN, RUNS, STEPS, DROPS = 1_000, 10_000, 1_000, 3, 25
ITEMS, LAYERS, WIDTH, WAITING = 10_000, 100, 100, 1_000


@task
async def begin() -> int:
    return 0


@task
async def step(before: int) -> int:
    return before


@pipeline
def chain() -> int:
    last = begin()
    for _ in range(CHAIN - 1):
        last = step(last)
    return last


@pipeline
def fan() -> None:
    first = begin()
    for _ in range(FAN - 1):
        step(first)


@pipeline
def three() -> int:
    last = begin()
    for _ in range(STEPS - 1):
        last = step(last)
    return last


@task
async def numbers() -> list[int]:
    return list(range(ITEMS - 2))


@task
async def last_of(numbers: list[int]) -> int:
    return numbers[-1]


@pipeline
def mapped() -> int:
    return last_of(step.map(each(numbers())))


@task
async def join(*before: int) -> int:
    return len(before)


@pipeline
def layered() -> None:
    layer = [begin.options(name=f"first-{number}")() for number in range(WIDTH)]
    for depth in range(1, LAYERS):
        layer = [join.options(name=f"join-{depth}-{number}")(*layer) for number in range(WIDTH)]


@pipeline
def waiting() -> bool:
    return approval("Go on?")


class Load(NamedTuple):
    """Something to do, so many times `count`, by the engine and without it."""

    name: str
    count: int
    unit: str
    engine: Callable[[Path], Awaitable[float]]
    bare: Callable[[Path], Awaitable[float]]
    repetitions: int | None = None


async def chain_engine(state: Path) -> float:
    async with open_engine(state, pipelines=[chain]) as engine:
        begun = time.perf_counter()
        await (await engine.submit(chain.bind())).result()
        return time.perf_counter() - begun


async def chain_bare(state: Path) -> float:
    async with bare.open_store(state) as store:
        begun = time.perf_counter()
        await bare.run(store, [(), *((number,) for number in range(CHAIN - 1))])
        return time.perf_counter() - begun


async def fan_engine(state: Path) -> float:
    async with open_engine(state, pipelines=[fan]) as engine:
        begun = time.perf_counter()
        await (await engine.submit(fan.bind())).result()
        return time.perf_counter() - begun


async def fan_bare(state: Path) -> float:
    async with bare.open_store(state) as store:
        begun = time.perf_counter()
        await bare.run(store, [(), *[(0,)] * (FAN - 1)])
        return time.perf_counter() - begun


async def runs_engine(state: Path) -> float:
    async with open_engine(state, pipelines=[three]) as engine:
        begun = time.perf_counter()
        runs = await asyncio.gather(*(engine.submit(three.bind()) for _ in range(RUNS)))
        await asyncio.gather(*(run.result() for run in runs))
        return time.perf_counter() - begun


async def runs_bare(state: Path) -> float:
    async with bare.open_store(state) as store:
        begun = time.perf_counter()
        steps = [(), *((number,) for number in range(STEPS - 1))]
        await asyncio.gather(*(bare.run(store, steps, f"run-{number}") for number in range(RUNS)))
        return time.perf_counter() - begun


async def map_engine(state: Path) -> float:
    async with open_engine(state, pipelines=[mapped]) as engine:
        begun = time.perf_counter()
        await (await engine.submit(mapped.bind())).result()
        return time.perf_counter() - begun


async def map_bare(state: Path) -> float:
    async with bare.open_store(state) as store:
        begun = time.perf_counter()
        await bare.run(store, [(), *[(0,)] * (ITEMS - 2), tuple(range(1, ITEMS - 1))])
        return time.perf_counter() - begun


async def layers_engine(state: Path) -> float:
    async with open_engine(state, pipelines=[layered]) as engine:
        begun = time.perf_counter()
        await (await engine.submit(layered.bind())).result()
        return time.perf_counter() - begun


async def layers_bare(state: Path) -> float:
    edges = [tuple(range((depth - 1) * WIDTH, depth * WIDTH)) if depth else () for depth in range(LAYERS) for _ in range(WIDTH)]
    async with bare.open_store(state) as store:
        begun = time.perf_counter()
        await bare.run(store, edges)
        return time.perf_counter() - begun


LOADS = (
    Load(f"chain of {CHAIN:,} tasks", CHAIN, "tasks/s", chain_engine, chain_bare),
    Load(f"fan-out of {FAN:,} tasks", FAN, "tasks/s", fan_engine, fan_bare),
    Load(f"{RUNS:,} runs of {STEPS} tasks", RUNS, "runs/s", runs_engine, runs_bare),
    Load(f"map over {ITEMS:,} items", ITEMS, "tasks/s", map_engine, map_bare),
    Load(f"{LAYERS} x {WIDTH} layers, each on all before", LAYERS * WIDTH, "tasks/s", layers_engine, layers_bare, repetitions=2),
)


async def drops(folder: Path) -> tuple[list[float], list[float]]:
    """Rename files into two folders in turn: seconds until a task has it that the sensor's trigger fired, and until a coroutine has it."""
    arrivals: asyncio.Queue[tuple[str, float]] = asyncio.Queue()

    def arrived(path: Path) -> None:
        arrivals.put_nowait((path.name, time.perf_counter()))

    @task
    async def receive(path: Path) -> None:
        arrived(path)

    @pipeline
    def received(path: Path) -> None:
        receive(path)

    async def drop(into: Path, name: str, number: int) -> float:
        file = folder / name
        file.write_bytes(b"x\n")
        await asyncio.sleep(0.06 + number * 37 % 90 / 1000)  # not in step with anything
        begun = time.perf_counter()
        file.rename(into / name)
        while True:
            found, at = await asyncio.wait_for(arrivals.get(), 30)
            if found == name:
                return at - begun

    watched, bare_watched, stop = folder / "watched", folder / "bare", asyncio.Event()
    watched.mkdir()
    bare_watched.mkdir()
    sensor = FileSensor("drops", watched, ready="atomic")
    trigger = Trigger("receive", on=sensor, run=received)
    engine: list[float] = []
    limit: list[float] = []
    async with (
        asyncio.TaskGroup() as tasks,
        open_engine(folder / "state", pipelines=[received], sensors=[sensor], triggers=[trigger]),
    ):
        tasks.create_task(bare.watch(bare_watched, arrived, stop))
        await asyncio.sleep(1)  # until both have begun to watch
        for number in range(DROPS):
            engine.append(await drop(watched, f"{number}-engine.csv", number))
            limit.append(await drop(bare_watched, f"{number}-bare.csv", number))
        stop.set()
    return engine, limit
