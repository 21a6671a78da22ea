"""A graph as text: for a terminal, in layers from left to right through time, or in Mermaid's language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from eventflow.definition import annotations as types
from eventflow.definition.graph import Graph, Node, Parameter, leaves, outputs, upstream


def text(graph: Graph, annotations: Mapping[str, object]) -> str:
    """Draw a graph as a list in layers. What stands in one layer can run at once; each node names what it takes, and from where.

    retrain(path: Path)

    1  load      <- (path)
    2  validate  <- load
    """
    takes = ", ".join(f"{name}: {types.text(annotation)}" for name, annotation in annotations.items())
    return "\n".join([f"{graph.pipeline}({takes})", "", *_rows(graph), *_result(graph)])


def mermaid(graph: Graph) -> str:
    """Write a graph in Mermaid's language: an arrow for each value handed on, a dotted one where only the order counts."""
    numbers = {node.name: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = [f'    {numbers[node.name]}["{node.name}"]' for node in graph.nodes]
    for node in graph.nodes:
        taken = _taken(node)
        lines += [f"    {numbers[name]} {'-->' if name in taken else '-.->'} {numbers[node.name]}" for name in upstream(node)]
    return "\n".join(["flowchart TD", *lines])


def layers(graph: Graph) -> list[list[Node]]:
    """Give the nodes in layers: each stands in the first one behind everything that it depends on."""
    depths: dict[str, int] = {}
    for node in graph.nodes:  # which stand behind what they depend on already
        depths[node.name] = 1 + max((depths[name] for name in upstream(node)), default=0)
    return [[node for node in graph.nodes if depths[node.name] == depth] for depth in range(1, max(depths.values(), default=0) + 1)]


def _rows(graph: Graph) -> Iterator[str]:
    layered = layers(graph)
    margin = len(str(len(layered)))
    width = max((len(node.name) for node in graph.nodes), default=0)
    for number, nodes in enumerate(layered, 1):
        for place, node in enumerate(nodes):
            label = str(number) if place == 0 else ""
            yield f"{label:>{margin}}  {_corner(place, len(nodes))}{node.name:<{width}}  {_needs(node)}".rstrip()


def _corner(place: int, count: int) -> str:
    if count == 1:
        return "─ "
    return "┌ " if place == 0 else "└ " if place == count - 1 else "├ "


def _needs(node: Node) -> str:
    taken = _taken(node)
    given = [f"({name})" for name in _parameters(node)]
    after = [name for name in upstream(node) if name not in taken]
    parts = [", ".join([*taken, *given]), f"after {', '.join(after)}" if after else ""]
    said = "; ".join(part for part in parts if part)
    return f"← {said}" if said else ""


def _parameters(node: Node) -> Sequence[str]:
    read = (leaf for binding in node.inputs.values() for leaf in leaves(binding))
    return list(dict.fromkeys(leaf.name for leaf in read if isinstance(leaf, Parameter)))


def _taken(node: Node) -> Sequence[str]:
    return list(dict.fromkeys(name for binding in node.inputs.values() for name in outputs(binding)))


def _result(graph: Graph) -> list[str]:
    sources = [] if graph.result is None else list(dict.fromkeys(outputs(graph.result)))
    return ["", f"gives {', '.join(sources)}"] if sources else []
