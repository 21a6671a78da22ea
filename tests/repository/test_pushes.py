"""Pushes: what the hook takes, which of them have the project checked, and what becomes of that."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from eventflow import Event, RunFailed, Secret, Trigger, WebhookSensor, open_engine
from eventflow.projections import DecisionRow
from eventflow.server.app import create_app
from pipelines import pushed
from sensors import pushes
from tests.sensors.webhooks.senders import github

SHA = "0123456789abcdef0123456789abcdef01234567"
SECRET = Secret("what GitHub was told")


def push(*touched: str, after: str = SHA, **more: object) -> bytes:
    commits = [{"id": after, "added": [], "modified": list(touched), "removed": []}]
    return msgspec.json.encode({"ref": "refs/heads/main", "before": "0" * 40, "after": after, "commits": commits, **more})


@contextmanager
def project_at(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> Iterator[Path]:
    (folder / "pipelines").mkdir()
    (folder / "pipelines" / "__init__.py").touch()
    (folder / "pipelines" / "one.py").write_text(source)
    (folder / "pyproject.toml").write_text("[tool.eventflow]\n")
    monkeypatch.setattr(pushed, "ROOT", folder)
    monkeypatch.setattr(pushed, "CHECKS", folder / "checks")
    yield folder / "checks"


def test_the_trigger_joins_the_hook_and_the_check() -> None:
    assert isinstance(pushes.pushes, WebhookSensor)
    assert isinstance(pushes.check_on_push, Trigger)
    assert (pushes.check_on_push.on, pushes.check_on_push.run) == (pushes.pushes, pushed.pushed)
    assert not pushes.pushes.is_open


async def test_a_push_is_checked_once_and_the_report_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = WebhookSensor("pushes", secrets=SECRET, scheme="github", schema=pushes.Push)
    trigger = Trigger("check", on=hook, run=pushed.pushed, where=pushes.concerns_us, params=pushes.check_on_push.params)
    with project_at(tmp_path, monkeypatch, "") as checks:
        async with open_engine(tmp_path / "state", sensors=[hook], triggers=[trigger]) as engine:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(engine)), base_url="http://here") as http:
                body = push("sensors/pushes.py")
                told = [(await http.post("/hooks/pushes", content=body, headers=github(body, secret=SECRET))).json() for _ in range(2)]
                assert [one["duplicate"] for one in told] == [False, True]
                report: Any = await engine.result(told[0]["runs"][0])
                assert report == pushed.Report(SHA, loads=True, said="0 pipelines, 0 sensors, 0 triggers: no mistakes")
                other = push("README.md")
                assert (await http.post("/hooks/pushes", content=other, headers=github(other, secret=SECRET))).json()["runs"] == []
            decisions = await engine.ports.journal.select(DecisionRow)
        assert sorted(one.outcome for one in decisions) == ["filtered", "fired"]
        assert [file.name for file in checks.iterdir()] == [f"{SHA}.json"]
        assert msgspec.json.decode((checks / f"{SHA}.json").read_bytes(), type=pushed.Report) == report


def test_a_project_that_does_not_load_fails_the_run_and_is_kept_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with project_at(tmp_path, monkeypatch, "import nothing_of_this_name\n") as checks:
        with pytest.raises(RunFailed, match="nothing_of_this_name"):
            pushed.pushed.run(commit=SHA)
        report = msgspec.json.decode((checks / f"{SHA}.json").read_bytes(), type=pushed.Report)
        assert not report.loads
        assert "pipelines/one.py" in report.said


def test_what_is_no_commit_becomes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with project_at(tmp_path, monkeypatch, "") as checks:
        for wrong in ("../../x", "", "HEAD", SHA.upper(), SHA + "\n"):
            with pytest.raises(RunFailed, match="is no commit"):
                pushed.pushed.run(commit=wrong)
        assert not checks.exists()


@pytest.mark.parametrize(
    ("touched", "after", "concerned"),
    [
        (["pipelines/a.py"], SHA, True),
        (["docs/a.md", "eventflow/a.py"], SHA, True),
        (["pyproject.toml"], SHA, True),
        (["docs/sensors/a.md"], SHA, False),
        ([], SHA, False),
        (["pipelines/a.py"], "0" * 40, False),
    ],
)
def test_only_what_touches_the_project_is_checked(touched: list[str], after: str, concerned: bool) -> None:
    data = msgspec.json.decode(push(*touched, after=after), type=pushes.Push)
    event = Event(id="1", source="pushes", type="push", data=data, time=0)
    assert pushes.concerns_us(event) is concerned


def loaded_with(environment: dict[str, str], root: Path = pushed.ROOT) -> str:
    """Give the secret of the hook in a process that has this environment, and imports the project at `root`."""
    command = "from sensors import pushes; print(pushes.SECRET.reveal())"
    without = {name: value for name, value in os.environ.items() if name != "PUSHES_SECRET"}
    env = {**without, "PYTHONDONTWRITEBYTECODE": "1", **environment}
    return subprocess.run([sys.executable, "-c", command], cwd=root, env=env, check=True, capture_output=True, text=True).stdout.strip()


def test_the_hooks_secret_is_the_one_in_the_environment() -> None:
    assert loaded_with({"PUSHES_SECRET": "what GitHub was told"}) == "what GitHub was told"


@pytest.mark.parametrize("environment", [{}, {"PUSHES_SECRET": ""}], ids=["none", "an empty one"])
def test_without_a_secret_in_the_environment_nobody_knows_it(environment: dict[str, str]) -> None:
    one, other = (loaded_with(environment) for _ in range(2))
    assert one != other
    assert min(len(one), len(other)) >= 32


def test_loading_the_hook_writes_nothing(tmp_path: Path) -> None:
    for package in ("pipelines", "sensors"):
        shutil.copytree(pushed.ROOT / package, tmp_path / package)
    before = sorted(tmp_path.rglob("*"))
    loaded_with({}, tmp_path)
    assert sorted(tmp_path.rglob("*")) == before
