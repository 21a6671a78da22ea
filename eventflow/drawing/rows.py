"""The inside of one frame: its things in rows, its legs of links between them, in the frame's own coordinates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from eventflow.drawing import order
from eventflow.drawing.columns import columns
from eventflow.drawing.gaps import Gap, Hop, gaps
from eventflow.drawing.lanes import LANE, lanes_beside
from eventflow.drawing.ranks import Arc, Ranks, ranked

SIDE = 20.0
"""The room between a frame and what is in it, left, right and below."""


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
    middles, lanes, whole = _columns(plan, max(width, 0.0 if last is None else last.width))
    courses = [_course(plan, number, middles, lanes.get(number)) for number in range(len(legs))]
    between = gaps(max(len(plan.ranks.rows) - 1, 0), _hops(plan, courses), plan.edges)
    bands = _bands(plan, head, between)
    bottom = bands[-1].bottom + (0.0 if plan.leaving else SIDE)
    corners = dict(_corners(plan, middles, bands))
    if last is not None:
        corners[last.key] = Point((whole - last.width) / 2, bottom)
        bottom += last.height + SIDE
    ways = {leg: tuple(_way(plan, number, courses[number], bands, between)) for number, leg in enumerate(legs)}
    tops = {net: middles[len(things) + place] for place, net in enumerate(plan.coming)}
    bottoms = {net: middles[len(things) + len(tops) + place] for place, net in enumerate(plan.leaving)}
    return Placed(whole, bottom, corners, ways, tops, bottoms)


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

    @property
    def edges(self) -> list[int]:
        """The gaps at an edge of the frame."""
        return [0] * bool(self.coming) + [len(self.ranks.rows) - 2] * bool(self.leaving)

    def height(self, vertex: int) -> float:
        return self.things[vertex].height if vertex < len(self.things) else 0.0


class _Stop(NamedTuple):
    """Where a link passes a row."""

    row: int
    x: float


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


def _columns(plan: _Plan, least: float) -> tuple[list[float], dict[int, float], float]:
    """Give where the middle of each vertex is, where the lane of each arc that goes aside is, and the width of the whole frame."""
    middles = columns(plan.ranks, plan.widths)
    lanes = lanes_beside(plan.ranks, plan.arcs)
    halves = [*(width / 2 for width in plan.widths), *[0.0] * (len(middles) - plan.ranks.real)]
    left = min((middle - half for middle, half in zip(middles, halves, strict=True)), default=0.0)
    right = max((middle + half for middle, half in zip(middles, halves, strict=True)), default=0.0)
    outermost = left - LANE * max(lanes.values(), default=0)
    whole = max(least, right - outermost) + 2 * SIDE
    move = (whole - outermost - right) / 2
    return [middle + move for middle in middles], {number: left + move - LANE * lane for number, lane in lanes.items()}, whole


def _course(plan: _Plan, number: int, middles: Sequence[float], lane: float | None) -> list[_Stop]:
    """Give where an arc passes which rows: from the middle of its source, or beside it, to that of its target."""
    arc, rank = plan.arcs[number], plan.ranks.rank
    begin, end = _Stop(rank[arc.source], middles[arc.source] + arc.out), _Stop(rank[arc.target], middles[arc.target] + arc.into)
    if lane is not None and end.row > begin.row + 1:
        return [begin, *(_Stop(row, lane) for row in dict.fromkeys((begin.row + 1, end.row - 1))), end]
    return [begin, *(_Stop(rank[bend], middles[bend]) for bend in plan.ranks.routes[number][1:-1]), end]


def _hops(plan: _Plan, courses: Sequence[Sequence[_Stop]]) -> Iterator[Hop]:
    for arc, course in zip(plan.arcs, courses, strict=True):
        for before, after in pairwise(course):
            if after.row == before.row + 1:
                yield Hop(before.row, arc.net, before.x, after.x)


def _bands(plan: _Plan, head: float, between: Sequence[Gap]) -> list[_Band]:
    """Give where each row is. The gates of what comes in are as high as the head: links pass it straight."""
    begin = 0.0 if plan.coming else head
    found = [_Band(begin, head + _tallest(plan, plan.ranks.rows[0] if plan.ranks.rows else ()))]
    for row, gap in zip(plan.ranks.rows[1:], between, strict=True):
        top = found[-1].bottom + gap.height
        found.append(_Band(top, top + _tallest(plan, row)))
    return found


def _tallest(plan: _Plan, row: Sequence[int]) -> float:
    return max(map(plan.height, row), default=0.0)


def _corners(plan: _Plan, middles: Sequence[float], bands: Sequence[_Band]) -> Iterator[tuple[str, Point]]:
    for vertex, thing in enumerate(plan.things):
        band = bands[plan.ranks.rank[vertex]]
        yield thing.key, Point(middles[vertex] - thing.width / 2, (band.top + band.bottom - thing.height) / 2)


def _way(plan: _Plan, number: int, course: Sequence[_Stop], bands: Sequence[_Band], between: Sequence[Gap]) -> Iterator[Point]:
    """Give the points of an arc, from the lower edge of its source to the upper one of its target."""
    arc = plan.arcs[number]
    first, last = bands[course[0].row], bands[course[-1].row]
    yield Point(course[0].x, first.bottom - _spare(plan, arc.source, first))
    for before, after in pairwise(course):
        track = between[before.row].tracks.get(arc.net)
        yield Point(before.x, bands[before.row].bottom)
        if track is not None and after.row == before.row + 1 and before.x != after.x:
            yield Point(before.x, bands[before.row].bottom + track)
            yield Point(after.x, bands[before.row].bottom + track)
        yield Point(after.x, bands[after.row].top)
    yield Point(course[-1].x, last.top + _spare(plan, arc.target, last))


def _spare(plan: _Plan, vertex: int, band: _Band) -> float:
    """Give how far a thing's edge is from the end of its row. A gate is the whole row."""
    whole = band.bottom - band.top
    return (whole - plan.things[vertex].height) / 2 if vertex < len(plan.things) else whole
