"""Tasks that kill the process they run in: found guilty after a few times, or never begun again, while all other runs go on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from eventflow.testing.ledger import BodyStarted
from tests.crash.harness import Project

FILES = ("a.txt", "b.txt", "c.txt")
STARTS = 8  # more than any poison may cost


def serve_until_done(project: Project, submit: str) -> list[int]:
    """Start the process again and again until it ends by itself; give all exit codes."""
    project.drop(*FILES)
    codes: list[int] = []
    while len(codes) < STARTS and codes[-1:] != [0]:
        codes.append(project.serve(EXPECTED_RUNS=str(len(FILES) + 1), EXPECTED_EVENTS=str(len(FILES)), SUBMIT=submit))
    return codes


def begun(project: Project) -> Counter[str]:
    return Counter(entry.node for entry in project.ledger.read() if isinstance(entry, BodyStarted))


@pytest.mark.timeout(120)
def test_a_task_that_kills_its_process_is_poisoned_and_the_other_runs_finish(tmp_path: Path):
    project = Project(tmp_path / "project")

    codes = serve_until_done(project, "poisoned:p")

    assert codes[-1] == 0
    assert set(codes[:-1]) == {-9}
    assert project.judge() == []
    nodes = {row.node: row for row in project.nodes() if row.node in ("murder", "mourn")}
    assert (nodes["murder"].state, nodes["murder"].reason, nodes["murder"].crashes) == ("failed", "poisoned", 2)
    assert (nodes["mourn"].state, nodes["mourn"].reason) == ("upstream_failed", "murder")
    # At most one start is not yet durable, and so goes uncounted: the first, while nothing is suspected.
    assert begun(project)["murder"] in (2, 3)
    assert begun(project)["mourn"] == 0
    assert sorted(row.state for row in project.runs() if row.pipeline == "poisoned") == ["failed"]
    assert [told for told in project.ill_ended() if "poisoned" not in told] == []


@pytest.mark.timeout(120)
def test_an_at_most_once_task_that_kills_its_process_is_never_begun_again(tmp_path: Path):
    project = Project(tmp_path / "project")

    codes = serve_until_done(project, "poisoned_once:p")

    assert codes == [-9, 0]
    assert project.judge() == []
    nodes = {row.node: row for row in project.nodes() if row.node in ("murder_once", "mourn")}
    assert (nodes["murder_once"].state, nodes["murder_once"].reason) == ("failed", "unknown")
    assert nodes["mourn"].state == "upstream_failed"
    assert begun(project)["murder_once"] == 1
    assert project.ill_ended() == []
