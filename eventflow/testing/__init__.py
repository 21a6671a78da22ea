"""For tests of eventflow itself and of people's own pipelines and sensors: a clock held in the hand, chance that repeats, a checker."""

from __future__ import annotations

from eventflow.testing.chance import SeededRandom
from eventflow.testing.clock import VirtualClock

__all__ = ["SeededRandom", "VirtualClock"]
