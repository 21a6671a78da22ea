"""`check` tries the sensors: without a daemon and beside one, changing nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from eventflow import Observation
from eventflow.cli import check
from eventflow.config import Settings
from eventflow.ports import Seen, World
from eventflow.project import Project
from eventflow.projections import EventRow
from tests.cli.conftest import serving

SENSORS = """
import time
from pathlib import Path

from eventflow import Event, Observation
from eventflow.errors import SourceUnreachable
from eventflow.projections import SensorRow


class Own:
    interval = 60.0

    def __init__(self, name):
        self.name = name

    async def observe(self, cursor, seen, world):
        Path("observed").touch()
        yield Observation()
        await world.clock.sleep(3600)


class Fine(Own):
    async def check(self, world):
        print("trying")
        with world.watcher.watch(world.root, recursive=False):
            assert Path.cwd() == world.root
        known = await world.journal.select(SensorRow)
        Path("known").write_text(f"{world.source} {len(known)} {world.journal.seq > 0}")


class Unreachable(Own):
    async def check(self, world):
        raise SourceUnreachable("the shop at https://ada:secret@shop.example does not answer\\nstart it")


fine, plain = Fine("fine"), Own("plain")
"""


def project(folder: Path, *, wrong: bool = False) -> Path:
    root = folder / "shop"
    for name, text in {"pipelines": "", "sensors": SENSORS + ("shop = Unreachable('shop')\n" if wrong else "")}.items():
        (root / name).mkdir(parents=True)
        (root / name / "__init__.py").touch()
        (root / name / "one.py").write_text(text)
    return root


def test_sensors_are_tried_and_not_started(tmp_path, process) -> None:
    root = project(tmp_path)
    checked = process("check", cwd=root)
    assert (checked.returncode, checked.stdout.splitlines()) == (
        0,
        ["0 pipelines, 2 sensors, 0 triggers: no mistakes", "sensor fine: ok", "sensor plain: not tried: it offers no check"],
    )
    assert "trying" in checked.stderr
    assert (root / "known").read_text() == "fine 0 False"
    assert not (root / "observed").exists()
    assert not (root / ".eventflow").exists()


def test_a_sensor_that_cannot_look_says_why_and_exits_with_1(tmp_path, process) -> None:
    root = project(tmp_path, wrong=True)
    checked = process("check", cwd=root)
    assert checked.returncode == 1
    assert "sensor fine: ok" in checked.stdout
    assert "sensor shop: the shop at https://***@shop.example does not answer\\nstart it\n" in checked.stdout
    listed = json.loads(process("check", "--json", cwd=root).stdout)
    assert listed["mistakes"] == []
    assert [(one["sensor"], one["outcome"]) for one in listed["sensors"]] == [("fine", "ok"), ("plain", "untried"), ("shop", "wrong")]


def test_offline_nothing_is_tried(tmp_path, process) -> None:
    root = project(tmp_path, wrong=True)
    checked = process("check", "--offline", cwd=root)
    assert (checked.returncode, checked.stdout) == (0, "0 pipelines, 3 sensors, 0 triggers: no mistakes\n")
    assert not (root / "known").exists()


def test_a_mistake_in_the_project_stays_78_and_nothing_is_tried(tmp_path, process) -> None:
    root = project(tmp_path, wrong=True)
    (root / "pipelines" / "one.py").write_text("import nothing_of_that_name\n")
    assert process("check", cwd=root).returncode == 78
    assert not (root / "known").exists()


def test_beside_a_daemon_a_check_reads_its_journal_and_changes_nothing(tmp_path, process) -> None:
    root = project(tmp_path)
    with serving(root):
        while len(json.loads(process("sensors", "--json", cwd=root).stdout)) < 2:
            pass
        while {one["state"] for one in json.loads(process("sensors", "--json", cwd=root).stdout)} != {"healthy"}:
            pass
        assert process("check", cwd=root / "pipelines").returncode == 0
    assert (root / "known").read_text() == "fine 2 True"
    verified = process("journal", "verify", "--json", cwd=root)
    assert json.loads(verified.stdout)["problems"] == []


class Blocking:
    """A sensor whose check holds the whole loop."""

    name = "blocking"
    interval = None

    def __init__(self) -> None:
        self.release = threading.Event()

    async def observe(self, cursor: object, seen: Seen, world: World) -> AsyncGenerator[Observation[Any], None]:  # noqa: ARG002
        yield Observation()

    async def check(self, world: World) -> None:  # noqa: ARG002
        self.release.wait()


def test_a_check_that_blocks_is_said_to_hang_and_holds_nobody(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(check, "PATIENCE", 0.01)
    monkeypatch.setattr(check, "_GRACE", 0.5)
    sensor = Blocking()
    try:
        (trial,) = check._tried(Project(tmp_path, Settings(), (), (sensor,), ()))
    finally:
        sensor.release.set()
    assert (trial.outcome, trial.reason) == ("wrong", "it hangs: no answer within 10ms")


@pytest.mark.parametrize("damage", ["no journal", "an unreadable one"])
async def test_a_journal_that_cannot_be_read_is_an_empty_one(tmp_path, damage) -> None:
    if damage != "no journal":
        (tmp_path / ".eventflow").mkdir()
        (tmp_path / ".eventflow" / "journal.db").write_bytes(b"nonsense" * 1000)
    async with check._journal(Project(tmp_path, Settings(), (), (), ()), check.SystemClock()) as journal:
        assert await journal.select(EventRow) == []
