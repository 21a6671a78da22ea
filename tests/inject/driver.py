"""Run with the shim preloaded: plays the scenario once for every call that it makes to the disk, breaks that one call, and looks at what
is left. Each play is a fork of this process, so that nothing is imported twice.

    driver.py break FOLDER HOW STEP FIRST      one line of JSON per call, for each STEP-th call from the FIRST on; with a last argument ONLY,
                                               calls alone in whose name or file this word is
    driver.py repair FOLDER HOW STEP FIRST     the same, while a damaged journal is repaired
    driver.py record FOLDER LOG DURABILITY
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

from eventflow.errors import JournalError
from eventflow.journal import checkpoints
from eventflow.journal.repair import repair
from eventflow.testing.clock import VirtualClock
from tests.inject.scenario import FACTS, check, play

shim = ctypes.CDLL(None)
shim.shim_what.restype = ctypes.c_char_p
shim.shim_count.restype = ctypes.c_long

HOW = {"count": 0, "die": 1, "tear": 2, "full": 3, "break": 4}


def in_child(step: Callable[[int], None], folder: Path, number: int, how: str) -> tuple[int, list[str]]:
    """Run a step in a fork of this process, with the shim set. Gives how it ended, and what it told."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        shim.shim_watch(os.fsencode(folder / "state"))
        shim.shim_break(ctypes.c_long(number), HOW[how])
        os._exit(_ending(step, writing))
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read().splitlines()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), told


def _ending(step: Callable[[int], None], writing: int) -> int:
    try:
        step(writing)
        code = 0
    except JournalError as error:
        os.write(writing, f"error {type(error).__name__}: {error}\n".encode())
        code = error.exit_code
    except BaseException:  # noqa: BLE001 - whatever it is, it must not go on in the parent's place
        traceback.print_exc()
        code = 1
    os.write(writing, b"count %d\nwhat %s\n" % (shim.shim_count(), shim.shim_what()))
    return code


def break_commits(folder: Path, how: str, step_width: int, first: int) -> None:
    def step(writing: int) -> None:
        play(folder / "state", lambda seq: os.write(writing, b"ack %d\n" % seq) and None)

    _, told = in_child(step, folder, 0, "count")
    for number in range(first, _number(told, "count") + 1, step_width):
        shutil.rmtree(folder / "state", ignore_errors=True)
        code, told = in_child(step, folder, number, how)
        _report(number, code, told, partial(check, folder / "state", _number(told, "ack")))


def break_repairs(folder: Path, how: str, step_width: int, first: int) -> None:
    """Break off the repair of a journal whose mark says that one more fact was there; then repair again."""

    def step(_writing: int) -> None:
        repair(folder / "state", accept_loss=True, clock=VirtualClock())

    def mend() -> None:
        step(0)
        check(folder / "state", len(FACTS))

    _damaged(folder)
    _, told = in_child(step, folder, 0, "count")
    for number in range(first, _number(told, "count") + 1, step_width):
        _damaged(folder)
        code, told = in_child(step, folder, number, how)
        _report(number, code, told, mend)


def record(folder: Path, log: Path, durability: str) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    shim.shim_watch(os.fsencode(folder / "state"))
    shim.shim_record(descriptor)
    play(folder / "state", lambda seq: shim.shim_note(ctypes.c_long(seq)), durability=durability)


def _damaged(folder: Path) -> None:
    shutil.rmtree(folder / "state", ignore_errors=True)
    play(folder / "state", lambda _: None)
    with (folder / "state" / "journal.db").open("r+b") as file:
        file.write(bytes(100))


def _report(number: int, code: int, told: list[str], checking: Callable[[], None]) -> None:
    problem = ""
    try:
        checking()
    except Exception:  # noqa: BLE001 - told to the test
        problem = traceback.format_exc()
    lines = dict(line.split(" ", 1) for line in told)
    sys.stdout.write(json.dumps({"number": number, "code": code, **lines, "problem": problem}) + "\n")


def _number(told: list[str], word: str) -> int:
    return max((int(line.split()[1]) for line in told if line.startswith(word + " ")), default=0)


if __name__ == "__main__":
    checkpoints.DUE_PAGES = 40  # so that the log is copied in between, too
    verb, place, *rest = sys.argv[1:]
    if rest[3:]:
        shim.shim_only(os.fsencode(rest[3]))
    if verb == "record":
        record(Path(place), Path(rest[0]), rest[1])
    else:
        {"break": break_commits, "repair": break_repairs}[verb](Path(place), rest[0], int(rest[1]), int(rest[2]))
