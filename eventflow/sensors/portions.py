"""Much at a time, in portions of which each fits into one observation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

PORTION = 500
"""Events and identities of one observation, which is one transaction; and what the journal is asked about at once."""


def portions(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Give items in their order, so many at a time."""
    return (items[start : start + PORTION] for start in range(0, len(items), PORTION))
