"""Checks that several options share. Each raises a `ValueError` that says what the option takes; nobody else has to run a type checker."""

from __future__ import annotations

import inspect
import math
from collections.abc import Collection, Iterable
from typing import cast

from eventflow import durations


def whole(name: str, value: object) -> None:
    """Refuse what is no whole number from 1 on."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name} is a whole number, not {value!r}")
    if value < 1:
        raise ValueError(f"{name} is at least 1")


def length(name: str, value: durations.Duration | None) -> None:
    """Refuse what is neither None nor a duration longer than nothing."""
    if value is not None and durations.seconds(value) <= 0:
        raise ValueError(f"{name} is longer than nothing")


def amount(name: str, value: object) -> None:
    """Refuse what is no finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"{name} is a number above 0, not {value!r}")


def part(name: str, value: object) -> None:
    """Refuse what is no number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{name} is a part, a number from 0 to 1, not {value!r}")


def known(name: str, value: object, choices: Collection[str], *, otherwise: str = "") -> None:
    """Refuse what is none of some words."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name}={value!r} is unknown: there is {', '.join(map(repr, choices))}{otherwise}")


def names(what: str, given: Iterable[str], choices: Collection[str]) -> None:
    """Refuse a name that is none of some."""
    for name in given:
        if name not in choices:
            raise ValueError(f"{name!r} is no {what}: there is {', '.join(choices)}")


def function(name: str, value: object) -> None:
    """Refuse what can't be called, or gives its answer only when awaited."""
    if not callable(value) or inspect.isclass(value):
        raise ValueError(f"{name} is a function, not {value!r}")
    if inspect.iscoroutinefunction(value):
        raise ValueError(f"{name} is an async function: write def, its answer is needed at once")


def exceptions(name: str, value: object) -> tuple[type[BaseException], ...]:
    """Give an exception class, or a tuple or list of them, as a tuple."""
    kinds = several(value)
    found = tuple(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseException))
    if len(found) != len(kinds):
        raise ValueError(f"{name} is an exception class or a tuple of them, as in {name}=OSError, not {value!r}")
    return found


def several(value: object) -> tuple[object, ...]:
    """Give one thing, or a list or tuple of things, as a tuple."""
    return tuple(cast("Iterable[object]", value)) if isinstance(value, list | tuple) else (value,)
