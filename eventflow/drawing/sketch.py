"""What is drawn, before anybody knows where: the nodes of a graph in the frames around them, and the lines between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from eventflow.definition.graph import Graph, Map, Node, joined
from eventflow.drawing import words
from eventflow.drawing.groups import grouped
from eventflow.drawing.lines import Line, at_the_end, lines

LAST = "/last"
"""What is put behind a frame's path to name what runs at its end."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One node. `path` names it in the whole picture, `label` within the frames around it."""

    path: str
    label: str
    node: Node


@dataclass(frozen=True, slots=True)
class Frame:
    """Nodes with a line around them: a group, or, with its `node`, a map and the graph of one of its items.

    `last` is what runs when all inside has ended. A line may begin and end at a frame, by its `path`.
    """

    path: str
    title: str
    inside: tuple[Shape | Frame, ...]
    last: tuple[Shape, ...] = ()
    node: Node | None = None


@dataclass(frozen=True, slots=True)
class Sketch:
    """A whole picture: everything in one frame, and the lines by path."""

    whole: Frame
    lines: tuple[Line, ...]


def sketch(graph: Graph) -> Sketch:
    """Give what there is to draw of a graph. No lines leave a frame and lead back into it: where they would, a group is drawn twice."""
    whole, found = _frame(Frame("", graph.pipeline, ()), graph.nodes, "")
    return Sketch(whole, tuple(found))


def shapes(items: Iterable[Shape | Frame]) -> Iterator[Shape]:
    """Give all nodes of some items that have no frame of their own, from the outside in."""
    for item in items:
        if isinstance(item, Shape):
            yield item
        else:
            yield from shapes((*item.inside, *item.last))


def _frame(empty: Frame, nodes: Sequence[Node], scope: str) -> tuple[Frame, list[Line]]:
    """Give a frame filled with a graph, and the lines inside it."""
    level = _Level(scope)
    drawn = lines(nodes)
    last = at_the_end(nodes)
    groups = grouped([node.name for node in nodes], drawn)
    inside = level.items([(node, groups[node.name]) for node in nodes if node.name not in last])
    ending = tuple(Shape(joined(scope, node.name), node.name, node) for node in nodes if node.name in last)
    here = [Line(joined(scope, line.source), joined(scope, line.target), line.kind) for line in drawn]
    return Frame(empty.path, empty.title, inside, ending, empty.node), here + level.lines


@dataclass(slots=True)
class _Level:
    """The nodes of one graph on their way into frames; `lines` are those found inside maps."""

    scope: str
    lines: list[Line] = field(default_factory=list[Line])

    def items(self, placed: Sequence[tuple[Node, tuple[str, ...]]], depth: int = 0) -> tuple[Shape | Frame, ...]:
        """Give nodes as items, those with a frame at this depth in it, at the place of its first one."""
        found: dict[str, list[tuple[Node, tuple[str, ...]]]] = defaultdict(list)
        for node, frames in placed:
            found[frames[depth] if depth < len(frames) else node.name].append((node, frames))
        return tuple(self._item(key, inside, depth) for key, inside in found.items())

    def _item(self, key: str, inside: Sequence[tuple[Node, tuple[str, ...]]], depth: int) -> Shape | Frame:
        node, frames = inside[0]
        if depth < len(frames):
            return Frame(joined(self.scope, key), node.name.split(".")[depth], self.items(inside, depth + 1))
        path, label = joined(self.scope, node.name), node.name.split(".", depth)[depth]
        if not isinstance(node.does, Map) or words.is_single(node.does):
            return Shape(path, label, node)
        filled, found = _frame(Frame(path, label, (), node=node), node.does.nodes, f"{path}[]")
        self.lines += found
        return filled
