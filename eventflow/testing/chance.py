"""Chance that is the same at every run of a test."""

from __future__ import annotations

import random


class SeededRandom:
    """The `Random` port on a seed: the same seed gives the same ids and the same jitter."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a test wants numbers that repeat

    def bits(self, count: int) -> int:
        return self._random.getrandbits(count)

    def fraction(self) -> float:
        return self._random.random()
