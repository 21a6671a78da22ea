"""What a schedule's events say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from eventflow.durations import SECOND
from eventflow.sensors.schedules.zones import moment

TICK = "tick"
"""The type of an event that fires."""

MISSED = "tick.missed"
"""The type of a record that a tick passed without firing."""

MANY_MISSED = "schedule.missed"
"""The type of a record of many ticks that passed without firing."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One instant of a schedule. Times carry the zone's offset, so they read as clocks there show them; `zone` is its name.

    `nominal` is when it was due by the calendar, before any jitter. Its data interval reaches from `interval_start`, which belongs to it,
    to `interval_end`, which doesn't: the tick fires at its end, or else at its start. `late` is how many seconds after `nominal` it fired,
    jitter included. `missed` is how many ticks were due before it, since the last one that fired, and did not fire; those that are too old
    to be recorded singly are counted up to 100,000.
    """

    nominal: datetime
    interval_start: datetime
    interval_end: datetime
    late: float
    missed: int
    zone: str


def written(instant: int) -> str:
    """Give an instant (microseconds UTC) as ISO text, which is a tick's identity: `2026-11-20T01:00:00Z`."""
    return moment(instant, UTC).replace(tzinfo=None).isoformat() + "Z"


def shown(instant: int, zone: tzinfo, name: str) -> str:
    """Give an instant for people: `2026-11-20 02:00 Europe/Prague`."""
    when = moment(instant, zone)
    return f"{when.strftime('%Y-%m-%d %H:%M:%S' if instant % (60 * SECOND) else '%Y-%m-%d %H:%M')} {name}"
