"""What a rerun takes over from the run before it, and what it does again: a pure plan, with a reason for each node. It runs nothing.

A node's result is taken over only if nothing can make it another one: it succeeded, its code and its inputs are the same, and so is all
that it depends on. A skipped node, and a branch that was decided, stand as long as what they depend on does. A map keeps its items as long
as its lists are the same ones; then each item is looked at by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import msgspec

from eventflow import codec, ids, states
from eventflow.definition.bodies import ChildBody
from eventflow.definition.graph import (
    FINALLY,
    HOOK,
    TEARDOWN,
    Branch,
    Ending,
    Map,
    Node,
    Parameter,
    item_of,
    joined,
    key_of,
    leaves,
    map_of,
    outputs,
    path_of,
    scope_of,
    upstream,
    walk,
)
from eventflow.definition.options import PREDICATE
from eventflow.definition.pipelines import Definition
from eventflow.engine.origin import Origin
from eventflow.errors import NotFound

REUSE, RERUN, NEW = "reuse", "rerun", "new"
"""What can become of a node in a rerun: what it came to is taken over, it is done again, or it wasn't there before."""

FAILED, EVERYTHING = "failed", "everything"
"""What can be asked for beside a node: what didn't come to a good end, and everything."""

_LISTED = 50
"""Names that are listed at most where one isn't known."""


class RerunEntry(msgspec.Struct, frozen=True):
    """What becomes of one node, or one item of a map: `reuse`, `rerun` or `new`, and why, as people are told."""

    name: str
    what: str
    why: str


class RerunPlan(msgspec.Struct, frozen=True):
    """What a rerun of `run` would do, node by node, in the order of the graph; the items of a map stand behind it."""

    run: str
    entries: tuple[RerunEntry, ...]


@dataclass(frozen=True)
class Judged:
    """What becomes of each node of a graph, by name, and which maps keep their items."""

    entries: dict[str, RerunEntry] = field(default_factory=dict[str, RerunEntry])
    expanded: set[str] = field(default_factory=set[str])

    def kept(self, node: str) -> bool:
        """Tell whether what a node came to is taken over."""
        return self.entries[node].what == REUSE


def judged(origin: Origin, definition: Definition, given: bytes, since: str) -> Judged:
    """Judge every node of today's graph, for a rerun with the arguments `given` from `since` on: `failed`, `everything`, or a node's name.

    Raises `NotFound` for a node that is neither in the graph nor an item of the run.
    """
    _check(origin, definition, since)
    before = {node.name: node for node in origin.graph.nodes}
    return _Judge(origin, definition, given, since).judge(_Level(definition.graph.nodes, before))


def closes_run(node: Node) -> bool:
    """Tell whether a node belongs to the end of its run, and not to that of another node."""
    if node.role == FINALLY:
        return True
    told = (leaf.node for binding in node.inputs.values() for leaf in leaves(binding) if isinstance(leaf, Ending))
    return node.role == HOOK and node.of is None and not any(told)


@dataclass(frozen=True)
class _Level:
    """A graph as it is today and as it was: a run's, or, inside of a map, an item's, which has a name and a path."""

    nodes: Sequence[Node]
    before: Mapping[str, Node]
    name: str = ""
    path: str = ""


class _Judge:
    def __init__(self, origin: Origin, definition: Definition, given: bytes, since: str) -> None:
        self._origin = origin
        self._since = since
        self._others = set(_others(origin.given, given))
        self._renewed = {node for node, version in origin.children.items() if _is_other(definition, node, version)}

    def judge(self, level: _Level) -> Judged:
        """Judge a graph; what a teardown has closed, and somebody needs again, is opened anew."""
        opened: dict[str, str] = {}
        while True:
            found = self._judged(level, opened)
            more = dict(self._closed(level, found))
            if not more:
                return found
            opened |= more

    def _judged(self, level: _Level, opened: Mapping[str, str]) -> Judged:
        found = Judged()
        for node in level.nodes:
            name, old = joined(level.name, node.name), level.before.get(node.name)
            if old is None:
                found.entries[name] = RerunEntry(name, NEW, "it isn't in the old run's graph")
                continue
            own, around = self._own(level, node, old), opened.get(name) or self._around(level, node, old, found)
            if around is None and isinstance(node.does, Map) and isinstance(old.does, Map) and name in self._origin.items:
                self._judge_map(node.does, old.does, name, own, found)
            elif (why := self._asked(name) or own or around) is not None:
                found.entries[name] = RerunEntry(name, RERUN, why)
            else:
                found.entries[name] = RerunEntry(name, REUSE, _UNCHANGED)
        return found

    # A map with its items

    def _judge_map(self, map_: Map, old: Map, name: str, own: str | None, found: Judged) -> None:
        path = f"{path_of(name)}[]"
        before = {node.name: node for node in old.nodes}
        found.expanded.add(name)
        if own is None and map_ == old and not self._is_touched(name, path):
            found.entries[name] = RerunEntry(name, REUSE, _UNCHANGED)
            self._keep_inside(map_, name, found)
            return
        items = [self.judge(_Level(map_.nodes, before, item_of(name, key), path)) for key in self._origin.items[name]]
        kept = sum(all(entry.what == REUSE for entry in item.entries.values()) for item in items)
        why = own or ("an item of it was asked for" if self._is_asked_inside(name) else "what is inside of it has changed")
        found.entries[name] = RerunEntry(name, RERUN, f"{why}; {kept} of its {len(items)} items are reused")
        for item in items:
            found.entries.update(item.entries)
            found.expanded.update(item.expanded)

    def _keep_inside(self, map_: Map, name: str, found: Judged) -> None:
        """Take over a map as a whole, with those of its items that it could do without."""
        for key, node in product(self._origin.items[name], map_.nodes):
            inside = joined(item_of(name, key), node.name)
            row = self._origin.rows.get(inside)
            if row is not None:
                why = _UNCHANGED if row.state == states.SUCCEEDED else f"it was {row.state}, and its map succeeded all the same"
                found.entries[inside] = RerunEntry(inside, REUSE, why)
            if isinstance(node.does, Map) and inside in self._origin.items:
                found.expanded.add(inside)
                self._keep_inside(node.does, inside, found)

    def _is_touched(self, name: str, path: str) -> bool:
        """Tell whether something inside of a map must be looked at by itself, though its graph is the same."""
        renewed = any(node.startswith(f"{name}[") for node in self._renewed)
        return renewed or self._is_asked_inside(name) or any(changed.startswith(path) for changed in self._origin.changed)

    def _is_asked_inside(self, name: str) -> bool:
        return self._since.startswith(f"{name}[")

    # Why a node is done again

    def _asked(self, name: str) -> str | None:
        """Say so where a node was asked for, by its name, with its group, or with its item."""
        return "asked for" if self._since in (EVERYTHING, name) or name.startswith(f"{self._since}.") else None

    def _own(self, level: _Level, node: Node, old: Node) -> str | None:
        """Say why what a node came to itself can't stand."""
        name, path = joined(level.name, node.name), joined(level.path, node.name)
        row = self._origin.rows.get(name)
        if row is None:
            return "it hadn't begun"
        if row.state == states.SKIPPED and (row.attempt or (row.reason == name and node.rule == PREDICATE)):
            return "it asked to be skipped, and is asked again"
        if row.state not in (states.SUCCEEDED, states.SKIPPED):
            return _ENDED.get(row.state, "it hadn't ended").format(row.reason)
        # What a map's code made, first of all, are its items.
        if node.fingerprint != old.fingerprint or (row.items_seq or row.result_seq or 0) < self._origin.changed.get(path, 0):
            return "its code has changed"
        if name in self._renewed:
            return "the code of the pipeline that it runs has changed"
        has_result = row.state == states.SKIPPED or isinstance(node.does, Branch | Map) or self._origin.result(name) is not None
        return None if has_result else "its result isn't recorded"

    def _around(self, level: _Level, node: Node, old: Node, found: Judged) -> str | None:
        """Say why what a node stands on isn't what it was."""
        if not level.name and closes_run(node):
            return "it belongs to the end of the run, and this is another run"
        if (asked := self._asked(joined(level.name, node.name))) is not None:
            return asked
        if _wiring(node) != _wiring(old):
            return "its inputs are wired differently"
        return self._upstream(level, node, found) or (None if level.name else self._parameters(node))

    def _upstream(self, level: _Level, node: Node, found: Judged) -> str | None:
        anew = {name: one.what for name in upstream(node) if (one := found.entries[joined(level.name, name)]).what != REUSE}
        if node.within in anew:
            return f"its branch {node.within} is decided anew"
        for given, binding in node.inputs.items():
            for name in outputs(binding):
                if name in anew:
                    return f"its input {given!r} comes from {name}, which is {_DONE[anew[name]]}"
        return next((f"it waits for {name}, which is {_DONE[what]}" for name, what in anew.items()), None)

    def _parameters(self, node: Node) -> str | None:
        read = (leaf.name for binding in node.inputs.values() for leaf in leaves(binding) if isinstance(leaf, Parameter))
        return next((f"parameter {name} is another one" for name in read if name in self._others), None)

    def _closed(self, level: _Level, found: Judged) -> Iterator[tuple[str, str]]:
        for node in level.nodes:
            row = self._origin.rows.get(joined(level.name, node.name))
            if node.role != TEARDOWN or row is None or not (row.attempt or row.state == states.SUCCEEDED):
                continue
            users = (name for name in node.after if name not in node.closes)
            user = next((name for name in users if not found.kept(joined(level.name, name))), None)
            for name in node.closes if user is not None else ():
                if found.kept(joined(level.name, name)):
                    yield joined(level.name, name), f"{node.name} has closed what it opened, and {user} needs it"


def _is_other(definition: Definition, node: str, version: str) -> bool:
    """Tell whether a node would run other code than that of the run which it waited for. Of a key there is one run, whatever its code."""
    body = definition.bodies.get(path_of(node))
    return isinstance(body, ChildBody) and body.key is None and body.pipeline.definition.version != version


def _others(old: bytes, given: bytes) -> Iterator[str]:
    before, now = (msgspec.json.decode(raw, type=dict[str, msgspec.Raw]) for raw in (old, given))
    for name in before.keys() | now.keys():
        if name not in before or name not in now or _canonical(before[name]) != _canonical(now[name]):
            yield name


def _canonical(raw: msgspec.Raw) -> bytes:
    return codec.canonical(msgspec.json.decode(raw))


def _wiring(node: Node) -> Node:
    """Give a node without its name, its code, and what is inside of it."""
    does = msgspec.structs.replace(node.does, nodes=(), result=None) if isinstance(node.does, Map) else node.does
    return msgspec.structs.replace(node, name="", task="", fingerprint="", does=does)


def _check(origin: Origin, definition: Definition, since: str) -> None:
    paths = [path for path, _ in walk(definition.graph.nodes)]
    path, scope = path_of(since), scope_of(since)
    is_there = any(one == path or one.startswith((f"{path}.", f"{path}[")) for one in paths)
    is_item = not scope or key_of(scope) in origin.items.get(map_of(scope), ())
    if since in (FAILED, EVERYTHING) or (is_there and is_item):
        return
    known = [item_of(map_of(scope), key) for key in origin.items.get(map_of(scope), ())] if scope and is_there else []
    names = known or [node.name for node in definition.graph.nodes]
    listed = ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
    raise NotFound(f"run {ids.short(origin.run.run)} has no node {since!r} to begin at: take {FAILED}, {EVERYTHING}, or one of {listed}")


_UNCHANGED = "nothing that it depends on has changed"
_DONE = {RERUN: "rerun", NEW: "new"}
_ENDED = {
    states.FAILED: "it failed",
    states.UPSTREAM_FAILED: "it couldn't run, because of {}",
    states.CANCELLED: "it was cancelled",
}
