"""Calls that type checkers must refuse, each marked with an ignore. The test takes the ignores away and compares the lines."""

# ruff: noqa: PGH003  # the two checkers have different codes for the same error
from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from eventflow import (
    DAG,
    Event,
    ObjectSensor,
    Pipeline,
    Retry,
    RunSensor,
    Trigger,
    World,
    across,
    approval,
    each,
    group,
    maybe,
    one_of,
    pipeline,
    run_pipeline,
    sensor,
    sleep_until,
    task,
    wait_for,
    when,
)


@task
async def load(path: Path) -> list[float]:
    return [float(len(str(path)))]


@task(timeout="5m")
def fit(rows: list[float], rate: float) -> str:
    return f"{rows} {rate}"


@pipeline
def retrain(path: Path, rate: float = 0.1) -> str:
    load()  # type: ignore
    load("x.csv")  # type: ignore
    load(path, 3)  # type: ignore
    fit(load(path))  # type: ignore
    fit(load(path), rat=rate)  # type: ignore
    fit(path, rate)  # type: ignore
    load(path).rows  # type: ignore
    fit(load(path), rate).strip().rows  # type: ignore
    load.after(path)(rate)  # type: ignore
    load.options(name="x")(rate)  # type: ignore
    return load(path)  # type: ignore


load.options(nam="x")  # type: ignore
load.options(timeout=[])  # type: ignore
load.options(retry=3)  # type: ignore
load.nothing  # type: ignore
task(retries=3)  # type: ignore
task(timeout=object())  # type: ignore
task(5)  # type: ignore
task(rule="all_sucess")  # type: ignore
task(skip="pass")  # type: ignore
task(uses=["gpu"])  # type: ignore
task(on_failure=[print])  # type: ignore
task(retry=[3])  # type: ignore
Retry(on=OSError())  # type: ignore
Retry(when="busy")  # type: ignore

retrain.bind()  # type: ignore
retrain.bind("x.csv")  # type: ignore
retrain.bind(Path("x"), rat=1)  # type: ignore
retrain.bind(Path("x"), 1, 2)  # type: ignore
retrain.run(5)  # type: ignore
retrain("x.csv")  # type: ignore
pipeline(max_runs=1)  # type: ignore
pipeline(max_active_runs="1")  # type: ignore
pipeline(on_overlap="kill")  # type: ignore
pipeline(finally_=[print])  # type: ignore
pipeline(defaults={"timeout": []})  # type: ignore
pipeline(defaults={"name": "x"})  # type: ignore
Pipeline("etl", step=[])  # type: ignore
Pipeline("etl", retrain.fn, steps=[])  # type: ignore
Pipeline("etl", steps=[load])  # type: ignore
Pipeline(5, retrain.fn)  # type: ignore


run_pipeline(load)  # type: ignore
run_pipeline(retrain)("x.csv")  # type: ignore
run_pipeline(retrain, wait=False)(Path("x")).rows  # type: ignore
run_pipeline(retrain, key=5)  # type: ignore
wait_for(5)  # type: ignore
wait_for("bank", kind="paid")  # type: ignore
wait_for("bank", timeout="1d", default=5)  # type: ignore
wait_for("bank").dta  # type: ignore
sleep_until("noon")  # type: ignore
approval("Deploy?", form=5)  # type: ignore
approval("Deploy?", default="yes", deadline=5)  # type: ignore
approval("Deploy?").upper()  # type: ignore
load.teardown("x.csv")  # type: ignore
DAG(5)  # type: ignore
DAG([], "nightly")  # type: ignore


async def unit_tests() -> None:
    await load.fn("x")  # type: ignore
    await fit.fn([], 1)  # type: ignore
    _: int = retrain.run(Path("x"))  # type: ignore


@pipeline
def tune(paths: list[Path], rates: list[float]) -> list[str]:
    rows = load(paths[0])
    fit.map(rows, rates)  # type: ignore
    fit.map(each(rates), rate=each(rates))  # type: ignore
    fit.map(rows, across(paths))  # type: ignore
    fit.map(rows)  # type: ignore
    fit.map(rows, each(rates), 3)  # type: ignore
    fit.map(rows, each(0.1))  # type: ignore
    fit.map(rows, each(rates, key=lambda path: path.name))  # type: ignore
    fit.map(rows, each(rates)).strip()  # type: ignore
    fit(maybe(rows), 0.1)  # type: ignore
    fit(one_of(rows, paths), 0.1)  # type: ignore
    fit(one_of(), 0.1)  # type: ignore
    retrain.map(paths)  # type: ignore
    retrain.map(each(paths), rat=0.1)  # type: ignore
    retrain.options(min_success="all")  # type: ignore
    retrain.options(retry=3)  # type: ignore
    when(rows, rows, match=1)  # type: ignore
    group(5)  # type: ignore
    return retrain(each(paths))  # type: ignore


@sensor
async def free_space(world: World) -> AsyncIterator[Event[float]]:
    yield world.event("low", 0.5)


async def numbers(world: World) -> AsyncIterator[int]:
    yield 5


sensor(load.fn)  # type: ignore
sensor(numbers)  # type: ignore
sensor(name="x")(numbers)  # type: ignore
sensor(nam="x")  # type: ignore
sensor(interval=[])  # type: ignore
free_space.fn(5)  # type: ignore
Trigger("space", on=free_space, run=retrain, where=lambda event: event.data.isupper())  # type: ignore
wait_for(free_space).data.upper()  # type: ignore
RunSensor("late", of=retrain, on="done")  # type: ignore
RunSensor("late", of=5)  # type: ignore
ObjectSensor("raw", "s3://bucket", identity="etag")  # type: ignore
ObjectSensor("raw", "s3://bucket", options={"region": 5})  # type: ignore
