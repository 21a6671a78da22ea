"""The inbox: what it watches, and what it makes of a file."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from eventflow import FileSensor, Trigger
from pipelines.retrain import retrain
from sensors import inbox


def test_the_trigger_joins_the_inbox_and_the_retraining() -> None:
    assert isinstance(inbox.inbox, FileSensor)
    assert isinstance(inbox.retrain_on_drop, Trigger)
    assert inbox.retrain_on_drop.on is inbox.inbox
    assert inbox.retrain_on_drop.run is retrain


def test_a_file_becomes_the_arguments_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETRAIN_PACE", "0.5")
    paced = importlib.reload(inbox)
    assert paced.retrain_on_drop.params is not None
    event = SimpleNamespace(data=SimpleNamespace(path=Path("data/incoming/a.csv")))
    arguments = paced.retrain_on_drop.params(event)
    assert arguments == {"path": Path("data/incoming/a.csv"), "pace": 0.5}
    retrain.bind(**arguments)
    monkeypatch.delenv("RETRAIN_PACE")
    importlib.reload(inbox)
