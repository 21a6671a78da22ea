from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventflow import durations


@pytest.mark.parametrize(
    ("written", "length"),
    [
        ("250ms", 0.25),
        ("10s", 10),
        ("5m", 300),
        ("2h", 7200),
        ("1d", 86400),
        ("1w", 604800),
        ("1h30m", 5400),
        (" 1.5 S ", 1.5),
        (7, 7),
        (0.5, 0.5),
        (0, 0),
    ],
)
def test_what_people_write_is_read(written: str | float, length: float) -> None:
    assert durations.seconds(written) == pytest.approx(length)


def test_a_timedelta_is_a_duration() -> None:
    assert durations.seconds(timedelta(minutes=2)) == 120


@pytest.mark.parametrize(
    "written", ["", "10", "s", "10 parsecs", "5m and more", "-5s", -1, math.nan, math.inf, True, timedelta(seconds=-1), None, []]
)
def test_what_is_no_duration_says_what_one_looks_like(written: object) -> None:
    with pytest.raises(ValueError, match="a duration such as '10s'"):
        durations.seconds(written)  # type: ignore[arg-type]


def test_microseconds_are_whole() -> None:
    assert durations.microseconds("1.5ms") == 1500


@given(st.integers(0, 10**7))
def test_whole_milliseconds_survive_writing(count: int) -> None:
    assert durations.microseconds(f"{count}ms") == count * 1000


@pytest.mark.parametrize(("length", "written"), [(0.004, "4ms"), (2, "2.0s"), (75, "1m15s"), (3600, "1h"), (90061, "1d1h")])
def test_a_length_is_written_for_a_person(length: float, written: str) -> None:
    assert durations.text(length) == written
