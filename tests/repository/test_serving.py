"""The served model: which changes of its metrics are judged, how, and what happens while nobody serves one."""

from __future__ import annotations

import asyncio
import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from eventflow import Event
from eventflow.embed import open_engine, run
from eventflow.engine.engine import Engine
from eventflow.errors import RunFailed
from eventflow.ports import RowT
from eventflow.projections import RunRow, SensorRow
from eventflow.sensors.http.changes import HTTPChange
from pipelines import serving as pipelines
from pipelines.registry import Registry
from sensors import serving as sensors
from tests.sensors.http.server import as_json, free_port, serving


@pytest.fixture
def version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A registry with one model, that was right in 95 of 100 tests."""
    monkeypatch.setattr(pipelines, "MODELS", tmp_path / "models")
    monkeypatch.setattr(pipelines, "REPORTS", tmp_path / "reports")
    return Registry(tmp_path / "models").add({"card.json": json.dumps({"accuracy": 0.95, "trained_on": 5}).encode()})


def change(before: object, after: object) -> Event[HTTPChange]:
    data = HTTPChange(url="http://h/", status=200, before=before, after=after)
    return Event(id="1", source="serving", type="change", data=data, time=0)


@pytest.mark.parametrize(
    ("before", "after", "falls"),
    [
        ({"accuracy": 0.95}, {"accuracy": 0.89}, True),
        ({"accuracy": 0.9}, {"accuracy": 0.89}, True),
        ({"accuracy": 0.89}, {"accuracy": 0.88}, False),
        ({"accuracy": 0.89}, {"accuracy": 0.95}, False),
        ({"accuracy": 0.95}, {"accuracy": 0.9}, False),
        (None, {"accuracy": 0.5}, True),
        ({"accuracy": 0.95}, {"accuracy": "low"}, False),
        ({"accuracy": 0.95}, "nothing", False),
    ],
)
def test_only_the_fall_below_the_promise_counts(before: object, after: object, *, falls: bool) -> None:
    assert sensors.falls(change(before, after)) is falls


@pytest.mark.parametrize(("accuracy", "drifted"), [(0.95, False), (0.91, False), (0.89, True), (0, True)])
def test_a_model_is_judged_by_its_card(version: str, accuracy: float, *, drifted: bool) -> None:
    path = run(pipelines.judge.bind({"version": version, "accuracy": accuracy, "more": 1}))
    assert json.loads(path.read_bytes()) == {"version": version, "live": accuracy, "tested": 0.95, "drifted": drifted}
    assert run(pipelines.judge.bind({"version": version, "accuracy": accuracy})) == path


@pytest.mark.parametrize(
    "metrics",
    [
        None,
        5,
        {},
        {"version": "0001-aaaaaaaaaaaaaaaa", "accuracy": 0.5},
        {"version": "../..", "accuracy": 0.5},
        {"accuracy": 0.5},
        {"accuracy": 2},
    ],
)
@pytest.mark.usefixtures("version")
def test_metrics_of_no_model_of_ours_are_refused(metrics: object, tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="BadMetrics"):
        run(pipelines.judge.bind(metrics))
    assert not (tmp_path / "reports").exists()


def test_an_accuracy_that_is_no_share_is_refused(version: str) -> None:
    with pytest.raises(RunFailed, match="is no share"):
        run(pipelines.judge.bind({"version": version, "accuracy": 1.5}))


async def rows(engine: Engine, table: type[RowT], **equals: object) -> list[RowT]:
    """Wait until there are such rows, and give them."""
    journal = engine.ports.journal
    while True:
        seq = journal.seq
        if found := await journal.select(table, **equals):
            return found
        await journal.changed(seq)


async def reloaded(monkeypatch: pytest.MonkeyPatch, url: str) -> Any:
    monkeypatch.setenv("MODEL_METRICS", url)
    return importlib.reload(sensors)


async def test_a_fall_is_judged_once(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as server:
        told = [as_json({"model": {"version": version, "accuracy": accuracy}}) for accuracy in (0.94, 0.7)]
        ours = await reloaded(monkeypatch, server.at("/metrics.json", told[0]))
        given = {"pipelines": [pipelines.judge], "sensors": [ours.serving], "triggers": [ours.judge_on_fall]}
        async with asyncio.timeout(30):
            async with open_engine(tmp_path / "state", **given) as engine:
                await rows(engine, SensorRow, sensor="serving", state="healthy")
            server.at("/metrics.json", told[1])
            async with open_engine(tmp_path / "state", **given) as engine:
                runs = await rows(engine, RunRow)
                path = await engine.result(runs[0].run)
    assert len(runs) == 1
    assert isinstance(path, Path)
    assert json.loads(path.read_bytes())["drifted"]
    monkeypatch.delenv("MODEL_METRICS")
    importlib.reload(sensors)


async def test_while_nothing_is_served_the_sensor_says_so_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"http://127.0.0.1:{free_port()}/metrics.json"
    ours = await reloaded(monkeypatch, url)
    async with asyncio.timeout(30), open_engine(tmp_path / "state", sensors=[ours.serving]) as engine:
        [health] = await rows(engine, SensorRow, sensor="serving", state="degraded")
    assert health.reason == f"GET {url}: nothing listens there"
    monkeypatch.delenv("MODEL_METRICS")
    importlib.reload(sensors)
