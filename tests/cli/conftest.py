"""State folders with a past, and the command line: in this process where no project is loaded, else as a process of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from click.testing import CliRunner, Result

from eventflow import pipeline, task
from eventflow.cli.commands import eventflow
from eventflow.config import LogLimits
from eventflow.embed import open_engine
from eventflow.errors import RunFailed
from eventflow.facts import DecisionMade, EventRecorded, Unit
from eventflow.logs.folder import LogFolder
from eventflow.logs.lines import Attempt
from eventflow.system import SystemClock

ESCAPES = "\x1b[31mred\x1b]52;c;aGk=\x07\x9b2J\u202e"


@task
async def load(path: Path) -> str:
    return str(path)


@task
async def check(text: str) -> str:
    if "bad" in text:
        raise ValueError(f"bad rows: {ESCAPES}\n  line 3: forged")
    return text


@pipeline
def words(path: Path) -> str:
    return check(load(path))


@dataclass(frozen=True)
class Past:
    """A state folder, and the ids of what happened in it."""

    folder: Path
    good: str
    bad: str
    event: str


async def _live(folder: Path) -> Past:
    async with open_engine(folder, pipelines=[words]) as engine:
        good = await engine.submit(words.bind(Path(f"a{ESCAPES}")), key=f"key {ESCAPES}")
        await good.result()
        bad = await engine.submit(words.bind(Path("bad")))
        with contextlib.suppress(RunFailed):
            await bad.result()
        event = engine.intake.new_id()
        recorded = EventRecorded(event, "inbox", "1", "file", engine.ports.clock.now(), msgspec.Raw(b'{"path":"x"}'), f"x{ESCAPES}\nforged")
        decided = DecisionMade(event, "on-drop", "refused", None, f"KeyError: {ESCAPES}")
        await engine.ports.journal.commit(Unit(engine.ports.clock.now(), (recorded, decided)))
    async with LogFolder(folder / "logs", SystemClock(), LogLimits()) as logs:
        logs.say(Attempt(good.id, "load", 1), "info", "stdout", "loading")
        logs.say(Attempt(good.id, "check", 2), "warning", "structlog", f"said {ESCAPES}")
    return Past(folder, good.id, bad.id, event)


@pytest.fixture(scope="session")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    """Gives a state folder with one run that succeeded, one that failed, an event and some logs. No daemon is at work on it."""
    return anyio.run(_live, tmp_path_factory.mktemp("past"))


@pytest.fixture
def command(past: Past) -> Callable[..., Result]:
    """Gives what calls a command on the state folder of `past`, in this process."""

    def call(*arguments: str, **options: Any) -> Result:
        return CliRunner(**options).invoke(eventflow, ["--project", str(past.folder), *arguments])

    return call


@pytest.fixture
def process() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Gives what calls a command as a process of its own."""

    def call(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, **variables}
        return subprocess.run(
            [sys.executable, "-m", "eventflow", *arguments], cwd=cwd, env=env, check=False, capture_output=True, text=True, timeout=40
        )

    return call


@pytest.fixture(scope="session")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gives a project as `eventflow init` makes it; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("starter") / "My Project"
    made = CliRunner().invoke(eventflow, ["init", str(folder)])
    assert made.exit_code == 0, made.output
    return folder


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Path]:
    """Keep a daemon at work on a project until the block is left."""
    log = folder.parent / "daemon.log"
    with log.open("wb") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", "eventflow", "serve"], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=output
        )
    assert running.stdout is not None
    try:
        assert f"serving {folder.name}".encode() in running.stdout.readline(), log.read_text()
        yield folder
    finally:
        running.terminate()
        running.stdout.close()
        assert running.wait(20) == 0, log.read_text()


@pytest.fixture
def served(starter: Path) -> Iterator[Path]:
    """Gives the starter's project with a daemon at work on it."""
    with serving(starter) as folder:
        yield folder
