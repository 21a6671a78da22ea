"""What did not happen, as events: `AbsenceSensor`, and what its events say."""

from __future__ import annotations

from eventflow.sensors.absences.sensor import AbsenceSensor
from eventflow.sensors.absences.witness import Absence

__all__ = ["Absence", "AbsenceSensor"]
