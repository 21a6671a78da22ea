"""Somebody has pushed to this repository: check that the project that lies here still loads, and keep what was found.

    check_project -> keep

What is checked is what lies in this folder, which may be behind what was pushed: fetching it is up to whoever keeps the folder.
"""

from __future__ import annotations

import asyncio
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from eventflow import pipeline, task

ROOT = Path(__file__).parents[1]
CHECKS = ROOT / "data" / "checks"

COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Broken(RuntimeError):
    """The project doesn't load. The message says what is wrong with it."""


@dataclass(frozen=True)
class Report:
    """What `eventflow check` said of the project, after which commit was pushed."""

    commit: str
    loads: bool
    said: str


@task(timeout="5m")
async def check_project(commit: str) -> Report:
    """Load the project in a process of its own, so that what it does at import does nothing here."""
    if COMMIT.fullmatch(commit) is None:  # it becomes a file's name
        raise ValueError(f"{commit!r} is no commit")
    command = [sys.executable, "-m", "eventflow", "check", "--offline"]
    child = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return Report(commit, child.returncode == 0, said.decode(errors="replace").strip())


@task
def keep(report: Report) -> Report:
    """Write what was found beside what was found before, one file for each commit. The run fails where the project doesn't load."""
    CHECKS.mkdir(parents=True, exist_ok=True)
    aside = CHECKS / f".{report.commit}"
    aside.write_bytes(msgspec.json.encode(report))
    aside.replace(CHECKS / f"{report.commit}.json")
    if not report.loads:
        raise Broken(report.said)
    return report


@pipeline(max_active_runs=1, tags=["repository"])
def pushed(commit: str) -> Report:
    """From a push to a report on what lies here."""
    return keep(check_project(commit))
