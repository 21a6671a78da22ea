"""The power is cut after every single change that the scenario makes to the disk, and what was not synced is kept, dropped or torn."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from pathlib import Path

import pytest

from eventflow.journal.verify import verify
from tests.inject.conftest import Driver
from tests.inject.images import Disk, Step, read_steps
from tests.inject.scenario import FACTS, Durability, look

SOAK = int(os.environ.get("EVENTFLOW_SOAK", "0"))
IMAGES = 600 * max(1, SOAK * SOAK)
"""How many images are looked at, of some two thousand cuts times three losses times any number of chances."""


def cuts(folder: Path, steps: list[Step], seed: int) -> list[str]:
    """Cut the power at many instants, and give what is wrong afterwards."""
    chance = random.Random(seed)
    disk, problems = Disk(folder / "state"), list[str]()
    share = IMAGES / (3 * len(steps))
    for number, step in enumerate(steps):
        disk.take(step)
        for loss in ("kept", "dropped", "torn"):
            for _ in range(int(share + chance.random())):
                problem = _after_a_cut(disk, folder / "image", loss, chance)
                if problem:
                    problems.append(f"seed {seed}, cut behind step {number} ({step.what} {step.path}), unsynced writes {loss}: {problem}")
    return problems


def _after_a_cut(disk: Disk, image: Path, loss, chance: random.Random) -> str | None:
    shutil.rmtree(image, ignore_errors=True)
    disk.write_image(image, loss, chance)
    try:
        seq = asyncio.run(look(image))
    except Exception as error:  # noqa: BLE001 - told with its seed
        return f"{type(error).__name__}: {error}"
    report = verify(image)
    if seq < disk.acknowledged:
        return f"{disk.acknowledged} was acknowledged, the journal ends at {seq}"
    return None if report.ok else str(report.problems)


def recorded(driver: Driver, folder: Path, durability: Durability) -> list[Step]:
    driver("record", folder / "log", durability)
    return list(read_steps(folder / "log"))


@pytest.mark.timeout(600)
def test_a_power_cut_loses_nothing_that_was_acknowledged(driver: Driver, folder: Path):
    steps = recorded(driver, folder, "full")
    assert [step.number for step in steps if step.what == "a"][-1] == len(FACTS)
    assert cuts(folder, steps, seed=random.randrange(2**32)) == []


@pytest.mark.timeout(600)
def test_a_record_of_the_disk_gives_the_disk_again(driver: Driver, folder: Path):
    disk = Disk(folder / "state")
    for step in recorded(driver, folder, "full"):
        disk.take(step)
    disk.write_image(folder / "image", "kept", random.Random())
    left = {file.name: file.read_bytes() for file in (folder / "state").iterdir()}
    assert {file.name: file.read_bytes() for file in (folder / "image").iterdir()} == left


@pytest.mark.timeout(600)
def test_a_journal_that_did_not_sync_would_be_found_out(driver: Driver, folder: Path):
    # The test of the test: with the syncs of the log taken out of the record, acknowledged facts must be missing.
    steps = [step for step in recorded(driver, folder, "full") if step.what != "s" or not step.path.endswith("-wal")]
    assert any("was acknowledged" in problem or "had come to fact" in problem for problem in cuts(folder, steps, seed=1))


@pytest.mark.timeout(600)
def test_a_relaxed_journal_may_lose_its_last_second_but_is_never_damaged(driver: Driver, folder: Path):
    chance = random.Random(2)
    disk = Disk(folder / "state")
    lost = 0
    for step in recorded(driver, folder, "relaxed"):
        disk.take(step)
        if chance.random() < 0.1:
            shutil.rmtree(folder / "image", ignore_errors=True)
            disk.write_image(folder / "image", "torn", chance)
            seq = asyncio.run(look(folder / "image", "relaxed"))
            lost += seq < disk.acknowledged
            assert verify(folder / "image").problems == ()
    assert lost > 0
