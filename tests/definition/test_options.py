from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from eventflow.definition.options import RULES, MapOptions, PipelineOptions, TaskOptions, rate
from eventflow.definition.retries import Retry
from eventflow.definition.tasks import TaskDefaults
from eventflow.errors import DefinitionError


async def decide_later(states: Mapping[str, str]) -> bool:
    return bool(states)


BAD_TASK_OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"timeout": "5 parsecs"}, "'5 parsecs' is not a duration"),
    ({"timeout": 0}, "timeout is longer than nothing"),
    ({"queue_timeout": 0}, "queue_timeout is longer than nothing"),
    ({"queue_timeout": []}, "[] is not a duration"),
    ({"max_crashes": 0}, "max_crashes is at least 1"),
    ({"max_crashes": True}, "max_crashes is a whole number, not True"),
    ({"retry": 3}, "retry is a Retry(...), or a list of these, not 3"),
    ({"retry": [Retry(), "x"]}, "retry is a Retry(...), or a list of these, not 'x'"),
    ({"retry": []}, "the list is empty"),
    ({"at_most_once": True, "retry": Retry()}, "at_most_once can't be retried: choose one of the two"),
    ({"at_most_once": True, "retry": [Retry(attempts=1), Retry()]}, "can't be retried"),
    ({"rule": "all_sucess"}, "rule='all_sucess' is unknown: there is 'all_success', 'all_failed', "),
    ({"rule": "never"}, ", 'all_skipped', 'always', or a function of the states of the upstream nodes by name"),
    ({"rule": None}, "rule=None is unknown"),
    ({"rule": []}, "rule=[] is unknown"),
    ({"rule": decide_later}, "rule is an async function: write def, its answer is needed at once"),
    ({"rule": bool}, "rule is a function, not <class 'bool'>"),
    ({"skip": "pass"}, "skip='pass' is unknown: there is 'pass-through'"),
    ({"uses": {"gpu": 0}}, "uses of 'gpu' is a number above 0, not 0"),
    ({"uses": {"gpu": -1.5}}, "uses of 'gpu' is a number above 0, not -1.5"),
    ({"uses": {"gpu": "1"}}, "uses of 'gpu' is a number above 0, not '1'"),
    ({"uses": {"gpu": float("inf")}}, "uses of 'gpu' is a number above 0, not inf"),
    ({"uses": ["gpu"]}, "uses is a dict by name, not ['gpu']"),
    ({"uses": {1: 1}}, "uses is a dict by name"),
    ({"limit": "30"}, "limit='30' is no rate: write how many in a second, minute, hour or day, as in '30/m' (s, m, h, d)"),
    ({"limit": 30}, "limit=30 is no rate"),
]

BAD_PIPELINE_OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"max_active_runs": 0}, "max_active_runs is at least 1"),
    ({"max_active_runs": "1"}, "max_active_runs is a whole number, not '1'"),
    ({"on_overlap": "kill", "max_active_runs": 1}, "on_overlap='kill' is unknown: there is 'queue', 'skip', 'cancel_running', 'replace_"),
    ({"on_overlap": "skip"}, "on_overlap says what the limit max_active_runs is about: give that too, as in max_active_runs=1"),
    ({"concurrency_key": len}, "concurrency_key says what the limit max_active_runs is about"),
    ({"concurrency_key": "model", "max_active_runs": 1}, "concurrency_key is a function, not 'model'"),
    ({"timeout": -1}, "-1 is not a duration"),
    ({"timeout": 0}, "timeout is longer than nothing"),
    ({"queue_timeout": 0}, "queue_timeout is longer than nothing"),
    ({"pause_after": 0}, "pause_after is at least 1"),
    ({"on_code_change": "keep"}, "on_code_change='keep' is unknown: there is 'adopt', 'hold'"),
    ({"tags": "ml"}, "tags is a list of texts, not 'ml'"),
    ({"tags": ["ml", 5]}, "tags is a list of texts, not ['ml', 5]"),
    ({"owner": 5}, "description and owner are texts, not 5"),
    ({"description": None}, "description and owner are texts, not None"),
    ({"defaults": [Retry()]}, "defaults is a dict by name"),
]

BAD_MAP_OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"min_success": 1.1}, "min_success is a part, a number from 0 to 1, not 1.1"),
    ({"min_success": -0.1}, "min_success is a part"),
    ({"min_success": "all"}, "from 0 to 1, not 'all'"),
    ({"max_active_items": 0}, "max_active_items is at least 1"),
    ({"max_active_items": 1.5}, "max_active_items is a whole number, not 1.5"),
]

BAD = [
    *((TaskOptions, options, says) for options, says in BAD_TASK_OPTIONS),
    *((PipelineOptions, options, says) for options, says in BAD_PIPELINE_OPTIONS),
    *((MapOptions, options, says) for options, says in BAD_MAP_OPTIONS),
]


@pytest.mark.parametrize(("kind", "options", "says"), BAD, ids=[f"{kind.__name__}-{says}" for kind, _, says in BAD])
def test_options_that_make_no_sense_are_refused_at_the_users_line(kind: Callable[..., object], options: dict[str, Any], says: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        kind(**options)
    assert says in str(caught.value)
    assert caught.value.where is not None
    assert caught.value.where.startswith(f"{__file__}:")


def test_what_can_be_said_of_all_tasks_is_what_their_options_hold() -> None:
    held = {field.name for kind in (TaskOptions, MapOptions) for field in dataclasses.fields(kind)}
    assert held == set(TaskDefaults.__annotations__)


def test_lists_become_tuples() -> None:
    options = TaskOptions(retry=[Retry(), Retry(attempts=9)], on_failure=["a", "b"], on_cancel="c")  # type: ignore[arg-type]
    assert options.retry == (Retry(), Retry(attempts=9))
    assert (options.on_failure, options.on_cancel, options.on_success) == (("a", "b"), ("c",), ())
    assert PipelineOptions(tags=["ml"], finally_=["x"]) == PipelineOptions(tags=("ml",), finally_=("x",))  # type: ignore[arg-type]


def test_a_dict_of_amounts_is_copied() -> None:
    uses = {"gpu": 1}
    options = TaskOptions(uses=uses)
    uses["gpu"] = 2
    assert options.uses == {"gpu": 1}


@pytest.mark.parametrize("rule", [*RULES, lambda states: "failed" in states.values()])
def test_a_rule_is_one_of_the_known_ones_or_a_function(rule: Any) -> None:
    assert TaskOptions(rule=rule).rule == rule


def test_a_task_that_is_never_started_twice_may_have_a_fallback() -> None:
    assert TaskOptions(at_most_once=True, fallback=None, retry=Retry(attempts=1)).fallback is None


def test_an_overlap_and_a_key_go_with_a_limit() -> None:
    options = PipelineOptions(max_active_runs=2, on_overlap="cancel_running", concurrency_key=lambda arguments: arguments["model"])
    assert options.on_overlap == "cancel_running"


def test_lengths_of_time_may_be_timedeltas() -> None:
    assert PipelineOptions(timeout=timedelta(minutes=5)).timeout == timedelta(minutes=5)


@pytest.mark.parametrize(
    ("text", "means"), [("30/m", (30, 60.0)), ("1/s", (1, 1.0)), (" 5 / h ", (5, 3600.0)), ("1000/d", (1000, 86400.0))]
)
def test_a_rate_is_a_number_in_a_time(text: str, means: tuple[int, float]) -> None:
    assert rate(text) == means


@pytest.mark.parametrize("text", ["", "m", "30/w", "-1/m", "0/m", "1.5/m", "30 per minute", "30/m/s", "30m", "/m", "³/m", None, 30])
def test_what_is_no_rate_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="is no rate"):
        rate(text)
