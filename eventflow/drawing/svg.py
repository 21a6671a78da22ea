"""A graph as SVG: one document that stands alone, without scripts or fonts of its own. The same graph always gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from eventflow.definition import annotations as types
from eventflow.definition.graph import Graph
from eventflow.drawing import figures, layout
from eventflow.drawing.layout import Box, Layout, Link, Rect
from eventflow.drawing.lines import NO, Line, sources
from eventflow.drawing.markup import element, group, number, path, text, title
from eventflow.drawing.measures import NAME, NOTE, TITLE, clipped, width
from eventflow.drawing.rows import SIDE, Point
from eventflow.drawing.sketch import Frame, Shape, shapes, sketch
from eventflow.drawing.style import SHEET

_RESULT = "="
_LAST = "/last"
_LAST_TITLE = "at the end"
_TIP = 7.0
_LONGEST = 90


def svg(graph: Graph, annotations: Mapping[str, object]) -> str:
    """Draw a graph as an SVG document. `annotations` are those of the pipeline's parameters, for the title."""
    picture = sketch(graph)
    drawn = {shape.path: shape for shape in shapes([picture.whole])}
    takes = clipped(", ".join(f"{name}: {types.text(annotation)}" for name, annotation in annotations.items()), _LONGEST)
    given = () if graph.result is None else tuple(Line(name, _RESULT, kind) for name, kind in sources([graph.result]).items())
    lines = (*picture.lines, *given)
    placed = layout.layout(_whole(picture.whole, takes, has_result=bool(given)), [_link(line, drawn) for line in lines])
    return _document(
        placed.places[""],
        title(f"pipeline {graph.pipeline}"),
        *_heading(graph.pipeline, takes),
        *_frame(picture.whole, placed),
        *_lines(lines, placed, drawn),
        *(figures.drawn(shape, placed.places[path]) for path, shape in drawn.items()),
        *([_result(placed.places[_RESULT])] if given else []),
    )


def _document(size: Rect, name: str, *parts: str) -> str:
    ground = element("rect", class_="ground", width=size.width, height=size.height, rx=12.0)
    content = "\n".join([name, element("style", SHEET), ground, *parts, ""])
    box = f"0 0 {number(size.width)} {number(size.height)}"
    return element("svg", f"\n{content}", xmlns="http://www.w3.org/2000/svg", width=size.width, height=size.height, viewBox=box, role="img")


def _whole(whole: Frame, takes: str, *, has_result: bool) -> layout.Frame:
    inside = [_boxed(item) for item in whole.inside]
    if has_result:
        inside.append(Box(_RESULT, width("result", NOTE) + 24, 24.0))
    head = 66.0 if takes else 48.0
    return layout.Frame("", tuple(inside), head, max(width(whole.title, TITLE), width(takes, NOTE)), _last(whole))


def _boxed(item: Shape | Frame) -> Box | layout.Frame:
    if isinstance(item, Shape):
        return figures.figure(item)
    said = width(item.title, NAME) + (0.0 if item.node is None else figures.notes_width(item.node) + 20)
    return layout.Frame(item.path, tuple(map(_boxed, item.inside)), 32.0 if item.node is None else 42.0, said, _last(item))


def _last(frame: Frame) -> layout.Frame | None:
    if not frame.last:
        return None
    return layout.Frame(frame.path + _LAST, tuple(map(figures.figure, frame.last)), 32.0, width(_LAST_TITLE, NOTE))


def _link(line: Line, drawn: Mapping[str, Shape]) -> Link:
    return Link(*line, figures.side_way_out(drawn[line.source]) if line.kind == NO else 0.0)


def _heading(name: str, takes: str) -> Iterator[str]:
    yield text(name, SIDE, 32.0, "title")
    if takes:
        yield text(takes, SIDE, 50.0, "note")


def _frame(frame: Frame, placed: Layout) -> Iterator[str]:
    """Draw the frames inside a frame, each before those in it."""
    for item in frame.inside:
        if isinstance(item, Frame):
            yield _framed(item, placed.places[item.path])
            yield from _frame(item, placed)
    if frame.last:
        at = placed.places[frame.path + _LAST]
        yield group("last", [_rounded(at), text(_LAST_TITLE, at.x + 14, at.y + 20, "note")])


def _framed(frame: Frame, at: Rect) -> str:
    if frame.node is None:
        return group("group", [_rounded(at), text(frame.title, at.x + 14, at.y + 21, "note")])
    name = text(frame.title, at.x + 14, at.y + 30, "name")
    said = figures.notes(frame.node, at.x + 24 + width(frame.title, NAME), at.y + 30, "")
    return group(f"map-frame {figures.look(frame.node)}", [title(frame.path), *figures.sheets(at), name, said], data_node=frame.path)


def _rounded(at: Rect) -> str:
    return element("rect", class_="box", x=at.x, y=at.y, width=at.width, height=at.height, rx=10.0)


def _result(at: Rect) -> str:
    box = element("rect", class_="box", x=at.x, y=at.y, width=at.width, height=at.height, rx=at.height / 2)
    return group("result", [box, text("result", at.x + at.width / 2, at.y + 15.5, "note middle")])


def _lines(lines: Sequence[Line], placed: Layout, drawn: Mapping[str, Shape]) -> Iterator[str]:
    """Draw the lines, and their tips: one for all lines of a kind that end at one place. What lines share is drawn with the first of them."""
    met: set[tuple[str, Point, Point]] = set()
    tips: dict[str, None] = {}
    for line, way in zip(lines, placed.ways, strict=True):
        begin, end = way[0], way[-1]
        if line.kind == NO:
            begin = Point(begin.x, placed.places[line.source].y + figures.side_height())
            yield text("no", begin.x + 5, begin.y + 16, "note rule")
        points = [begin, *way[1:-1], Point(end.x, end.y - _TIP + 1)]
        steps = [(line.kind, before, after) for before, after in pairwise(points)]
        new = [step for step in steps if step not in met]
        met.update(new)
        yield path(_way([point for _, *point in new]), f"line {line.kind}", source=line.source, target=line.target)
        tips[path(f"M-4 {-_TIP}L0 0L4 {-_TIP}z", f"tip {line.kind}", end.x, end.y)] = None
    yield from tips


def _way(steps: Iterable[Sequence[Point]]) -> str:
    """Write a way: straight down where x stays as it is, otherwise a curve that begins and ends downwards."""
    found = ""
    for before, after in steps:
        x, y, middle = number(after.x), number(after.y), number((before.y + after.y) / 2)
        found = found or f"M{number(before.x)} {number(before.y)}"
        found += f"V{y}" if abs(after.x - before.x) < 0.5 else f"C{number(before.x)} {middle} {x} {middle} {x} {y}"
    return found
