"""A graph as SVG: one document that stands alone, without scripts or fonts of its own. The same graph always gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from eventflow.definition import annotations as types
from eventflow.definition.graph import Graph
from eventflow.drawing import figures, layout, words
from eventflow.drawing.layout import Box, Layout, Link, Rect
from eventflow.drawing.lines import NO, Line, sources
from eventflow.drawing.markup import element, group, number, path, text, title
from eventflow.drawing.measures import NAME, NOTE, TITLE, clipped, width
from eventflow.drawing.rows import SIDE, Point
from eventflow.drawing.sketch import LAST, Frame, Shape, shapes, sketch
from eventflow.drawing.style import SHEET

_RESULT = "="
_TIP, _ROUND = 7.0, 9.0
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
        *_lines(lines, placed),
        *_group_titles(picture.whole, placed),
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
    inside = tuple(map(_boxed, item.inside))
    if item.node is None:
        return layout.Frame(item.path, inside, 32.0, 2 * width(item.title, NOTE), _last(item))  # a line in the middle passes the title
    return layout.Frame(item.path, inside, 42.0, width(item.title, NAME) + figures.notes_width(item.node) + 20, _last(item))


def _last(frame: Frame) -> layout.Frame | None:
    if not frame.last:
        return None
    return layout.Frame(frame.path + LAST, tuple(map(figures.figure, frame.last)), 32.0, width(words.AT_THE_END, NOTE))


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
        at = placed.places[frame.path + LAST]
        yield group("last", [_rounded(at), text(words.AT_THE_END, at.x + 14, at.y + 20, "note")])


def _framed(frame: Frame, at: Rect) -> str:
    if frame.node is None:
        return group("group", [_rounded(at)])
    name = text(frame.title, at.x + 14, at.y + 30, "name")
    said = figures.notes(frame.node, at.x + 24 + width(frame.title, NAME), at.y + 30, "")
    return group(f"map-frame {figures.look(frame.node)}", [title(frame.path), *figures.sheets(at), name, said], data_node=frame.path)


def _group_titles(frame: Frame, placed: Layout) -> Iterator[str]:
    """Write the titles of groups, above the lines that come in through the upper edge."""
    for item in frame.inside:
        if isinstance(item, Frame):
            at = placed.places[item.path]
            if item.node is None:
                yield group("group", [text(item.title, at.x + 14, at.y + 21, "note")])
            yield from _group_titles(item, placed)


def _rounded(at: Rect) -> str:
    return element("rect", class_="box", x=at.x, y=at.y, width=at.width, height=at.height, rx=10.0)


def _result(at: Rect) -> str:
    box = element("rect", class_="box", x=at.x, y=at.y, width=at.width, height=at.height, rx=at.height / 2)
    return group("result", [box, text("result", at.x + at.width / 2, at.y + 15.5, "note middle")])


def _lines(lines: Sequence[Line], placed: Layout) -> Iterator[str]:
    """Draw the lines, and their tips. What several lines of a kind share is drawn once, with the first of them."""
    met: set[tuple[str, Point, Point]] = set()
    tips: dict[str, None] = {}
    for line, way in zip(lines, placed.ways, strict=True):
        begin, end = way[0], way[-1]
        if line.kind == NO:
            begin = Point(begin.x, placed.places[line.source].y + figures.side_height())
            yield text("no", begin.x + 5, begin.y + 16, "note rule")
        points = [begin, *way[1:-1], Point(end.x, end.y - _TIP + 1)]
        new = _new([(line.kind, before, after) for before, after in pairwise(points)], met)
        yield path(_way(new), f"line {line.kind}", source=line.source, target=line.target)
        tips[path(f"M-4 {-_TIP}L0 0L4 {-_TIP}z", f"tip {line.kind}", end.x, end.y)] = None
    yield from tips


def _new(steps: Sequence[tuple[str, Point, Point]], met: set[tuple[str, Point, Point]]) -> list[Point]:
    """Give the points of the steps of a way that were not drawn yet, and of those beside them that they make a corner with."""
    places = [place for place, step in enumerate(steps) if step not in met]
    met.update(steps)
    if not places:
        return []
    first, last = places[0], places[-1]
    first -= first > 0 and _is_across(steps[first])
    last += last < len(steps) - 1 and _is_across(steps[last])
    return [steps[first][1], *(after for _, _, after in steps[first : last + 1])]


def _is_across(step: tuple[str, Point, Point]) -> bool:
    return step[1].y == step[2].y


def _way(points: Sequence[Point]) -> str:
    """Write a way: straight where x or y stays as it is, with round corners, otherwise a curve that begins and ends downwards."""
    found = "".join(f"M{_at(point)}" for point in points[:1])
    for place, (before, after) in enumerate(pairwise(points)):
        beyond = points[place + 2] if place + 2 < len(points) else after
        if abs(before.x - after.x) < 0.5 or before.y == after.y:
            corner = _ROUND if _turns(before, after, beyond) else 0.0
            found += f"L{_at(_short_of(after, before, corner))}"
            found += f"Q{_at(after)} {_at(_short_of(after, beyond, corner))}" if corner else ""
        else:
            middle = number((before.y + after.y) / 2)
            found += f"C{number(before.x)} {middle} {number(after.x)} {middle} {_at(after)}"
    return found


def _turns(before: Point, corner: Point, after: Point) -> bool:
    return (before.y == corner.y) != (corner.y == after.y) and corner != after


def _short_of(point: Point, other: Point, distance: float) -> Point:
    """Give the point at a distance from one, on the way to another straight beside, above or below it, at most half the way."""
    across, down = other.x - point.x, other.y - point.y
    part = min(0.5, distance / (abs(across) + abs(down) or 1.0))
    return Point(point.x + across * part, point.y + down * part)


def _at(point: Point) -> str:
    return f"{number(point.x)} {number(point.y)}"
