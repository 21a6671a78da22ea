"""Columns: how far from the left each vertex stands, so that links are straight where they can be, long ones above all.

The method is Brandes and Köpf's ("Fast and Simple Horizontal Coordinate Assignment"): vertices are lined up with the middle one of their
neighbours, into blocks, and the blocks pushed together. That is done four times, from above and from below, from the left and from the
right, and each vertex comes to the mean of the two middle answers. Each answer keeps the distances, and so does the mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from eventflow.drawing.ranks import Join, Ranks

_APART = 28.0
_APART_BEND = 18.0
_APART_BENDS = 14.0
_NEARLY = 6.0


def columns(ranks: Ranks, widths: Sequence[float]) -> list[float]:
    """Give where the middle of each vertex is, in the order of the rows. `widths` are those of the real vertices; bends have none."""
    whole = [*widths, *[0.0] * (len(ranks.rank) - ranks.real)]
    crossed = frozenset(_crossed(ranks))
    answers = [_answer(_Side(ranks, whole, crossed, is_down=down, is_left=left)) for down in (True, False) for left in (True, False)]
    found = _balanced(answers, whole)
    _straighten(ranks, found)
    return found


@dataclass(frozen=True, slots=True)
class _Side:
    """The rows as they look from one of the four corners. From the right everything is mirrored."""

    ranks: Ranks
    widths: Sequence[float]
    crossed: frozenset[tuple[int, int]]
    is_down: bool
    is_left: bool

    def rows(self) -> list[list[int]]:
        rows = self.ranks.rows if self.is_down else self.ranks.rows[::-1]
        return rows if self.is_left else [row[::-1] for row in rows]

    def joins(self, vertex: int) -> Sequence[Join]:
        """What a vertex may be lined up with. A bend goes on straight where it can."""
        found = (self.ranks.ups if self.is_down else self.ranks.downs)[vertex]
        if vertex >= self.ranks.real and (bends := [join for join in found if join.vertex >= self.ranks.real]):
            return bends
        return found

    def is_open(self, vertex: int, other: int) -> bool:
        return ((other, vertex) if self.is_down else (vertex, other)) not in self.crossed


def _crossed(ranks: Ranks) -> Iterator[tuple[int, int]]:
    """Give the joins, from above to below, that cross one between two bends. They are not to be straight."""
    for above, below in pairwise(ranks.rows):
        place = {vertex: number for number, vertex in enumerate(above)}
        left, begin = -1, 0
        for number, vertex in enumerate(below):
            inner = next((place[join.vertex] for join in ranks.ups[vertex] if min(vertex, join.vertex) >= ranks.real), None)
            if inner is None and number < len(below) - 1:
                continue
            right = len(above) if inner is None else inner
            for other in below[begin : number + 1]:
                for join in ranks.ups[other]:
                    if not left <= place[join.vertex] <= right and min(other, join.vertex) < ranks.real:
                        yield join.vertex, other
            left, begin = right, number + 1


def _answer(side: _Side) -> list[float]:
    root, shift = _blocks(side)
    found = _pushed(side, root, shift)
    mirror = 1.0 if side.is_left else -1.0
    return [mirror * (found[root[vertex]] + shift[vertex]) for vertex in range(len(root))]


def _blocks(side: _Side) -> tuple[list[int], list[float]]:
    """Give each vertex's block, by its first vertex, and how far from that one it is."""
    count = len(side.ranks.rank)
    root, shift, place = list(range(count)), [0.0] * count, [0] * count
    mirror = 1.0 if side.is_left else -1.0
    for row in side.rows():
        reached = -1
        for number, vertex in enumerate(row):
            place[vertex] = number
            joins = sorted(side.joins(vertex), key=lambda join: (place[join.vertex], mirror * join.there))
            for join in joins[(len(joins) - 1) // 2 : len(joins) // 2 + 1]:
                if place[join.vertex] > reached and side.is_open(vertex, join.vertex):
                    root[vertex], reached = root[join.vertex], place[join.vertex]
                    shift[vertex] = shift[join.vertex] + mirror * (join.there - join.here)
                    break
    return root, shift


def _pushed(side: _Side, root: Sequence[int], shift: Sequence[float]) -> dict[int, float]:
    """Push the blocks together: each as far left as it goes, then right again, up to its neighbour."""
    rights = _distances(side, root, shift)
    order = _in_order(rights)
    found = dict.fromkeys(order, 0.0)
    for block in order:
        for right, distance in rights[block].items():
            found[right] = max(found[right], found[block] + distance)
    for block in reversed(order):
        if rights[block]:
            found[block] = max(found[block], min(found[right] - distance for right, distance in rights[block].items()))
    return found


def _distances(side: _Side, root: Sequence[int], shift: Sequence[float]) -> dict[int, dict[int, float]]:
    """Give for each block how far right of it others have to stand at least."""
    found: dict[int, dict[int, float]] = {block: {} for block in root}
    for row in side.rows():
        for left, right in pairwise(row):
            distance = _apart(side, left, right) + shift[left] - shift[right]
            known = found[root[left]].get(root[right], distance)
            found[root[left]][root[right]] = max(known, distance)
    return found


def _apart(side: _Side, left: int, right: int) -> float:
    bends = (left >= side.ranks.real) + (right >= side.ranks.real)
    return (side.widths[left] + side.widths[right]) / 2 + (_APART, _APART_BEND, _APART_BENDS)[bends]


def _in_order(rights: dict[int, dict[int, float]]) -> list[int]:
    waiting = dict.fromkeys(rights, 0)
    for others in rights.values():
        for other in others:
            waiting[other] += 1
    order = [block for block in rights if not waiting[block]]
    for block in order:  # which grows meanwhile
        for other in rights[block]:
            waiting[other] -= 1
            if not waiting[other]:
                order.append(other)
    return order


def _balanced(answers: Sequence[list[float]], widths: Sequence[float]) -> list[float]:
    """Lay the answers over each other, those from the left and from the right each along their side, and take the mean of the middle
    two.
    """
    spans = [_span(answer, widths) for answer in answers]
    left, right = min(spans, key=lambda span: span[1] - span[0])
    moves = [left - span[0] if number % 2 == 0 else right - span[1] for number, span in enumerate(spans)]
    found: list[float] = []
    for vertex in range(len(widths)):
        _, low, high, _ = sorted(answer[vertex] + move for answer, move in zip(answers, moves, strict=True))
        found.append((low + high) / 2)
    return found


def _straighten(ranks: Ranks, found: list[float]) -> None:
    """Bring what hangs on a single join, and is nearly in line with it, in line: the distances have that much to spare."""
    for vertex in range(ranks.real):
        joins = [*ranks.ups[vertex], *ranks.downs[vertex]]
        if len(joins) == 1:
            straight = found[joins[0].vertex] + joins[0].there - joins[0].here
            if abs(straight - found[vertex]) < _NEARLY:
                found[vertex] = straight


def _span(answer: Sequence[float], widths: Sequence[float]) -> tuple[float, float]:
    ends = [(x - width / 2, x + width / 2) for x, width in zip(answer, widths, strict=True)]
    return min((end[0] for end in ends), default=0.0), max((end[1] for end in ends), default=0.0)
