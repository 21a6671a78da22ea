"""Gaps: how links pass from one row to the next.

Near ones curve. Where a net goes far to the side it goes straight across instead, on a track of its own, from which it reaches all its
ends at right angles. Nets may share a track where they don't meet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

_FAR = 340.0
_GAP, _SLOPE, _AT_EDGE = 32.0, 0.09, 18.0
"""The least room between rows, what is added for each pixel that a link goes to the side, and the room where all go straight to an edge."""

_TRACK, _BESIDE_TRACKS = 9.0, 22.0


class Hop(NamedTuple):
    """A net's way from one x to another in the gap below a row."""

    row: int
    net: Hashable
    begin: float
    end: float


@dataclass(slots=True)
class Gap:
    """The height of a gap, and how far below its upper end each net goes across that has a track in it."""

    height: float
    tracks: dict[Hashable, float] = field(default_factory=dict[Hashable, float])


def gaps(count: int, hops: Iterable[Hop], edges: Iterable[int]) -> list[Gap]:
    """Give so many gaps for the hops in them. `edges` are those with an edge of the frame in place of a row."""
    inside: list[dict[Hashable, list[Hop]]] = [defaultdict(list) for _ in range(count)]
    for hop in hops:
        inside[hop.row][hop.net].append(hop)
    at_edge = frozenset(edges)
    return [_gap(list(nets.values()), _AT_EDGE if row in at_edge else _GAP) for row, nets in enumerate(inside)]


def _gap(nets: Sequence[Sequence[Hop]], least: float) -> Gap:
    near = max((_sideways(net) for net in nets if _sideways(net) <= _FAR), default=0.0)
    far = sorted((net for net in nets if _sideways(net) > _FAR), key=_from_above)
    height = (least if near < 1 else _GAP) + _SLOPE * near
    if not far:
        return Gap(height)
    numbers, count = _numbered(far)
    height = max(height, 2 * _BESIDE_TRACKS + (count - 1) * _TRACK)
    first = (height - (count - 1) * _TRACK) / 2
    return Gap(height, {net[0].net: first + number * _TRACK for net, number in zip(far, numbers, strict=True)})


def _numbered(nets: Sequence[Sequence[Hop]]) -> tuple[list[int], int]:
    """Give the number of each net's track, the first on which it meets no other, and how many there are."""
    taken: list[list[tuple[float, float]]] = []
    found: list[int] = []
    for net in nets:
        left, right = _span(net)
        free = (number for number, spans in enumerate(taken) if all(right < one or other < left for one, other in spans))
        number = next(free, len(taken))
        if number == len(taken):
            taken.append([])
        taken[number].append((left, right))
        found.append(number)
    return found, len(taken)


def _sideways(net: Sequence[Hop]) -> float:
    return max(abs(hop.end - hop.begin) for hop in net)


def _span(net: Sequence[Hop]) -> tuple[float, float]:
    return min(min(hop.begin, hop.end) for hop in net), max(max(hop.begin, hop.end) for hop in net)


def _from_above(net: Sequence[Hop]) -> tuple[int, float]:
    """Sort nets that come from many places above before those that go to many below: then their ends don't cross."""
    return len({hop.end for hop in net}) - len({hop.begin for hop in net}), _span(net)[0]
