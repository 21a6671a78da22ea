"""A real process is killed at every named point of the reference scenario, started again, and must have lost and doubled nothing."""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.crash.harness import EMBEDDED, SOAK, Case

KILLS = 170  # at single points, unless soaking
FIRST = ("engine.attempt.ended:9", "engine.attempt.started:14", "engine.dispatch.after:2", "journal.batch.written:12")
SECOND = (
    "journal.open.after:1",
    "engine.recovery.before:1",
    "engine.recovery.after:1",
    "journal.batch.committed:1",
    "engine.attempt.started:1",
    "engine.attempt.succeeded:2",
)
LIMIT = 0 if SOAK else 300  # seconds


@pytest.mark.timeout(LIMIT)
def test_a_kill_at_any_named_point_loses_nothing_and_runs_nothing_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    reached = Counter(Case(tmp_path / "reference").points())

    cases = run_all(tmp_path, asked() or choose(reached, None if SOAK else KILLS))

    kills, points = sum(case.kills for case in cases), {point_of(case) for case in cases if case.kills}
    report(capsys, f"{kills} kills at {len(points)} of {len(reached)} points, of {len(cases)} cases")
    complain(cases)
    if not asked():
        assert points == set(reached)
        assert len(points) >= 25
        assert kills >= 150


@pytest.mark.timeout(LIMIT)
def test_a_kill_in_the_recovery_from_a_kill_comes_to_the_same_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    pairs = [(f"{first}:kill", f"{second}:kill") for first in FIRST for second in SECOND]
    if SOAK:
        pairs += random_pairs(Counter(Case(tmp_path / "reference").points()), 24 * SOAK)

    cases = run_all(tmp_path, asked() or pairs)

    report(capsys, f"{sum(case.kills for case in cases)} kills in {len(cases)} pairs")
    complain(cases)
    assert sum(case.kills for case in cases) >= len(cases)


def asked() -> list[tuple[str, ...]]:
    """Give the one case that is to be run again, if one is."""
    told = os.environ.get("EVENTFLOW_CRASH")
    return [tuple(told.split(","))] if told else []


def choose(reached: Counter[str], kills: int | None) -> list[tuple[str, ...]]:
    """Choose where to kill: at every point, and at as many hits of each as fit into so many kills; at all of them for None."""
    each = max(reached.values())
    while kills is not None and each > 1 and sum(min(hits, each) for hits in reached.values()) > kills:
        each -= 1
    return [(killing(point, hit),) for point, hits in reached.items() for hit in spread(hits, each)]


def spread(hits: int, count: int) -> list[int]:
    """Choose so many of the hits 1 to `hits`: the first, the last, and between them evenly."""
    if count == 1:
        return [(hits + 1) // 2]
    return sorted({1 + round(step * (hits - 1) / (count - 1)) for step in range(count)})


def killing(point: str, hit: int) -> str:
    """Give a fail-point that kills. What is about to be written is held back a while, so that whoever doesn't wait for it shows it."""
    return f"{point}:{hit}:kill:0.03" if point == "journal.batch.before" else f"{point}:{hit}:kill"


def random_pairs(reached: Counter[str], count: int) -> list[tuple[str, ...]]:
    """Choose at random: what is chosen is told where it fails."""
    dice, points = random.Random(), list(reached)
    return [tuple(killing(point, dice.randint(1, reached[point])) for point in dice.choices(points, k=2)) for _ in range(count)]


def run_all(folder: Path, chosen: Sequence[tuple[str, ...]], *, command: Sequence[str] = EMBEDDED) -> list[Case]:
    """Run all cases, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda case: Case(folder / f"{case[0]}", case[1], command=command).run(), enumerate(chosen)))


def complain(cases: Sequence[Case]) -> None:
    """Fail with everything that went wrong, and how to make it happen again."""
    if failed := [str(case) for case in cases if case.problems]:
        pytest.fail("\n\n".join(failed), pytrace=False)


def point_of(case: Case) -> str:
    return case.fails[0].partition(":")[0]


def report(capsys: pytest.CaptureFixture[str], told: str) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n  {told}\n")
