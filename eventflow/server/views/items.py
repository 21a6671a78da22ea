"""The nodes inside maps, of which there may be many thousands: counted by path and state, and chosen page by page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eventflow import facts, states
from eventflow.definition.graph import Graph, Map, key_of, map_of, path_of, scope_of, walk
from eventflow.engine.items import items_from
from eventflow.facts import Inline
from eventflow.ports import JournalView
from eventflow.projections import NodeRow
from eventflow.server.answers import ItemsEntry

NOTABLE = frozenset({states.FAILED, states.RUNNING, states.RETRYING, states.SUSPENDED})
"""The states of items that a person wants to see without asking for them."""

BEGUN = states.ENDED_NODE | {states.QUEUED, states.RUNNING, states.RETRYING, states.SUSPENDED}
"""The states of all items that there is a row of."""

PAGE = 50


@dataclass(frozen=True)
class Listing:
    """Which items are wanted: in which states, of which map, how many, and behind which."""

    states: frozenset[str] = NOTABLE
    within: str | None = None
    after: str | None = None
    limit: int = PAGE


def page(rows: Iterable[NodeRow], wanted: Listing) -> tuple[list[NodeRow], bool]:
    """Give a page of the items, in the order of their numbers, and whether there are more behind it."""
    chosen = [row for row in rows if row.state in wanted.states and scope_of(row.node) and _is_within(row.node, wanted.within)]
    chosen.sort(key=lambda row: _place(row.node))
    if wanted.after is not None:
        behind = _place(wanted.after)
        chosen = [row for row in chosen if _place(row.node) > behind]
    return chosen[: wanted.limit], len(chosen) > wanted.limit


async def counted(journal: JournalView, graph: Graph, rows: Sequence[NodeRow]) -> list[ItemsEntry]:
    """Count the nodes inside maps by path, in the order of the graph. Of a map that goes on, items that haven't begun are pending."""
    paths = dict(walk(graph.nodes))
    if not any("[]" in path for path in paths):
        return []
    mapped = {path for path, node in paths.items() if isinstance(node.does, Map)}
    maps = [row for row in rows if path_of(row.node) in mapped]
    expanded = await journal.facts([row.items_seq for row in maps if row.items_seq is not None])
    counts = {row.node: _count(expanded.get(row.items_seq or 0)) for row in maps}
    going = {row.node for row in maps if row.state not in states.ENDED_NODE}
    tallies = _Tallies(rows)
    return [tallies.entry(path, counts, going) for path in paths if "[]" in path]


async def is_item(journal: JournalView, rows: Sequence[NodeRow], scope: str) -> bool:
    """Tell whether a map of a run has made this item, such as `train[3]`; what is in no item is in the run itself."""
    if not scope:
        return True
    seqs = [row.items_seq for row in rows if row.node == map_of(scope) and row.items_seq is not None]
    fact = next(iter((await journal.facts(seqs)).values()), None)
    return isinstance(fact, facts.MapExpanded) and _has_key(fact, rows, scope)


class _Tallies:
    """How many nodes of a path are in which state, for each map apart."""

    def __init__(self, rows: Iterable[NodeRow]) -> None:
        self._states: dict[str, Counter[str]] = {}
        self._begun: dict[str, Counter[str]] = {}
        for row in rows:
            if scope := scope_of(row.node):
                path = path_of(row.node)
                self._states.setdefault(path, Counter())[row.state] += 1
                self._begun.setdefault(path, Counter())[map_of(scope)] += 1

    def entry(self, path: str, counts: dict[str, int], going: set[str]) -> ItemsEntry:
        above = map_of(scope_of(path))
        maps = [name for name in counts if path_of(name) == above]
        begun = self._begun.get(path, Counter[str]())
        pending = sum(max(0, counts[name] - begun[name]) for name in maps if name in going)
        tally = dict(sorted(self._states.get(path, Counter[str]()).items())) | ({states.PENDING: pending} if pending else {})
        return ItemsEntry(path, above, sum(counts[name] for name in maps), tally)


def _has_key(fact: facts.MapExpanded, rows: Sequence[NodeRow], scope: str) -> bool:
    key = key_of(scope)
    # Keys that are too many for the journal itself are in an artifact, which isn't opened here.
    keys = items_from(fact.items.json).keys if isinstance(fact.items, Inline) else None
    if keys is not None:
        return key in keys
    is_number = key.isascii() and key.isdigit() and len(key) < 10 and str(int(key)) == key
    return (is_number and int(key) < fact.count) or any(row.node == scope or _is_within(row.node, scope) for row in rows)


def _count(fact: facts.Fact | None) -> int:
    return fact.count if isinstance(fact, facts.MapExpanded) else 0


def _is_within(node: str, name: str | None) -> bool:
    return name is None or node.startswith((f"{name}[", f"{name}."))


def _place(name: str) -> list[str | int]:
    """Give what sorts names as people count: `train[9]` before `train[10]`."""
    return [int(part) if number % 2 else part for number, part in enumerate(re.split(r"([0-9]+)", name))]
