"""Options that several kinds of sensor have, and their checks. Each check raises a `ValueError` that names the option."""

from __future__ import annotations

from typing import Literal, TypeVar, get_args

from eventflow.durations import Duration, seconds
from eventflow.ids import misnamed

Existing = Literal["fire", "ignore"]
"""What becomes of what is there at the first look ever."""

Identity = Literal["version", "content", "path"]
"""What tells a file or an object from all others."""

W = TypeVar("W", bound=str)


def name_of(name: str, kind: str = "sensor") -> str:
    """Give a name that a sensor can have. `kind` is what people call it."""
    if mistake := misnamed(name, kind):
        raise ValueError(mistake)
    return name


def choice(option: str, value: W, kind: object) -> W:
    """Give one of the words of a `Literal`."""
    allowed = get_args(kind)
    if value not in allowed:
        *most, last = map(repr, allowed)
        raise ValueError(f"{option}={value!r} is unknown: use {', '.join(most)} or {last}")
    return value


def whole(option: str, value: int, *, most: int | None = None) -> int:
    """Give a whole number from 1 on, no larger than it may be."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1 or (most is not None and value > most):  # pyright: ignore[reportUnnecessaryIsInstance] - what people write isn't what was asked for
        raise ValueError(f"{option}={value!r}: give a whole number, {'1 or more' if most is None else f'from 1 to {most}'}")
    return value


def length(option: str, value: Duration, *, least: Duration = 0, most: Duration | None = None) -> float:
    """Give a length of time in seconds, neither shorter nor longer than it may be."""
    given = seconds(value)
    if given < seconds(least):
        raise ValueError(f"{option}={value!r} is too short: use at least {least!r}")
    if most is not None and given > seconds(most):
        raise ValueError(f"{option}={value!r} is too long: use at most {most!r}")
    return given


def pause(option: str, value: Duration, least: Duration) -> float:
    """Give how often something is done, as the seconds from one time to the next."""
    given = seconds(value)
    if given < seconds(least):
        raise ValueError(f"{option}={value!r} is too often: use at least {least!r}")
    return given
