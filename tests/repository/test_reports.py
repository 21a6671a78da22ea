"""Reports: what is kept of a retraining, and that it follows on each of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from eventflow import RunSensor, open_engine
from eventflow.projections import CursorRow
from eventflow.sensors.runs import RunEnded
from examples.digits import batch, put
from pipelines import reports, retrain
from pipelines.reports import Retraining, retraining_of
from sensors.reports import arguments_of, report_on_retraining, retrained
from tests.engine.world import until_true

MINUTE = 60_000_000


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(reports, "REPORTS", tmp_path / "reports")
    monkeypatch.setattr(retrain, "MODELS", tmp_path / "models")
    return tmp_path / "reports"


def told(run: str = "r1", **said: Any) -> Retraining:
    known: dict[str, Any] = {
        "run": run,
        "state": "succeeded",
        "arguments": {"path": "data/incoming/a.csv", "epochs": 20},
        "result": {"outcome": "deployed", "version": "0001-ab", "scores": {"model": 0.95, "champion": None}},
        "error": None,
        "created_at": 1_700_000_000_000_000,
        "ended_at": 1_700_000_000_000_000 + MINUTE,
    }
    return retraining_of(**{**known, **said})


def rows(folder: Path) -> list[str]:
    return (folder / "retrainings.md").read_text().splitlines()[2:]


def test_a_deployed_model_is_told_with_its_version_and_accuracy() -> None:
    one = told()
    assert (one.file, one.outcome, one.champion, one.accuracy, one.seconds) == ("a.csv", "deployed", "0001-ab", 0.95, 60.0)


def test_a_failure_is_told_with_its_error() -> None:
    one = told(state="failed", result=None, error="BadBatch: a.csv has no rows")
    assert (one.outcome, one.champion, one.accuracy, one.error) == ("failed", None, None, "BadBatch: a.csv has no rows")


def test_the_table_has_a_line_for_each_the_newest_first(folder: Path) -> None:
    for run, minute in (("r1", 1), ("r2", 3), ("r3", 2)):
        reports.report.run(told(run, arguments={"path": f"{run}.csv"}, ended_at=1_700_000_000_000_000 + minute * MINUTE))
    assert [row.split(" | ")[1] for row in rows(folder)] == ["r2.csv", "r3.csv", "r1.csv"]


def test_reporting_twice_is_reporting_once(folder: Path) -> None:
    for _ in range(2):
        reports.report.run(told())
    assert len(rows(folder)) == 1
    assert sorted(path.name for path in folder.iterdir()) == ["r1.json", "retrainings.md"]


def test_nothing_in_a_name_or_an_error_breaks_the_table(folder: Path) -> None:
    reports.report.run(told(arguments={"path": "a|b\x1b[31m<script>.csv"}, error="first | line\nsecond"))
    (row,) = rows(folder)
    assert row.count("|") == 8
    assert "second" not in row
    assert "\x1b" not in row
    assert "<" not in row


def test_the_trigger_joins_the_retraining_and_the_report() -> None:
    assert isinstance(retrained, RunSensor)
    assert (retrained.pipelines, retrained.on) == (frozenset({"retrain"}), "ended")
    assert (report_on_retraining.on, report_on_retraining.run) == (retrained, reports.report)


def test_a_cancelled_run_fits_the_pipeline() -> None:
    event = SomeEvent(RunEnded("r1", "retrain", "cancelled", {"path": "a.csv"}, None, "a person said so", None, 1, 2, None, None))
    arguments: Any = arguments_of(event)  # type: ignore[arg-type]
    assert arguments["retraining"].outcome == "cancelled"
    reports.report.bind(**arguments)


class SomeEvent:
    """As much of an event as is asked for."""

    time = 2

    def __init__(self, data: RunEnded) -> None:
        self.data = data


async def test_every_end_of_a_retraining_is_reported(tmp_path: Path, folder: Path) -> None:
    put(batch(0, 150, "nothing"), tmp_path / "good.csv")
    (tmp_path / "bad.csv").write_text("not,a,batch\n")
    given: Any = {"pipelines": [retrain.retrain, reports.report], "sensors": [retrained], "triggers": [report_on_retraining]}
    async with open_engine(tmp_path / "state", **given) as engine:
        journal = engine.ports.journal

        async def looked() -> bool:
            return bool(await journal.select(CursorRow, source="retrained"))

        await until_true(looked, journal)
        for name in ("good.csv", "bad.csv"):
            await (await engine.submit(retrain.retrain.bind(tmp_path / name, epochs=2))).wait()
        while len(list(folder.glob("*.json"))) < 2:
            await journal.changed(journal.seq)
    known = {one.file: one for one in (msgspec.json.decode(path.read_bytes(), type=Retraining) for path in folder.glob("*.json"))}
    assert known["good.csv"].outcome == "deployed"
    assert known["bad.csv"].outcome == "failed"
    assert "lacks" in str(known["bad.csv"].error)
