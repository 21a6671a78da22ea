"""How long a failed sensor rests before it is started again."""

from __future__ import annotations

from eventflow.errors import SensorError
from eventflow.ports import Random

FIRST_WAIT, LONGEST_WAIT = 1.0, 300.0
"""Seconds before a failed sensor is started again: at first, and at most. Each time the wait doubles, until the sensor has been well."""

WELL = 60.0
"""Seconds that a sensor must work before its next failure is a first one: many fail only after they have said that they are there."""


class Backoff:
    """The waits of one sensor, shortened by up to a quarter, so that many which failed together don't come back together."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._next = FIRST_WAIT

    def lasted(self, seconds: float) -> None:
        """Note for how long the sensor has been working since it was last started."""
        if seconds >= max(WELL, self._next):
            self._next = FIRST_WAIT

    def wait(self, error: BaseException) -> float:
        """Give the seconds to wait after an error: what a `SensorError` asks for, else longer than the last time."""
        wait, self._next = self._next, min(self._next * 2, LONGEST_WAIT)
        asked = _asked(error)
        return wait * (1 - self._random.fraction() / 4) if asked is None else asked


def _asked(error: BaseException) -> float | None:
    # Users write errors too: what is no length of time is as good as nothing said.
    asked: object = error.retry_after if isinstance(error, SensorError) else None
    return float(asked) if isinstance(asked, int | float) and asked > 0 else None
