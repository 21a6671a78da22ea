"""What can be asked of a task and of a pipeline beside its code."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal, TypeAlias, cast, get_args

from eventflow.definition import checks, places
from eventflow.definition.graph import DEFAULT_RULE
from eventflow.definition.retries import Retry
from eventflow.durations import Duration

Rule: TypeAlias = Literal[
    "all_success",
    "all_failed",
    "all_done",
    "all_done_min_one_success",
    "one_failed",
    "one_success",
    "one_done",
    "none_failed",
    "none_failed_min_one_success",
    "none_skipped",
    "all_skipped",
    "always",
]
Overlap: TypeAlias = Literal["queue", "skip", "cancel_running", "replace_queued"]
CodeChange: TypeAlias = Literal["adopt", "hold"]
Skip: TypeAlias = Literal["pass-through"]

RULES: tuple[str, ...] = get_args(Rule)
"""The trigger rules. `engine/rules.py` says what each of them decides."""

PREDICATE = "predicate"
"""What stands in a graph for a rule that is a function."""

Predicate = Callable[[Mapping[str, str]], bool]
"""A trigger rule of one's own: given the state of each upstream node by name, tells whether the node runs."""

OVERLAPS: tuple[str, ...] = get_args(Overlap)
"""What becomes of a run that is submitted while `max_active_runs` are active."""

CODE_CHANGES: tuple[str, ...] = get_args(CodeChange)
"""What an unfinished run does where the code has changed: take the new code, or wait for a person."""

SKIPS: tuple[str, ...] = get_args(Skip)
"""What a task can choose for being skipped: that its first input takes the place of its result."""

HOOKS = ("on_success", "on_failure", "on_cancel")
"""The options that hold tasks which run when a node or a run has ended so."""


class NoFallback(Enum):
    """Says that nothing takes the place of a failure: None may."""

    NONE = "no fallback"


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """How one task, or one use of it, is run.

    `retry` is one rule or several, of which the first whose `on` fits decides. `timeout` bounds one attempt. `at_most_once` records the
    start durably before the body and never starts it again by itself. `max_crashes` is how often the process may die under the task
    before it is held for the culprit. `rule` says when it runs, given how its upstream nodes ended. `fallback`, a value or another task
    with the same inputs, takes the place of a failure. `skip="pass-through"` hands the first input on where the task is skipped. `uses` are
    amounts of the engine's resources that an attempt holds, `limit` is how many attempts may start in what time, as in `30/m`, and
    `queue_timeout` how long a node may wait for these. The hooks are tasks that run when the node has ended so.
    """

    retry: Retry | tuple[Retry, ...] = field(default_factory=lambda: Retry(attempts=1))
    timeout: Duration | None = None
    at_most_once: bool = False
    max_crashes: int = 3
    rule: str | Predicate = DEFAULT_RULE
    fallback: object = NoFallback.NONE
    skip: str | None = None
    uses: Mapping[str, float] = field(default_factory=dict[str, float])
    limit: str | None = None
    queue_timeout: Duration | None = None
    on_success: tuple[object, ...] = ()
    on_failure: tuple[object, ...] = ()
    on_cancel: tuple[object, ...] = ()

    def __post_init__(self) -> None:
        with places.naming_the_line():
            checks.length("timeout", self.timeout)
            checks.length("queue_timeout", self.queue_timeout)
            checks.whole("max_crashes", self.max_crashes)
            object.__setattr__(self, "retry", _retries(self.retry))
            if self.at_most_once and is_tried_again(self):
                raise ValueError("at_most_once can't be retried: choose one of the two")
            _check_rule(self.rule)
            if self.skip is not None:
                checks.known("skip", self.skip, SKIPS)
            object.__setattr__(self, "uses", _amounts(self.uses))
            if self.limit is not None:
                rate(self.limit)
            for hook in HOOKS:
                object.__setattr__(self, hook, checks.several(getattr(self, hook)))


@dataclass(frozen=True, slots=True)
class MapOptions:
    """How a map is run: which part of its items must succeed (0.9 is nine tenths), and how many of them run at once."""

    min_success: float = 1.0
    max_active_items: int | None = None

    def __post_init__(self) -> None:
        with places.naming_the_line():
            checks.part("min_success", self.min_success)
            if self.max_active_items is not None:
                checks.whole("max_active_items", self.max_active_items)


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """How the runs of one pipeline are handled.

    `max_active_runs` bounds how many run at once, of the same `concurrency_key` if there is one (given the arguments by name); `on_overlap`
    says what becomes of others. `timeout` bounds a run's own time, without what it spent suspended; `queue_timeout` its time in the queue.
    `pause_after` so many failed runs in a row the pipeline is paused. `on_code_change="hold"` has unfinished runs wait for a person where
    the code has changed. `defaults` hold for tasks that don't say otherwise. `finally_` are tasks that run at the end whatever happened,
    the hooks where it happened so.
    """

    max_active_runs: int | None = None
    tags: tuple[str, ...] = ()
    description: str = ""
    owner: str = ""
    on_overlap: str = "queue"
    concurrency_key: Callable[[Mapping[str, Any]], object] | None = None
    timeout: Duration | None = None
    queue_timeout: Duration | None = None
    pause_after: int | None = None
    on_code_change: str = "adopt"
    defaults: Mapping[str, object] = field(default_factory=dict[str, object])
    finally_: tuple[object, ...] = ()
    on_success: tuple[object, ...] = ()
    on_failure: tuple[object, ...] = ()
    on_cancel: tuple[object, ...] = ()

    def __post_init__(self) -> None:
        with places.naming_the_line():
            self._check_runs()
            checks.length("timeout", self.timeout)
            checks.length("queue_timeout", self.queue_timeout)
            if self.pause_after is not None:
                checks.whole("pause_after", self.pause_after)
            checks.known("on_code_change", self.on_code_change, CODE_CHANGES)
            _check_texts(self.description, self.owner)
            object.__setattr__(self, "tags", _texts("tags", self.tags))
            object.__setattr__(self, "defaults", dict(_mapping("defaults", self.defaults)))
            for tasks in ("finally_", *HOOKS):
                object.__setattr__(self, tasks, checks.several(getattr(self, tasks)))

    def _check_runs(self) -> None:
        checks.known("on_overlap", self.on_overlap, OVERLAPS)
        if self.concurrency_key is not None:
            checks.function("concurrency_key", self.concurrency_key)
        if self.max_active_runs is not None:
            checks.whole("max_active_runs", self.max_active_runs)
        elif self.on_overlap != "queue" or self.concurrency_key is not None:
            said = "on_overlap" if self.on_overlap != "queue" else "concurrency_key"
            raise ValueError(f"{said} says what the limit max_active_runs is about: give that too, as in max_active_runs=1")


def rate(text: str) -> tuple[int, float]:
    """Give how many in how many seconds a limit such as `30/m` allows: `(30, 60.0)`. Raises `ValueError` for anything else."""
    written = _RATE.fullmatch(text) if isinstance(text, str) else None  # pyright: ignore[reportUnnecessaryIsInstance]
    if written is None or int(written[1]) < 1:
        raise ValueError(f"limit={text!r} is no rate: write how many in a second, minute, hour or day, as in '30/m' (s, m, h, d)")
    return int(written[1]), _PERIODS[written[2]]


def is_tried_again(options: TaskOptions) -> bool:
    """Tell whether a task with these options may be tried more than once."""
    rules = (options.retry,) if isinstance(options.retry, Retry) else options.retry
    return any(rule.attempts > 1 for rule in rules)


def _retries(value: object) -> Retry | tuple[Retry, ...]:
    rules = checks.several(value)
    for rule in rules:
        if not isinstance(rule, Retry):
            raise ValueError(f"retry is a Retry(...), or a list of these, not {rule!r}")
    if not rules:
        raise ValueError("retry is a Retry(...), or a list of these: the list is empty")
    return cast("Retry | tuple[Retry, ...]", value if isinstance(value, Retry) else rules)


def _check_rule(rule: object) -> None:
    if callable(rule):
        checks.function("rule", rule)
    else:
        checks.known("rule", rule, RULES, otherwise=", or a function of the states of the upstream nodes by name")


def _amounts(uses: object) -> dict[str, float]:
    amounts = _mapping("uses", uses)
    for name, value in amounts.items():
        checks.amount(f"uses of {name!r}", value)
    return cast("dict[str, float]", dict(amounts))


def _mapping(name: str, value: object) -> Mapping[str, object]:
    given = cast("Mapping[object, object]", value) if isinstance(value, Mapping) else {None: None}
    if not all(isinstance(key, str) for key in given):
        raise ValueError(f"{name} is a dict by name, not {value!r}")
    return cast("Mapping[str, object]", given)


def _texts(name: str, value: object) -> tuple[str, ...]:
    given = () if isinstance(value, str) else checks.several(value)
    texts = tuple(text for text in given if isinstance(text, str))
    if isinstance(value, str) or len(texts) < len(given):
        raise ValueError(f"{name} is a list of texts, not {value!r}")
    return texts


def _check_texts(*values: object) -> None:
    for value in values:
        if not isinstance(value, str):
            raise ValueError(f"description and owner are texts, not {value!r}")


_RATE = re.compile(r"\s*([0-9]{1,9})\s*/\s*([smhd])\s*")
_PERIODS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
