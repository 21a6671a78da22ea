"""Which files a sensor is about: shell patterns, as people know them."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence

_ANY_FOLDERS = "**"


class Globs:
    """One or more shell patterns. As in a shell, a wildcard doesn't match a leading dot: `.hidden` takes `.*`.

    A pattern without `/` is about the name alone, in whatever folder; one with `/` about the path from the watched folder, where `**`
    stands for any number of folders. Upper and lower case differ. Raises `ValueError` for a pattern that could never match.
    """

    def __init__(self, patterns: str | Sequence[str]) -> None:
        self.patterns = (patterns,) if isinstance(patterns, str) else tuple(patterns)
        if not self.patterns:
            raise ValueError("match=[] matches nothing: give at least one pattern, such as '*.csv'")
        self._compiled = [_compile(pattern) for pattern in self.patterns]

    @property
    def reach_below(self) -> bool:
        """Whether a pattern is about folders below the watched one."""
        return any("/" in pattern for pattern in self.patterns)

    def names_in(self, folder: str) -> Callable[[str], bool]:
        """Give what tells whether a file is meant, by its name, in a folder, given by its path from the watched one: "" is that itself."""
        parts = folder.split("/") if folder else []
        names = [pattern[-1] for pattern in self._compiled if _fits(parts, pattern[:-1])]
        return lambda name: any(_matches(part, name) for part in names)

    def enter(self, path: str) -> bool:
        """Tell whether a folder may hold files that are meant: hidden folders only where a pattern names one."""
        name = path.rpartition("/")[2]
        return not name.startswith(".") or any(_matches(part, name) for pattern in self._compiled for part in pattern[:-1])


_Pattern = list[re.Pattern[str] | None]
"""A pattern part by part; None is `**`."""


def _compile(pattern: str) -> _Pattern:
    parts = pattern.split("/")
    if not all(parts) or "." in parts or ".." in parts or "\0" in pattern or parts[-1] == _ANY_FOLDERS:
        raise ValueError(
            f"match={pattern!r} can't match a file: give a name or a path from the watched folder, such as '*.csv' or '**/*.csv'"
        )
    if len(parts) == 1:
        parts.insert(0, _ANY_FOLDERS)
    return [None if part == _ANY_FOLDERS else _part(part) for part in parts]


def _part(part: str) -> re.Pattern[str]:
    hidden = "" if part.startswith(".") else r"(?!\.)"
    return re.compile(hidden + fnmatch.translate(part))


def _fits(parts: Sequence[str], pattern: Sequence[re.Pattern[str] | None]) -> bool:
    if not pattern:
        return not parts
    first, rest = pattern[0], pattern[1:]
    if first is None:
        return _fits(parts, rest) or (bool(parts) and not parts[0].startswith(".") and _fits(parts[1:], pattern))
    return bool(parts) and first.match(parts[0]) is not None and _fits(parts[1:], rest)


def _matches(part: re.Pattern[str] | None, name: str) -> bool:
    return part is not None and part.match(name) is not None
