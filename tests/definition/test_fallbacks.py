from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eventflow.definition.bodies import Body
from eventflow.definition.options import NoFallback
from eventflow.definition.pipelines import Pipeline
from eventflow.definition.retries import Retry
from eventflow.definition.tasks import Task, task
from eventflow.errors import DefinitionError


@task
def fetch(address: str, timeout: float = 1.0) -> bytes:
    raise NotImplementedError


@task(retry=Retry(attempts=2))
def from_cache(address: str) -> bytes:
    raise NotImplementedError


@task
def nothing() -> bytes:
    raise NotImplementedError


@task
def logs(address: str, reason: str = "unknown", **others: object) -> bytes:
    raise NotImplementedError


@task
def counts(address: str) -> int:
    raise NotImplementedError


@task
def other_input(address: int) -> bytes:
    raise NotImplementedError


@task
def needs_more(address: str, user: str) -> bytes:
    raise NotImplementedError


@task
def needs_timeout(address: str, timeout: float) -> bytes:
    raise NotImplementedError


@task
def anything(address: str):  # type: ignore[no-untyped-def]
    raise NotImplementedError


def body_of(one: Task[..., Any, Any]) -> Body:
    def body() -> None:
        one("x")

    found = Pipeline("p", body).definition.bodies[one.name]
    assert isinstance(found, Body)
    return found


def test_without_one_there_is_none() -> None:
    body = body_of(fetch)
    assert (body.fallback, body.options.fallback) == (None, NoFallback.NONE)


@pytest.mark.parametrize("fallback", [from_cache, nothing, logs, fetch, anything])
def test_a_task_stands_in_with_its_own_options(fallback: Task[..., Any, Any]) -> None:
    body = body_of(fetch.options(fallback=fallback))
    assert body.fallback is not None
    assert body.fallback.fn is fallback.fn
    assert body.fallback.options == fallback.settings


def test_a_fallback_may_have_one_itself() -> None:
    body = body_of(fetch.options(fallback=from_cache.options(fallback=b"")))
    assert body.fallback is not None
    assert body.fallback.options.fallback == b""


def test_a_pipelines_defaults_hold_for_a_fallback_apart_from_those_about_values() -> None:
    def body() -> None:
        fetch.options(fallback=from_cache)("x")

    found: Any = Pipeline("p", body, defaults={"timeout": 9, "fallback": b"?"}).definition.bodies["fetch"]
    assert (found.fallback.options.timeout, found.fallback.options.retry) == (9, Retry(attempts=2))
    assert found.fallback.options.fallback is NoFallback.NONE


@pytest.mark.parametrize("value", [b"", b"old"])
def test_a_value_stands_in(value: bytes) -> None:
    assert body_of(fetch.options(fallback=value)).options.fallback == value


def test_none_stands_in_where_nothing_forbids_it() -> None:
    assert body_of(anything.options(fallback=None)).options.fallback is None


UNFIT: dict[str, tuple[object, str]] = {
    "none": (None, "the fallback of task 'fetch' gives None, but stands for bytes: give one of these, or widen the annotation"),
    "a number": (5, "the fallback of task 'fetch' gives int, but stands for bytes"),
    "a path": (Path("x"), "gives PosixPath, but stands for bytes"),
    "another result": (counts, "the fallback of task 'fetch', 'counts', gives int, but stands for bytes"),
    "another input": (other_input, "'other_input', wants int as 'address', but the task's is str: take the same"),
    "more inputs": (needs_more, "'needs_more', needs 'user', which the task isn't always given: give it a default there"),
    "an input that may be left out": (needs_timeout, "'needs_timeout', needs 'timeout', which the task isn't always given"),
}


@pytest.mark.parametrize(("fallback", "says"), UNFIT.values(), ids=UNFIT)
def test_what_can_not_stand_in_is_refused_where_the_task_is_used(fallback: object, says: str, line: Callable[[str], str]) -> None:
    def body() -> None:
        fetch.options(fallback=fallback)("x")  # used here

    with pytest.raises(DefinitionError) as caught:
        _ = Pipeline("p", body).definition
    assert says in str(caught.value)
    assert caught.value.where == line("used here")


def test_a_fallbacks_code_is_part_of_the_fingerprint() -> None:
    uses = [fetch, fetch.options(fallback=from_cache), fetch.options(fallback=nothing), fetch.options(fallback=b"")]
    assert len({use.fingerprint for use in uses}) == len(uses)
