"""A daemon with a sensor of every kind, killed again and again while all their worlds go on: each event has the runs that it should."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import anyio
import pytest

from eventflow import states
from eventflow.journal.view import read_sqlite
from eventflow.projections import DecisionRow, EventRow, RunRow
from eventflow.system import SystemClock
from eventflow.testing import check
from eventflow.testing.ledger import Sent
from tests.crash.harness import DAEMON, HERE, PATIENCE, SOAK, Project
from tests.crash.outside import Outside

KILLS = 200 * max(SOAK, 1)
SECOND = 1_000_000
OFFERED = {"files": "note-files", "rows": "note-rows", "polls": "note-polls", "hook": "note-hook", "byhand": "note-byhand"}
TRIGGERS = {source: (trigger,) for source, trigger in {**OFFERED, "ticks": "note-ticks", "ends": "note-ends"}.items()}


def notes() -> ModuleType:
    spec = importlib.util.spec_from_file_location("notes", HERE / "sources" / "pipelines" / "notes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["notes"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.timeout(0 if SOAK else 900)
def test_every_event_of_every_source_has_its_run_after_two_hundred_kills(tmp_path: Path) -> None:
    seed = int(os.environ.get("EVENTFLOW_SEED", random.randrange(2**32)))
    dice, project = random.Random(seed), Project(tmp_path / "project", command=DAEMON, template="sources")
    with Outside(project, seed) as outside:
        for _ in range(KILLS):
            process = project.start(FEED=outside.feed)
            # The moment of the kill is what is random here: while the daemon starts, or once it is at work.
            if dice.random() < 0.6:
                project.until_serving(process)
            time.sleep(dice.uniform(0, 0.7))
            assert process.poll() is None, project.output()
            project.kill(process)
        outside.calm()
        process = project.start(FEED=outside.feed)
        until(process, lambda: outside.is_delivered and everything_is_there(project), project)
        process.terminate()
        code = project.ended(process, PATIENCE)
    problems = anyio.run(judged, project)
    assert (code, problems) == (0, []), f"EVENTFLOW_SEED={seed} gives the same moments; kept: {project.folder}"
    project.ledger.close()


def until(process: subprocess.Popen[bytes], condition, project: Project) -> None:
    end = time.monotonic() + 2 * PATIENCE
    while not condition():
        assert process.poll() is None, project.output()
        assert time.monotonic() < end, f"not everything came: {missing(project)[:9]}; kept: {project.folder}"
        time.sleep(0.05)


def everything_is_there(project: Project) -> bool:
    with contextlib.closing(sqlite3.connect(f"file:{project.state / 'journal.db'}?mode=ro", uri=True)) as journal:
        (still_open,) = journal.execute("SELECT count(*) FROM runs WHERE ended_at IS NULL").fetchone()
    return still_open == 0 and not missing(project)


def missing(project: Project) -> list[tuple[str, str]]:
    with contextlib.closing(sqlite3.connect(f"file:{project.state / 'journal.db'}?mode=ro", uri=True)) as journal:
        there = set(journal.execute("SELECT source, id FROM events"))
    return [
        (entry.source, entry.id) for entry in project.ledger.read() if isinstance(entry, Sent) and (entry.source, entry.id) not in there
    ]


async def judged(project: Project) -> list[str]:
    async with read_sqlite(project.state, clock=SystemClock()) as journal:
        found = await check(journal, project.ledger, pipelines=[notes().note], triggers=TRIGGERS)
        events = await journal.select(EventRow, order="seq")
        decisions = {row.event: row for row in await journal.select(DecisionRow)}
        runs = {row.run: row for row in await journal.select(RunRow)}
    found += [f"run {run} ended as {row.state} ({row.reason})" for run, row in runs.items() if row.state != states.SUCCEEDED]
    for event in events:
        outcome = decisions[event.event].outcome
        if event.source != "ends" and outcome != states.FIRED:
            found.append(f"{event.source} {event.id} is {outcome}")
    return [*found, *ticks(events), *ends(events, runs)]


def ticks(events: list[EventRow]) -> list[str]:
    """Tell which ticks between the first and the last one are missing or are there twice."""
    times = sorted(event.time for event in events if event.source == "ticks")
    return [f"ticks {before} and {after} are not a second apart" for before, after in pairwise(times) if after - before != SECOND]


def ends(events: list[EventRow], runs: dict[str, RunRow]) -> list[str]:
    """Tell of which runs the end was not seen once. The last ones may end while the daemon is being stopped."""
    seen = Counter(event.subject for event in events if event.source == "ends")
    twice = [f"the end of run {run} was seen {count} times" for run, count in seen.items() if count != 1]
    unseen = sorted((run for run in runs if run not in seen), key=lambda run: runs[run].seq)
    return [*twice, *(f"the end of run {run} was not seen" for run in unseen[:-20])]
