"""The group of commands: what all of them have in common."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib import import_module

import click
import pytest
from click.testing import CliRunner

from eventflow.cli.commands import COMMANDS, eventflow
from eventflow.cli.endings import exit_code
from eventflow.errors import JournalOwned, ProjectError


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_that_begins_as_the_list_says_or_says_more(name) -> None:
    result = CliRunner().invoke(eventflow, [name, "--help"])
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: ")
    module = name.replace("-", "_")
    assert isinstance(getattr(import_module(f"eventflow.cli.{module}"), module), click.Command)


def test_help_lists_all_commands_and_version_names_itself() -> None:
    listed = CliRunner().invoke(eventflow, ["--help"])
    assert all(f"  {name} " in listed.stdout for name in COMMANDS)
    assert CliRunner().invoke(eventflow, ["--version"]).stdout.startswith("eventflow 0.")


def test_the_list_of_commands_imports_none_of_them() -> None:
    program = (
        "import sys\nfrom eventflow.cli.commands import eventflow\n"
        "try: eventflow.main(['--help'])\nexcept SystemExit: pass\n"
        "sys.exit(' '.join({'rich', 'httpx', 'starlette', 'uvicorn'} & set(sys.modules)) or None)"
    )
    ran = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=40)
    assert (ran.returncode, ran.stderr) == (0, "")


def raising(error: BaseException):
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (JournalOwned("process 7 has it"), 75, "process 7 has it\n"),
        (ProjectError(["a.py:1: one", "b.py:2: \x1b[2J"]), 78, "a.py:1: one\nb.py:2: \\x1b[2J\n"),
        (click.UsageError("no"), 64, "no\n"),
        (click.Abort(), 130, ""),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_errors_are_one_plain_message_and_a_code(capsys, error, code, said) -> None:
    assert exit_code(raising(error)) == code
    assert capsys.readouterr().err == said


def test_an_error_that_nobody_foresaw_is_named_without_its_traceback(capsys, monkeypatch) -> None:
    assert exit_code(raising(KeyError("x"))) == 70
    assert capsys.readouterr().err.startswith("KeyError: 'x'\nThis is a mistake in eventflow")
    monkeypatch.setenv("EVENTFLOW_DEBUG", "1")
    assert exit_code(raising(KeyError("x"))) == 70
    assert "Traceback (most recent call last):" in capsys.readouterr().err


def test_what_a_command_returns_is_the_exit_code(capsys) -> None:
    assert exit_code(lambda: 3) == 3
    assert exit_code(lambda: None) == 0


def test_a_reader_that_goes_away_ends_it_quietly(past) -> None:
    program = (
        f"from eventflow.cli import main; import sys; sys.argv[1:] = ['--project', {str(past.folder)!r}, 'show', {past.bad!r}]; main()"
    )
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        ran = subprocess.run([sys.executable, "-c", program], check=False, stdout=pipe, stderr=subprocess.PIPE, timeout=40)
    assert (ran.returncode, ran.stderr) == (141, b"")


def test_ctrl_c_ends_it_quietly(tmp_path) -> None:
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "__init__.py").touch()
    (tmp_path / "pipelines" / "slow.py").write_text(
        "import asyncio\nfrom eventflow import pipeline, task\n\n@task\nasync def sleep() -> None:\n    await asyncio.sleep(60)\n\n"
        "@pipeline\ndef slow() -> None:\n    return sleep()\n"
    )
    running = subprocess.Popen(
        [sys.executable, "-m", "eventflow", "run", "slow"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stderr is not None
    assert "attempt 1 started" in running.stderr.readline()
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=20)
    assert (running.returncode, out) == (130, "")
    assert "Traceback" not in err
