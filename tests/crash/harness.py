"""A project in a folder of its own, served by real processes that are killed, and judged afterwards by what the ledger says."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType

import anyio

from eventflow import codec
from eventflow.journal.view import read_sqlite
from eventflow.projections import NodeRow, RunRow
from eventflow.sensors.files.scan import Version, identity
from eventflow.system import SystemClock
from eventflow.testing import Ledger, check, check_folder
from eventflow.testing.ledger import BodyStarted

HERE = Path(__file__).parent
SOAK = int(os.environ.get("EVENTFLOW_SOAK", "0"))
PATIENCE = 60.0  # seconds after which a process that should have ended hangs

SUBMITTED = {"endless": "never", "digest": "byhand", "weave": "cloth"}  # by pipeline, the key of its one run
CHILDREN = 1  # runs that these have run
EARLY, LATE, EMPTY = ("a.txt", "b.txt", "c.txt"), ("d.txt", "e.txt"), ("empty.txt",)
TRIGGERS = {"inbox": ("arrivals",)}

EMBEDDED = (sys.executable, str(HERE / "serve.py"))  # ends by itself, when as much has ended as it is told of
DAEMON = (sys.executable, "-m", "eventflow", "serve")  # is asked to


def _toy() -> ModuleType:
    spec = importlib.util.spec_from_file_location("toy", HERE / "project" / "pipelines" / "toy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["toy"] = module
    spec.loader.exec_module(module)
    return module


toy = _toy()
PIPELINES = (toy.digest, toy.endless, toy.poisoned, toy.poisoned_once, toy.weave, toy.measured)


class Project:
    """A copy of the toy project, its inbox, and its ledger."""

    def __init__(self, folder: Path, *, command: Sequence[str] = EMBEDDED, template: str = "project") -> None:
        self.folder = folder
        self.state = folder / ".eventflow"
        self._command = command
        shutil.copytree(HERE / template, folder, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        self._inbox = folder / "inbox"
        self._inbox.mkdir()
        (self._inbox / "submitted.md").write_text("x")
        (folder / "output").touch()
        self.ledger = Ledger(folder / "ledger")
        self.dropped = 0
        self.fired = 0
        self._served = 0

    def drop(self, *names: str, source: str = "inbox") -> None:
        """Let files appear in the inbox, whole. What is named empty is, and is to be filtered."""
        for name in names:
            aside = self.folder / name
            aside.write_text("" if name.startswith("empty") else name[0])
            told = aside.stat()
            self.ledger.sent(source, identity(Version(f"inbox/{name}", told.st_ino, told.st_size, told.st_mtime_ns)))
            aside.rename(self._inbox / name)
            self.dropped += 1
            self.fired += told.st_size > 0

    def environment(self, **more: str) -> Mapping[str, str]:
        """Give what a process is started with."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("EVENTFLOW_", "PYTEST_"))}
        # The project runs from its own folder, with the eventflow that these tests run with.
        paths = os.pathsep.join(path for path in (str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")) if path)
        return {**clean, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", "LEDGER": str(self.ledger.path), **more}

    def serve(self, *, meanwhile: Callable[[subprocess.Popen[bytes]], None] = lambda _: None, **environment: str) -> int:
        """Start a process, and give its exit code once it has ended. Raises `Hanging` where it doesn't."""
        process = self.start(**environment)
        try:
            meanwhile(process)
            return self.ended(process, PATIENCE)
        except BaseException:
            self.kill(process)
            raise

    def start(self, **environment: str) -> subprocess.Popen[bytes]:
        """Start a process."""
        self._served = self.output().count("eventflow: serving")
        with (self.folder / "output").open("ab") as output:
            return subprocess.Popen(self._command, cwd=self.folder, env=self.environment(**environment), stdout=output, stderr=output)

    def ended(self, process: subprocess.Popen[bytes], patience: float) -> int:
        """Wait for a process's end."""
        try:
            code = process.wait(patience)
        except subprocess.TimeoutExpired:
            raise Hanging(f"process {process.pid} did not end within {patience:g} s") from None
        self.ledger.process_ended(process.pid, code)
        return code

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """Kill a process, if it still runs."""
        if process.returncode is None:
            process.kill()
            self.ended(process, PATIENCE)

    def until_work(self, process: subprocess.Popen[bytes]) -> None:
        """Return once a body has begun, or the process has ended."""
        self._until(process, lambda: any(isinstance(entry, BodyStarted) for entry in self.ledger.read()))

    def until_serving(self, process: subprocess.Popen[bytes]) -> None:
        """Return once a daemon is up, or has ended."""
        self._until(process, lambda: self.output().count("eventflow: serving") > self._served)

    def until_ended(self, process: subprocess.Popen[bytes]) -> None:
        """Return once a daemon is up, all events are recorded and all their runs have ended, or the process has."""
        self._until(process, lambda: self.output().count("eventflow: serving") > self._served and self._has_ended())

    def _until(self, process: subprocess.Popen[bytes], condition: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while process.poll() is None and not condition():
            if time.monotonic() > end:
                raise Hanging(f"what process {process.pid} should have done did not happen within {PATIENCE:g} s")
            time.sleep(0.01)

    def _has_ended(self) -> bool:
        try:
            with contextlib.closing(sqlite3.connect(f"file:{self.state / 'journal.db'}?mode=ro", uri=True)) as journal:
                events, open_runs = journal.execute(
                    "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM runs WHERE ended_at IS NULL)"
                ).fetchone()
        except sqlite3.OperationalError:  # it is still being made
            return False
        return events >= self.dropped and open_runs == 0

    def output(self) -> str:
        """Give what the processes have printed so far."""
        return (self.folder / "output").read_text(errors="replace")

    def judge(self) -> list[str]:
        """Give everything that is wrong, now that all processes have ended."""
        return [*anyio.run(self._judged), *check_folder(self.state)]

    async def _judged(self) -> list[str]:
        async with read_sqlite(self.state, clock=SystemClock()) as journal:
            return await check(journal, self.ledger, pipelines=PIPELINES, triggers=TRIGGERS)

    def runs(self) -> list[RunRow]:
        """Give all runs."""

        async def read() -> list[RunRow]:
            async with read_sqlite(self.state, clock=SystemClock()) as journal:
                return await journal.select(RunRow)

        return anyio.run(read)

    def nodes(self) -> list[NodeRow]:
        """Give all nodes that have left `pending`."""

        async def read() -> list[NodeRow]:
            async with read_sqlite(self.state, clock=SystemClock()) as journal:
                return await journal.select(NodeRow)

        return anyio.run(read)

    def ill_ended(self, *, may_fail: Sequence[str] = ("unknown",)) -> list[str]:
        """Give every run that came to another end than it should, but those in which a node failed for a reason that may be."""
        excused = {row.run for row in self.nodes() if row.reason in may_fail}
        wanted = {"digest": "succeeded", "endless": "cancelled", "weave": "succeeded", "measured": "succeeded"}
        return [
            f"run {row.run} of {row.pipeline} ended as {row.state} ({row.reason})"
            for row in self.runs()
            if row.state != wanted.get(row.pipeline) and row.run not in excused
        ]


class Hanging(Exception):
    """A process that should have ended."""


class Case:
    """The reference scenario in a folder, killed once or several times on the way: see `run`."""

    def __init__(self, folder: Path, fails: Sequence[str] = (), *, command: Sequence[str] = EMBEDDED) -> None:
        self.fails = tuple(fails)
        self.project = Project(folder, command=command)
        self._command = command
        self.kills = 0
        self.problems: list[str] = []
        self._late = False

    def run(self) -> Case:
        """Serve and kill at each fail-point in turn, then serve to the end, and judge."""
        self.project.drop(*EARLY, *EMPTY)
        try:
            for fail in self.fails:
                code = self._serve(EVENTFLOW_FAIL=fail)
                self.kills += code == -9
                if code not in (0, -9):
                    self.problems.append(f"with {fail} the exit code was {code}")
            if (code := self._serve()) != 0:
                self.problems.append(f"the last exit code was {code}")
            self.problems += [*self.project.judge(), *self.project.ill_ended()]
            if self._command is EMBEDDED and self.project.output():
                self.problems.append("there was trouble (see the output), which a kill is no excuse for")
        except Hanging as hanging:
            self.problems.append(str(hanging))
        self.project.ledger.close()
        if not self.problems:
            shutil.rmtree(self.project.folder)
        return self

    def serve_early(self, fail: str) -> int:
        """Drop the first files, serve with a fail-point, and give the exit code."""
        self.project.drop(*EARLY, *EMPTY)
        return self._serve(EVENTFLOW_FAIL=fail)

    def _serve(self, **environment: str) -> int:
        expected = {
            "EXPECTED_RUNS": str(len(EARLY) + len(LATE) + len(SUBMITTED) + CHILDREN),
            "EXPECTED_EVENTS": str(len(EARLY) + len(LATE) + len(EMPTY)),
            "SUBMIT": ",".join(f"{pipeline}:{key}" for pipeline, key in SUBMITTED.items()),
        }
        return self.project.serve(meanwhile=self._meanwhile, **expected, **environment)

    def _meanwhile(self, process: subprocess.Popen[bytes]) -> None:
        if not self._late:
            self._late = True
            self.project.until_work(process)
            self.project.drop(*LATE)
        if self._command is DAEMON:
            self.project.until_ended(process)
            process.terminate()

    def points(self) -> list[str]:
        """Serve once without a failure, and give every point that was reached, as often as it was."""
        written = self.project.folder / "points"
        self.project.drop(*EARLY, *EMPTY)
        assert self._serve(EVENTFLOW_POINTS=str(written)) == 0
        return written.read_text().splitlines()

    def __str__(self) -> str:
        told = "".join(f"\n    {problem}" for problem in self.problems)
        output = self.project.output()[-3000:]
        test = "test_daemon.py" if self._command is DAEMON else "test_failpoints.py"
        again = f"EVENTFLOW_CRASH={','.join(self.fails)} python -m pytest tests/crash/{test}"
        return f"{','.join(self.fails)}: {told}\n  again: {again}\n  kept: {self.project.folder}\n  output: {output}"


def digest(value: object) -> str:
    """Give a value's digest, as the ledger writes it."""
    return codec.digest(codec.canonical(value))
