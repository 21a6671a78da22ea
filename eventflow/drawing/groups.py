"""Which frames stand around the nodes that are in groups.

A frame is placed as a whole, so no line may leave it and lead back into it. Where a group's nodes have one from outside between them (a
teardown in a group often has), the group gets a second frame of the same name from there on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from eventflow.drawing.lines import Line


def grouped(names: Sequence[str], lines: Iterable[Line]) -> dict[str, tuple[str, ...]]:
    """Give the keys of the frames around each node, the outermost first. The names stand in order: no line leads backwards."""
    before: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        before[line.target].append(line.source)
    return {name: tuple(frames) for name, frames in _around(names, before, 0, "").items()}


def _around(names: Sequence[str], before: Mapping[str, Sequence[str]], depth: int, parent: str) -> dict[str, list[str]]:
    level = _Level()
    inside: dict[str, list[str]] = defaultdict(list)
    found: dict[str, list[str]] = {}
    for name in names:
        steps = name.split(".")
        if depth < len(steps) - 1:
            inside[level.place(name, f"{parent}{steps[depth]}", before.get(name, ()))].append(name)
        else:
            level.place(name, None, before.get(name, ()))
            found[name] = []
    for key, members in inside.items():
        found |= {name: [key, *frames] for name, frames in _around(members, before, depth + 1, f"{key}.").items()}
    return found


class _Level:
    """What stands beside each other in one frame: nodes, and frames with all that is in them as one thing."""

    def __init__(self) -> None:
        self._thing: dict[str, str] = {}
        self._before: dict[str, dict[str, None]] = {}
        self._frames: dict[str, int] = defaultdict(int)

    def place(self, name: str, group: str | None, before: Sequence[str]) -> str:
        """Place a node, in the newest frame of its group if no circle comes of it, and give the key of the thing that it is in."""
        sources = dict.fromkeys(self._thing[source] for source in before if source in self._thing)
        key = name if group is None else self._frame(group, sources)
        self._thing[name] = key
        self._before.setdefault(key, {}).update((source, None) for source in sources if source != key)
        return key

    def _frame(self, group: str, sources: Iterable[str]) -> str:
        newest = f"{group}#{self._frames[group]}"
        if newest not in self._behind(source for source in sources if source != newest):
            return newest
        self._frames[group] += 1
        return f"{group}#{self._frames[group]}"

    def _behind(self, things: Iterable[str]) -> set[str]:
        found: set[str] = set()
        waiting = list(things)
        while waiting:
            for thing in self._before[waiting.pop()]:
                if thing not in found:
                    found.add(thing)
                    waiting.append(thing)
        return found
