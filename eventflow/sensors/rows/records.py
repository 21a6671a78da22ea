"""What reading in order asks of a database: rows behind a place, places without their rows, rows by their keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from eventflow.sensors.rows.layout import Layout
from eventflow.sensors.rows.places import Place


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a row is, and which one."""

    place: Place
    key: tuple[object, ...]
    version: object = None


@dataclass(frozen=True, slots=True)
class Found:
    """A row: where it is, its columns as plain data, the instant that its place begins with (microseconds UTC), a digest of its `fixed`."""

    spot: Spot
    data: dict[str, object]
    time: int | None
    digest: str


class Records(Protocol):
    """One table that fulfils its condition, through an open connection. No call leaves a transaction open."""

    @property
    def layout(self) -> Layout:
        """How the table is made."""
        ...

    @property
    def counts(self) -> bool:
        """Whether rows are named by whole numbers, which may be used again."""
        ...

    async def behind(self, after: Place | None, limit: int) -> list[Found]:
        """Give the next rows in order."""
        ...

    async def spots(self, since: object, after: Place | None, until: Place, limit: int) -> list[Spot]:
        """Give where rows are, in order: those whose place begins with `since` (if not None) or more, behind `after`, up to `until`."""
        ...

    async def there(self, after: Place | None, until: Place, limit: int) -> list[Spot]:
        """Give where rows are, in order, whatever the condition: those behind `after`, up to `until`."""
        ...

    async def fetch(self, keys: Sequence[tuple[object, ...]]) -> list[Found]:
        """Give the rows with these keys that are there, in order."""
        ...

    async def last(self) -> Place | None:
        """Give the last place in the table, whatever the condition; None in an empty one."""
        ...

    async def largest(self) -> int | None:
        """Give the largest key in the table, whatever the condition; None in an empty one. Called where `counts` holds."""
        ...

    async def digests(self, keys: Sequence[int]) -> dict[int, str]:
        """Give, by key, the digests of `fixed` of the rows that are there, whatever the condition. Called where `counts` holds."""
        ...

    async def complaint(self, seconds: float) -> str | None:
        """Say why reading so many rows took so long, where no index serves the order."""
        ...
