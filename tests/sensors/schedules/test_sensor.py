"""The schedule as a sensor: what fires when time passes, stands still, leaps or runs while nobody looks."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from eventflow.errors import DefinitionError, SensorError
from eventflow.sensors.schedules import All, Schedule, Tick
from eventflow.testing import VirtualClock
from tests.sensors.outside import Book, Crashed, outside
from tests.sensors.schedules.ticking import at, clock_at, ticking

NIGHTLY = {"cron": "0 2 * * *", "zone": "Europe/Prague"}
HOURLY = {"cron": "@hourly"}


def missed(book: Book, kind: str = "tick.missed") -> list[str]:
    return [event.id.removeprefix(f"{kind} ") for event in book.missed if event.type == kind]


async def begun(schedule: Schedule, when: str) -> Book:
    """Give the book of a schedule that looked for the first time then, and no more."""
    async with ticking(schedule, when) as sensor:
        return sensor.book


# What an event says


async def test_a_tick_says_when_it_was_due_and_for_which_time_it_stands() -> None:
    async with ticking(Schedule("nightly", **NIGHTLY), "2026-11-20T00:59:58") as sensor:
        assert await sensor.after(1) == []
        assert await sensor.after(1.5) == ["2026-11-20T01:00:00Z"]
    [event] = sensor.book.events
    assert (event.source, event.type, event.subject) == ("nightly", "tick", "2026-11-20 02:00 Europe/Prague")
    assert event.time == at("2026-11-20T01:00:00")
    two = datetime.fromisoformat("2026-11-20T02:00:00+01:00")
    assert event.data == Tick(two, two - timedelta(days=1), two, 0.0, 0, "Europe/Prague")
    assert event.data.nominal.isoformat() == "2026-11-20T02:00:00+01:00"


async def test_a_tick_may_stand_for_the_time_that_follows_it() -> None:
    async with ticking(Schedule("monthly", cron="@monthly", zone="Europe/Prague", fires="start"), "2026-01-31T22:59:00") as sensor:
        await sensor.after(60)
    data = sensor.book.events[0].data
    assert data.interval_start == data.nominal == datetime.fromisoformat("2026-02-01T00:00:00+01:00")
    assert data.interval_end == datetime.fromisoformat("2026-03-01T00:00:00+01:00")


async def test_data_intervals_follow_each_other_without_a_hole_also_over_days_left_out() -> None:
    schedule = Schedule("daily", cron="0 9 * * *", exclude="weekends", catchup="all", start="2026-11-19")
    async with ticking(schedule, "2026-11-24T12:00:00") as sensor:
        events = sensor.book.events
    assert [event.id[:10] for event in events] == ["2026-11-19", "2026-11-20", "2026-11-23", "2026-11-24"]
    assert all(first.data.interval_end == second.data.interval_start for first, second in pairwise(events))
    assert events[2].data.interval_start.isoformat() == "2026-11-20T09:00:00+00:00"


# Begin and end


async def test_at_the_first_start_ever_nothing_has_been_missed() -> None:
    async with ticking(Schedule("hourly", **HOURLY), "2026-11-20T12:30:00") as sensor:
        assert sensor.book.ids == missed(sensor.book) == []
        assert await sensor.to("2026-11-20T13:00:00") == ["2026-11-20T13:00:00Z"]


async def test_what_passes_between_the_first_start_and_the_second_counts() -> None:
    book = await begun(Schedule("hourly", **HOURLY), "2026-11-20T12:30:00")
    async with ticking(Schedule("hourly", **HOURLY), "2026-11-20T13:05:00", book):
        assert book.ids == ["2026-11-20T13:00:00Z"]


async def test_with_a_start_that_has_passed_what_came_since_is_caught_up_with() -> None:
    schedule = Schedule("hourly", **HOURLY, start="2026-11-20T10:00", catchup="all")
    async with ticking(schedule, "2026-11-20T12:30:00") as sensor:
        assert sensor.book.ids == [f"2026-11-20T{hour}:00:00Z" for hour in (10, 11, 12)]


async def test_nothing_fires_before_the_start_or_after_the_end_but_at_both() -> None:
    schedule = Schedule("hourly", **HOURLY, start="2026-11-20T10:00", end=datetime.fromisoformat("2026-11-20T13:00+01:00"))
    async with ticking(schedule, "2026-11-20T08:30:00") as sensor:
        await sensor.to("2026-11-20T15:00:00")
        assert sensor.book.ids == [f"2026-11-20T{hour}:00:00Z" for hour in (10, 11, 12)]
        assert sensor.book.observations[-1].events == ()
        assert sensor.error is None
        assert schedule.in_words(sensor.book.cursor) == "the tick of 2026-11-20 12:00 UTC; none is to come"


async def test_times_named_one_by_one_fire_once_each() -> None:
    schedule = Schedule("launches", at=["2026-11-20 14:00", datetime.fromisoformat("2026-11-20T13:30:00+00:00")], zone="Europe/Prague")
    async with ticking(schedule, "2026-11-20T12:59:00") as sensor:
        assert await sensor.to("2026-11-20T16:00:00") == ["2026-11-20T13:00:00Z", "2026-11-20T13:30:00Z"]
    assert [event.data.interval_start.isoformat() for event in sensor.book.events] == ["2026-11-20T14:00:00+01:00"] * 2


# Restarts


@pytest.mark.parametrize("when", ["2026-11-20T10:00:00", "2026-11-20T10:07:13"])
async def test_a_restart_shifts_no_interval(when: str) -> None:
    book = Book()
    async with ticking(Schedule("quarters", every="15m"), when, book) as sensor:
        await sensor.to("2026-11-20T10:20:00")
    async with ticking(Schedule("quarters", every="15m"), "2026-11-20T10:29:00", book) as sensor:
        await sensor.to("2026-11-20T10:46:00")
    assert book.ids[-3:] == [f"2026-11-20T10:{minute}:00Z" for minute in (15, 30, 45)]


async def test_intervals_are_counted_from_the_start_if_there_is_one() -> None:
    async with ticking(Schedule("odd", every="7m", start="2026-11-20T10:03:30"), "2026-11-20T10:00:00") as sensor:
        assert await sensor.to("2026-11-20T10:20:00") == [f"2026-11-20T10:{minute}:30Z" for minute in ("03", "10", "17")]


@pytest.mark.parametrize("catchup", ["latest", "skip", "all", All(3)])
async def test_a_schedule_stopped_at_any_observation_fires_each_tick_once(catchup: Any) -> None:
    schedule = Schedule("hourly", **HOURLY, catchup=catchup)
    whole = await begun(schedule, "2026-11-01T00:30:00")
    async with ticking(schedule, "2026-11-20T12:00:30", whole) as sensor:
        await sensor.to("2026-11-20T14:00:00")
    for commits in range(12):
        book = await begun(schedule, "2026-11-01T00:30:00")
        clock = clock_at("2026-11-20T12:00:30")
        book.commits_left = commits
        async with ticking(schedule, clock, book) as sensor:
            await sensor.to("2026-11-20T13:30:00")
            crashed = sensor.error
            assert crashed is None or isinstance(crashed, Crashed)
        book.commits_left = None
        async with ticking(schedule, clock, book) as sensor:
            await sensor.to("2026-11-20T14:00:00")
        assert book.repeated == []
        assert {*book.ids}.isdisjoint(missed(book))
        fired_or_missed = sorted([*book.ids, *missed(book)])
        assert fired_or_missed == sorted([*whole.ids, *missed(whole)])


async def test_ticks_come_while_the_journal_is_busy_with_the_last_one() -> None:
    """The sensor is asked for the next observation only when the last is committed."""
    schedule = Schedule("seconds", cron="* * * * * *")
    clock = clock_at("2026-11-20T12:00:00")
    observations: Any = schedule.observe(None, Book(), outside("seconds", clock=clock))
    await anext(observations)
    clock.jump(5)
    observation = await anext(observations)
    assert [event.id for event in observation.events] == ["2026-11-20T12:00:05Z"]
    assert len(observation.missed) == observation.events[0].data.missed == 4
    await observations.aclose()


# What passed while nobody looked


async def test_P46_a_tick_that_came_while_the_machine_slept_fires_late_once_and_each_missed_one_is_recorded() -> None:
    book = await begun(Schedule("nightly", **NIGHTLY), "2026-11-17T12:00:00")
    async with ticking(Schedule("nightly", **NIGHTLY), "2026-11-20T06:30:00", book):
        assert book.ids == ["2026-11-20T01:00:00Z"]
        assert missed(book) == ["2026-11-18T01:00:00Z", "2026-11-19T01:00:00Z"]
    data = book.events[0].data
    assert (data.late, data.missed) == (5.5 * 3600, 2)
    record = book.missed[0]
    assert record.data.interval_end == record.data.nominal == datetime.fromisoformat("2026-11-18T02:00:00+01:00")
    assert record.time == at("2026-11-18T01:00:00")


async def test_P46_a_machine_that_sleeps_under_a_running_schedule_is_late_by_half_a_minute_at_most() -> None:
    async with ticking(Schedule("nightly", **NIGHTLY), "2026-11-19T20:00:00") as sensor:
        sensor.clock.jump(8 * 3600)
        assert await sensor.after(30) == ["2026-11-20T01:00:00Z"]


async def test_catchup_skip_fires_nothing_late_but_a_second_is_not_late() -> None:
    schedule = Schedule("hourly", **HOURLY, catchup="skip")
    book = await begun(schedule, "2026-11-20T09:30:00")
    async with ticking(schedule, "2026-11-20T12:01:30", book) as sensor:
        assert book.ids == []
        assert missed(book) == [f"2026-11-20T{hour}:00:00Z" for hour in (10, 11, 12)]
        assert schedule.in_words(book.cursor) == "no tick yet, 3 missed since; the next is 2026-11-20 13:00 UTC"
        assert await sensor.to("2026-11-20T13:00:00") == ["2026-11-20T13:00:00Z"]
        await sensor.to("2026-11-20T14:00:00")
        assert [event.data.missed for event in book.events] == [3, 0]
    async with ticking(schedule, "2026-11-20T15:00:45", book):
        assert book.ids[-1] == "2026-11-20T15:00:00Z"


async def test_catchup_all_fires_each() -> None:
    book = await begun(Schedule("hourly", **HOURLY, catchup="all"), "2026-10-01T00:30:00")
    async with ticking(Schedule("hourly", **HOURLY, catchup="all"), "2026-11-20T00:30:00", book):
        assert len(book.ids) == 50 * 24
        assert book.ids == sorted({*book.ids})
        assert book.missed == []
        assert max(len(observation.events) for observation in book.observations) == 500


async def test_catchup_of_so_many_fires_the_last_of_them_in_order() -> None:
    book = await begun(Schedule("hourly", **HOURLY, catchup=All(3)), "2026-11-20T00:30:00")
    async with ticking(Schedule("hourly", **HOURLY, catchup=All(3)), "2026-11-20T12:30:00", book):
        assert book.ids == [f"2026-11-20T{hour}:00:00Z" for hour in (10, 11, 12)]
        assert len(missed(book)) == 9
        assert [event.data.missed for event in book.events] == [9, 0, 0]


async def test_of_many_missed_ticks_the_last_thousand_are_recorded_singly_and_the_others_as_one() -> None:
    schedule = Schedule("minutes", cron="* * * * *")
    book = await begun(schedule, "2026-11-18T00:00:30")
    async with ticking(schedule, "2026-11-20T00:00:00", book):
        assert book.ids == ["2026-11-20T00:00:00Z"]
        assert len(missed(book)) == 1000
        [older] = [event for event in book.missed if event.type == "schedule.missed"]
        assert older.data.missed == 2 * 1440 - 1001
        assert older.data.interval_start.isoformat() == "2026-11-18T00:00:00+00:00"
        assert older.data.nominal == older.data.interval_end == datetime.fromisoformat("2026-11-19T07:19:00+00:00")
        assert missed(book)[0] == "2026-11-19T07:20:00Z"
        assert book.events[0].data.missed == 2 * 1440 - 1


@pytest.mark.parametrize(("due", "older"), [(1000, 0), (1001, 0), (1002, 1)])
async def test_as_many_as_are_recorded_singly_are_not_summed_up(due: int, older: int) -> None:
    schedule = Schedule("minutes", cron="* * * * *")
    clock = clock_at("2026-11-20T00:00:30")
    async with ticking(schedule, clock) as sensor:
        book = sensor.book
    clock.jump(due * 60)
    async with ticking(schedule, clock, book) as again:
        assert again.error is None
        assert len(missed(book)) == due - 1 - older
        assert [event.data.missed for event in book.missed if event.type == "schedule.missed"] == [1] * older


async def test_a_year_of_missed_seconds_is_soon_dealt_with() -> None:
    schedule = Schedule("seconds", cron="* * * * * *")
    book = await begun(schedule, "2025-11-20T00:00:00")
    async with ticking(schedule, "2026-11-20T00:00:00", book):
        assert book.ids == ["2026-11-20T00:00:00Z"]
        [older] = [event for event in book.missed if event.type == "schedule.missed"]
        assert older.data.missed == 100_000


# Clocks that are set


async def test_F27_a_clock_set_back_a_second_fires_no_tick_twice() -> None:
    async with ticking(Schedule("hourly", **HOURLY), "2026-11-20T11:59:00") as sensor:
        assert await sensor.after(60) == ["2026-11-20T12:00:00Z"]
        sensor.clock.jump(-1)
        assert await sensor.after(3600) == ["2026-11-20T12:00:00Z"]
        assert await sensor.after(1) == ["2026-11-20T12:00:00Z", "2026-11-20T13:00:00Z"]
        assert all(observation.lagging is None for observation in sensor.book.observations)


async def test_F27_a_clock_that_is_a_little_behind_is_nothing_to_speak_of() -> None:
    async with ticking(Schedule("hourly", **HOURLY), "2026-11-20T11:59:59") as sensor:
        await sensor.after(1)
    for when, lags in (("2026-11-20T11:59:30", False), ("2026-11-20T11:30:00", True), ("2026-11-20T12:00:01", False)):
        async with ticking(Schedule("hourly", **HOURLY), when, sensor.book):
            assert (sensor.book.observations[-1].lagging is not None) == lags


async def test_F27_a_clock_set_forward_a_year_fires_no_more_than_the_catchup_says() -> None:
    async with ticking(Schedule("hourly", **HOURLY), "2026-11-20T11:30:00") as sensor:
        assert await sensor.set("2027-11-20T11:30:00") == ["2027-11-20T11:00:00Z"]
        assert len(missed(sensor.book)) == 1000


async def test_F27_a_clock_that_was_a_year_ahead_and_is_right_again_goes_on_and_says_that_it_was() -> None:
    async with ticking(Schedule("hourly", **HOURLY), "2026-11-20T11:59:00") as sensor:
        await sensor.set("2027-11-20T11:30:00")
        await sensor.set("2026-11-20T12:59:00")
        assert await sensor.to("2026-11-20T15:30:00") == ["2027-11-20T11:00:00Z", *(f"2026-11-20T{hour}:00:00Z" for hour in (13, 14, 15))]
        assert sensor.book.repeated == []
        last = sensor.book.observations[-1].lagging
        assert last is not None
        assert "has shown 2027-11-20 11:00 UTC before" in last
    async with ticking(Schedule("hourly", **HOURLY), "2026-11-20T15:59:00", sensor.book) as again:
        assert (await again.after(120))[-1] == "2026-11-20T16:00:00Z"


async def test_F27_ticks_that_fired_while_the_clock_was_ahead_dont_fire_when_their_time_comes() -> None:
    async with ticking(Schedule("hourly", **HOURLY), "2026-11-20T11:30:00") as sensor:
        await sensor.to("2026-11-20T12:10:00")
        assert await sensor.set("2026-11-20T13:30:00") == ["2026-11-20T12:00:00Z", "2026-11-20T13:00:00Z"]
        await sensor.set("2026-11-20T12:30:00")
        assert await sensor.to("2026-11-20T14:00:00") == [f"2026-11-20T{hour}:00:00Z" for hour in (12, 13, 14)]
        assert sensor.book.repeated == []
        assert sensor.book.observations[-1].lagging is None


async def test_F27_all_ticks_that_fired_while_the_clock_was_ahead_are_known_when_their_time_comes() -> None:
    async with ticking(Schedule("hourly", **HOURLY), "2026-11-20T12:30:00") as sensor:
        await sensor.to("2026-11-20T15:10:00")
        sensor.clock.jump(-3 * 3600)
        assert len(await sensor.to("2026-11-20T15:30:00")) == 3
        assert sensor.book.repeated == []


async def test_F27_what_passes_while_nobody_looks_is_caught_up_with_though_the_clock_was_once_ahead() -> None:
    schedule = Schedule("hourly", **HOURLY)
    async with ticking(schedule, "2026-11-20T12:30:00") as sensor:
        ahead = list(await sensor.set("2027-11-20T13:30:00"))
        await sensor.set("2026-11-20T12:40:00")
    async with ticking(schedule, "2026-11-20T17:30:00", sensor.book) as again:
        assert again.book.ids == [*ahead, "2026-11-20T17:00:00Z"]
        assert schedule.in_words(again.book.cursor) == "the tick of 2026-11-20 17:00 UTC; the next is 2026-11-20 18:00 UTC"


@pytest.mark.parametrize(("catchup", "fires"), [("latest", ["2026-11-20T17:00:00Z"]), ("skip", [])])
async def test_F27_a_machine_that_sleeps_after_its_clock_was_put_back_catches_up_too(catchup: Any, fires: list[str]) -> None:
    schedule = Schedule("hourly", **HOURLY, catchup=catchup)
    async with ticking(schedule, "2026-11-20T12:30:00") as sensor:
        ahead = list(await sensor.set("2027-11-20T13:30:00"))
        await sensor.set("2026-11-20T12:40:00")
        assert await sensor.set("2026-11-20T17:30:00") == [*ahead, *fires]


async def test_F27_a_machine_whose_clock_starts_in_1970_fires_nothing_until_it_is_set() -> None:
    book = await begun(Schedule("hourly", **HOURLY), "2026-11-20T11:30:00")
    async with ticking(Schedule("hourly", **HOURLY), "1970-01-01T00:55:30", book) as sensor:
        assert await sensor.after(600) == []
        assert await sensor.set("2026-11-20T12:10:00") == ["2026-11-20T12:00:00Z"]
        assert missed(book) == []


async def test_F27_a_clock_set_back_again_and_again_loses_nothing() -> None:
    async with ticking(Schedule("hourly", **HOURLY), "2026-11-20T11:30:00") as sensor:
        for _ in range(5):
            await sensor.set("2026-11-20T14:30:00")
            await sensor.set("2026-11-20T11:40:00")
        assert sensor.book.ids == ["2026-11-20T14:00:00Z"]
        await sensor.to("2026-11-20T15:00:00")
        assert sorted(sensor.book.ids) == [f"2026-11-20T{hour}:00:00Z" for hour in (12, 13, 14, 15)]


# Clocks that are moved by law


async def test_P47_a_nightly_run_happens_once_each_night_whatever_the_clocks_do() -> None:
    schedule = Schedule("nightly", cron="30 2 * * *", zone="Europe/Prague", catchup="all", start="2026-01-01")
    async with ticking(schedule, "2026-12-31T12:00:00") as sensor:
        nights = [event.data.nominal.date() for event in sensor.book.events]
    assert len(nights) == len({*nights}) == 365


@pytest.mark.parametrize(
    ("dst", "spring", "autumn"),
    [
        ("default", ["03:00:00+02:00"], ["02:30:00+02:00"]),
        ("skip", [], ["02:30:00+02:00"]),
        ("shift", ["03:30:00+02:00"], ["02:30:00+02:00"]),
        ("both", ["03:00:00+02:00"], ["02:30:00+02:00", "02:30:00+01:00"]),
    ],
)
@pytest.mark.parametrize("given", ["cron", "at"])
async def test_P47_what_becomes_of_a_time_that_does_not_exist_or_comes_twice_is_chosen(
    given: str, dst: Any, spring: list[str], autumn: list[str]
) -> None:
    options: Any = {"cron": "30 2 * * *"} if given == "cron" else {"at": ["2026-03-29 02:30", "2026-10-25 02:30", "2027-01-01"]}
    schedule = Schedule("nightly", **options, zone="Europe/Prague", dst=dst)
    for day, times in (("2026-03-29", spring), ("2026-10-25", autumn)):
        found = schedule.upcoming(datetime.fromisoformat(day), 10)
        assert [when.timetz().isoformat() for when in found if when.date().isoformat() == day] == times


async def test_what_goes_on_by_the_instant_goes_on_when_clocks_are_moved() -> None:
    async with ticking(Schedule("halves", cron="*/30 * * * *", zone="Europe/Prague"), "2026-10-25T00:10:00") as sensor:
        await sensor.to("2026-10-25T02:00:00")
        assert [event.subject for event in sensor.book.events] == [
            "2026-10-25 02:30 Europe/Prague",
            "2026-10-25 02:00 Europe/Prague",
            "2026-10-25 02:30 Europe/Prague",
            "2026-10-25 03:00 Europe/Prague",
        ]
        assert {event.data.interval_end - event.data.interval_start for event in sensor.book.events} == {timedelta(minutes=30)}


# A schedule that is changed


async def test_a_changed_schedule_counts_from_now_and_the_old_one_until_now() -> None:
    book = await begun(Schedule("report", cron="0 2 * * *"), "2026-11-19T12:00:00")
    async with ticking(Schedule("report", cron="0 11 * * *"), "2026-11-20T12:00:00", book) as sensor:
        assert book.ids == ["2026-11-20T02:00:00Z"]
        assert await sensor.set("2026-11-21T11:00:30") == ["2026-11-20T02:00:00Z", "2026-11-21T11:00:00Z"]
    assert missed(book) == []


async def test_what_is_no_promise_may_be_changed_at_any_time() -> None:
    book = await begun(Schedule("hourly", cron="@hourly"), "2026-11-20T11:30:00")
    async with ticking(Schedule("hourly", cron=" 0  * * * * ", catchup="all", jitter="1s"), "2026-11-20T13:30:00", book):
        assert book.ids == ["2026-11-20T12:00:00Z", "2026-11-20T13:00:00Z"]


@pytest.mark.parametrize("cursor", [7, "x", {"until": 3}, {"since": 1, "until": 2, "plan": {"zone": "Atlantis"}}])
async def test_a_cursor_that_says_nothing_to_it_is_a_first_start(cursor: object) -> None:
    book = Book()
    book.cursor = cursor
    async with ticking(Schedule("hourly", **HOURLY), "2026-11-20T11:30:00", book) as sensor:
        assert book.ids == []
        assert await sensor.after(1800) == ["2026-11-20T12:00:00Z"]


# Jitter


async def test_jitter_delays_a_tick_and_changes_nothing_about_it() -> None:
    async with ticking(Schedule("hourly", **HOURLY, jitter="30m"), "2026-11-20T10:30:00") as sensor:
        waits: list[float] = []
        for hour in range(11, 21):
            await sensor.to(f"2026-11-20T{hour}:30:00")
            event = sensor.book.events[-1]
            assert event.id == f"2026-11-20T{hour}:00:00Z"
            waits.append(event.data.late)
        assert len(sensor.book.ids) == 10
        assert len({*waits}) == 10
        assert 0 <= min(waits) < max(waits) <= 1800
        assert sensor.book.missed == []


# What it costs


async def test_a_schedule_at_rest_writes_nothing_and_looks_twice_a_minute() -> None:
    async with ticking(Schedule("nightly", **NIGHTLY), "2026-11-20T02:00:00") as sensor:
        cursor = sensor.book.cursor
        await sensor.after(3600)
        assert sensor.book.cursor == cursor
        assert len(sensor.book.observations) == 1 + 12
        assert sensor.clock.waiting == 1


class CountingClock(VirtualClock):
    """Counts how often anybody goes to sleep."""

    sleeps = 0

    async def sleep(self, delay: float) -> None:
        self.sleeps += 1
        await super().sleep(delay)


async def test_a_hundred_schedules_at_rest_hold_a_timer_each_and_wake_twice_a_minute() -> None:
    clock = CountingClock(at("2026-11-20T02:00:00"))
    async with AsyncExitStack() as stack:
        for number in range(100):
            await stack.enter_async_context(ticking(Schedule(f"s{number}", cron=f"{number % 60} 1 * * *"), clock))
        await clock.until_waiting(100)
        clock.sleeps = 0
        await clock.advance(600)
        assert clock.waiting == 100
        assert clock.sleeps <= 100 * (20 + 2)


# Looking and checking


def test_it_says_where_it_stands() -> None:
    schedule = Schedule("nightly", **NIGHTLY)
    assert schedule.in_words(None) == "it has not looked yet"
    assert repr(schedule) == "<Schedule 'nightly': 0 2 * * *, Europe/Prague>"
    assert repr(Schedule("q", every="15m")) == "<Schedule 'q': every 15m, UTC>"
    assert repr(Schedule("a", at="2027-01-01")) == "<Schedule 'a': one time, UTC>"


async def test_in_words_names_the_last_tick_and_the_next() -> None:
    schedule = Schedule("nightly", **NIGHTLY)
    async with ticking(schedule, "2026-11-20T00:59:00") as sensor:
        assert schedule.in_words(sensor.book.cursor) == "no tick yet; the next is 2026-11-20 02:00 Europe/Prague"
        await sensor.after(60)
        words = "the tick of 2026-11-20 02:00 Europe/Prague; the next is 2026-11-21 02:00 Europe/Prague"
        assert schedule.in_words(sensor.book.cursor) == words


def test_the_ticks_to_come_can_be_seen_beforehand() -> None:
    found = Schedule("nightly", **NIGHTLY, end="2026-03-31").upcoming(datetime.fromisoformat("2026-03-28 01:00"), 5)
    assert [when.isoformat() for when in found] == ["2026-03-28T02:00:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"]


async def test_the_check_refuses_a_schedule_that_is_over() -> None:
    world = outside("s", clock=clock_at("2026-11-20T12:00:00"))
    await Schedule("s", at="2026-11-20 13:00").check(world)
    with pytest.raises(SensorError, match=r"schedule 's' never fires again: one time, UTC is over; move its end, or remove it"):
        await Schedule("s", at="2026-11-20 11:00").check(world)


# What can't be meant


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cron": "0 0 31 2 *"}, "never fires: no day 31 is ever in the month 2$"),
        ({"cron": "0 0 32 2 *"}, "can't be read, bad day-of-month: its fields are minute, hour"),
        ({"cron": "0 0 30 feb,feb *"}, "never fires: no day 30 is ever in the month feb,feb"),
        ({"cron": "0 0 */31 2 1#5"}, "never fires"),
        (
            {"cron": "* * * * *", "exclude": ["weekends", "weekdays"]},
            r"cron text '\* \* \* \* \*' never fires, as only= and exclude= leave none of its days",
        ),
        ({"cron": ["@daily", "0 9 * * sat"], "exclude": "weekends"}, "cron text '0 9 . . sat' never fires"),
        ({"every": "1h", "only": "2026-01-01", "exclude": "2026-01-01"}, "never fires"),
        ({"cron": "@daily", "start": "2026-01-02", "end": "2026-01-01"}, "never fires"),
        ({"at": "2026-03-29 02:30", "zone": "Europe/Prague", "dst": "skip"}, "never fires"),
        ({}, "give one of cron=.*, not none of them"),
        ({"cron": "@daily", "every": "1d"}, "give one of cron=.*, not cron and every"),
        ({"cron": "@reboot"}, "'@reboot' is unknown: use @hourly, @daily"),
        ({"cron": "0 0 1 1 * 2026 7"}, "has 7 fields"),
        ({"cron": "61 * * * *"}, "bad minute"),
        ({"cron": 5}, "cron=5 names no time"),
        ({"cron": [5]}, "5 is no cron text"),
        ({"cron": []}, r"cron=\[\] names no time"),
        ({"every": "100ms"}, "too often"),
        ({"every": "soon"}, "'soon' is not a duration"),
        ({"every": "1h", "dst": "skip"}, "dst= has no meaning with every="),
        ({"at": []}, r"at=\[\] names no time"),
        ({"at": "tomorrow"}, "'tomorrow' is no time"),
        ({"at": [3]}, "at=3 is no time"),
        ({"at": "0001-01-01"}, "too far away"),
        ({"cron": "@daily", "dst": "twice"}, "dst='twice' is unknown: use 'default', 'skip', 'shift' or 'both'"),
        ({"cron": "@daily", "fires": "middle"}, "fires='middle' is unknown"),
        ({"cron": "@daily", "catchup": 5}, r"catchup=5 is unknown: use .*All\(5\)"),
        ({"cron": "@daily", "exclude": "02-30"}, "exclude: '02-30' is no day of the calendar"),
        ({"cron": "@daily", "exclude": "2026-02-02/2026-02-01"}, "ends before it begins"),
        ({"cron": "@daily", "only": "someday"}, "only: 'someday' is no day"),
        ({"cron": "@daily", "exclude": 7}, "exclude: "),
        ({"cron": "@hourly", "jitter": "1h"}, "jitter='1h' is not shorter than the 1h from one tick to the next"),
        ({"cron": "@daily", "name": "No Name"}, "can't name a sensor"),
    ],
)
def test_what_cant_be_meant_is_refused_at_its_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message) as caught:
        Schedule(**{"name": "s", **options})
    assert caught.value.where is not None
    assert caught.value.where.startswith(__file__)


@pytest.mark.parametrize("most", [0, -1, 1001, True, "3"])
def test_a_catchup_of_no_number_is_refused(most: Any) -> None:
    with pytest.raises(DefinitionError, match="is no number of ticks"):
        All(most)
