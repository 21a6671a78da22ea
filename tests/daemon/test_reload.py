from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PARENT = """
import sys
from pathlib import Path
import anyio
from eventflow.daemon import reload
from eventflow.system import SystemClock, spawn

root, runner = Path(sys.argv[1]), sys.argv[2]
sys.exit(anyio.run(reload, root, root / ".eventflow", [sys.executable, runner, str(root)], spawn, SystemClock()))
"""


class Parent:
    """`serve --reload`, with what it and its daemon say in one stream."""

    def __init__(self, root: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PARENT, str(root), str(Path(__file__).parent / "runner.py")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def until(self, part: str) -> str:
        said: list[str] = []
        for line in self.process.stdout:
            said.append(line)
            if part in line:
                return line
        raise AssertionError(f"{part!r} never came, but: {''.join(said)}")

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        self.process.stdout.read()
        return self.process.wait(timeout=30)


@pytest.fixture
def parent(root: Path) -> Iterator[Parent]:
    one = Parent(root)
    yield one
    if one.process.poll() is None:
        one.end(signal.SIGTERM)
    one.process.stdout.close()


def test_a_change_of_code_starts_the_daemon_anew(parent: Parent, root: Path) -> None:
    assert "4 pipelines" in parent.until("serving")
    (root / "notes.txt").write_text("no code")
    (root / "pipelines" / "more.py").write_text(
        "from pipelines.waiting import waits\nfrom eventflow import pipeline\n@pipeline\ndef more():\n    waits()\n"
    )
    assert "pipelines/more.py changed" in parent.until("changed")
    assert "5 pipelines" in parent.until("serving")
    assert parent.end(signal.SIGTERM) == 0


def test_a_mistake_is_shown_and_its_repair_waited_for(parent: Parent, root: Path) -> None:
    parent.until("serving")
    (root / "pipelines" / "more.py").write_text("1 / 0\n")
    parent.until("ZeroDivisionError")
    parent.until("exit code 78: it is started again when a file of the project changes")
    (root / "pipelines" / "more.py").write_text("one = 1\n")
    parent.until("serving")
    assert parent.end(signal.SIGINT) == 0


def test_it_ends_while_it_waits_for_a_repair(parent: Parent, root: Path) -> None:
    parent.until("serving")
    (root / "pipelines" / "more.py").write_text("1 / 0\n")
    parent.until("is started again when")
    assert parent.end(signal.SIGTERM) == 78


def test_a_terminal_that_is_closed_ends_neither(parent: Parent, root: Path) -> None:
    parent.until("serving")
    parent.process.send_signal(signal.SIGHUP)
    (root / "pipelines" / "more.py").write_text("one = 1\n")
    parent.until("changed")
    parent.until("serving")
    assert parent.end(signal.SIGTERM) == 0
