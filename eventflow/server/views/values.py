"""Values of user code as an answer shows them. A pickle is named and never opened here."""

from __future__ import annotations

from eventflow.facts import Inline, Value
from eventflow.server.answers import ShownValue


def shown(value: Value) -> ShownValue:
    """Give the JSON of a value that its fact carries, and a few words about one in the artifact store."""
    if isinstance(value, Inline):
        return ShownValue(json=value.json, artifact=None)
    return ShownValue(json=None, artifact=f"artifact: {value.codec}, {size(value.size)}")


def clipped(text: str, limit: int) -> str:
    """Give a text, cut at so many characters."""
    return text if len(text) <= limit else f"{text[:limit]} ..."


def size(count: int) -> str:
    """Write a number of bytes for a person: `12 kB`."""
    if count < 1000:
        return f"{count} B"
    for unit in ("kB", "MB"):
        count = round(count / 1000)
        if count < 1000:
            return f"{count} {unit}"
    return f"{round(count / 1000)} GB"
