from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from eventflow.errors import EventflowError
from eventflow.failpoints import FailPoint, from_environment
from eventflow.ports import Instruments


def test_usually_there_are_none() -> None:
    assert from_environment({}) == []
    assert from_environment({"EVENTFLOW_FAIL": "", "EVENTFLOW_POINTS": ""}) == []


def test_a_point_fails_at_the_passing_that_was_named_and_no_other() -> None:
    (failing,) = from_environment({"EVENTFLOW_FAIL": "journal.commit.before:3:raise"})
    failing.reached("journal.commit.before")
    failing.reached("journal.commit.after")
    failing.reached("journal.commit.before")
    with pytest.raises(FailPoint, match=r"journal\.commit\.before"):
        failing.reached("journal.commit.before")
    failing.reached("journal.commit.before")


def test_a_point_kills_the_process() -> None:
    script = """
from eventflow.failpoints import from_environment
(failing,) = from_environment({"EVENTFLOW_FAIL": "a.b:2:kill"})
failing.reached("a.b")
print("alive", flush=True)
failing.reached("a.b")
print("never")
"""
    ended = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=30)
    assert (ended.returncode, ended.stdout) == (-signal.SIGKILL, "alive\n")


def test_a_point_hesitates(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    for written in ("a:1:sleep", "a:1:sleep:5"):
        (failing,) = from_environment({"EVENTFLOW_FAIL": written})
        failing.reached("a")
        failing.reached("a")
    assert slept == [1.0, 5.0]


def test_every_point_is_written_down_in_order(tmp_path: Path) -> None:
    together = Instruments(from_environment({"EVENTFLOW_FAIL": "b:1:raise", "EVENTFLOW_POINTS": str(tmp_path / "points")}))
    together.reached("a")
    with pytest.raises(FailPoint):
        together.reached("b")
    assert (tmp_path / "points").read_text() == "a\nb\n"


@pytest.mark.parametrize("written", ["nonsense", "a:b:kill", "a:1:explode", "a:1:sleep:long", "a:1:kill:1:2"])
def test_what_cannot_be_understood_is_said(written: str) -> None:
    with pytest.raises(EventflowError, match="POINT:HIT:kill"):
        from_environment({"EVENTFLOW_FAIL": written})
