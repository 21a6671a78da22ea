"""`init`, `check`, `graph`, `run`, `serve`, `submit`, `cancel`: what needs a project, each as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from xml.etree import ElementTree as ET

import anyio
import pytest
from click.testing import CliRunner

from eventflow.cli.commands import eventflow
from eventflow.embed import open_engine


def project(folder: Path, code: str) -> Path:
    (folder / "pipelines").mkdir()
    (folder / "pipelines" / "__init__.py").touch()
    (folder / "pipelines" / "one.py").write_text(f"from eventflow import pipeline, task\n\n{code}")
    return folder


async def make_journal(folder: Path) -> None:
    async with open_engine(folder):
        pass


FAILING = """
@task
def fail(word: str) -> str:
    raise ValueError(f"\\x1b[31m{word}")


@pipeline
def failing(word: str) -> str:
    return fail(word)
"""

ODD = """
class Odd:
    def __repr__(self) -> str:
        return "<odd \\x9b>"


@task
def make() -> Odd:
    print("made")
    return Odd()


@pipeline
def odd() -> Odd:
    return make()
"""

WRONG = """
@task
def say(word: str) -> str:
    return word


@pipeline
def twice(word: str) -> str:
    if say(word):
        return say(word)
    return say("no")
"""


def test_a_new_project_has_a_pipeline_a_sensor_and_no_mistakes(starter, process) -> None:
    assert tomllib.loads((starter / "pyproject.toml").read_text())["project"]["name"] == "my-project"
    assert ".eventflow/" in (starter / ".gitignore").read_text()
    checked = process("check", cwd=starter)
    assert checked.returncode == 0
    assert [line.partition(":")[0] for line in checked.stdout.splitlines()] == ["1 pipeline, 1 sensor, 1 trigger", "sensor inbox"]
    assert json.loads(process("check", "--json", cwd=starter).stdout)["mistakes"] == []


def test_a_folder_that_holds_something_is_refused_and_left_as_it_is(tmp_path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for place in (tmp_path, tmp_path / "mine.txt"):
        result = CliRunner().invoke(eventflow, ["init", str(place)])
        assert result.exit_code == 64
        assert "nothing was changed" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_taken_and_one_that_cannot_be_written_named(tmp_path) -> None:
    assert CliRunner().invoke(eventflow, ["init", str(tmp_path)]).exit_code == 0
    assert (tmp_path / "sensors" / "inbox.py").exists()
    result = CliRunner().invoke(eventflow, ["init", "/proc/nowhere/project"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "can't be written" in result.stderr


def test_check_reports_every_mistake_with_file_and_line(tmp_path, process) -> None:
    root = project(tmp_path, WRONG)
    (root / "pipelines" / "two.py").write_text("import nothing_of_that_name\n")
    checked = process("check", cwd=root)
    assert checked.returncode == 78
    first, second = sorted(checked.stdout.splitlines())
    assert first.startswith(f"{root}/pipelines/one.py:11: ")
    assert second.startswith(f"{root}/pipelines/two.py:1: ModuleNotFoundError")
    assert len(json.loads(process("check", "--json", cwd=root).stdout)["mistakes"]) == 2


def test_a_folder_whose_name_is_no_text_is_a_folder_like_any_other(tmp_path, process) -> None:
    root = tmp_path / "\udcff"
    root.mkdir()
    project(root, FAILING)
    assert process("check", cwd=root).returncode == 0
    failed = process("run", "failing", "-p", "word=no", cwd=root)
    assert failed.returncode == 1
    assert f"{tmp_path}/\\udcff/pipelines/one.py:" in failed.stderr
    anyio.run(make_journal, root / ".eventflow")
    assert json.loads(process("journal", "verify", "--json", cwd=root).stdout)["folder"].endswith("/\\udcff/.eventflow")
    (root / "pipelines" / "two.py").write_text("import nothing_of_that_name\n")
    assert "\\udcff/pipelines/two.py:1: " in json.loads(process("check", "--json", cwd=root).stdout)["mistakes"][0]


@pytest.mark.parametrize(
    "arguments", [("check",), ("run", "x"), ("graph", "x"), ("serve",), ("runs",), ("submit", "x"), ("journal", "verify")]
)
def test_a_folder_that_is_no_project_is_said_to_be_none(tmp_path, process, arguments) -> None:
    ended = process(*arguments, cwd=tmp_path)
    assert ended.returncode == 78
    assert "is no project" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_project_is_named_by_option_or_variable_or_found_above(starter, tmp_path, process) -> None:
    assert process("--project", str(starter), "check", cwd=tmp_path).returncode == 0
    assert process("check", cwd=tmp_path, EVENTFLOW_PROJECT=str(starter)).returncode == 0
    assert process("check", cwd=starter / "pipelines").returncode == 0


def test_a_run_here_and_now_prints_its_result_as_json_and_leaves_no_trace(starter, process, tmp_path) -> None:
    (tmp_path / "text.txt").write_text("so much to say so")
    before = sorted(path.name for path in starter.iterdir())
    ran = process("--project", str(starter), "run", "count", "-p", "path=text.txt", "-p", "most=1", cwd=tmp_path)
    assert (ran.returncode, json.loads(ran.stdout)) == (0, ["so"])
    assert "report" in ran.stderr
    assert "most frequent: so" in ran.stderr
    assert sorted(path.name for path in starter.iterdir()) == before


def test_a_run_here_and_now_has_the_projects_resources(tmp_path, process) -> None:
    root = project(
        tmp_path, FAILING.replace("@task\n", '@task(uses={"gpu": 1})\n').replace('raise ValueError(f"\\x1b[31m{word}")', "return word")
    )
    refused = process("run", "failing", "-p", "word=yes", cwd=root)
    assert refused.returncode == 78
    assert "there is no such resource" in refused.stderr
    (root / "pyproject.toml").write_text("[tool.eventflow.resources]\ngpu = 1\n")
    assert process("run", "failing", "-p", "word=yes", cwd=root).stdout == '"yes"\n'


def test_a_failed_run_is_one_message_and_1(tmp_path, process) -> None:
    ran = process("run", "failing", "-p", "word=no", cwd=project(tmp_path, FAILING))
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "node 'fail' failed: ValueError: \\x1b[31mno" in ran.stderr
    assert "\x1b" not in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_result_that_json_cannot_carry_is_shown_as_python_writes_it(tmp_path, process) -> None:
    ran = process("run", "odd", cwd=project(tmp_path, ODD))
    assert (ran.returncode, ran.stdout) == (0, '"<odd \\u009b>"\n')
    assert "of type Odd" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("count",), "parameter 'path' is missing"),
        (("count", "-p", "path=a", "-p", "most=x"), "parameter 'most': expected int"),
        (("count", "-p", "path=a", "-p", "more=1"), "parameter 'more' is unknown"),
        (("count", "-p", "path"), "write -p name=value"),
        (("count", "-p", "path=a", "-p", "path=b"), "'path' is given twice"),
        (("cuont",), "this project has no pipeline 'cuont': there is count"),
    ],
)
def test_arguments_that_do_not_fit_are_64(starter, process, arguments, said) -> None:
    ran = process("run", *arguments, cwd=starter)
    assert (ran.returncode, ran.stdout) == (64, "")
    assert said in ran.stderr


def test_a_pipeline_is_drawn_as_text_mermaid_svg_or_json(starter, process) -> None:
    text = process("graph", "count", cwd=starter).stdout
    assert text.splitlines()[0] == "count(path: Path, most: int)"
    assert [line.split("─ ")[1].split() for line in text.splitlines() if "─ " in line] == [
        ["read", "←", "(path)"],
        ["tally", "←", "read"],
        ["report", "←", "tally,", "(most)"],
    ]
    assert "n0 --> n1" in process("graph", "count", "--format", "mermaid", cwd=starter).stdout
    picture = ET.fromstring(process("graph", "count", "--format", "svg", cwd=starter).stdout)
    assert [one.attrib["data-node"] for one in picture.iter() if "data-node" in one.attrib] == ["read", "tally", "report"]
    assert json.loads(process("graph", "count", "--json", cwd=starter).stdout)["pipeline"]["pipeline"] == "count"


def test_a_new_project_serves_at_once(served, process, tmp_path) -> None:
    (tmp_path / "text.txt").write_text("one two two")
    ended = process("--project", str(served), "submit", "count", "-p", "path=text.txt", "--wait", "--json", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    run = json.loads(ended.stdout)
    assert (run["result"]["json"], run["arguments"]["path"]["$path"]) == (["two", "one"], str(tmp_path / "text.txt"))
    assert "most frequent: two, one" in process("logs", run["run"]["run"], "-f", cwd=served).stdout
    again = [process("submit", "count", "-p", "path=x", "--key", "k", "--json", cwd=served) for _ in range(2)]
    assert len({json.loads(one.stdout)["run"] for one in again}) == 1
    failed = process("submit", "count", "-p", "path=/nowhere", "-p", "most=2", "--wait", cwd=served)
    assert failed.returncode == 1
    assert "FileNotFoundError" in failed.stdout
    cancelled = process("cancel", run["run"]["run"][-8:], cwd=served)
    assert (cancelled.returncode, cancelled.stdout) == (0, f"run {run['run']['run'][-8:]} of count had ended already: succeeded\n")
    assert process("submit", "cuont", cwd=served).returncode == 64


def test_a_dropped_file_becomes_a_run_that_can_be_asked_why(served, process) -> None:
    (served / "incoming" / "note.txt").write_text("so much to say so")
    deadline = time.monotonic() + 30
    while not (found := [run for run in json.loads(process("runs", "--json", cwd=served).stdout) if run["trigger"] and run["ended_at"]]):
        assert time.monotonic() < deadline
    (run,) = found
    assert run["state"] == "succeeded"
    told = process("why", run["event"], cwd=served).stdout
    assert f"trigger count-on-drop fired run {run['run'][-8:]}" in told
    assert f"run {run['run'][-8:]} of count succeeded" in told
    (served / "incoming" / "note.txt").unlink()


def test_a_second_daemon_on_a_project_is_refused_with_75(served, process) -> None:
    second = process("serve", cwd=served)
    assert second.returncode == 75
    assert "Traceback" not in second.stderr


def test_serving_with_reload_ends_in_order(tmp_path) -> None:
    assert CliRunner().invoke(eventflow, ["init", str(tmp_path / "p")]).exit_code == 0
    with subprocess.Popen(
        [sys.executable, "-m", "eventflow", "serve", "--reload"], cwd=tmp_path / "p", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as running:
        assert running.stdout is not None
        assert b"serving p" in running.stdout.readline()
        running.terminate()
        assert running.wait(20) == 0
