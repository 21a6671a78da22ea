from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from eventflow.address import find_socket

RUNNER = Path(__file__).parent / "runner.py"

PIPELINES = """
import asyncio, os, sys, time
from pathlib import Path
from tempfile import TemporaryDirectory
from eventflow import pipeline, task

ROOT = Path(__file__).parents[1]

def attempts(name):
    with (ROOT / name).open("a") as file:
        file.write(f"{os.getpid()}\\n")

async def until(name):
    while not (ROOT / name).exists():
        await asyncio.sleep(0.005)

@task
async def waits():
    attempts("started")
    await until("go")
    print("gone")
    return 1

@task
def sticks():
    attempts("started")
    time.sleep(3600)

@task
async def sticks_elsewhere():
    attempts("started")
    await asyncio.to_thread(time.sleep, 3600)

@task
async def blocks():
    attempts("started")
    time.sleep(3600)

@pipeline
def wait():
    return waits()

@pipeline
def stick():
    return sticks()

@pipeline
def stick_elsewhere():
    return sticks_elsewhere()

@pipeline
def block():
    return blocks()
"""


class Daemon:
    """A daemon as a process of its own."""

    def __init__(self, root: Path, prefix: list[str], environment: dict[str, str]) -> None:
        self.root = root
        self.process = subprocess.Popen(
            [*prefix, sys.executable, str(RUNNER), str(root)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
            text=True,
            errors="surrogateescape",
        )
        self.out, self.err = Lines(self.process.stdout), Lines(self.process.stderr)

    @property
    def pid(self) -> int:
        return self.process.pid

    def ready(self) -> str:
        """Wait until it serves, and give the line that says so."""
        return self.out.until("eventflow: serving")

    def ask(self, path: str, timeout: float = 30) -> str:
        socket = find_socket(self.root / ".eventflow")
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket)), base_url="http://daemon", timeout=timeout) as client:
            return client.get(path).text

    def submit(self, pipeline: str) -> str:
        """Have a pipeline run, and wait until its task has begun once more than before."""
        before = len(starts(self.root))
        run = self.ask(f"/submit/{pipeline}")
        wait_for(lambda: len(starts(self.root)) > before)
        return run

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait for its end, and give its exit code."""
        return self.process.wait(timeout=50)

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.end()

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        for lines, stream in ((self.out, self.process.stdout), (self.err, self.process.stderr)):
            lines.thread.join()
            stream.close()


class Lines:
    """The lines of a stream, read as they come."""

    def __init__(self, stream) -> None:
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.seen: list[str] = []
        self.thread = threading.Thread(target=self._read, args=(stream,))
        self.thread.start()

    def until(self, part: str) -> str:
        """Wait for a line with these words, and give it."""
        while (line := self._queue.get(timeout=30)) is not None:
            self.seen.append(line)
            if part in line:
                return line
        raise AssertionError(f"{part!r} never came, but: {''.join(self.seen)}")

    def all(self) -> str:
        """Give everything, once the stream has ended."""
        while (line := self._queue.get(timeout=30)) is not None:
            self.seen.append(line)
        self._queue.put(None)
        return "".join(self.seen)

    def _read(self, stream) -> None:
        for line in stream:
            self._queue.put(line)
        self._queue.put(None)


Start = Callable[..., Daemon]


def starts(root: Path) -> list[int]:
    """Give the pid of each start of a task's body."""
    path = root / "started"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def wait_for(true: Callable[[], bool]) -> None:
    for _ in range(30_000):
        if true():
            return
        threading.Event().wait(0.001)
    raise AssertionError("it never came true")


@pytest.fixture
def start() -> Iterator[Start]:
    """Start daemons, and see to it that none is left."""
    daemons: list[Daemon] = []

    def begin(root: Path, *, prefix: tuple[str, ...] = (), **environment: str) -> Daemon:
        daemons.append(Daemon(root, list(prefix), {"XDG_RUNTIME_DIR": runtime, **environment}))
        return daemons[-1]

    # A killed daemon leaves its socket, and pytest's own folders are too deep for one.
    with TemporaryDirectory(prefix="ev", dir="/tmp") as runtime:
        yield begin
        for daemon in daemons:
            daemon.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return project(tmp_path / "shop")


@pytest.fixture
def project_at() -> Callable[[Path], Path]:
    return project


def project(root: Path) -> Path:
    (root / "pipelines").mkdir(parents=True)
    (root / "pipelines" / "__init__.py").touch()
    (root / "pipelines" / "waiting.py").write_text(PIPELINES)
    return root
