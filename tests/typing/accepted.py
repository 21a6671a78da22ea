"""User code that type checkers must accept, with the types that they must see."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any, Literal, assert_type

from eventflow import (
    DAG,
    Call,
    Ended,
    Event,
    FileSensor,
    FileVersion,
    ObjectSensor,
    Observation,
    Pipeline,
    Retry,
    RunSensor,
    Seen,
    Sensor,
    Trigger,
    World,
    across,
    approval,
    each,
    group,
    maybe,
    one_of,
    otherwise,
    pipeline,
    run_pipeline,
    sensor,
    skip,
    sleep_until,
    task,
    wait_for,
    when,
)


@dataclass
class Dataset:
    train: list[float]
    test: list[float]


@dataclass
class Model:
    accuracy: float


@task(retry=Retry(attempts=3, delay="10s", backoff=2, on=(OSError,)), timeout="5m")
async def load(path: Path, limit: int = 100) -> Dataset:
    return Dataset([float(limit)], [])


@task
async def fetch(address: str) -> bytes:
    return address.encode()


@task
def split(data: Dataset) -> tuple[list[float], list[float]]:
    return data.train, data.test


@task(name="fit", at_most_once=True, max_crashes=1)
def fit(rows: list[float], rate: float) -> Model:
    return Model(rate * len(rows))


@task
def keep() -> None:
    """Do nothing."""


@pipeline(max_active_runs=1, tags=["ml"], description="Train again.")
def retrain(path: Path, rates: list[float]) -> Model:
    data = load(path)
    assert_type(data, Dataset)
    train, _test = split(data)
    assert_type(train, list[float])
    first = fit.options(name="first", timeout=60)(data.train, rates[0])
    assert_type(first, Model)
    keep.after(first, data)()
    return fit.after(first).options(retry=Retry())(train, rate=first.accuracy)


@pipeline
def plain(address: str) -> bytes:
    return fetch(address)


assert_type(retrain.bind(Path("x"), rates=[0.1]), Call[Model])
assert_type(plain.bind(address="x"), Call[bytes])


def run_them() -> None:
    assert_type(retrain.run(Path("x"), [0.1]), Model)
    assert_type(plain.run("x"), bytes)


async def unit_tests() -> None:
    assert_type(await load.fn(Path("x")), Dataset)
    assert_type(await fetch.fn("x"), bytes)
    assert_type(fit.fn([1.0], rate=0.5), Model)
    assert_type(fit.name, str)


def count(parts: tuple[list[float], list[float]]) -> int:
    return len(parts[0])


etl = Pipeline("etl", steps=[("load", load), ("split", split), ("count", count)], tags=["etl"])
assert_type(etl, Pipeline[..., object])
assert_type(etl.bind("x", anything=1), Call[object])


class Ticks:
    name = "ticks"
    interval = 60.0

    async def observe(self, cursor: object, seen: Seen, world: World) -> AsyncGenerator[Observation[int], None]:
        count = cursor if isinstance(cursor, int) else 0
        known = await seen.of([str(count)])
        if not known:
            event = Event(id=str(count), source=self.name, type="tick", time=world.clock.now(), data=count)
            yield Observation(events=(event,), cursor=count + 1)


ticks: Sensor[int] = Ticks()
on_tick = Trigger("on-tick", on=ticks, run=retrain, params=lambda event: {"path": Path(str(event.data + 1)), "rates": []})
assert_type(on_tick, Trigger[int])


@task
def judge(model: Model) -> Literal["improved", "regressed"]:
    if model.accuracy < 0:
        skip("nothing to judge")
    return "improved"


@task(rule="all_done")
def report(model: Model | None, note: str = "") -> int:
    return len(note)


@pipeline
def decide(path: Path, rates: list[float]) -> Model | bytes:
    data = load(path)
    models = fit.map(data.train, rate=each(rates))
    assert_type(models, list[Model])
    verdict = judge(models[0])
    with when(verdict, "improved") as taken:
        new = plain("x")
    with otherwise():
        old = models[1]
    assert_type(taken, bool)
    assert_type(one_of(new, old), bytes | Model)
    assert_type(one_of(new), bytes)
    assert_type(one_of(models[0], old, new, None), Model | bytes | None)
    assert_type(maybe(old), Model | None)
    with group("reports") as reports:
        report(maybe(old), note="x")
    keep.after(reports, taken)()
    return one_of(new, old)


@pipeline
def tune(paths: list[Path], rates: list[float]) -> list[Model]:
    assert_type(decide.map(each(paths, key=lambda path: path.name), rates), list[Model | bytes])
    assert_type(retrain.options(name="again")(paths[0], rates), Model)
    assert_type(fit.map(each([rates]), across((0.1, 0.2))), list[Model])
    assert_type(retrain(paths[0], rates=rates), Model)
    return retrain.options(min_success=0.9, max_active_items=8).map(path=across(paths), rates=rates)


class Decision(Enum):
    YES = "yes"
    NO = "no"


@task
def alert(ended: Ended) -> None:
    """Tell somebody."""


@task
def cleanup() -> None:
    """Do nothing."""


@task
def start() -> str:
    return "cluster"


@task
def stop(cluster: str, force: bool = False) -> None:
    """Stop it."""


@task(
    retry=[Retry(on=(OSError, KeyError), unless=FileNotFoundError, when=lambda error: "busy" in str(error)), Retry(attempts=2)],
    rule=lambda states: "failed" not in states.values(),
    fallback=0,
    uses={"gpu": 1, "ram_gb": 0.5},
    limit="30/m",
    queue_timeout="1h",
    on_success=alert,
    on_failure=[alert, cleanup],
    on_cancel=(),
    min_success=0.9,
    max_active_items=8,
)
def careful(number: int) -> int:
    return number


inbox = FileSensor("inbox", path="incoming", match="*.txt")


@pipeline(
    max_active_runs=1,
    on_overlap="cancel_running",
    concurrency_key=lambda arguments: arguments["path"],
    timeout="2h",
    queue_timeout=60,
    pause_after=3,
    on_code_change="hold",
    owner="ann",
    defaults={"timeout": "1h", "rule": "all_done", "retry": Retry()},
    finally_=[cleanup],
    on_success=[alert],
    on_failure=alert,
)
def everything(path: Path) -> Model:
    cluster = start()
    stop.teardown(cluster, force=True)
    careful.options(fallback=careful, skip=None, rule="none_failed")(1)
    model = run_pipeline(retrain, key=lambda arguments: str(arguments["path"]))(path, rates=[0.1])
    assert_type(model, Model)
    assert_type(run_pipeline(retrain, wait=False, name="later")(path, []), str)
    assert_type(run_pipeline(etl)(5, x=6), object)
    assert_type(wait_for("bank", type="paid", match={"order.id": 7}).data["x"], Any)
    assert_type(wait_for(inbox, after=[model]), Event[FileVersion])
    assert_type(wait_for(inbox, timeout="1d", default=None), Event[FileVersion] | None)
    assert_type(wait_for("bank", timeout="1d", default=None), Event[Any] | None)
    keep.after(sleep_until(datetime(2026, 11, 20, tzinfo=UTC)))()
    assert_type(approval("Deploy?", deadline="2d", default=False, who=["ann"], show=model), bool)
    assert_type(approval("Deploy?", form=Decision, default=Decision.NO, deadline=5), Decision)
    return model


with Pipeline("written") as written:
    written.chain(cleanup, [keep, start], keep)
assert_type(written, Pipeline[[], None])
assert_type(written.bind(), Call[None])

gathered = DAG([fetch("x"), split(Dataset([], []))], name="gathered", tags=["x"])
assert_type(gathered.bind(), Call[object])


@sensor
async def free_space(world: World) -> AsyncIterator[Event[float]]:
    yield world.event("low", 0.5)


@sensor(name="letters", interval="10m")
async def lettered(cursor: object, seen: Seen, world: World) -> AsyncGenerator[list[Event[str]] | Observation[str], None]:
    yield [world.event("a", "A")]
    yield Observation(cursor=1)


retrained = RunSensor("retrained", of=retrain, on="succeeded")
late = RunSensor("late", of=[retrain, "etl"], on="late", deadline="2h")
raw = ObjectSensor("raw", "s3://bucket/raw", match=["*.csv"], identity="content", order="growing", options={"region": "eu-west-1"})

Trigger("space", on=free_space, run=etl, params=lambda event: {"x": round(event.data)})
Trigger("letters", on=lettered, run=etl, where=lambda event: event.data.isupper())
Trigger("again", on=retrained, run=etl, params=lambda event: {"x": event.data.created_at})
Trigger("raw", on=raw, run=etl, params=lambda event: {"x": event.data.size})


@pipeline
def told() -> str:
    assert_type(wait_for(free_space), Event[float])
    assert_type(wait_for(lettered), Event[str])
    return wait_for(late).data.run


async def tested(world: World) -> None:
    async for event in free_space.fn(world):
        assert_type(event, Event[float])
