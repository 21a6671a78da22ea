"""Trigger rules: whether a node runs, given how the nodes that it depends on have ended. Pure, and blind to the order of the endings.

A rule answers as soon as its answer can no longer change, whatever is still to come. `failed` stands here for every ending that is neither
good nor skipped: failed, upstream_failed, cancelled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum

from eventflow import states
from eventflow.definition.options import PREDICATE


class Verdict(Enum):
    """What a gate says: run the node, skip it, let it fail with its upstream, or ask its predicate."""

    RUN = "run"
    SKIP = "skip"
    FAIL = "fail"
    ASK = "ask"


class Tally:
    """How many upstream outcomes were good, skipped or failed, and how many of them (`total`) are still to come."""

    __slots__ = ("failed", "left", "skipped", "succeeded", "total")

    def __init__(self, total: int) -> None:
        self.left = self.total = total
        self.succeeded = self.skipped = self.failed = 0

    def count(self, state: str) -> None:
        """Count one more outcome."""
        self.left -= 1
        if state == states.SUCCEEDED:
            self.succeeded += 1
        elif state == states.SKIPPED:
            self.skipped += 1
        else:
            self.failed += 1


def verdict(rule: str, tally: Tally) -> Verdict | None:
    """Give what a rule says of the outcomes so far, None as long as it depends on those to come. With none at all, yes."""
    if tally.total or rule == PREDICATE:
        return _RULES[rule](tally)
    return Verdict.RUN


def _all_success(tally: Tally) -> Verdict | None:
    if tally.failed:
        return Verdict.FAIL
    return _once_all(tally, Verdict.SKIP if tally.skipped else Verdict.RUN)


def _all_failed(tally: Tally) -> Verdict | None:
    if tally.succeeded or tally.skipped:
        return Verdict.SKIP
    return _once_all(tally, Verdict.RUN)


def _all_done(tally: Tally) -> Verdict | None:
    return _once_all(tally, Verdict.RUN)


def _all_done_min_one_success(tally: Tally) -> Verdict | None:
    return _once_all(tally, Verdict.RUN if tally.succeeded else _without_success(tally))


def _one_failed(tally: Tally) -> Verdict | None:
    return Verdict.RUN if tally.failed else _once_all(tally, Verdict.SKIP)


def _one_success(tally: Tally) -> Verdict | None:
    return Verdict.RUN if tally.succeeded else _once_all(tally, _without_success(tally))


def _one_done(tally: Tally) -> Verdict | None:
    return Verdict.RUN if tally.succeeded or tally.failed else _once_all(tally, Verdict.SKIP)


def _none_failed(tally: Tally) -> Verdict | None:
    return Verdict.FAIL if tally.failed else _once_all(tally, Verdict.RUN)


def _none_failed_min_one_success(tally: Tally) -> Verdict | None:
    if tally.failed:
        return Verdict.FAIL
    return _once_all(tally, Verdict.RUN if tally.succeeded else Verdict.SKIP)


def _none_skipped(tally: Tally) -> Verdict | None:
    return Verdict.SKIP if tally.skipped else _once_all(tally, Verdict.RUN)


def _all_skipped(tally: Tally) -> Verdict | None:
    return Verdict.SKIP if tally.succeeded or tally.failed else _once_all(tally, Verdict.RUN)


def _always(_: Tally) -> Verdict | None:
    return Verdict.RUN


def _predicate(tally: Tally) -> Verdict | None:
    return _once_all(tally, Verdict.ASK)


def _without_success(tally: Tally) -> Verdict:
    return Verdict.FAIL if tally.failed else Verdict.SKIP


def _once_all(tally: Tally, answer: Verdict) -> Verdict | None:
    return None if tally.left else answer


_RULES: Mapping[str, Callable[[Tally], Verdict | None]] = {
    "all_success": _all_success,
    "all_failed": _all_failed,
    "all_done": _all_done,
    "all_done_min_one_success": _all_done_min_one_success,
    "one_failed": _one_failed,
    "one_success": _one_success,
    "one_done": _one_done,
    "none_failed": _none_failed,
    "none_failed_min_one_success": _none_failed_min_one_success,
    "none_skipped": _none_skipped,
    "all_skipped": _all_skipped,
    "always": _always,
    PREDICATE: _predicate,
}
