"""The lines between the nodes of one graph: what hands on a value, what only comes first, which way a branch goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from eventflow.definition.graph import FINALLY, HOOK, TASK, Binding, Branch, Dependency, Node, needed, upstream

VALUE, ONE_OF, MAYBE, ORDER, YES, NO = "value", "one_of", "maybe", "order", "yes", "no"
"""The kinds of lines: a value, one of several of which the first there is taken, one that may be missing, order alone, and both ways out of
a branch."""

_STRONGEST_FIRST = (VALUE, ONE_OF, MAYBE, ORDER)


class Line(NamedTuple):
    """A line from one node to another, by name."""

    source: str
    target: str
    kind: str


def lines(nodes: Sequence[Node]) -> tuple[Line, ...]:
    """Give the lines among the nodes of one graph, one for each pair at most.

    Left out is what a picture says without them: from a branch to a node in its block that stands behind another one there; from what a
    closing node waits for to it, where other such nodes lie between; and every line into what runs at the very end.
    """
    by_name = {node.name: node for node in nodes}
    last = at_the_end(nodes)
    shortened = _shortened([node for node in nodes if node.role != TASK and node.name not in last], nodes)
    return tuple(
        Line(source, node.name, kind)
        for node in nodes
        for source, kind in _into(node, shortened.get(node.name, node.after), by_name).items()
        if (node.name in last) == (source in last)
    )


def at_the_end(nodes: Sequence[Node]) -> frozenset[str]:
    """Name the nodes that run when all tasks have ended: the pipeline's `finally_` tasks and hooks, and the hooks of these."""
    tasks = {node.name for node in nodes if node.role == TASK}
    found: set[str] = set()
    for node in nodes:
        if node.role in (FINALLY, HOOK) and (_is_of_the_run(node, tasks) or found.issuperset(upstream(node))):
            found.add(node.name)
    return frozenset(found)


def sources(bindings: Iterable[Binding]) -> dict[str, str]:
    """Give the nodes that bindings name, each once, with the strongest kind of line from it."""
    found: dict[str, str] = {}
    for name, kind in _named(bindings):
        found[name] = min(kind, found.get(name, kind), key=_STRONGEST_FIRST.index)
    return found


def _named(bindings: Iterable[Binding]) -> Iterator[tuple[str, str]]:
    for binding in bindings:
        for one in needed(binding):
            yield from ((name, _kind(one)) for name in one.nodes)


def _kind(one: Dependency) -> str:
    if not one.counts:
        return ORDER
    if one.optional:
        return MAYBE
    return ONE_OF if len(one.nodes) > 1 else VALUE


def _into(node: Node, after: Iterable[str], by_name: Mapping[str, Node]) -> dict[str, str]:
    found = sources(node.inputs.values())
    for name in after:
        found.setdefault(name, ORDER)
    if isinstance(node.does, Branch):
        found |= dict.fromkeys(node.does.otherwise, NO)
    if node.within is not None and not any(_is_inside(by_name[name], node.within, by_name) for name in found):
        found[node.within] = YES
    return found


def _is_inside(node: Node, branch: str, by_name: Mapping[str, Node]) -> bool:
    around = node.within
    while around is not None and around != branch:
        around = by_name[around].within
    return around is not None


def _is_of_the_run(node: Node, tasks: set[str]) -> bool:
    return node.of is None if node.role == HOOK else tasks.issubset(node.after)


def _shortened(closing: Sequence[Node], nodes: Sequence[Node]) -> dict[str, tuple[str, ...]]:
    """Give what each closing node waits for, without what lies behind others of these. The sets are bits of a number, for speed."""
    if not closing:
        return {}
    bits = {node.name: 1 << place for place, node in enumerate(nodes)}
    behind: dict[str, int] = {}
    for node in nodes:
        behind[node.name] = 0
        for name in upstream(node):
            behind[node.name] |= bits[name] | behind[name]
    found: dict[str, tuple[str, ...]] = {}
    for node in closing:
        covered = 0
        for name in node.after:
            covered |= behind[name]
        found[node.name] = tuple(name for name in node.after if not covered & bits[name])
    return found
