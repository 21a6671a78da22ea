"""What can be asked of a task and of a pipeline beside its code."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from eventflow import durations
from eventflow.definition import places
from eventflow.durations import Duration


@dataclass(frozen=True, slots=True)
class Retry:
    """Try a task again after it failed.

    `attempts` counts the first one too. The wait before attempt *n + 1* is `delay * backoff ** (n - 1)`, at most `max_delay`, lengthened
    by a random part of up to `jitter` (0.1 is a tenth) so that many failures don't come back at once. Only exceptions that are
    instances of `on` are tried again.
    """

    attempts: int = 3
    delay: Duration = 1.0
    backoff: float = 1.0
    jitter: float = 0.0
    max_delay: Duration = "1h"
    on: tuple[type[BaseException], ...] = (Exception,)

    def __post_init__(self) -> None:
        with places.naming_the_line():
            if self.attempts < 1:
                raise ValueError(f"attempts={self.attempts}: a task is tried at least once")
            if not (1 <= self.backoff < math.inf and 0 <= self.jitter < math.inf):
                raise ValueError("backoff is at least 1, jitter at least 0")
            if not isinstance(self.on, tuple) or not all(issubclass(kind, BaseException) for kind in self.on):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ValueError("on is a tuple of exception classes, as in on=(OSError,)")
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


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """How one task, or one use of it, is run.

    `timeout` bounds one attempt. `at_most_once` records the start durably before the body and never starts it again by itself.
    `max_crashes` is how often the process may die under the task before it is held for the culprit.
    """

    name: str | None = None
    retry: Retry = field(default_factory=lambda: Retry(attempts=1))
    timeout: Duration | None = None
    at_most_once: bool = False
    max_crashes: int = 3

    def __post_init__(self) -> None:
        with places.naming_the_line():
            if self.timeout is not None and durations.seconds(self.timeout) <= 0:
                raise ValueError("timeout is longer than nothing")
            if self.max_crashes < 1:
                raise ValueError("max_crashes is at least 1")
            if not isinstance(self.retry, Retry):  # pyright: ignore[reportUnnecessaryIsInstance]  # not everybody runs a type checker
                raise TypeError(f"retry is a Retry(...), not {self.retry!r}")
            if self.at_most_once and self.retry.attempts > 1:
                raise ValueError("at_most_once can't be retried: choose one of the two")


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """How the runs of one pipeline are handled: `max_active_runs` bounds how many run at once, the others wait in a queue."""

    max_active_runs: int | None = None
    tags: tuple[str, ...] = ()
    description: str = ""

    def __post_init__(self) -> None:
        with places.naming_the_line():
            if self.max_active_runs is not None and self.max_active_runs < 1:
                raise ValueError("max_active_runs is at least 1")
            if isinstance(self.tags, str):
                raise TypeError(f"tags is a list of texts, not {self.tags!r}")
