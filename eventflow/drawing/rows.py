"""The inside of one frame: its things in rows, its legs of links between them, in the frame's own coordinates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from eventflow.drawing import order
from eventflow.drawing.columns import columns
from eventflow.drawing.ranks import Arc, Join, Ranks, ranked

SIDE = 20.0
"""The room between a frame and what is in it, left, right and below."""

_GAP, _WIDEST_GAP = 32.0, 84.0
_SLOPE = 0.09
"""By how much a gap between rows grows with how far the links in it go to the side: flat ones are hard to follow."""

_GATE_GAP = 18.0


class Point(NamedTuple):
    """A place."""

    x: float
    y: float


class Net(NamedTuple):
    """Links of one kind that share a way: they leave one thing at one place, or, where they are merging, come to one thing."""

    thing: str
    kind: str
    out: float = 0.0
    is_merging: bool = False


class Leg(NamedTuple):
    """The part of a net's links inside one frame: from a thing, or None where they come in, to a thing, or None where they leave."""

    net: Net
    start: str | None
    end: str | None


@dataclass(frozen=True, slots=True)
class Thing:
    """A box, or a frame as a box, with its gates in its upper and lower edge: how far from the left each net passes."""

    key: str
    width: float
    height: float
    tops: Mapping[Net, float] = field(default_factory=dict[Net, float])
    bottoms: Mapping[Net, float] = field(default_factory=dict[Net, float])


@dataclass(frozen=True, slots=True)
class Placed:
    """A frame's size, the upper left corners of the things in it, the points of each leg, and the frame's own gates."""

    width: float
    height: float
    corners: dict[str, Point]
    ways: dict[Leg, tuple[Point, ...]]
    tops: dict[Net, float]
    bottoms: dict[Net, float]


def placed(things: Sequence[Thing], legs: Sequence[Leg], head: float, width: float, last: Thing | None) -> Placed:
    """Place things below a head, in a frame that is at least so wide, with `last` below all others."""
    plan = _plan(things, legs)
    order.sort(plan.ranks)
    middles = columns(plan.ranks, plan.widths)
    content = _widest(plan, middles)
    whole = max(width, content[1] - content[0], 0.0 if last is None else last.width) + 2 * SIDE
    move = (whole - content[0] - content[1]) / 2
    middles = [middle + move for middle in middles]
    bands = _bands(plan, middles, head)
    bottom = bands[-1].bottom + (0.0 if plan.leaving else SIDE)
    corners = dict(_corners(plan, middles, bands))
    if last is not None:
        corners[last.key] = Point((whole - last.width) / 2, bottom)
        bottom += last.height + SIDE
    ways = {leg: tuple(_way(plan, number, middles, bands)) for number, leg in enumerate(legs)}
    gates = range(len(things), plan.ranks.real)
    nets = [(net, middles[gate]) for net, gate in zip((*plan.coming, *plan.leaving), gates, strict=True)]
    return Placed(whole, bottom, corners, ways, dict(nets[: len(plan.coming)]), dict(nets[len(plan.coming) :]))


@dataclass(frozen=True, slots=True)
class _Plan:
    """Everything as vertices: first the things, then the gates of what comes in, then those of what leaves."""

    things: Sequence[Thing]
    coming: Sequence[Net]
    leaving: Sequence[Net]
    arcs: Sequence[Arc]
    ranks: Ranks

    @property
    def widths(self) -> list[float]:
        return [*(thing.width for thing in self.things), *[0.0] * (len(self.coming) + len(self.leaving))]

    def height(self, vertex: int) -> float:
        return self.things[vertex].height if vertex < len(self.things) else 0.0


class _Band(NamedTuple):
    """The height of a row of things."""

    top: float
    bottom: float


def _plan(things: Sequence[Thing], legs: Sequence[Leg]) -> _Plan:
    coming = list(dict.fromkeys(leg.net for leg in legs if leg.start is None))
    leaving = list(dict.fromkeys(leg.net for leg in legs if leg.end is None))
    number = {thing.key: place for place, thing in enumerate(things)}
    comes = {net: len(things) + place for place, net in enumerate(coming)}
    leaves = {net: len(things) + len(coming) + place for place, net in enumerate(leaving)}
    arcs: list[Arc] = []
    for net, start, end in legs:
        source = comes[net] if start is None else number[start]
        target = leaves[net] if end is None else number[end]
        out = 0.0 if start is None else _gate(things[source], things[source].bottoms, net, net.out)
        into = 0.0 if end is None else _gate(things[target], things[target].tops, net, 0.0)
        arcs.append(Arc(source, target, net, net.is_merging, out, into))
    ranks = ranked(len(things) + len(comes) + len(leaves), arcs, comes.values(), leaves.values())
    return _Plan(things, coming, leaving, arcs, ranks)


def _gate(thing: Thing, gates: Mapping[Net, float], net: Net, default: float) -> float:
    return gates[net] - thing.width / 2 if net in gates else default


def _widest(plan: _Plan, middles: Sequence[float]) -> tuple[float, float]:
    widths = plan.widths
    halves = [(widths[vertex] / 2 if vertex < plan.ranks.real else 0.0) for vertex in range(len(middles))]
    lefts = [middle - half for middle, half in zip(middles, halves, strict=True)]
    rights = [middle + half for middle, half in zip(middles, halves, strict=True)]
    return min(lefts, default=0.0), max(rights, default=0.0)


def _bands(plan: _Plan, middles: Sequence[float], head: float) -> list[_Band]:
    """Give where each row is. The gates of what comes in are as high as the head: links pass it straight."""
    found = [_Band(0.0, head)]
    if not plan.coming:
        found = [_Band(head, head + _tallest(plan, plan.ranks.rows[0]))] if plan.ranks.rows else [_Band(head, head)]
    for above, row in pairwise(plan.ranks.rows):
        top = found[-1].bottom + _gap(plan, above, row, middles)
        found.append(_Band(top, top + _tallest(plan, row)))
    return found


def _tallest(plan: _Plan, row: Sequence[int]) -> float:
    return max(map(plan.height, row), default=0.0)


def _gap(plan: _Plan, above: Sequence[int], below: Sequence[int], middles: Sequence[float]) -> float:
    """Give the room between two rows. Gates are in the frame's own line: straight links need little room there."""
    sideways = max((abs(_sideways(vertex, join, middles)) for vertex in above for join in plan.ranks.downs[vertex]), default=0.0)
    at_gates = any(len(plan.things) <= vertex < plan.ranks.real for vertex in (above[0], below[0]))
    least = _GATE_GAP if at_gates and sideways < 1 else _GAP
    return min(least + _SLOPE * sideways, _WIDEST_GAP)


def _sideways(vertex: int, join: Join, middles: Sequence[float]) -> float:
    return middles[vertex] + join.here - middles[join.vertex] - join.there


def _corners(plan: _Plan, middles: Sequence[float], bands: Sequence[_Band]) -> Iterator[tuple[str, Point]]:
    for vertex, thing in enumerate(plan.things):
        band = bands[plan.ranks.rank[vertex]]
        yield thing.key, Point(middles[vertex] - thing.width / 2, (band.top + band.bottom - thing.height) / 2)


def _way(plan: _Plan, number: int, middles: Sequence[float], bands: Sequence[_Band]) -> Iterator[Point]:
    """Give the points of an arc: through each row straight down, with bends only in the gaps between."""
    arc, route = plan.arcs[number], plan.ranks.routes[number]
    for vertex in route:
        band = bands[plan.ranks.rank[vertex]]
        top, bottom = band.top, band.bottom
        x = middles[vertex]
        spare = (bottom - top - plan.height(vertex)) / 2 if vertex < len(plan.things) else 0.0
        if vertex == arc.source:
            x, top = x + arc.out, bottom - spare if vertex < len(plan.things) else top
        elif vertex == arc.target:
            x, bottom = x + arc.into, top + spare if vertex < len(plan.things) else bottom
        yield Point(x, top)
        if bottom > top:
            yield Point(x, bottom)
