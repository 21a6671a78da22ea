from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from eventflow.definition.options import PipelineOptions, Retry, TaskOptions
from eventflow.errors import DefinitionError


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Retry(attempts=0), "tried at least once"),
        (lambda: Retry(delay="soon"), "'soon' is not a duration"),
        (lambda: Retry(max_delay="-1s"), "is not a duration"),
        (lambda: Retry(delay="2h"), "delay='2h' is longer than max_delay='1h': say max_delay as well"),
        (lambda: Retry(max_delay=1e11), "is longer than a thousand years"),
        (lambda: Retry(backoff=0.5), "backoff is at least 1"),
        (lambda: Retry(on=OSError), "tuple of exception classes"),  # type: ignore[arg-type]
        (lambda: Retry(on=("OSError",)), "issubclass"),  # type: ignore[arg-type]
        (lambda: Retry(attempts="3"), "'<' not supported"),  # type: ignore[arg-type]
        (lambda: TaskOptions(timeout="5 parsecs"), "'5 parsecs' is not a duration"),
        (lambda: TaskOptions(timeout=0), "longer than nothing"),
        (lambda: TaskOptions(max_crashes=0), "max_crashes is at least 1"),
        (lambda: TaskOptions(retry=3), r"retry is a Retry\(...\), not 3"),  # type: ignore[arg-type]
        (lambda: TaskOptions(at_most_once=True, retry=Retry()), "choose one of the two"),
        (lambda: PipelineOptions(max_active_runs=0), "max_active_runs is at least 1"),
        (lambda: PipelineOptions(tags="ml"), "list of texts"),  # type: ignore[arg-type]
    ],
)
def test_options_that_make_no_sense_are_refused_at_the_users_line(make: Callable[[], Any], says: str) -> None:
    with pytest.raises(DefinitionError, match=says) as caught:
        make()
    assert caught.value.where is not None
    assert caught.value.where.startswith(f"{__file__}:")


def test_waits_grow_by_the_backoff_up_to_the_longest() -> None:
    retry = Retry(attempts=9, delay="1s", backoff=2, max_delay="5s")
    assert [retry.wait(attempt, 0) for attempt in (1, 2, 3, 4)] == [1, 2, 4, 5]


def test_jitter_lengthens_a_wait_by_its_part() -> None:
    assert Retry(delay=10, jitter=0.1).wait(1, 0.5) == pytest.approx(10.5)
