"""The nightly check-up: what it says of a good model, of one that has changed, and of none; and when it comes."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from eventflow import RunFailed, Schedule
from examples.digits import batch, put
from pipelines import checkup, retrain
from pipelines.registry import Registry
from sensors import nightly

DAY = date(2026, 11, 20)


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(checkup, "DATA", tmp_path)
    monkeypatch.setattr(retrain, "MODELS", tmp_path / "models")
    return tmp_path


def deployed(data: Path) -> str:
    put(batch(0, 300), data / "a.csv")
    return retrain.retrain.run(path=data / "a.csv", epochs=5).version


def test_without_a_model_there_is_nothing_to_check(data: Path) -> None:
    assert checkup.check_up.run(day=DAY) == "no model is in use yet"
    assert list(data.iterdir()) == []


def test_a_model_that_does_what_it_promised_is_noted(data: Path) -> None:
    version = deployed(data)
    for _ in range(2):
        assert checkup.check_up.run(day=DAY).startswith(f"{version} tells ")
    [note] = (data / "checkups").iterdir()
    kept = msgspec.json.decode(note.read_bytes(), type=checkup.Checkup)
    assert (note.name, kept.champion, kept.found) == ("2026-11-20.json", version, kept.promised)


def test_a_model_that_has_changed_fails_the_run_and_is_noted_all_the_same(data: Path) -> None:
    version = deployed(data)
    model = data / "models" / version / "model.json"
    weights = msgspec.json.decode(model.read_bytes())
    weights["slopes"] = weights["slopes"][::-1]
    model.write_bytes(msgspec.json.encode(weights))
    with pytest.raises(RunFailed, match="were promised"):
        checkup.check_up.run(day=DAY)
    assert (data / "checkups" / "2026-11-20.json").exists()
    assert Registry(data / "models").champion() == version


def test_it_comes_each_night_and_takes_the_day_from_the_tick() -> None:
    assert isinstance(nightly.nightly, Schedule)
    assert nightly.check_up_nightly.on is nightly.nightly
    first, second = nightly.nightly.upcoming(datetime.fromisoformat("2026-11-20 12:00"), 2)
    assert (first.isoformat(), second.isoformat()) == ("2026-11-21T02:00:00+00:00", "2026-11-22T02:00:00+00:00")
    assert nightly.check_up_nightly.params is not None
    arguments = nightly.check_up_nightly.params(SimpleNamespace(data=SimpleNamespace(nominal=first)))
    assert arguments == {"day": date(2026, 11, 21)}
    checkup.check_up.bind(**arguments)
