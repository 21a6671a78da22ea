from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NoReturn

import pytest

from eventflow.definition.retries import Retry, next_try
from eventflow.errors import DefinitionError


class Busy(OSError):
    def __init__(self, retry_after: object) -> None:
        super().__init__("busy")
        self.retry_after = retry_after


class Unavailable(Exception):
    def __init__(self, headers: object) -> None:
        super().__init__("503")
        self.response = Response(headers)


class Response:
    def __init__(self, headers: object) -> None:
        self.headers = headers


class Trap(Exception):
    @property
    def retry_after(self) -> NoReturn:
        raise SystemExit(3)

    @property
    def response(self) -> NoReturn:
        raise RuntimeError("there is none yet")


async def later(error: BaseException) -> bool:
    return bool(error)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Retry(attempts=0), "attempts is at least 1"),
        (lambda: Retry(attempts="3"), "attempts is a whole number, not '3'"),  # type: ignore[arg-type]
        (lambda: Retry(delay="soon"), "'soon' is not a duration"),
        (lambda: Retry(max_delay="-1s"), "is not a duration"),
        (lambda: Retry(delay="2h"), "delay='2h' is longer than max_delay='1h': say max_delay as well"),
        (lambda: Retry(max_delay=1e11), "is longer than a thousand years"),
        (lambda: Retry(backoff=0.5), "backoff is at least 1"),
        (lambda: Retry(jitter=-1), "jitter at least 0"),
        (lambda: Retry(on=int), "on is an exception class or a tuple of them, as in on=OSError, not <class 'int'>"),  # type: ignore[arg-type]
        (lambda: Retry(on="OSError"), "as in on=OSError, not 'OSError'"),  # type: ignore[arg-type]
        (lambda: Retry(on=None), "as in on=OSError, not None"),  # type: ignore[arg-type]
        (lambda: Retry(on=(OSError, "KeyError")), r"on is an exception class or a tuple of them, as in on=OSError, not \(<class"),  # type: ignore[arg-type]
        (lambda: Retry(unless=OSError()), r"as in unless=OSError, not OSError\(\)"),  # type: ignore[arg-type]
        (lambda: Retry(when="busy"), "when is a function, not 'busy'"),  # type: ignore[arg-type]
        (lambda: Retry(when=later), "when is an async function: write def"),  # type: ignore[arg-type]
    ],
)
def test_what_makes_no_sense_is_refused_at_the_users_line(make: Callable[[], Any], says: str) -> None:
    with pytest.raises(DefinitionError, match=says) as caught:
        make()
    assert caught.value.where is not None
    assert caught.value.where.startswith(f"{__file__}:")


def test_waits_grow_by_the_backoff_up_to_the_longest() -> None:
    retry = Retry(attempts=9, delay="1s", backoff=2, max_delay="5s")
    assert [retry.wait(attempt, 0) for attempt in (1, 2, 3, 4)] == [1, 2, 4, 5]


def test_a_backoff_beyond_all_numbers_is_the_longest_wait() -> None:
    assert Retry(backoff=1e200, delay=1, max_delay="1h").wait(5, 0) == 3600


def test_jitter_lengthens_a_wait_by_its_part() -> None:
    assert Retry(delay=10, jitter=0.1).wait(1, 0.5) == pytest.approx(10.5)


def test_attempts_count_the_first_one() -> None:
    retry = Retry(attempts=3, delay=2, backoff=3)
    assert [next_try(retry, ValueError(), failures, 0) for failures in (1, 2, 3)] == [2, 6, None]


def test_one_class_is_as_good_as_a_tuple() -> None:
    retry = Retry(on=OSError, unless=FileNotFoundError)
    assert (retry.on, retry.unless) == ((OSError,), (FileNotFoundError,))
    assert retry == Retry(on=(OSError,), unless=(FileNotFoundError,)) == Retry(on=[OSError], unless=[FileNotFoundError])  # type: ignore[arg-type]


def test_only_what_is_on_and_not_unless_is_tried_again() -> None:
    retry = Retry(on=(OSError, KeyError), unless=FileNotFoundError)
    tried = [
        next_try(retry, error, 1, 0) is not None for error in (OSError(), TimeoutError(), KeyError(), FileNotFoundError(), ValueError())
    ]
    assert tried == [True, True, True, False, False]


def test_a_condition_is_asked_with_the_exception() -> None:
    retry = Retry(when=lambda error: "busy" in str(error))
    assert next_try(retry, ValueError("busy"), 1, 0) == 1
    assert next_try(retry, ValueError("gone"), 1, 0) is None


def test_a_condition_that_raises_says_no_also_for_the_rules_behind_it() -> None:
    def raise_exit(_: BaseException) -> bool:
        raise SystemExit

    assert next_try((Retry(when=raise_exit), Retry()), ValueError(), 1, 0) is None


def test_of_several_rules_the_first_that_fits_decides() -> None:
    rules = (Retry(attempts=5, delay=5, on=(OSError,), unless=(FileNotFoundError,)), Retry(attempts=2, delay=9), Retry(attempts=100))
    assert next_try(rules, OSError(), 4, 0) == 5
    assert next_try(rules, FileNotFoundError(), 1, 0) == 9
    assert next_try(rules, ValueError(), 1, 0) == 9


def test_failures_for_which_another_rule_decided_count_as_well() -> None:
    rules = (Retry(attempts=5, on=(OSError,)), Retry(attempts=2))
    assert next_try(rules, ValueError(), 2, 0) is None
    assert next_try(rules, OSError(), 4, 0) is not None
    assert next_try(rules, OSError(), 5, 0) is None


def test_without_a_rule_that_fits_nothing_is_tried_again() -> None:
    assert next_try((Retry(on=(OSError,)), Retry(on=(KeyError,))), ValueError(), 1, 0) is None


@pytest.mark.parametrize(
    ("asked", "seconds"), [(7, 7), (0.5, 0.5), (0, 0), (timedelta(minutes=2), 120), ("1h30m", 5400), ("20", 20), (86400, 86400)]
)
def test_an_exception_may_say_how_long_to_wait(asked: object, seconds: float) -> None:
    retry = Retry(delay=1, max_delay=10)
    assert next_try(retry, Busy(asked), 1, 0) == seconds
    assert next_try(retry, Busy(asked), 3, 0) is None


@pytest.mark.parametrize("asked", [None, -1, "soon", "", float("nan"), float("inf"), True, [], {}, "-5"])
def test_a_wish_that_makes_no_sense_is_ignored(asked: object) -> None:
    assert next_try(Retry(delay=3), Busy(asked), 1, 0) == 3


def test_a_response_may_say_how_long_to_wait() -> None:
    assert next_try(Retry(), Unavailable({"Retry-After": "120"}), 1, 0) == 120
    assert next_try(Retry(), Unavailable({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), 1, 0) == 1
    assert next_try(Retry(), Unavailable({}), 1, 0) == 1
    assert next_try(Retry(), Unavailable(None), 1, 0) == 1


def test_an_attribute_that_makes_no_sense_leaves_it_to_the_response() -> None:
    error = Unavailable({"Retry-After": "4"})
    error.retry_after = "soon"  # type: ignore[attr-defined]
    assert next_try(Retry(), error, 1, 0) == 4


def test_an_exception_whose_attributes_raise_is_tried_again_as_the_rule_says() -> None:
    assert next_try(Retry(delay=2), Trap(), 1, 0) == 2
