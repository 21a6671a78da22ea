"""Order: who stands left of whom in each row, so that few links cross.

It begins with the order in which a walk along the links meets the vertices. Then rows are sorted by where each vertex has its neighbours in
the row before (their barycentre), going down and up a few times, and neighbours in a row change places where that helps. The best order
that was met is kept.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence

from eventflow.drawing.ranks import Join, Ranks

_SWEEPS = 8
_SMALL = 600
"""Up to how many vertices more is tried to find a good order: with more it would take too long."""


def sort(ranks: Ranks) -> None:
    """Put the vertices of every row in order."""
    _sort_as_met(ranks)
    met = best = _rows(ranks)
    fewest = crossings(ranks)
    for first in (0, 1) if len(ranks.rank) <= _SMALL else (0,):  # whether the first sweep goes down or up decides where it ends
        ranks.rows[:] = [list(row) for row in met]
        for sweep in range(first, first + _SWEEPS if fewest else 0):
            _sweep(ranks, is_down=sweep % 2 == 0)
            if (count := crossings(ranks)) < fewest:
                best, fewest = _rows(ranks), count
            if not fewest:
                break
    ranks.rows[:] = best


def crossings(ranks: Ranks) -> int:
    """Count the pairs of joins that cross."""
    place = _places(ranks)
    return sum(_inversions([end for vertex in row for end in sorted(_ends(ranks.downs[vertex], place))]) for row in ranks.rows)


def _ends(joins: Sequence[Join], place: Sequence[int]) -> list[tuple[float, int, float]]:
    return [(join.here, place[join.vertex], join.there) for join in joins]


def _inversions(ends: Sequence[tuple[float, int, float]]) -> int:
    """Count how often one that comes later ends further left."""
    met: list[tuple[int, float]] = []
    count = 0
    for _, place, there in ends:
        count += len(met) - bisect_right(met, (place, there))
        insort(met, (place, there))
    return count


def _places(ranks: Ranks) -> list[int]:
    place = [0] * len(ranks.rank)
    for row in ranks.rows:
        for number, vertex in enumerate(row):
            place[vertex] = number
    return place


def _rows(ranks: Ranks) -> list[list[int]]:
    return [list(row) for row in ranks.rows]


def _sort_as_met(ranks: Ranks) -> None:
    met: dict[int, int] = {}
    waiting = [vertex for vertex in reversed(range(ranks.real)) if not ranks.ups[vertex]]
    while waiting:
        vertex = waiting.pop()
        if vertex not in met:
            met[vertex] = len(met)
            waiting.extend(join.vertex for join in reversed(ranks.downs[vertex]))
    for row in ranks.rows:
        row.sort(key=met.__getitem__)


def _sweep(ranks: Ranks, *, is_down: bool) -> None:
    _sort_by_neighbours(ranks, is_down=is_down)
    if len(ranks.rank) <= _SMALL:
        _exchange(ranks)


def _sort_by_neighbours(ranks: Ranks, *, is_down: bool) -> None:
    place = _places(ranks)
    for row in ranks.rows if is_down else reversed(ranks.rows):
        joins = ranks.ups if is_down else ranks.downs
        movable = [number for number, vertex in enumerate(row) if joins[vertex]]  # what has no neighbour there stays where it is
        wanted = sorted((row[number] for number in movable), key=lambda vertex: _centre(joins[vertex], place))
        for number, vertex in zip(movable, wanted, strict=True):
            row[number] = vertex
            place[vertex] = number


def _centre(joins: Sequence[Join], place: Sequence[int]) -> float:
    return sum(place[join.vertex] + join.there * 1e-4 - join.here * 1e-6 for join in joins) / len(joins)


def _exchange(ranks: Ranks) -> None:
    place = _places(ranks)
    for row in ranks.rows:
        for number in range(len(row) - 1):
            left, right = row[number], row[number + 1]
            if _crossed(ranks, right, left, place) < _crossed(ranks, left, right, place):
                row[number], row[number + 1] = right, left
                place[left], place[right] = number + 1, number


def _crossed(ranks: Ranks, left: int, right: int, place: Sequence[int]) -> int:
    count = 0
    for joins in (ranks.ups, ranks.downs):
        for one in joins[left]:
            at = (place[one.vertex], one.there)
            count += sum((place[other.vertex], other.there) < at for other in joins[right])
    return count
