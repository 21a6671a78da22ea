"""Named amounts that running attempts hold: two GPUs, 64 GB of memory. What is free is what nobody holds; no counter can drift.

An attempt gets all that it needs at once or waits, so attempts never wait for each other in a circle. Of those who wait for the same, the
first keeps what there is of it from everybody behind, so that many small demands can't starve a big one; who needs something else passes.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from bisect import bisect_left, insort
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple, TypeAlias

from eventflow import ids
from eventflow.errors import DefinitionError

LARGEST = 10**15
"""How much there may be of a resource: a petabyte in bytes."""


class Hold:
    """Amounts that somebody holds until `release` is called."""

    def __init__(self, release: Callable[[], None]) -> None:
        self._release = release

    def release(self) -> None:
        """Give the amounts back, and hand them to whoever waits next before this returns. A second call does nothing."""
        self._release()


class Resources:
    """What there is of each resource, who holds how much of it, and who waits, by order and then arrival.

    Raises `ValueError` for sizes that are none.
    """

    def __init__(self, sizes: Mapping[str, float]) -> None:
        check_sizes(sizes)
        self._sizes = dict(sizes)
        self._held: dict[str, dict[_Claim, int]] = {name: {} for name in sizes}
        self._waiting: dict[_Demand, list[_Claim]] = {}
        self._arrivals = itertools.count()

    def check(self, uses: Mapping[str, float], where: str | None = None) -> None:
        """Raise `DefinitionError`, at the place `where`, for a demand that could never be met."""
        for name, amount in uses.items():
            if name not in self._sizes:
                raise DefinitionError(f"uses={{{name!r}: {amount}}}: there is no such resource; {self._declared()}: {_DECLARING}", where)
            if not 0 < amount <= self._sizes[name]:
                raise DefinitionError(f"uses={{{name!r}: {amount}}} can never be had: there is {_said(self._sizes[name])} of it", where)

    def free(self, name: str) -> float:
        """Give how much of a resource nobody holds."""
        return self._left(name) / _PARTS

    async def acquire(self, uses: Mapping[str, float], order: int = 0) -> Hold:
        """Wait for amounts and hold them until they are released. The smallest `order` comes first, such as `admission.aged` gives.

        Cancelled, it holds nothing. Raises `DefinitionError` as `check` does.
        """
        if not uses:
            return Hold(_nothing)
        self.check(uses)
        claim = _Claim(order, next(self._arrivals), _demand(uses), asyncio.Event())
        insort(self._waiting.setdefault(claim.demand, []), claim)
        self._grant()
        try:
            await claim.granted.wait()
        except BaseException:  # a cancellation, which may come after the amounts have been granted
            self._drop(claim)
            raise
        return Hold(partial(self._drop, claim))

    def _drop(self, claim: _Claim) -> None:
        """Take back a claim, whether it holds or waits."""
        if not claim.granted.is_set():
            self._unqueue(claim)
        for name, _ in claim.demand:
            self._held[name].pop(claim, None)
        self._grant()

    def _grant(self) -> None:
        """Grant what can be granted, in order."""
        left = {name: self._left(name) for name in self._sizes}
        first = [claims[0] for claims in self._waiting.values()]
        heapq.heapify(first)
        while first:
            claim = heapq.heappop(first)
            for name, amount in claim.demand:
                left[name] -= amount  # also where it isn't enough: what is there is kept for this claim
            if all(left[name] >= 0 for name, _ in claim.demand):
                self._give(claim)
                if claim.demand in self._waiting:
                    heapq.heappush(first, self._waiting[claim.demand][0])

    def _give(self, claim: _Claim) -> None:
        self._unqueue(claim)
        for name, amount in claim.demand:
            self._held[name][claim] = amount
        claim.granted.set()

    def _unqueue(self, claim: _Claim) -> None:
        claims = self._waiting[claim.demand]
        del claims[bisect_left(claims, claim)]
        if not claims:
            del self._waiting[claim.demand]

    def _left(self, name: str) -> int:
        return _parts(self._sizes[name]) - sum(self._held[name].values())

    def _declared(self) -> str:
        if not self._sizes:
            return "none is declared"
        return f"there is {', '.join(f'{_said(size)} of {name!r}' for name, size in sorted(self._sizes.items()))}"


def check_sizes(sizes: Mapping[str, float]) -> None:
    """Raise `ValueError` for what can't name a resource, or is no amount of it."""
    for name, size in sizes.items():
        if misnamed := ids.misnamed(name, "resource"):
            raise ValueError(misnamed)
        if isinstance(size, bool) or not isinstance(size, int | float) or not 0 < size <= LARGEST:  # pyright: ignore[reportUnnecessaryIsInstance] - settings are what people write
            raise ValueError(f"resource {name!r} is a number above 0 and up to {LARGEST}, not {size!r}")


_DECLARING = "say how much there is in [tool.eventflow.resources], open_engine(resources={...}) or run(p.bind(...), resources={...})"

_PARTS = 1_000_000
"""Amounts are counted in millionths, as whole numbers: unlike sums of fractions, theirs are exact."""

_Demand: TypeAlias = tuple[tuple[str, int], ...]
"""How many millionths of which resources, by name."""


class _Claim(NamedTuple):
    """Somebody who waits for amounts, or holds them. No two have arrived at once, so that comparing them ends there."""

    order: int
    arrival: int
    demand: _Demand
    granted: asyncio.Event


def _demand(uses: Mapping[str, float]) -> _Demand:
    return tuple((name, _parts(amount)) for name, amount in sorted(uses.items()))


def _parts(amount: float) -> int:
    return max(1, round(amount * _PARTS))


def _said(amount: float) -> str:
    return f"{amount:.15g}"


def _nothing() -> None:
    """Release what holds nothing."""
