"""How the lists of a map make its items: lists of one axis in step, axes of different numbers in all combinations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

MOST_ITEMS = 1_000_000
"""The most items that a map takes."""

LONGEST_KEY = 100
"""Characters of the key of an item, at most."""

_FORBIDDEN = "[]/"


class Axes:
    """The shape of a map: `axes` by the inputs' names, and the lengths of their lists. The first axis changes slowest.

    Raises `ValueError` where lists of one axis differ in length, or where there are too many items.
    """

    def __init__(self, axes: Mapping[str, int], lengths: Mapping[str, int]) -> None:
        self._axes = axes
        sizes: dict[int, int] = {}
        for name, length in sorted(lengths.items(), key=lambda item: axes[item[0]]):
            if sizes.setdefault(axes[name], length) != length:
                raise ValueError(f"lists that are mapped over in step must be of one length: {_lengths(axes, lengths, axes[name])}")
        self._sizes = sizes
        self.count = math.prod(sizes.values()) if sizes else 0
        if self.count > MOST_ITEMS:
            raise ValueError(f"all combinations are {self.count:,} items, and {MOST_ITEMS:,} is the most that a map takes")

    def place(self, name: str, index: int) -> int:
        """Give the place in one input's list that belongs to the item at `index`."""
        axis = self._axes[name]
        faster = math.prod(size for number, size in self._sizes.items() if number > axis)
        return index // faster % self._sizes[axis]

    def keys(self, said: Sequence[object]) -> list[str]:
        """Give the items' names as a function said them. Raises `ValueError` for one that can't name an item, or names two."""
        names: dict[str, int] = {}
        for index, key in enumerate(said):
            name = _checked(key)
            if name in names:
                raise ValueError(f"key={name!r} names two items, number {names[name]} and {index}: each needs a key of its own")
            names[name] = index
        return list(names)


def _checked(key: object) -> str:
    if isinstance(key, bool) or not isinstance(key, str | int):
        raise ValueError(f"{key!r} can't name an item: a key is a text or a whole number")
    name = str(key)
    if not 0 < len(name) <= LONGEST_KEY or not name.isprintable() or any(char in name for char in _FORBIDDEN):
        raise ValueError(f"{name!r} can't name an item: a key has 1 to {LONGEST_KEY} printable characters, without [ ] and /")
    return name


def _lengths(axes: Mapping[str, int], lengths: Mapping[str, int], axis: int) -> str:
    return ", ".join(f"{name!r} has {length}" for name, length in lengths.items() if axes[name] == axis)
