"""Out of exception groups, where only one thing went wrong: people want to catch that."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import cast

from eventflow.errors import JournalError


@contextmanager
def unwrapped() -> Generator[None]:
    """Raise what went wrong inside the block without the groups around it: a failed journal first, else the only exception there is."""
    try:
        yield
    except BaseExceptionGroup as group:
        leaves = list(_leaves(group))
        broken = [error for error in leaves if isinstance(error, JournalError)]
        if broken or len(leaves) == 1:
            found = (broken or leaves)[0]
            raise found from found.__cause__
        raise


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(cast("BaseExceptionGroup[BaseException]", error))
        else:
            yield error
