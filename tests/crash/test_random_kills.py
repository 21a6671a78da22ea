"""One project, into which files keep falling while its process is killed again and again, at moments that nobody chose."""

from __future__ import annotations

import os
import random
import subprocess
import time
from pathlib import Path

import pytest

from tests.crash.harness import SOAK, Project

KILLS = 15 * max(SOAK, 1)
FOR_EVER = {"EXPECTED_RUNS": "1000000", "EXPECTED_EVENTS": "1000000"}


@pytest.mark.timeout(0 if SOAK else 120)
def test_kills_at_random_moments_lose_nothing_and_run_nothing_twice(tmp_path: Path):
    seed = int(os.environ.get("EVENTFLOW_SEED", random.randrange(2**32)))
    dice, project = random.Random(seed), Project(tmp_path / "project")

    for _ in range(KILLS):
        process = project.start(**FOR_EVER)
        drop_for(project, process, dice.uniform(0.1, 1.0), dice)
        project.kill(process)
        drop_for(project, process, dice.uniform(0, 0.1), dice)
    code = project.serve(EXPECTED_RUNS=str(project.fired), EXPECTED_EVENTS=str(project.dropped))

    problems = [*project.judge(), *project.ill_ended(may_fail=("unknown", "poisoned"))]
    assert (code, problems) == (0, []), f"EVENTFLOW_SEED={seed} gives the same moments; kept: {project.folder}"
    project.ledger.close()


def drop_for(project: Project, process: subprocess.Popen[bytes], seconds: float, dice: random.Random) -> None:
    """Let files appear at random moments for some time."""
    assert process.poll() in (None, -9), f"the process ended by itself: {(project.folder / 'output').read_text()}"
    end = time.monotonic() + seconds
    while (pause := dice.expovariate(1 / 0.06)) < end - time.monotonic():
        time.sleep(pause)
        project.drop(f"{dice.choice(('file', 'empty'))}-{project.dropped}.txt")
    time.sleep(max(0.0, end - time.monotonic()))
