from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from eventflow.address import find_socket


def state_files(root: Path) -> dict[str, int]:
    return {str(path.relative_to(root)): stat.S_IMODE(path.stat().st_mode) for path in (root / ".eventflow").rglob("*")}


def test_it_says_what_it_serves_and_where(start, root: Path) -> None:
    daemon = start(root)
    socket = find_socket(root / ".eventflow") if daemon.ready() else None
    assert daemon.out.seen == [f"eventflow: serving shop (4 pipelines, 0 sensors, 0 triggers), socket {socket}\n"]
    assert daemon.stop() == 0


def test_a_run_goes_through_and_its_words_are_kept(start, root: Path) -> None:
    (root / "go").touch()
    daemon = start(root)
    daemon.ready()
    run = daemon.ask("/submit/wait")
    assert daemon.ask(f"/wait/{run}") == "succeeded"
    assert daemon.ask(f"/logs/{run}") == "gone"
    assert daemon.stop() == 0
    told = [json.loads(line)["event"] for line in daemon.err.all().splitlines()]
    assert [event for event in told if event.startswith("run ")] == ["run submitted", "run started", "run succeeded"]
    assert "gone" not in daemon.out.all()


def test_everything_in_the_state_folder_is_closed_to_others(start, root: Path) -> None:
    (root / "go").touch()
    daemon = start(root)
    daemon.ready()
    daemon.ask(f"/wait/{daemon.ask('/submit/wait')}")
    socket = find_socket(root / ".eventflow")
    assert stat.S_IMODE((root / ".eventflow").stat().st_mode) == 0o700
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    assert {mode & 0o077 for mode in state_files(root).values()} == {0}
    assert daemon.stop() == 0


def test_a_state_folder_that_was_open_is_closed(start, root: Path) -> None:
    (root / ".eventflow").mkdir(mode=0o755)
    daemon = start(root)
    daemon.ready()
    assert stat.S_IMODE((root / ".eventflow").stat().st_mode) == 0o700
    assert daemon.stop() == 0


def test_a_second_daemon_leaves_at_once_and_names_the_first(start, root: Path) -> None:
    (root / "pipelines" / "loaded.py").write_text("import os\nwith open('loaded', 'a') as file:\n    print(os.getpid(), file=file)\n")
    first = start(root)
    first.ready()
    second = start(root)
    assert second.end() == 75
    assert f"process {first.pid}" in second.err.all()
    assert (root / "loaded").read_text() == f"{first.pid}\n"
    assert first.ask("/submit/wait")
    (root / "go").touch()
    assert first.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_what_runs_end(start, root: Path, number: int) -> None:
    daemon = start(root)
    daemon.ready()
    run = daemon.submit("wait")
    daemon.signal(number)
    daemon.err.until("stopping")
    assert daemon.ask("/submit/wait").startswith("EngineClosed")
    (root / "go").touch()
    assert daemon.end() == 0
    again = start(root)
    again.ready()
    assert again.ask(f"/wait/{run}") == "succeeded"
    assert starts(root) == [daemon.pid]
    assert again.stop() == 0


def starts(root: Path) -> list[int]:
    return [int(line) for line in (root / "started").read_text().split()]


def test_what_does_not_end_in_time_goes_on_at_the_next_start(start, root: Path) -> None:
    daemon = start(root, EVENTFLOW_DRAIN="50ms")
    daemon.ready()
    run = daemon.submit("wait")
    assert daemon.stop() == 0
    assert '"reason": "shutdown"' in daemon.err.all()
    (root / "go").touch()
    again = start(root)
    again.ready()
    assert again.ask(f"/wait/{run}") == "succeeded"
    assert starts(root) == [daemon.pid, again.pid]
    assert again.stop() == 0


def test_a_second_signal_shortens_the_drain(start, root: Path) -> None:
    daemon = start(root, EVENTFLOW_DRAIN="1h")
    daemon.ready()
    daemon.submit("wait")
    daemon.signal(signal.SIGTERM)
    daemon.err.until("stopping")
    daemon.signal(signal.SIGTERM)
    assert daemon.end() == 0
    assert '"reason": "shutdown"' in daemon.err.all()


def test_a_hangup_is_nothing(start, root: Path) -> None:
    daemon = start(root)
    daemon.ready()
    daemon.signal(signal.SIGHUP)
    run = daemon.submit("wait")
    (root / "go").touch()
    assert daemon.ask(f"/wait/{run}") == "succeeded"
    assert daemon.stop() == 0


def test_nothing_is_lost_by_a_kill(start, root: Path) -> None:
    daemon = start(root)
    daemon.ready()
    run = daemon.submit("wait")
    socket = find_socket(root / ".eventflow")
    daemon.signal(signal.SIGKILL)
    assert daemon.end() == -signal.SIGKILL
    assert socket.exists()
    (root / "go").touch()
    again = start(root)
    again.ready()
    assert again.ask(f"/wait/{run}") == "succeeded"
    assert starts(root) == [daemon.pid, again.pid]
    assert find_socket(root / ".eventflow") == socket
    assert again.stop() == 0
    assert not socket.exists()
    assert find_socket(root / ".eventflow") is None


@pytest.mark.parametrize("pipeline", ["stick", "stick_elsewhere"])
def test_a_thread_that_never_ends_cannot_hold_the_exit(start, root: Path, pipeline: str) -> None:
    daemon = start(root, EVENTFLOW_DRAIN="0s")
    daemon.ready()
    run = daemon.submit(pipeline)
    assert daemon.stop() == 0
    assert f'"run": "{run}"' in daemon.err.all()


def test_an_answer_without_end_is_ended(start, root: Path) -> None:
    daemon = start(root)
    daemon.ready()
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(daemon.ask("/stream")))
    asking.start()
    daemon.ask("/submit/wait")
    (root / "go").touch()
    assert daemon.stop() == 0
    asking.join()
    assert answers == ["stopped"]


def test_a_project_on_a_deep_path_is_reached(start, tmp_path: Path, project_at: Callable[[Path], Path]) -> None:
    root = project_at(tmp_path / ("d" * 200) / ("e" * 200))
    (root / "go").touch()
    daemon = start(root)
    daemon.ready()
    assert daemon.ask(f"/wait/{daemon.ask('/submit/wait')}") == "succeeded"
    assert len(os.fsencode(find_socket(root / ".eventflow"))) < 108
    assert daemon.stop() == 0


def test_the_root_is_the_current_folder(start, root: Path) -> None:
    (root / "pipelines" / "here.py").write_text(
        "from pathlib import Path\nfrom eventflow import pipeline, task\n@task\ndef look():\n    print(Path.cwd())\n@pipeline\ndef here():\n    look()\n"
    )
    daemon = start(root)
    daemon.ready()
    run = daemon.ask("/submit/here")
    assert daemon.ask(f"/wait/{run}") == "succeeded"
    assert daemon.ask(f"/logs/{run}") == str(root)
    assert daemon.stop() == 0


def test_a_fail_point_kills_it_where_it_was_told(start, root: Path) -> None:
    daemon = start(root, EVENTFLOW_FAIL="engine.attempt.started:1:kill", EVENTFLOW_POINTS=str(root / "points"))
    daemon.ready()
    with contextlib.suppress(httpx.TransportError):
        daemon.ask("/submit/wait")
    assert daemon.end() == -signal.SIGKILL
    assert (root / "points").read_text().splitlines().count("engine.attempt.started") == 1
