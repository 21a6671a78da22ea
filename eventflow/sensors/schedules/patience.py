"""Waiting for the wall clock, which may jump, and for a machine that may sleep meanwhile."""

from __future__ import annotations

from eventflow.durations import SECOND
from eventflow.ports import Clock

HEARTBEAT = 300.0
"""How often, in seconds, a sensor that waits for the wall clock says that it is there."""

_LOOK = 30.0  # seconds: so much later at most it is seen that the wall clock was put on
_LEAST = 0.001


async def wall_clock(due: int | None, clock: Clock, longest: float) -> None:
    """Return once the wall clock shows `due` (microseconds UTC), once it was put back, or after `longest` seconds."""
    end, seen = clock.monotonic() + longest, clock.now()
    await clock.sleep(0)  # whoever finds at once that it is time must not keep all others waiting
    while True:
        left, now = end - clock.monotonic(), clock.now()
        if left <= 0 or now < seen or (due is not None and now >= due):
            return
        seen = now
        rest = left if due is None else min(left, (due - now) / SECOND)
        await clock.sleep(max(min(rest, _LOOK), _LEAST))
