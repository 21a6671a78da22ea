"""Layout: from sizes and links to coordinates, in rows from top to bottom. It knows nothing of what the boxes are.

Frames are laid out from the inside out. To what is around it a frame is one box with *gates*: where a link from inside leaves through its
lower edge, or one from outside comes in through the upper one. A link is then pieced together from its legs in all the frames on its way.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import NamedTuple

from eventflow.drawing.rows import Leg, Net, Placed, Point, Thing, placed

_MANY = 4
"""From how many on links merge on their way to one target."""


@dataclass(frozen=True, slots=True)
class Box:
    """Something with a size, to be placed."""

    key: str
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Frame:
    """Boxes with a line around them.

    `head` is the room above them, for a title that needs the frame to be `width` wide. `last` is put below all else inside; no link leads
    into it or out of it.
    """

    key: str
    inside: tuple[Box | Frame, ...]
    head: float = 0.0
    width: float = 0.0
    last: Frame | None = None


class Link(NamedTuple):
    """A link between two boxes or frames, by key. `out` is where it leaves its source, counted from the source's middle.

    Links of one `kind` from one place, or to one thing, share their way as far as it is the same.
    """

    source: str
    target: str
    kind: str = ""
    out: float = 0.0


class Rect(NamedTuple):
    """Where something is, from its upper left corner on."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is: boxes and frames by key, and for each link the points on its way, from its source down to its target.

    Between two points of one x a link goes straight down, of one y straight across. Between others there is nothing else, and it may curve.
    """

    places: dict[str, Rect]
    ways: tuple[tuple[Point, ...], ...]


def layout(whole: Frame, links: Sequence[Link]) -> Layout:
    """Place everything in a frame, whose own upper left corner is 0, 0. The links make no circle, with each frame taken as one thing."""
    around = dict(_around(whole, ()))
    ways = [list(_legs(link, net, around)) for link, net in zip(links, _nets(links), strict=True)]
    legs: dict[str, dict[Leg, None]] = defaultdict(dict)
    for way in ways:
        for frame, leg in way:
            legs[frame][leg] = None
    inside: dict[str, Placed] = {}
    _place(whole, legs, inside)
    places = dict(_absolute(whole, Point(0.0, 0.0), inside))
    return Layout(places, tuple(tuple(_points(way, places, inside)) for way in ways))


def _around(item: Box | Frame, frames: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield item.key, frames
    if isinstance(item, Frame):
        for one in _items(item):
            yield from _around(one, (*frames, item.key))


def _items(frame: Frame) -> Sequence[Box | Frame]:
    return frame.inside if frame.last is None else (*frame.inside, frame.last)


def _nets(links: Sequence[Link]) -> Iterator[Net]:
    """Give for each link those with which it shares its way: all from its source, or, where many come together, all to its target."""
    outs = Counter((link.source, link.kind, link.out) for link in links)
    ins = Counter((link.target, link.kind) for link in links if not link.out)
    for link in links:
        merging = 0 if link.out else ins[link.target, link.kind]
        if merging >= _MANY and merging > outs[link.source, link.kind, link.out]:
            yield Net(link.target, link.kind, is_merging=True)
        else:
            yield Net(link.source, link.kind, link.out)


def _legs(link: Link, net: Net, around: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, Leg]]:
    """Give a link's legs with the frames that they are in: out of those around its source, across, into those around its target."""
    ups, downs = around[link.source], around[link.target]
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(ups, downs, strict=False)))
    leaving, coming = (*ups[shared:], link.source), (*downs[shared:], link.target)
    for frame, thing in zip(reversed(leaving[:-1]), reversed(leaving[1:]), strict=True):
        yield frame, Leg(net, thing, None)
    yield ups[shared - 1], Leg(net, leaving[0], coming[0])
    for frame, thing in pairwise(coming):
        yield frame, Leg(net, None, thing)


def _place(frame: Frame, legs: Mapping[str, Mapping[Leg, None]], inside: dict[str, Placed]) -> Placed:
    """Place what is in a frame, and in the frames in it; each frame's own coordinates go into `inside`."""
    things = [_thing(item, legs, inside) for item in frame.inside]
    last = None if frame.last is None else _thing(frame.last, legs, inside)
    inside[frame.key] = placed(things, tuple(legs.get(frame.key, ())), frame.head, frame.width, last)
    return inside[frame.key]


def _thing(item: Box | Frame, legs: Mapping[str, Mapping[Leg, None]], inside: dict[str, Placed]) -> Thing:
    if isinstance(item, Box):
        return Thing(item.key, item.width, item.height)
    found = _place(item, legs, inside)
    return Thing(item.key, found.width, found.height, found.tops, found.bottoms)


def _absolute(frame: Frame, corner: Point, inside: Mapping[str, Placed]) -> Iterator[tuple[str, Rect]]:
    found = inside[frame.key]
    yield frame.key, Rect(*corner, found.width, found.height)
    for item in _items(frame):
        at = found.corners[item.key]
        here = Point(corner.x + at.x, corner.y + at.y)
        if isinstance(item, Frame):
            yield from _absolute(item, here, inside)
        else:
            yield item.key, Rect(*here, item.width, item.height)


def _points(way: Sequence[tuple[str, Leg]], places: Mapping[str, Rect], inside: Mapping[str, Placed]) -> Iterator[Point]:
    before: Point | None = None
    for frame, leg in way:
        corner = places[frame]
        for x, y in inside[frame].ways[leg]:
            point = Point(corner.x + x, corner.y + y)
            if point != before:
                yield point
            before = point
