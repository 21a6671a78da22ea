from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from eventflow.daemon.watchdog import Watchdog


def journal(root: Path) -> Path:
    return root / ".eventflow" / "journal.db"


def made(start, root: Path) -> None:
    daemon = start(root)
    daemon.ready()
    assert daemon.stop() == 0


def test_a_project_with_mistakes_says_them_all(start, root: Path) -> None:
    (root / "pyproject.toml").write_text("[tool.eventflow]\nthreads = 0\n")
    (root / "pipelines" / "broken.py").write_text("x = 1\nimport nowhere_to_be_found\n")
    daemon = start(root)
    assert daemon.end() == 78
    said = daemon.err.all()
    assert f"{root}/pipelines/broken.py:2: ModuleNotFoundError: No module named 'nowhere_to_be_found'" in said
    assert "threads: 0 is not a whole number" in said
    assert "Traceback" not in said
    assert not (root / ".eventflow").exists()


def test_a_folder_that_is_no_project_says_so(start, tmp_path: Path) -> None:
    daemon = start(tmp_path)
    assert daemon.end() == 78
    assert "`eventflow init FOLDER` makes a new project" in daemon.err.all()


def test_a_newer_journal_is_left_alone(start, root: Path) -> None:
    made(start, root)
    with sqlite3.connect(journal(root)) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    before = journal(root).read_bytes()
    daemon = start(root)
    assert daemon.end() == 76
    assert "newer eventflow" in daemon.err.all()
    assert journal(root).read_bytes() == before


def test_a_damaged_journal_is_not_served(start, root: Path) -> None:
    made(start, root)
    journal(root).write_bytes(b"no journal at all, " * 500)
    daemon = start(root)
    assert daemon.end() == 74
    said = daemon.err.all()
    assert str(root / ".eventflow") in said
    assert "Traceback" not in said


def test_a_state_folder_that_cannot_be_entered_is_named(start, root: Path) -> None:
    state = root / ".eventflow"
    state.mkdir()
    prefix: tuple[str, ...] = ()
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("needs setpriv, to take root's powers from it")
        os.chown(state, 65534, 65534)
        prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-chown,-fowner", "--inh-caps=-all")
    state.chmod(0o700 if prefix else 0)
    daemon = start(root, prefix=prefix)
    try:
        assert daemon.end() == 77
        said = daemon.err.all()
        assert str(state) in said
        assert "Traceback" not in said
    finally:
        state.chmod(0o700)


def test_a_key_that_others_can_read_is_refused(start, root: Path) -> None:
    made(start, root)
    (root / ".eventflow" / "key").chmod(0o644)
    daemon = start(root)
    assert daemon.end() == 77
    assert "chmod 600" in daemon.err.all()


def test_wrong_fail_points_are_said(start, root: Path) -> None:
    daemon = start(root, EVENTFLOW_FAIL="nonsense")
    assert daemon.end() == 1
    assert "POINT:HIT:kill" in daemon.err.all()


def test_a_loop_that_user_code_blocks_cannot_hold_the_exit() -> None:
    script = """
import anyio, os, signal, sys, time
import eventflow.daemon.signals as signals
from eventflow.daemon.watchdog import Watchdog
signals.GRACE = 0.05

async def main():
    with Watchdog() as watchdog, signals.Signals(watchdog, drain=0):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(3600)

import signal
anyio.run(main)
"""
    ended = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1
    assert "something would not end in time" in ended.stderr


def test_a_watchdog_that_was_told_twice_keeps_to_the_earlier_time() -> None:
    script = """
import time
from eventflow.daemon.watchdog import Watchdog
with Watchdog() as watchdog:
    watchdog.arm(0.01)
    watchdog.arm(3600)
    time.sleep(3600)
"""
    ended = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1


def test_a_watchdog_that_is_not_needed_leaves_nothing() -> None:
    with Watchdog() as watchdog:
        watchdog.arm(3600)
        (thread,) = [thread for thread in threading.enumerate() if thread.name == "eventflow-watchdog"]
    thread.join(timeout=30)
    assert not thread.is_alive()


def test_an_interrupt_before_anything_runs_is_no_traceback(start, root: Path) -> None:
    (root / "pipelines" / "slow.py").write_text("import time\nprint('loading', flush=True)\ntime.sleep(3600)\n")
    daemon = start(root)
    daemon.out.until("loading")
    daemon.signal(signal.SIGINT)
    assert daemon.end() == 130
    assert daemon.err.all() == "eventflow: interrupted\n"
