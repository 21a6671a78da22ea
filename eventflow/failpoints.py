"""Fail-points: at a named place in the code, at its n-th passing, the process is killed, fails, or hesitates.

`EVENTFLOW_FAIL=journal.commit.before:3:kill` sends SIGKILL to the process as it reaches that point for the third time (`kill:0.1` holds
that thread there for a tenth of a second first, so that others run ahead of it); `raise` raises `FailPoint` there, `sleep` stops that
thread for a second (`sleep:5` for five). `EVENTFLOW_POINTS=file` writes down every point reached.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from eventflow.errors import EventflowError
from eventflow.ports import Instrument


class FailPoint(EventflowError):
    """Raised because a test asked for it."""


class Failing(Instrument):
    """Does what it was told when a point is reached for the `hit`-th time."""

    def __init__(self, point: str, hit: int, act: Callable[[str, float | None], None], seconds: float | None = None) -> None:
        self._point = point
        self._left = hit
        self._act = act
        self._seconds = seconds
        self._lock = threading.Lock()

    def reached(self, point: str) -> None:
        if point != self._point:
            return
        with self._lock:
            self._left -= 1
            if self._left != 0:
                return
        self._act(point, self._seconds)


class Counting(Instrument):
    """Adds a line to a file for every point reached, which survives the process."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def reached(self, point: str) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, point.encode() + b"\n")
        finally:
            os.close(descriptor)


def from_environment(environment: Mapping[str, str]) -> list[Instrument]:
    """Give the instruments that the environment asks for: usually none. Raises `EventflowError` for what can't be understood."""
    asked: list[Instrument] = []
    if points := environment.get("EVENTFLOW_POINTS"):
        asked.append(Counting(Path(points)))
    if fail := environment.get("EVENTFLOW_FAIL"):
        asked.append(_failing(fail))
    return asked


def _failing(written: str) -> Failing:
    try:
        point, hit, action, *seconds = written.split(":")
        return Failing(point, int(hit), _ACTIONS[action], *map(float, seconds))
    except (KeyError, TypeError, ValueError) as error:
        raise EventflowError(
            f"EVENTFLOW_FAIL={written!r} isn't POINT:HIT:kill[:SECONDS], POINT:HIT:raise or POINT:HIT:sleep[:SECONDS]"
        ) from error


def _kill(_: str, seconds: float | None) -> None:
    time.sleep(seconds or 0.0)
    os.kill(os.getpid(), signal.SIGKILL)


def _raise(point: str, _: float | None) -> None:
    raise FailPoint(f"fail-point {point}")


def _sleep(_: str, seconds: float | None) -> None:
    time.sleep(1.0 if seconds is None else seconds)


_ACTIONS: Mapping[str, Callable[[str, float | None], None]] = {"kill": _kill, "raise": _raise, "sleep": _sleep}
