"""Which runs run: of one pipeline and concurrency key at most `max_active_runs`; the others wait, the longest first.

A point of priority counts as much as `AGEING` seconds of waiting. So a run's place never changes once it is queued, a run of high
priority overtakes those that came shortly before it, and none waits for ever.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from typing import NamedTuple, TypeAlias

from eventflow.durations import SECOND
from eventflow.errors import InvalidRequest

LONGEST_KEY = 1000
"""Characters of a key, at most."""

HIGHEST_PRIORITY = 2**31 - 1

AGEING = 60
"""How many seconds of waiting a point of priority is worth."""


def aged(created_at: int, priority: int) -> int:
    """Give by what the waiting are sorted, smallest first: the instant from which something would have waited, were its priority 0."""
    return created_at - priority * AGEING * SECOND


class Admission:
    """The queues of all pipelines, and which runs are active. It decides and remembers; starting and cancelling are its caller's.

    Without a concurrency key the runs of a pipeline share one place in all that is said of keys. A suspended run isn't active: it has left.
    """

    def __init__(self) -> None:
        self._queues: dict[str, dict[str | None, list[_Place]]] = {}
        self._waiting: dict[str, tuple[_Lane, _Place]] = {}
        self._active: dict[_Lane, dict[str, None]] = {}
        self._entered: dict[str, _Lane] = {}
        self._paused: set[str] = set()
        self._begun: set[str] = set()
        self._last_seq, self._last_created_at = 0, 0

    def queue(
        self, pipeline: str, run: str, *, priority: int, created_at: int, seq: int, key: str | None = None, begun: bool = False
    ) -> None:
        """Put a run into its queue. It was submitted at the instant `created_at` by the fact at `seq`: give these in the order of `seq`.

        One that has `begun`, and was suspended in between, isn't replaced by another.
        """
        self.withdraw(run)
        if begun:
            self._begun.add(run)
        place = _Place(aged(self._in_order(seq, created_at), priority), seq, run)
        insort(self._queues.setdefault(pipeline, {}).setdefault(key, []), place)
        self._waiting[run] = ((pipeline, key), place)

    def withdraw(self, run: str) -> None:
        """Take a run out of its queue. Nothing happens where it is in none."""
        if run not in self._waiting:
            return
        self._begun.discard(run)
        (pipeline, key), place = self._waiting.pop(run)
        places = self._queues[pipeline][key]
        del places[bisect_left(places, place)]
        if not places:
            del self._queues[pipeline][key]

    def enter(self, pipeline: str, run: str, key: str | None = None) -> None:
        """Count a run as active."""
        self._active.setdefault((pipeline, key), {})[run] = None
        self._entered[run] = (pipeline, key)

    def leave(self, run: str) -> None:
        """Count a run as active no longer. Nothing happens where it wasn't."""
        lane = self._entered.pop(run, None)
        if lane is None:
            return
        del self._active[lane][run]
        if not self._active[lane]:
            del self._active[lane]

    def pause(self, pipeline: str) -> None:
        """Admit no run of a pipeline from here on. Those that are active are left alone."""
        self._paused.add(pipeline)

    def unpause(self, pipeline: str) -> None:
        """Let a pipeline go on."""
        self._paused.discard(pipeline)

    def is_paused(self, pipeline: str) -> bool:
        """Tell whether a pipeline is paused."""
        return pipeline in self._paused

    def admit(self, pipeline: str, limit: int | None) -> list[str]:
        """Give, in order, the runs that may run now, so that of one key never more than `limit` do. They count as active from here on."""
        queues = {} if self.is_paused(pipeline) else self._queues.get(pipeline, {})
        first = [(places[0], key) for key, places in queues.items()]
        heapq.heapify(first)
        admitted: list[str] = []
        while first:
            place, key = heapq.heappop(first)
            if limit is not None and len(self._active.get((pipeline, key), ())) >= limit:
                continue
            self.withdraw(place.run)
            self.enter(pipeline, place.run, key)
            admitted.append(place.run)
            if key in queues:
                heapq.heappush(first, (queues[key][0], key))
        return admitted

    def overlapping(self, pipeline: str, run: str, limit: int | None, policy: str) -> tuple[str, ...]:
        """Give the runs that are to be cancelled because `run` has just been queued, which isn't admitted yet; `policy` is `on_overlap`.

        None, as long as the active and the other queued runs of its key are fewer than `limit`. The queued ones come first, so that none
        of them is admitted in place of an active one that is cancelled.
        """
        key = self._waiting[run][0][1]
        queued = [place.run for place in self._queues[pipeline][key] if place.run != run]
        active = tuple(self._active.get((pipeline, key), ()))
        if limit is None or len(active) + len(queued) < limit:
            return ()
        replaced = tuple(one for one in queued if one not in self._begun)
        choices = {"skip": (run,), "replace_queued": replaced, "cancel_running": (*queued, *active)}
        return choices.get(policy, ())

    def _in_order(self, seq: int, created_at: int) -> int:
        """Give an instant that is never before that of an earlier submission: the clock may have been set back in between."""
        if seq < self._last_seq:
            return created_at
        self._last_seq, self._last_created_at = seq, max(created_at, self._last_created_at)
        return self._last_created_at


def check_wishes(key: object, priority: object) -> None:
    """Check under which key and how early somebody wants a run. Raises `InvalidRequest` for what the journal could not give back."""
    if key is not None and not _is_key(key):
        shown = f"{key:.40}..." if isinstance(key, str) and len(key) > 40 else repr(key)
        raise InvalidRequest(f"key={shown} is no key: give a text of 1 to {LONGEST_KEY} characters, or None")
    if isinstance(priority, bool) or not isinstance(priority, int) or abs(priority) > HIGHEST_PRIORITY:
        raise InvalidRequest(f"priority={priority!r} is no priority: give a whole number from {-HIGHEST_PRIORITY} to {HIGHEST_PRIORITY}")


_Lane: TypeAlias = tuple[str, str | None]
"""A pipeline, and a concurrency key of its runs."""


class _Place(NamedTuple):
    """Where a run stands in its queue."""

    aged: int
    seq: int
    run: str


def _is_key(key: object) -> bool:
    return isinstance(key, str) and 1 <= len(key) <= LONGEST_KEY and not any("\ud800" <= char <= "\udfff" for char in key)
