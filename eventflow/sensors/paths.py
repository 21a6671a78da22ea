"""Places in a JSON document: `data.updated_at`, `items[0].id` or `items.0.id`, `["a.b"]`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

_STEP = re.compile(r"""\.?(?P<name>[^\s.\[\]"'*]+(?: +[^\s.\[\]"'*]+)*)|\[(?P<index>-?[0-9]{1,9})\]|\.?\["(?P<quoted>[^"]*)"\]""")
_ROOT = re.compile(r"^\$(?=[.\[]|$)")
_INDEX = re.compile(r"[0-9]{1,9}")
_SHOWN = 8


class Absent(LookupError):
    """There is nothing at that place. The message says how far the document goes, naming its keys but no values."""


@dataclass(frozen=True, slots=True)
class JSONPath:
    """A place in a JSON document: the keys and indices that lead there. Of no steps, it is the whole document."""

    written: str
    steps: tuple[str | int, ...]

    def of(self, document: object) -> object:
        """Give what is at this place of a document. Raises `Absent`."""
        value = document
        for step in self.steps:
            value = self._next(value, step)
        return value

    def _next(self, value: object, step: str | int) -> object:
        if isinstance(step, str) and isinstance(value, Mapping):
            fields = cast("Mapping[str, object]", value)
            if step in fields:
                return fields[step]
            raise Absent(f"there is nothing at {self.written!r}: where {step!r} was looked for, there {_keys(list(fields))}")
        index = _index(step)
        if index is not None and isinstance(value, Sequence) and not isinstance(value, str):
            items = cast("Sequence[object]", value)
            if -len(items) <= index < len(items):
                return items[index]
            raise Absent(f"there is nothing at {self.written!r}: the list at [{index}] has {len(items)} items")
        raise Absent(f"there is nothing at {self.written!r}: where {step!r} was looked for, there is {_what(value)}")


def parsed(text: str, option: str) -> JSONPath:
    """Give the place that a text names. Raises `ValueError`, which names the option, for what is none.

    A leading `$`, which is the whole document, and a trailing `[*]` are as good as not there.
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - what people write isn't what was asked for
        raise ValueError(f"{option}={text!r} is no place in a JSON document: write it like 'data.items[0].id'")  # pyright: ignore[reportUnreachable]
    rest = _ROOT.sub("", text).removesuffix("[*]")
    steps: list[str | int] = []
    while rest and rest != ".":
        step = _STEP.match(rest)
        if step is None or (not steps and rest.startswith(".") and not text.startswith("$")):
            raise ValueError(f"{option}={text!r} is no place in a JSON document: write it like 'data.items[0].id' or '[\"a.b\"].c'")
        steps.append(_step(step))
        rest = rest[step.end() :]
    return JSONPath(text, tuple(steps))


def _step(found: re.Match[str]) -> str | int:
    if found["index"] is not None:
        return int(found["index"])
    name: str | None = found["name"]
    return found["quoted"] if name is None else name


def _index(step: str | int) -> int | None:
    """Give a step as the place in a list that it may mean: also `0` of `items.0.id`, which would be the key of an object."""
    if isinstance(step, int):
        return step
    return int(step) if _INDEX.fullmatch(step) else None


def _keys(keys: Sequence[str]) -> str:
    if not keys:
        return "is an object without keys"
    more = f", and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return f"are the keys {', '.join(repr(key[:40]) for key in keys[:_SHOWN])}{more}"


def _what(value: object) -> str:
    for kind, name in _NAMES.items():
        if isinstance(value, kind):
            return name
    return "null"


_NAMES: Mapping[type, str] = {
    Mapping: "an object",
    str: "a text",
    Sequence: "a list",
    bool: "true or false",
    int: "a number",
    float: "a number",
}
