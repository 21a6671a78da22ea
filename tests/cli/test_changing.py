"""`cancel`, `pause`, `unpause`, `waiting`, `answer`, `rerun`, `resolve`, and what `runs` and `show` tell of it: on a daemon at work."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner, Result

from eventflow.cli.commands import eventflow
from eventflow.client import Client
from tests.cli.conftest import serving

PIPELINES = """
from enum import Enum
from pathlib import Path

from eventflow import approval, each, group, pipeline, task, when


class Stage(Enum):
    TEST = "test"
    LIVE = "live"


@task
def build(version: int) -> int:
    return version


@task
def deploy(version: int, stage: Stage) -> str:
    return f"{version} to {stage.value}"


@task
def alarm(version: int) -> None:
    print("alarm", version)


@pipeline
def ship(version: int = 1) -> str:
    built = build(version)
    with when(built, 13):
        alarm(built)
    return deploy(built, approval("Where to?", form=Stage, show=built))


@task
def square(number: int) -> int:
    print("squaring", number)
    if number == 3 and not Path("mended").exists():
        raise ValueError("three is broken")
    return number * number


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@pipeline
def squares(numbers: list[int]) -> int:
    with group("sums"):
        return total(square.map(number=each(numbers)))
"""


@dataclass(frozen=True)
class Call:
    """Calls a command on a project, in this process."""

    project: Path

    def __call__(self, *arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(eventflow, ["--project", str(self.project), *arguments])
        assert result.exit_code == code, result.output
        return result


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("flow") / "flows"
    (folder / "pipelines").mkdir(parents=True)
    (folder / "pipelines" / "__init__.py").touch()
    (folder / "pipelines" / "flows.py").write_text(PIPELINES)
    with serving(folder):
        yield folder


@pytest.fixture
def call(project: Path) -> Call:
    return Call(project)


def data(result: Result) -> Any:
    return json.loads(result.stdout)


def submitted(call: Call, *arguments: str, code: int = 0) -> str:
    """Submit a run, wait for its end, and give the last digits of its id."""
    return data(call("submit", *arguments, "--wait", "--json", code=code))["run"]["run"][-8:]


def asking(call: Call, version: str = "1") -> str:
    """Submit a run that asks something, and give the last digits of its id."""
    run: str = data(call("submit", "ship", "-p", f"version={version}", "--json"))["run"][-8:]
    until(call, run, "suspended")
    return run


def until(call: Call, run: str, state: str) -> None:
    """Return once a run is in a state, looking again at each new fact."""

    async def look() -> None:
        async with Client(call.project) as client:
            while True:
                seq = (await client.health()).seq
                if (await client.run(run)).run.state == state:
                    return
                await client.facts(after=seq, wait=20)

    anyio.run(look)


def line(result: Result, start: str) -> str:
    """Give the one line of an output that begins so, with single spaces."""
    (found,) = [" ".join(line.split()) for line in result.stdout.splitlines() if line.strip().startswith(start)]
    return found


def test_what_is_asked_is_listed_and_answered_as_typed(call: Call) -> None:
    run = asking(call, "7")
    listed = line(call("waiting"), f"{run}/approval")
    assert "ship an answer to 'Where to?'" in listed
    assert listed.endswith(("test | live 7", "live | test 7"))
    assert "doesn't fit its form" in call("answer", f"{run}/approval", "moon", code=64).stderr
    assert call("answer", f"{run}/approval", "live", "--by", "ada").stdout == f"approval of run {run} of ship is answered by ada\n"
    assert "answered already, by ada" in call("answer", f"{run}/approval", "test", code=64).stderr
    shown = call("show", run)
    assert '"live" (from ada)' in line(shown, "approval")
    assert "what it waited for came: ada gave" in call("why", f"{run}/approval").stdout


def test_who_answers_is_who_is_logged_in_and_json_is_the_run(call: Call) -> None:
    run = asking(call)
    answered = data(call("answer", f"{run}/approval", "test", "--json"))
    assert answered["run"].endswith(run)
    approval = next(node for node in data(call("show", run, "--json"))["nodes"] if node["node"] == "approval")
    assert approval["reason"] == getpass.getuser()


@pytest.mark.parametrize("what", ["1234", "1234/", "/approval"])
def test_an_answer_names_run_and_node(call: Call, what: str) -> None:
    call("answer", what, "yes", code=64)


def test_a_suspended_run_says_what_it_waits_for(call: Call) -> None:
    run = asking(call)
    assert line(call("runs", "--state", "suspended"), run).endswith("waits for an answer at approval")
    shown = call("show", run)
    assert "suspended waits for an answer at approval" in line(shown, "suspended")
    assert "waits for an answer to 'Where to?'" in line(shown, "approval")
    assert "skipped not taken: the value is 1" in line(shown, "when_build")
    assert line(shown, "alarm").endswith("by when_build")
    assert call("cancel", run).stdout == f"run {run} of ship was cancelled\n"


def test_a_run_is_paused_and_let_go_on(call: Call) -> None:
    run = asking(call)
    assert call("pause", run).stdout == f"run {run} of ship is paused: `eventflow unpause {run}` lets it go on\n"
    assert "suspended, paused" in line(call("runs"), run)
    assert data(call("unpause", run, "--json"))["paused"] is False
    call("answer", f"{run}/approval", "test")
    assert "only a run that hasn't ended" in call("pause", run, code=64).stderr


def test_a_pipeline_is_paused_and_its_runs_say_so(call: Call) -> None:
    assert "pipeline squares is paused" in call("pause", "squares", "--reason", "the disk is slow").stdout
    run = data(call("submit", "squares", "-p", "numbers=[1]", "--json"))["run"][-8:]
    assert line(call("runs"), run).endswith("its pipeline is paused: the disk is slow")
    assert call("unpause", "squares").stdout == "pipeline squares is not paused\n"
    until(call, run, "succeeded")


def test_items_are_counted_and_those_that_failed_are_listed(call: Call, project: Path) -> None:
    (project / "mended").unlink(missing_ok=True)
    run = submitted(call, "squares", "-p", "numbers=[1,2,3,4]", code=1)
    shown = call("show", run)
    assert "3 items succeeded, 4 are needed; the first that failed is sums.square[2]: " in line(shown, "sums.square ")
    assert "three is broken" in line(shown, "sums.square[2]")
    assert "sums.square[0]" not in shown.stdout
    assert [row.split()[0] for row in call("show", run, "--all").stdout.splitlines() if row.startswith("  sums.square[")] == [
        f"sums.square[{index}]" for index in range(4)
    ]
    assert len(data(call("show", run, "--all", "--json"))["items"]) == 4
    assert call("logs", run, "sums.square[1]").stdout.endswith("squaring 2\n")
    assert len(call("logs", run, "sums").stdout.splitlines()) == 4
    assert "three is broken" in call("why", f"{run}/sums.square[2]").stdout


def test_a_run_is_made_again_as_the_plan_says(call: Call, project: Path) -> None:
    (project / "mended").unlink(missing_ok=True)
    run = submitted(call, "squares", "-p", "numbers=[1,2,3,4,5,6,7,8,9]", code=1)
    planned = call("rerun", run, "--plan")
    assert line(planned, "sums.square[] (8 items)").split()[3:5] == ["reuse", "nothing"]
    assert line(planned, "sums.square[2]") == "sums.square[2] rerun it failed"
    assert "is submitted" not in planned.stdout
    (project / "mended").touch()
    again = call("rerun", run)
    assert again.stdout.endswith(f" of squares is submitted, a rerun of {run}\n")
    made = again.stdout.splitlines()[-1].split()[1]
    until(call, made, "succeeded")
    assert f"rerun of run {run}" in line(call("runs"), made)
    assert "nothing" in call("rerun", made, code=64).stderr
    whole = data(call("rerun", made, "--from", "everything", "-p", "numbers=[5]", "--json"))
    assert {one["what"] for one in whole["plan"]} == {"rerun"}


def test_a_run_that_is_not_held_needs_no_decision(call: Call) -> None:
    run = asking(call)
    assert "held" in call("resolve", run, "resume", code=64).stderr
    assert "'wait' is not one of" in call("resolve", run, "wait", code=64).stderr
    call("cancel", run)


def test_before_a_restart_each_open_run_says_what_would_become_of_it(call: Call, project: Path, process) -> None:
    run = asking(call)
    file = project / "pipelines" / "flows.py"
    assert json.loads(process("deploy-plan", "--json", cwd=project).stdout)[-1]["what"] == "unchanged"
    try:
        file.write_text(PIPELINES.replace("{version} to", "version {version} to"))
        planned = process("deploy-plan", cwd=project)
        assert planned.returncode == 0
        assert f"{run}   ship       suspended   new code   for deploy" in planned.stdout
        file.write_text(PIPELINES.replace("def deploy(", "def put(").replace("deploy(built", "put(built"))
        held = json.loads(process("deploy-plan", "--json", cwd=project).stdout)[-1]
        assert (held["run"][-8:], held["what"]) == (run, "held")
        assert "node 'deploy', which hasn't ended, is no longer in pipeline 'ship'" in held["reason"]
        file.write_text("import nothing_of_that_name\n")
        wrong = process("deploy-plan", cwd=project)
        assert wrong.returncode == 78
        assert "with this code no daemon starts" in wrong.stderr
        assert "pipelines/flows.py:1: ModuleNotFoundError" in wrong.stderr
    finally:
        file.write_text(PIPELINES)
    call("cancel", run)
