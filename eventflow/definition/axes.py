"""`each` and `across`: what marks the arguments of `.map(...)` that are lists, one item of which goes to each call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """A marked argument: its list, how items are named if it says so, and whether it is combined with all others (`is_own`)."""

    values: object
    key: Callable[[Any], object] | None
    is_own: bool

    @property
    def written(self) -> str:
        """The name of the marker."""
        return "across" if self.is_own else "each"


def each(values: Iterable[T], *, key: Callable[[T], object] | None = None) -> T:
    """Mark an argument of `.map(...)` as a list, one item of which goes to each call: `train.map(data=data, rate=each(rates))`.

    Several of them are taken in step, as `zip(..., strict=True)` does. The list may be known only when the run gets there. `key` names
    the items, given one of the list's: `train[slow]` instead of `train[0]`; at most one argument of a map has it.
    """
    return cast("T", Axis(values, key, is_own=False))


def across(values: Iterable[T], *, key: Callable[[T], object] | None = None) -> T:
    """Mark an argument of `.map(...)` as a list that is combined with all other ones, as nested loops would.

        train.map(rate=each(rates), depth=across([2, 4, 8]))

    Those in `each` are the outermost loop, then one loop for each `across`, as written. `key` is as for `each`.
    """
    return cast("T", Axis(values, key, is_own=True))
