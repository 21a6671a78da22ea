"""SVG elements as text. Everything that comes from outside goes through here, and comes out harmless."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from eventflow import escapes


def element(tag: str, content: str = "", /, **attributes: str | float) -> str:
    """Give one element. `content` is markup; attributes are escaped. `class_` is `class`, and `data_node` is `data-node`."""
    given = "".join(f' {name.rstrip("_").replace("_", "-")}="{_value(value)}"' for name, value in attributes.items())
    return f"<{tag}{given}>{content}</{tag}>" if content else f"<{tag}{given}/>"


def text(words: str, x: float, y: float, look: str) -> str:
    """Give a line of text, whose baseline begins (or, where it looks `middle`, has its middle) at a point."""
    return element("text", safe(words), class_=look, x=x, y=y)


def path(way: str, look: str, x: float = 0.0, y: float = 0.0, **data: str) -> str:
    """Draw a way, whose own 0, 0 is at a point. `data` are attributes for whoever reads the document."""
    place = {"transform": f"translate({number(x)} {number(y)})"} if x or y else {}
    return element("path", class_=look, d=way, **place, **{f"data_{name}": value for name, value in data.items()})


def group(look: str, parts: Iterable[str], **attributes: str | float) -> str:
    """Give elements as one that looks like something."""
    return element("g", "".join(parts), class_=look, **attributes)


def title(words: str) -> str:
    """Give what is shown to whoever points at the element around it."""
    return element("title", safe(words))


def safe(words: str) -> str:
    """Give a text as it can stand in a document: one printable line, nothing of it markup."""
    return escape(escapes.line(words))


def number(value: float) -> str:
    """Write a coordinate: a tenth of a pixel is as fine as anybody sees."""
    return f"{value:.1f}".removesuffix(".0") if round(value, 1) else "0"


def _value(value: str | float) -> str:
    return safe(value) if isinstance(value, str) else number(value)
