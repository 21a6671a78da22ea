"""Whether and when a task is tried again after it failed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from eventflow import durations
from eventflow.definition import checks, places
from eventflow.durations import Duration

Exceptions: TypeAlias = type[BaseException] | tuple[type[BaseException], ...]
"""One class of exceptions, or several."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Try a task again after it failed.

    `attempts` counts the first one too. The wait before attempt *n + 1* is `delay * backoff ** (n - 1)`, at most `max_delay`, lengthened
    by a random part of up to `jitter` (0.1 is a tenth) so that many failures don't come back at once. Only exceptions that are
    instances of `on`, not of `unless`, and for which `when(exception)` is true are tried again; a `when` that raises says no. `on` and
    `unless` are one class or several, and are kept as tuples.

    An exception that says itself how long to wait is taken at its word: in its attribute `retry_after` (seconds, a duration as text, a
    `timedelta`), or as the header `Retry-After` of its `response`.
    """

    attempts: int = 3
    delay: Duration = 1.0
    backoff: float = 1.0
    jitter: float = 0.0
    max_delay: Duration = "1h"
    on: Exceptions = (Exception,)
    unless: Exceptions = ()
    when: Callable[[BaseException], bool] | None = None

    def __post_init__(self) -> None:
        with places.naming_the_line():
            checks.whole("attempts", self.attempts)
            if not (1 <= self.backoff < math.inf and 0 <= self.jitter < math.inf):
                raise ValueError("backoff is at least 1, jitter at least 0")
            object.__setattr__(self, "on", checks.exceptions("on", self.on))
            object.__setattr__(self, "unless", checks.exceptions("unless", self.unless))
            if self.when is not None:
                checks.function("when", self.when)
            if durations.seconds(self.delay) > durations.seconds(self.max_delay):
                raise ValueError(f"delay={self.delay!r} is longer than max_delay={self.max_delay!r}: say max_delay as well")

    def wait(self, attempt: int, fraction: float) -> float:
        """Give the seconds to wait after a failed attempt (from 1 on); `fraction` in [0, 1) chooses the jitter."""
        delay, longest = durations.seconds(self.delay), durations.seconds(self.max_delay)
        try:
            plain = delay * float(self.backoff) ** (attempt - 1)
        except OverflowError:
            return longest if delay else 0.0
        return min(plain * (1 + self.jitter * fraction), longest)


def next_try(retry: Retry | tuple[Retry, ...], error: BaseException, failures: int, fraction: float) -> float | None:
    """Give in how many seconds a node that has failed `failures` times, just now with `error`, is tried again; None for no more.

    Of several rules the first that fits the exception decides; failures for which another one decided count as well. `fraction` in [0, 1)
    chooses the jitter. Calls the user's `when`; never raises.
    """
    for rule in (retry,) if isinstance(retry, Retry) else retry:
        if not isinstance(error, rule.on) or isinstance(error, rule.unless):
            continue
        try:
            fits = rule.when is None or bool(rule.when(error))
        except BaseException:  # noqa: BLE001  # user code: whatever it raises, what is told of the failure stays the task's own error
            return None
        if fits:
            return _wait(rule, error, failures, fraction)
    return None


def _wait(rule: Retry, error: BaseException, failures: int, fraction: float) -> float | None:
    if failures >= rule.attempts:
        return None
    asked = _asked(error)
    return rule.wait(failures, fraction) if asked is None else asked


def _asked(error: BaseException) -> float | None:
    """Give the seconds that an exception asks for, or None where it says nothing that makes sense."""
    for ask in (_by_attribute, _by_header):
        try:
            return _seconds(ask(error))
        except BaseException:  # noqa: BLE001, S112  # the exception is user code as well: what can't be read is as good as not said
            continue
    return None


def _by_attribute(error: object) -> object:
    return getattr(error, "retry_after")  # noqa: B009  # of whatever exception this is


def _by_header(error: object) -> object:
    response: object = getattr(error, "response")  # noqa: B009  # as above
    headers: object = getattr(response, "headers")  # noqa: B009
    return headers["Retry-After"]  # type: ignore[index]


def _seconds(asked: object) -> float:
    if isinstance(asked, str):
        plain = asked.strip()
        return durations.seconds(float(plain) if plain.isdecimal() else plain)
    return durations.seconds(asked)  # type: ignore[arg-type]  # it refuses whatever is none
