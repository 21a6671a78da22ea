"""The figures of an SVG picture: how large each kind of node is, and what it looks like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eventflow.definition.graph import TASK, Branch, Child, Map, Node, Wait
from eventflow.drawing import words
from eventflow.drawing.layout import Box, Rect
from eventflow.drawing.markup import element, group, path, safe, text, title
from eventflow.drawing.measures import NAME, NOTE, clipped, width
from eventflow.drawing.sketch import Shape

_MARGIN = 16.0
_LOW, _HIGH = 36.0, 50.0
_DIAMOND, _CHIP, _NO_ROOM = 54.0, 18.0, 8.0
_SHEET = 4.0
_ICON = 20.0
_LONGEST = 44
_LONGEST_CHIP = 32

_EXTRA: Mapping[type, float] = {Wait: 8.0, Child: 16.0, Map: 2 * _SHEET}
"""How much wider than others some kinds are."""

_LOOKS: Mapping[type, str] = {Branch: "branch", Map: "map", Wait: "wait", Child: "child"}

_ICONS = {
    "time": "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0 -12 0M0 -3.5V0L2.5 2",
    "answer": "M-6 -5h12v8h-6l-3 3v-3h-3z",
    "event": "M1.5 -6.5L-4 1H-0.5L-1.5 6.5L4 -1H0.5z",
}
"""A clock, a speech bubble, a flash; around their middles."""


def figure(shape: Shape) -> Box:
    """Give the room that a node takes."""
    does = shape.node.does
    if isinstance(does, Branch):
        return Box(shape.path, 2 * (side_way_out(shape) + _NO_ROOM), _DIAMOND + (_CHIP if _chip(does) else 0.0))
    extra = _EXTRA.get(type(does), 0.0)
    icon = _ICON if isinstance(does, Wait) else 0.0
    inner = max(width(_label(shape), NAME) + icon, width(_note(shape.node), NOTE), 48.0)
    height = (_HIGH if _note(shape.node) else _LOW) + (2 * _SHEET if isinstance(does, Map) else 0.0)
    return Box(shape.path, inner + 2 * _MARGIN + extra, height)


def side_way_out(shape: Shape) -> float:
    """Give how far right of its middle a branch has its corner, where those leave it who don't take it."""
    chip = _chip(shape.node.does) if isinstance(shape.node.does, Branch) else ""
    return max(width(_label(shape), NAME) / 0.7 + 28, width(chip, NOTE) + 40, 88.0) / 2


def side_height() -> float:
    """Give how far below its upper end that corner is."""
    return _DIAMOND / 2


def drawn(shape: Shape, at: Rect) -> str:
    """Draw a node where it is."""
    about = "\u2002·\u2002".join((shape.path, *words.notes(shape.node)))
    return group(look(shape.node), [title(about), *_parts(shape, at)], data_node=shape.path)


def look(node: Node) -> str:
    """Give the classes by which the style sheet knows a node."""
    return _LOOKS.get(type(node.does), "task") + ("" if node.role == TASK else " closing")


def sheets(at: Rect) -> Iterator[str]:
    """Draw a box with two more behind it, which look out above and on the right."""
    for sheet in (2, 1, 0):
        aside, down = sheet * _SHEET, (2 - sheet) * _SHEET
        yield _box(Rect(at.x + aside, at.y + down, at.width - 2 * _SHEET, at.height - 2 * _SHEET), 8)


def notes(node: Node, x: float, y: float, place: str) -> str:
    """Write what there is to say of a node, its trigger rule so that it stands out."""
    rule = words.rule(node)
    said = _note(node).removesuffix(rule) if rule else _note(node)
    marked = element("tspan", safe(rule), class_="rule") if rule else ""
    return element("text", safe(said) + marked, class_=f"note {place}".strip(), x=x, y=y) if said or marked else ""


def notes_width(node: Node) -> float:
    """Give the room that these take."""
    return width(_note(node), NOTE)


def _parts(shape: Shape, at: Rect) -> Iterator[str]:
    match shape.node.does:
        case Branch() as does:
            yield from _branch(shape, _chip(does), at)
        case Map():
            yield from sheets(at)
            yield from _written(shape, Rect(at.x, at.y + 2 * _SHEET, at.width - 2 * _SHEET, at.height - 2 * _SHEET))
        case Wait(kind=kind):
            yield _box(at, at.height / 2)
            side = width(_label(shape), NAME) / 2
            yield path(_ICONS.get(kind, _ICONS["event"]), "icon", at.x + at.width / 2 - side, at.y + at.height / 2 - 7.5)
            yield from _written(shape, at, _ICON / 2)
        case Child():
            yield _box(at, 4)
            yield path(f"M7 0v{at.height:.0f}M{at.width - 7:.1f} 0v{at.height:.0f}", "box", at.x, at.y)
            yield from _written(shape, at)
        case None:
            yield _box(at, 8)
            yield from _written(shape, at)


def _box(at: Rect, radius: float) -> str:
    return element("rect", class_="box", x=at.x, y=at.y, width=at.width, height=at.height, rx=radius)


def _written(shape: Shape, at: Rect, aside: float = 0.0) -> Iterator[str]:
    middle, centre = at.x + at.width / 2, at.y + at.height / 2
    yield text(_label(shape), middle + aside, centre + (-3 if _note(shape.node) else 4.5), "name middle")
    yield notes(shape.node, middle, centre + 13, "middle")


def _branch(shape: Shape, chip: str, at: Rect) -> Iterator[str]:
    across, down = side_way_out(shape), _DIAMOND / 2
    middle, centre = at.x + at.width / 2, at.y + down
    yield path(f"M0 {-down}L{across:.1f} 0L0 {down}L{-across:.1f} 0z", "box", middle, centre)
    if chip:
        wide = width(chip, NOTE) + 18
        yield element("rect", class_="chip", x=middle - wide / 2, y=centre + down - 2, width=wide, height=_CHIP + 2, rx=9.0)
        yield text(chip, middle, centre + down + 12, "note chip-text middle")
    yield text(_label(shape), middle, centre + 4.5, "name middle")
    yield notes(shape.node, middle, centre + 16, "middle")


def _label(shape: Shape) -> str:
    return clipped(shape.label, _LONGEST)


def _chip(does: Branch) -> str:
    return "" if does.otherwise else clipped(words.matches(does), _LONGEST_CHIP)


def _note(node: Node) -> str:
    return clipped(" · ".join(words.notes(node)), _LONGEST)
