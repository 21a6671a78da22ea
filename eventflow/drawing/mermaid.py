"""A graph in Mermaid's language, which GitHub and many other pages draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eventflow import escapes
from eventflow.definition.graph import TASK, Branch, Child, Graph, Map, Node, Wait
from eventflow.drawing import words
from eventflow.drawing.lines import MAYBE, NO, ONE_OF, ORDER, VALUE, YES, Line
from eventflow.drawing.sketch import LAST, Frame, Shape, sketch

_ESCAPED = str.maketrans({char: f"#{ord(char)};" for char in '#&<>"`'})
_BORDERS: Mapping[type, tuple[str, str]] = {Branch: ('{"', '"}'), Map: ('{{"', '"}}'), Wait: ('(["', '"])'), Child: ('[["', '"]]')}
_ARROWS = {VALUE: "-->", ONE_OF: "-.->|one of|", MAYBE: "-.->|maybe|", ORDER: "-.->", NO: "-->|no|"}


def mermaid(graph: Graph) -> str:
    """Write a graph in Mermaid's language: an arrow for each value handed on, dotted where it may be missing or only the order counts.

    Branches are rhombs, maps of one task hexagons, other maps and groups frames, waits have round ends, child runs bars at their sides.
    """
    picture = sketch(graph)
    nodes = dict(_nodes(picture.whole))
    ids = {path: f"n{number}" for number, path in enumerate(nodes)}
    ids |= {path: f"g{number}" for number, path in enumerate(_groups(picture.whole))}
    lines = [*_inside(picture.whole, ids, 1)]
    lines += [f"    {ids[line.source]} {_arrow(line, nodes)} {ids[line.target]}" for line in picture.lines]
    if closing := [ids[path] for path, node in nodes.items() if node.role != TASK]:
        lines += ["    classDef closing stroke-dasharray: 5 4", f"    class {','.join(closing)} closing"]
    return "\n".join(["flowchart TD", *lines])


def _nodes(frame: Frame) -> Iterator[tuple[str, Node]]:
    for item in (*frame.inside, *frame.last):
        if item.node is not None:
            yield item.path, item.node
        if isinstance(item, Frame):
            yield from _nodes(item)


def _groups(frame: Frame) -> Iterator[str]:
    """Name the frames that are no node: groups, and what runs at the end of a frame, by a path that nothing else has."""
    for item in frame.inside:
        if isinstance(item, Frame):
            yield from [item.path] if item.node is None else []
            yield from _groups(item)
    if frame.last:
        yield frame.path + LAST


def _inside(frame: Frame, ids: Mapping[str, str], depth: int) -> Iterator[str]:
    margin = "    " * depth
    for item in frame.inside:
        if isinstance(item, Shape):
            yield margin + _shape(item, ids)
        else:
            said = () if item.node is None else words.notes(item.node)
            yield f'{margin}subgraph {ids[item.path]}["{_label(item.title, *said)}"]'
            yield from _inside(item, ids, depth + 1)
            yield f"{margin}end"
    if frame.last:
        yield f'{margin}subgraph {ids[frame.path + LAST]}["{words.AT_THE_END}"]'
        yield from (f"{margin}    {_shape(shape, ids)}" for shape in frame.last)
        yield f"{margin}end"


def _shape(shape: Shape, ids: Mapping[str, str]) -> str:
    left, right = _BORDERS.get(type(shape.node.does), ('["', '"]'))
    return f"{ids[shape.path]}{left}{_label(shape.label, *words.notes(shape.node))}{right}"


def _label(*parts: str) -> str:
    return "<br/>".join(escapes.line(part).translate(_ESCAPED) for part in parts)


def _arrow(line: Line, nodes: Mapping[str, Node]) -> str:
    does = nodes[line.source].does
    if line.kind != YES or not isinstance(does, Branch):
        return _ARROWS[line.kind]
    return "-->" if does.otherwise else f'-->|"{_label(words.matches(does))}"|'
