"""Lanes: where nets go that pass beside everything, on the left, each in a lane of its own as long as it is on its way."""

from __future__ import annotations

from collections.abc import Sequence

from eventflow.drawing.ranks import Arc, Ranks

LANE = 12.0
"""The width of a lane."""


def lanes_beside(ranks: Ranks, arcs: Sequence[Arc]) -> dict[int, int]:
    """Give the lane of each arc that goes aside, from 1 on. Those of one net have the same; two nets share one if they never meet."""
    free_from: list[int] = []
    found: dict[int, int] = {}
    spans = [(*_span(ranks, arcs, numbers), numbers) for numbers in ranks.aside]
    for begin, end, numbers in sorted(spans):
        lane = next((lane for lane, free in enumerate(free_from) if free < begin), len(free_from))
        free_from[lane : lane + 1] = [end]
        found |= dict.fromkeys(numbers, lane + 1)
    return found


def _span(ranks: Ranks, arcs: Sequence[Arc], numbers: Sequence[int]) -> tuple[int, int]:
    """Give the first and the last row that a net passes by."""
    return min(ranks.rank[arcs[number].source] for number in numbers) + 1, max(ranks.rank[arcs[number].target] for number in numbers) - 1
