from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from eventflow.cli import times

NOON = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def noon(monkeypatch) -> None:
    monkeypatch.setattr(times, "now", lambda: micros(NOON))


def micros(instant: datetime) -> int:
    return round(instant.timestamp() * 1_000_000)


@pytest.mark.parametrize(
    ("before", "said"), [(timedelta(seconds=125), "2m5s ago"), (timedelta(seconds=-90), "in 1m30s"), (timedelta(days=2), "2d ago")]
)
def test_an_instant_is_told_from_now(before, said) -> None:
    assert times.distance(micros(NOON - before)) == said


def test_an_instant_of_another_day_bears_its_date() -> None:
    at = datetime(2020, 1, 2, 3, 4, 5).astimezone()
    assert times.clock(micros(at)) == "2020-01-02 03:04:05"
    assert times.instant(None) == ""


def test_an_instant_of_today_is_a_time_of_day() -> None:
    at = datetime.now().astimezone().replace(hour=0, minute=0, second=1, microsecond=0)
    assert times.clock(micros(at)) == "00:00:01"


def test_what_is_under_way_takes_until_now() -> None:
    start = micros(NOON - timedelta(seconds=70))
    assert times.took(None, None) == ""
    assert times.took(start, None) == "1m10s ..."
    assert times.took(start, start + 2_000_000) == "2.0s"
