"""A graph as text: a list in layers, for a terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from eventflow import escapes
from eventflow.definition import annotations as types
from eventflow.definition.graph import Branch, Dependency, Graph, Map, Node, Parameter, leaves, needed, upstream
from eventflow.drawing import words
from eventflow.drawing.lines import ORDER, lines


def text(graph: Graph, annotations: Mapping[str, object]) -> str:
    """Draw a graph as a list in layers. What stands in one layer can run at once; each node names what it takes, and from where.

    retrain(path: Path)

    1  load      <- (path)
    2  validate  <- load
    """
    takes = ", ".join(f"{name}: {types.text(annotation)}" for name, annotation in annotations.items())
    return "\n".join(map(escapes.line, [f"{graph.pipeline}({takes})", "", *_rows(graph.nodes), *_result(graph)]))


def layers(nodes: Sequence[Node]) -> list[list[Node]]:
    """Give the nodes in layers: each stands in the first one behind everything that it depends on."""
    depths: dict[str, int] = {}
    for node in nodes:  # which stand behind what they depend on already
        depths[node.name] = 1 + max((depths[name] for name in upstream(node)), default=0)
    return [[node for node in nodes if depths[node.name] == depth] for depth in range(1, max(depths.values(), default=0) + 1)]


def _rows(nodes: Sequence[Node]) -> Iterator[str]:
    layered = layers(nodes)
    after = _after(nodes)
    margin = len(str(len(layered)))
    width = max((len(node.name) for node in nodes), default=0)
    for number, layer in enumerate(layered, 1):
        for place, node in enumerate(layer):
            label = str(number) if place == 0 else ""
            said = _said(node, after[node.name])
            yield f"{label:>{margin}}  {_corner(place, len(layer))}{node.name:<{width}}  {said}".rstrip()
            if isinstance(node.does, Map) and not words.is_single(node.does):
                bar = "│" if place < len(layer) - 1 else " "
                yield from (f"{'':>{margin}}  {bar}    {row}" for row in _rows(node.does.nodes))


def _corner(place: int, count: int) -> str:
    if count == 1:
        return "─ "
    return "┌ " if place == 0 else "└ " if place == count - 1 else "├ "


def _after(nodes: Sequence[Node]) -> dict[str, list[str]]:
    """Name what each node only waits for, as far as a picture shows it."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in lines(nodes):
        if line.kind == ORDER:
            found[line.target].append(line.source)
    return found


def _said(node: Node, after: Sequence[str]) -> str:
    parts = [
        ", ".join(_taken(node)),
        f"after {', '.join(after)}" if after else "",
        _decides(node.does) if isinstance(node.does, Branch) else "",
        f"if {node.within}" if node.within else "",
    ]
    said = "; ".join(part for part in parts if part)
    notes = ", ".join(words.notes(node))
    return "  ".join(part for part in (f"← {said}" if said else "", f"[{notes}]" if notes else "") if part)


def _taken(node: Node) -> Sequence[str]:
    bindings = list(node.inputs.values())
    values = (_alternatives(one) for binding in bindings for one in needed(binding) if one.counts)
    given = (f"({leaf.name})" for binding in bindings for leaf in leaves(binding) if isinstance(leaf, Parameter))
    return list(dict.fromkeys([*values, *given]))


def _alternatives(one: Dependency) -> str:
    return f"{'maybe ' if one.optional else ''}{' or '.join(one.nodes)}"


def _decides(does: Branch) -> str:
    if does.otherwise:
        return f"if not {' or '.join(does.otherwise)}"
    return "yes if true" if does.matches is None else f"yes if {words.matches(does)}"


def _result(graph: Graph) -> list[str]:
    found = [] if graph.result is None else list(dict.fromkeys(_alternatives(one) for one in needed(graph.result)))
    return ["", f"gives {', '.join(found)}"] if found else []
