"""Times as events: `Schedule`, what it is told with, and what its events say."""

from __future__ import annotations

from eventflow.sensors.schedules.sensor import All, Schedule
from eventflow.sensors.schedules.tick import Tick

__all__ = ["All", "Schedule", "Tick"]
