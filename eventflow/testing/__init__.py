"""For tests of eventflow itself and of people's own pipelines and sensors: a clock held in the hand, chance that repeats, a checker."""

from __future__ import annotations

from eventflow.testing.chance import SeededRandom
from eventflow.testing.checker import check, check_folder
from eventflow.testing.clock import VirtualClock
from eventflow.testing.ledger import Ledger

__all__ = ["Ledger", "SeededRandom", "VirtualClock", "check", "check_folder"]
