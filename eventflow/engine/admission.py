"""Which runs run: at most `max_active_runs` of a pipeline, the others in a queue, higher priority first and then as submitted."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator

from eventflow.errors import InvalidRequest

LONGEST_KEY = 1000
"""Characters of a key, at most."""

HIGHEST_PRIORITY = 2**31 - 1


class Admission:
    """The queues of all pipelines. It decides and remembers; starting is its caller's."""

    def __init__(self) -> None:
        self._queues: dict[str, list[tuple[int, int, str]]] = {}
        self._active: Counter[str] = Counter()
        self._gone: set[str] = set()

    def queue(self, pipeline: str, run: str, priority: int, seq: int) -> None:
        """Put a run into the queue. `seq` is the place of the fact that submitted it."""
        heapq.heappush(self._queues.setdefault(pipeline, []), (-priority, seq, run))

    def enter(self, pipeline: str) -> None:
        """Count a run that runs already."""
        self._active[pipeline] += 1

    def leave(self, pipeline: str) -> None:
        """Count a run as no longer running."""
        self._active[pipeline] -= 1

    def withdraw(self, run: str) -> None:
        """Take a run out of its queue."""
        self._gone.add(run)

    def admit(self, pipeline: str, limit: int | None) -> Iterator[str]:
        """Give, one by one, the runs that may run now, of which there are never more than `limit`; each is counted as running."""
        queue = self._queues.get(pipeline, [])
        while queue and (limit is None or self._active[pipeline] < limit):
            _, _, run = heapq.heappop(queue)
            if run in self._gone:
                self._gone.discard(run)
                continue
            self._active[pipeline] += 1
            yield run


def check_wishes(key: object, priority: object) -> None:
    """Check under which key and how early somebody wants a run. Raises `InvalidRequest` for what the journal could not give back."""
    if key is not None and not _is_key(key):
        shown = f"{key:.40}..." if isinstance(key, str) and len(key) > 40 else repr(key)
        raise InvalidRequest(f"key={shown} is no key: give a text of 1 to {LONGEST_KEY} characters, or None")
    if isinstance(priority, bool) or not isinstance(priority, int) or abs(priority) > HIGHEST_PRIORITY:
        raise InvalidRequest(f"priority={priority!r} is no priority: give a whole number from {-HIGHEST_PRIORITY} to {HIGHEST_PRIORITY}")


def _is_key(key: object) -> bool:
    return isinstance(key, str) and 1 <= len(key) <= LONGEST_KEY and not any("\ud800" <= char <= "\udfff" for char in key)
