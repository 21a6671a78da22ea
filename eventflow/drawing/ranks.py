"""Rows: in which of them each thing of a picture stands, and where long links pass through the rows between.

Everything stands in the first row below all that links to it (the longest path); what nothing links to stands right above its first
target. A row that would get too long becomes several. A link over several rows gets a *bend* in each of them, a vertex of no size; links of
one net share their bends as far as they go together.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import NamedTuple

_SHORT, _SHAPE = 20, 1.6
"""How long a row may always be; and how long in a larger picture, as a multiple of the root of how much there is in it."""

_MOST_STEPS = 5000
"""Through how many rows links may pass in all. More would take too long: the longest nets go round the side then."""


class Arc(NamedTuple):
    """A link between two vertices, by number. `out` and `into` are where it touches them, counted from their middles.

    Arcs of one net share a way: they split on their way from one source, or, where it is a merging net, merge on their way to one target.
    """

    source: int
    target: int
    net: Hashable = None
    is_merging: bool = False
    out: float = 0.0
    into: float = 0.0


class Join(NamedTuple):
    """A piece of a link, seen from a vertex: the vertex in the next row, and where it touches this one (`here`) and that one (`there`)."""

    vertex: int
    here: float
    there: float


@dataclass(frozen=True, slots=True)
class Ranks:
    """The rows, each with its vertices from left to right, and the joins of each vertex to the row above and to the row below.

    Vertices from `real` on are bends. `routes` are the vertices that each arc goes by, its source and its target among them. `aside` are
    nets, as numbers of arcs, that have no joins and no bends: they are to be drawn beside everything.
    """

    real: int
    rank: list[int]
    rows: list[list[int]]
    ups: list[list[Join]]
    downs: list[list[Join]]
    routes: list[list[int]]
    aside: list[list[int]]


def ranked(count: int, arcs: Sequence[Arc], first: Iterable[int] = (), last: Iterable[int] = ()) -> Ranks:
    """Give rows for the vertices 0 .. count - 1; `first` have the first row, and `last` the last one, to themselves.

    The arcs make no circle, and no two of them are the same.
    """
    ends = frozenset(first), frozenset(last)
    rank = _narrowed(_levels(count, arcs, *ends), ends[0] | ends[1])
    nets: dict[Hashable, list[int]] = defaultdict(list)
    for number, arc in enumerate(arcs):
        nets[arc.target if arc.is_merging else arc.source, arc.net].append(number)
    near, aside = _divided(nets.values(), arcs, rank)
    found = Ranks(count, rank, [], [[] for _ in range(count)], [[] for _ in range(count)], [[*arc[:2]] for arc in arcs], aside)
    for numbers in near:
        (_merge if arcs[numbers[0]].is_merging else _split)(found, arcs, numbers)
    found.rows.extend([] for _ in range(max(rank, default=-1) + 1))
    for vertex, row in enumerate(rank):
        found.rows[row].append(vertex)
    return found


def _levels(count: int, arcs: Sequence[Arc], first: frozenset[int], last: frozenset[int]) -> list[int]:
    targets: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count
    for arc in arcs:
        targets[arc.source].append(arc.target)
        waiting[arc.target] += 1
    begins = [vertex for vertex in range(count) if not waiting[vertex]]
    rank = [0 if vertex in first or not first else 1 for vertex in range(count)]
    for vertex in _in_order(begins, targets, waiting):
        for target in targets[vertex]:
            rank[target] = max(rank[target], rank[vertex] + 1)
    for vertex in begins:
        if vertex not in first and (below := [rank[target] for target in targets[vertex] if target not in last]):
            rank[vertex] = min(below) - 1
    lowest = 1 + max((rank[vertex] for vertex in range(count) if vertex not in last), default=-1)
    return [lowest if vertex in last else rank[vertex] for vertex in range(count)]


def _narrowed(rank: Sequence[int], whole: frozenset[int]) -> list[int]:
    """Make several rows of about the same length of one that is too long for the picture, if it may be divided."""
    longest = max(_SHORT, math.ceil(_SHAPE * math.sqrt(len(rank))))
    members: dict[int, list[int]] = defaultdict(list)
    for vertex, row in enumerate(rank):
        members[row].append(vertex)
    found, begin = [0] * len(rank), 0
    for row in sorted(members):
        count = 1 if members[row][0] in whole else math.ceil(len(members[row]) / longest)
        for place, vertex in enumerate(members[row]):
            found[vertex] = begin + place * count // len(members[row])
        begin += count
    return found


def _in_order(begins: Sequence[int], targets: Sequence[Sequence[int]], waiting: list[int]) -> list[int]:
    order = list(begins)
    for vertex in order:  # which grows meanwhile
        for target in targets[vertex]:
            waiting[target] -= 1
            if not waiting[target]:
                order.append(target)
    return order


def _divided(nets: Iterable[list[int]], arcs: Sequence[Arc], rank: Sequence[int]) -> tuple[list[list[int]], list[list[int]]]:
    """Divide nets into those that go through the rows and, where these would be too many steps, the longest ones."""
    steps = [(sum(rank[arcs[number].target] - rank[arcs[number].source] - 1 for number in numbers), numbers) for numbers in nets]
    steps.sort(key=lambda one: one[0])
    totals = accumulate(count for count, _ in steps)
    near = sum(1 for _ in takewhile(lambda total: total <= _MOST_STEPS, totals))
    return [numbers for _, numbers in steps[:near]], [numbers for _, numbers in steps[near:]]


def _split(ranks: Ranks, arcs: Sequence[Arc], numbers: Sequence[int]) -> None:
    """Give arcs from one source their way: down one chain of bends, which each of them leaves right above its target."""
    source, out = arcs[numbers[0]].source, arcs[numbers[0]].out
    chain = [source]
    for number in sorted(numbers, key=lambda number: ranks.rank[arcs[number].target]):
        target = arcs[number].target
        while ranks.rank[chain[-1]] < ranks.rank[target] - 1:
            bend = _bend(ranks, ranks.rank[chain[-1]] + 1)
            _join(ranks, chain[-1], bend, out if chain[-1] == source else 0.0, 0.0)
            chain.append(bend)
        length = ranks.rank[target] - ranks.rank[source]
        _join(ranks, chain[length - 1], target, out if length == 1 else 0.0, arcs[number].into)
        ranks.routes[number] = [*chain[:length], target]


def _merge(ranks: Ranks, arcs: Sequence[Arc], numbers: Sequence[int]) -> None:
    """Give arcs to one target their way: down one chain of bends, which each of them enters right below its source."""
    target, into = arcs[numbers[0]].target, arcs[numbers[0]].into
    chain = [target]
    for number in sorted(numbers, key=lambda number: -ranks.rank[arcs[number].source]):
        source = arcs[number].source
        while ranks.rank[chain[-1]] > ranks.rank[source] + 1:
            bend = _bend(ranks, ranks.rank[chain[-1]] - 1)
            _join(ranks, bend, chain[-1], 0.0, into if chain[-1] == target else 0.0)
            chain.append(bend)
        length = ranks.rank[target] - ranks.rank[source]
        _join(ranks, source, chain[length - 1], arcs[number].out, into if length == 1 else 0.0)
        ranks.routes[number] = [source, *reversed(chain[:length])]


def _bend(ranks: Ranks, row: int) -> int:
    ranks.rank.append(row)
    ranks.ups.append([])
    ranks.downs.append([])
    return len(ranks.rank) - 1


def _join(ranks: Ranks, above: int, below: int, out: float, into: float) -> None:
    ranks.downs[above].append(Join(below, out, into))
    ranks.ups[below].append(Join(above, into, out))
