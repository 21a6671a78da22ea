"""Which version of each row has fired last.

What a table is in update mode is a version for each key, and what must be known is which of these have fired. So the journal keeps one
identity for each row: that of an older version is forgotten when a newer one fires. Which one that is, only this memory can tell.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from eventflow.ports import Seen
from eventflow.sensors.rows.values import unversioned


@dataclass(frozen=True, slots=True)
class Change:
    """Identities that rows no longer have, and such as they have again."""

    left: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()


class Versions:
    """The identity of the last version of each row, read from the journal when it is first asked for."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._last: dict[str, str] | None = None

    async def note(self, names: Iterable[str], taken: Collection[str]) -> Change:
        """Note the identities that rows have now, in the order in which they were read, of which some are taken already."""
        if self._last is None:
            self._last = await self._known()
        had: dict[str, set[str]] = {}
        for name in names:
            row = unversioned(name)
            if row is None or self._last.get(row) == name:
                continue
            had.setdefault(row, set()).update({name, self._last.get(row, name)})
            self._last[row] = name
        left = tuple(name for row, several in had.items() for name in sorted(several) if name != self._last[row])
        return Change(left, tuple(self._last[row] for row in had if self._last[row] in taken))

    async def _known(self) -> dict[str, str]:
        every = (name for name, gone in (await self._seen.all()).items() if gone is None)
        return {row: name for name in every if (row := unversioned(name)) is not None}
