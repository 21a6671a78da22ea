"""Every call to the disk is broken once: the process dies there, dies half-way through it, or finds the disk full or failing.

What was acknowledged is there afterwards, the journal is sound, and it goes on to the end.
"""

from __future__ import annotations

import os

import pytest

from tests.inject.conftest import Driver

SOAK = int(os.environ.get("EVENTFLOW_SOAK", "0"))

HOW = ["die", "tear", "full", "break"]
STEP = 1 if SOAK else len(HOW)
"""Each call is broken in one of the four ways, in turn; when soaking, in all four."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", HOW)
def test_whatever_call_is_broken_nothing_acknowledged_is_lost(driver: Driver, how: str):
    plays = driver("break", how, STEP, 1 + HOW.index(how) % STEP)
    assert len(plays) >= 400 / STEP
    assert [play["problem"] for play in plays if play["problem"]] == []
    codes = {play["code"] for play in plays}
    assert codes <= ({-9} if how in ("die", "tear") else {0, 74, 77}), [play for play in plays if play["code"] == 1]


@pytest.mark.timeout(600)
def test_a_failed_sync_of_the_log_is_never_acknowledged_and_stops_the_journal(driver: Driver):
    plays = [play for play in driver("break", "break", 1, 1, "fdatasync") if play["what"] == "fdatasync /journal.db-wal"]
    in_commits = [play for play in plays if play["code"]]
    assert len(in_commits) >= 20
    assert all(play["code"] == 74 and "SQLITE_IOERR_FSYNC" in play["error"] for play in in_commits)
    assert [play["problem"] for play in plays if play["problem"]] == []


@pytest.mark.timeout(600)
def test_a_full_disk_at_any_write_of_a_commit_only_delays_it(driver: Driver):
    plays = [play for play in driver("break", "full", 1 if SOAK else 3, 1, "journal.db-wal") if play["what"] == "pwrite /journal.db-wal"]
    # The first commit of all takes the journal over. Nobody waits for that one: the start fails, with the code of a full disk.
    assert [play["code"] for play in plays if play.get("ack")] == [0] * len([play for play in plays if play.get("ack")])
    assert len([play for play in plays if play["code"] == 0]) >= 60
    assert [play["problem"] for play in plays if play["problem"]] == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", HOW)
def test_whatever_call_of_a_repair_is_broken_the_next_repair_finishes_it(driver: Driver, how: str):
    plays = driver("repair", how, STEP * 2, 1 + HOW.index(how) % STEP)
    assert len(plays) >= 60 / STEP
    assert [play["problem"] for play in plays if play["problem"]] == []
