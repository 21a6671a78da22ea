"""The reference scenario once more, served by `eventflow serve`: killed at every named point, then stopped by SIGTERM."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.crash.harness import DAEMON, SOAK, Case
from tests.crash.test_failpoints import LIMIT, asked, choose, complain, report, run_all

KILLS = 40


@pytest.mark.timeout(LIMIT)
def test_a_kill_of_the_daemon_at_any_named_point_loses_nothing_and_runs_nothing_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    reached = Counter(Case(tmp_path / "reference", command=DAEMON).points())

    cases = run_all(tmp_path, asked() or choose(reached, None if SOAK else KILLS), command=DAEMON)

    report(capsys, f"{sum(case.kills for case in cases)} kills of the daemon, of {len(cases)} cases")
    complain(cases)
    assert sum(case.kills for case in cases) >= len(cases) * 0.8
