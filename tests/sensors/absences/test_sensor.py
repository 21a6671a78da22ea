"""The absence sensor: what didn't come by a deadline, or for too long, over restarts, late discoveries and clocks that are set."""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import Any

import msgspec
import pytest

from eventflow import facts
from eventflow.errors import DefinitionError, SensorError
from eventflow.facts import Unit
from eventflow.journal.memory import MemoryJournal
from eventflow.sensors.absences import Absence, AbsenceSensor
from eventflow.sensors.files.sensor import FileSensor
from tests.sensors.outside import Book, Crashed, outside
from tests.sensors.schedules.ticking import at, clock_at, ticking

BY_NINE: Any = {"of": "inbox", "by": "0 9 * * mon-fri", "zone": "Europe/Prague"}


class Past:
    """A journal that is written by hand."""

    def __init__(self) -> None:
        self.journal = MemoryJournal()
        self._numbers = itertools.count(1)

    async def came(
        self, received: str, *, of: str = "inbox", time: str | None = None, kind: str = "file", subject: str | None = None
    ) -> str:
        number = next(self._numbers)
        happened = at(time or received)
        fact = facts.EventRecorded(f"e{number}", of, f"id{number}", kind, happened, msgspec.Raw(b"{}"), subject)
        await self.journal.commit(Unit(at(received), (fact,)))
        return f"id{number}"


@pytest.fixture
def past() -> Past:
    return Past()


async def begun(sensor: AbsenceSensor, when: str, past: Past) -> Book:
    """Give the book of a sensor that looked for the first time then, and no more."""
    async with ticking(sensor, when, journal=past.journal) as under_way:
        return under_way.book


async def asked(past: Past, when: str, **options: Any) -> list[str]:
    """Give what is absent on Friday the 20th, of a sensor that has looked since the 19th, some time after the deadline of that day."""
    sensor = AbsenceSensor("none", **{**BY_NINE, **options})
    book = await begun(sensor, "2026-11-19T12:00:00", past)
    async with ticking(sensor, when, book, journal=past.journal) as under_way:
        return await under_way.after(61)


# By a deadline


async def test_nothing_came_by_nine(past: Past) -> None:
    last = await past.came("2026-11-19T07:00:00")
    async with ticking(AbsenceSensor("no-batch", **BY_NINE), "2026-11-20T07:00:00", journal=past.journal) as sensor:
        assert await sensor.to("2026-11-20T08:00:59") == []
        assert await sensor.to("2026-11-20T08:01:00") == ["2026-11-20T08:00:00Z"]
    [event] = sensor.book.events
    assert (event.source, event.type, event.subject, event.time) == ("no-batch", "absence", "inbox", at("2026-11-20T08:00:00"))
    assert event.data == Absence(
        of="inbox",
        since=datetime.fromisoformat("2026-11-19T09:00:00+01:00"),
        until=datetime.fromisoformat("2026-11-20T09:00:00+01:00"),
        last_event=last,
        last_at=datetime.fromisoformat("2026-11-19T08:00:00+01:00"),
    )


async def test_something_came_by_nine(past: Past) -> None:
    await past.came("2026-11-20T07:59:59")
    assert await asked(past, "2026-11-20T09:00:00") == []


async def test_what_came_before_the_window_or_after_the_deadline_is_too_early_or_too_late(past: Past) -> None:
    await past.came("2026-11-19T08:00:00")  # the deadline before belongs to the window before
    await past.came("2026-11-20T08:00:01")
    assert await asked(past, "2026-11-20T09:00:00") == ["2026-11-20T08:00:00Z"]


async def test_what_came_at_the_very_deadline_came(past: Past) -> None:
    await past.came("2026-11-20T08:00:00", time="2025-01-01T00:00:00")
    assert await asked(past, "2026-11-20T09:00:00") == []


async def test_what_was_found_late_but_was_there_in_time_came(past: Past) -> None:
    """A file that was delivered while the daemon was down."""
    await past.came("2026-11-20T08:59:00", time="2026-11-20T07:30:00")
    assert await asked(past, "2026-11-20T09:00:00") == []


async def test_what_is_old_by_its_own_time_but_came_in_time_came(past: Past) -> None:
    """A file that was copied with its stamp of last year."""
    await past.came("2026-11-20T07:30:00", time="2025-01-01T00:00:00")
    assert await asked(past, "2026-11-20T09:00:00") == []


async def test_among_thousands_that_came_too_late_the_one_that_was_there_in_time_is_found(past: Past) -> None:
    for _ in range(1200):
        await past.came("2026-11-20T08:30:00", time="2026-11-19T07:00:00")
    assert await asked(past, "2026-11-20T09:00:00") == ["2026-11-20T08:00:00Z"]
    await past.came("2026-11-20T08:30:00", time="2026-11-20T07:00:00")
    assert await asked(past, "2026-11-20T09:00:00") == []


async def test_after_a_start_the_watched_sensor_gets_its_chance_to_look(past: Past) -> None:
    sensor = AbsenceSensor("none", **BY_NINE, grace="5m")
    book = await begun(sensor, "2026-11-19T12:00:00", past)
    async with ticking(sensor, "2026-11-20T12:00:00", book, journal=past.journal) as under_way:
        await past.came("2026-11-20T12:00:01", time="2026-11-20T07:30:00")
        assert await under_way.after(301) == []
        assert under_way.sensor.in_words(book.cursor) == "no absence yet; the next is 2026-11-23 09:00 Europe/Prague"


async def test_only_events_of_its_source_count_and_of_its_type_and_subject_if_they_are_said(past: Past) -> None:
    await past.came("2026-11-20T07:00:00", of="another")
    assert await asked(past, "2026-11-20T09:00:00") != []
    await past.came("2026-11-20T07:00:00", kind="push", subject="main")
    assert await asked(past, "2026-11-20T09:00:00") == []
    assert await asked(past, "2026-11-20T09:00:00", type="push", subject="main") == []
    assert await asked(past, "2026-11-20T09:00:00", type="ping") != []
    assert await asked(past, "2026-11-20T09:00:00", subject="other") != []


async def test_a_window_may_be_shorter_than_the_time_between_two_deadlines(past: Past) -> None:
    await past.came("2026-11-20T05:00:00")
    assert await asked(past, "2026-11-20T09:00:00", window="2h") == ["2026-11-20T08:00:00Z"]
    assert await asked(past, "2026-11-20T09:00:00", window="4h") == []


async def test_on_holidays_nobody_expects_anything(past: Past) -> None:
    assert await asked(past, "2026-11-20T09:00:00", exclude="2026-11-20") == []


async def test_deadlines_may_be_times(past: Past) -> None:
    assert await asked(past, "2026-11-21T12:00:00", by=["2026-11-20 09:00", "2026-11-21 09:00"], window="1h") == [
        "2026-11-20T08:00:00Z",
        "2026-11-21T08:00:00Z",
    ]


# While nobody looked


async def test_each_deadline_that_passed_while_nobody_looked_is_asked_about_once(past: Past) -> None:
    await past.came("2026-11-18T06:00:00")
    sensor = AbsenceSensor("none", **BY_NINE)
    book = await begun(sensor, "2026-11-16T12:00:00", past)
    for _ in range(2):
        async with ticking(sensor, "2026-11-20T12:00:00", book, journal=past.journal) as under_way:
            assert await under_way.after(120) == [f"2026-11-{day}T08:00:00Z" for day in (17, 19, 20)]
    assert book.repeated == []


@pytest.mark.parametrize("commits", range(6))
async def test_stopped_at_any_observation_it_tells_each_absence_once(past: Past, commits: int) -> None:
    await past.came("2026-11-18T06:00:00")
    sensor = AbsenceSensor("none", **BY_NINE)
    book = await begun(sensor, "2026-11-16T12:00:00", past)
    book.commits_left = commits
    async with ticking(sensor, "2026-11-20T12:00:00", book, journal=past.journal) as under_way:
        await under_way.after(120)
        assert under_way.error is None or isinstance(under_way.error, Crashed)
    book.commits_left = None
    async with ticking(sensor, "2026-11-20T12:10:00", book, journal=past.journal) as under_way:
        await under_way.after(120)
    assert book.ids == [f"2026-11-{day}T08:00:00Z" for day in (17, 19, 20)]
    assert book.repeated == []


async def test_at_the_first_start_ever_no_deadline_has_passed(past: Past) -> None:
    async with ticking(AbsenceSensor("none", **BY_NINE), "2026-11-20T12:00:00", journal=past.journal) as sensor:
        assert await sensor.after(3600) == []


async def test_a_changed_deadline_holds_from_now_on_and_the_old_one_until_now(past: Past) -> None:
    book = await begun(AbsenceSensor("none", **BY_NINE), "2026-11-19T12:00:00", past)
    changed = AbsenceSensor("none", of="inbox", by="0 10 * * *", zone="Europe/Prague")
    async with ticking(changed, "2026-11-20T12:00:00", book, journal=past.journal) as sensor:
        assert await sensor.after(120) == ["2026-11-20T08:00:00Z"]
        assert await sensor.set("2026-11-21T09:02:00") == ["2026-11-20T08:00:00Z", "2026-11-21T09:00:00Z"]


async def test_F27_a_clock_set_back_tells_no_absence_twice_and_misses_none(past: Past) -> None:
    async with ticking(AbsenceSensor("none", of="inbox", by="@hourly"), "2026-11-20T11:30:00", journal=past.journal) as sensor:
        await sensor.after(60)
        assert await sensor.set("2026-11-20T12:30:00") == ["2026-11-20T12:00:00Z"]
        await sensor.set("2026-11-20T11:40:00")
        assert await sensor.to("2026-11-20T13:10:00") == ["2026-11-20T12:00:00Z", "2026-11-20T13:00:00Z"]
    async with ticking(AbsenceSensor("other", of="inbox", by="@hourly"), "2026-11-20T11:30:00", journal=past.journal) as sensor:
        await sensor.after(60)
        ahead = len(await sensor.set("2026-11-22T11:30:00"))
        await past.came("2026-11-20T11:50:00")
        await sensor.set("2026-11-20T12:30:00")
        assert len(await sensor.to("2026-11-20T15:30:00")) == ahead
        assert sensor.book.repeated == []


async def test_F27_a_clock_that_was_ahead_and_comes_there_again_asks_only_what_is_new(past: Past) -> None:
    async with ticking(AbsenceSensor("none", of="inbox", by="@hourly"), "2026-11-20T11:30:00", journal=past.journal) as sensor:
        await sensor.after(60)
        await sensor.set("2026-11-20T14:30:00")
        await past.came("2026-11-20T14:30:00")
        told = await sensor.set("2026-11-20T18:30:00")
        assert [name[11:13] for name in told] == ["12", "13", "14", "16", "17", "18"]
        await sensor.set("2026-11-20T14:50:00")
        assert await sensor.to("2026-11-20T15:30:00") == told
        assert await sensor.set("2026-11-20T19:30:00") == [*told, "2026-11-20T19:00:00Z"]
        assert sensor.book.repeated == []


async def test_F27_a_deadline_that_passes_while_nobody_looks_is_asked_about_though_the_clock_was_once_ahead(past: Past) -> None:
    absence = AbsenceSensor("none", of="inbox", by="@daily")
    async with ticking(absence, "2026-11-20T11:30:00", journal=past.journal) as sensor:
        await sensor.after(60)
        ahead = list(await sensor.set("2027-02-20T11:30:00"))
        await past.came("2026-11-20T11:50:00")
        await sensor.set("2026-11-20T12:30:00")
        del sensor.book.taken["2026-11-22T00:00:00Z"]
        sensor.book.events = []
    async with ticking(absence, "2026-11-22T12:00:00", sensor.book, journal=past.journal) as again:
        assert await again.after(120) == ["2026-11-22T00:00:00Z"]
    assert len(ahead) == 92


async def test_F27_in_1970_nothing_is_absent_yet(past: Past) -> None:
    sensor = AbsenceSensor("none", of="inbox", by="@hourly")
    book = await begun(sensor, "2026-11-20T11:30:00", past)
    async with ticking(sensor, "1970-01-01T00:55:00", book, journal=past.journal) as under_way:
        assert await under_way.after(1800) == []


# Within a length of time


async def test_a_silence_is_told_once_and_the_next_after_something_came(past: Past) -> None:
    last = await past.came("2026-11-20T10:00:00")
    sensor = AbsenceSensor("silent", of="inbox", within="2h")
    book = await begun(sensor, "2026-11-20T09:00:00", past)
    async with ticking(sensor, "2026-11-20T11:58:00", book, journal=past.journal) as under_way:
        assert await under_way.to("2026-11-20T11:59:59") == []
        assert await under_way.to("2026-11-20T12:00:01") == ["2026-11-20T10:00:00Z"]
        assert await under_way.after(4 * 3600) == ["2026-11-20T10:00:00Z"]
        await past.came("2026-11-20T16:00:01")
        await under_way.to("2026-11-20T17:59:00")
        assert await under_way.to("2026-11-20T18:00:02") == ["2026-11-20T10:00:00Z", "2026-11-20T16:00:01Z"]
    data = book.events[0].data
    assert (data.since.isoformat(), data.until.isoformat()) == ("2026-11-20T10:00:00+00:00", "2026-11-20T12:00:00+00:00")
    assert (data.last_event, data.last_at) == (last, data.since)
    assert book.events[0].time == at("2026-11-20T12:00:00")


async def test_a_source_that_never_said_anything_is_silent_from_the_first_look_on(past: Past) -> None:
    async with ticking(AbsenceSensor("silent", of="inbox", within="2h"), "2026-11-20T10:00:00", journal=past.journal) as sensor:
        assert sensor.sensor.in_words(sensor.book.cursor) == "no silence yet"
        assert await sensor.to("2026-11-20T12:00:01") == ["2026-11-20T10:00:00Z"]
        assert sensor.book.events[0].data.last_event is None
        assert sensor.sensor.in_words(sensor.book.cursor) == "the silence before the first event"


async def test_whoever_speaks_in_time_is_never_silent(past: Past) -> None:
    async with ticking(AbsenceSensor("silent", of="inbox", within="2h"), "2026-11-20T10:00:00", journal=past.journal) as sensor:
        for hour in range(11, 20):
            await sensor.to(f"2026-11-20T{hour}:30:00")
            await past.came(f"2026-11-20T{hour}:30:00")
        assert sensor.book.ids == []


@pytest.mark.parametrize("commits", range(4))
async def test_a_silence_is_told_once_over_a_crash_and_not_before_the_source_was_looked_at(past: Past, commits: int) -> None:
    await past.came("2026-11-20T10:00:00")
    sensor = AbsenceSensor("silent", of="inbox", within="2h")
    book = await begun(sensor, "2026-11-20T09:00:00", past)
    book.commits_left = commits
    async with ticking(sensor, "2026-11-20T13:00:00", book, journal=past.journal) as under_way:
        assert await under_way.after(59) == []
        await under_way.after(3600)
    book.commits_left = None
    async with ticking(sensor, "2026-11-20T14:30:00", book, journal=past.journal) as under_way:
        await under_way.after(3600)
    assert book.ids == ["2026-11-20T10:00:00Z"]
    assert book.repeated == []


@pytest.mark.parametrize("cursor", [3, {"looks_since": "x"}, {"since": 1}])
async def test_a_cursor_of_another_kind_is_a_first_start(past: Past, cursor: object) -> None:
    for options in (BY_NINE, {"of": "inbox", "within": "2h"}):
        book = Book()
        book.cursor = cursor
        async with ticking(AbsenceSensor("a", **options), "2026-11-20T12:00:00", book, journal=past.journal) as sensor:
            assert await sensor.after(120) == []


# Looking and checking


async def test_it_says_what_it_watches_and_where_it_stands(past: Past) -> None:
    sensor = AbsenceSensor("none", of=FileSensor("inbox", "in"), by="0 9 * * mon-fri", zone="Europe/Prague")
    assert repr(sensor) == "<AbsenceSensor 'none': of inbox, by 0 9 * * mon-fri, Europe/Prague>"
    assert repr(AbsenceSensor("s", of="inbox", within="24h")) == "<AbsenceSensor 's': of inbox, within 1d>"
    assert sensor.in_words(None) == "it has not looked yet"
    async with ticking(sensor, "2026-11-20T07:59:00", journal=past.journal) as under_way:
        await under_way.after(180)
        words = "the absence of 2026-11-20 09:00 Europe/Prague; the next is 2026-11-23 09:00 Europe/Prague"
        assert sensor.in_words(under_way.book.cursor) == words
    found = sensor.upcoming(datetime.fromisoformat("2026-11-20 09:00"), 2)
    assert [when.isoformat() for when in found] == ["2026-11-23T09:00:00+01:00", "2026-11-24T09:00:00+01:00"]
    assert AbsenceSensor("s", of="inbox", within="24h").upcoming(found[0]) == []


async def test_the_check_refuses_deadlines_that_are_over() -> None:
    world = outside("none", clock=clock_at("2026-11-20T12:00:00"))
    await AbsenceSensor("none", **BY_NINE).check(world)
    await AbsenceSensor("none", of="inbox", within="24h").check(world)
    with pytest.raises(SensorError, match="its deadlines are over"):
        await AbsenceSensor("none", of="inbox", by="2026-01-01").check(world)


async def test_at_rest_it_writes_nothing(past: Past) -> None:
    for options in (BY_NINE, {"of": "inbox", "within": "30d"}):
        async with ticking(AbsenceSensor("none", **options), "2026-11-20T09:00:00", journal=past.journal) as sensor:
            cursor = sensor.book.cursor
            await sensor.after(3600)
            assert sensor.book.cursor == cursor
            assert len(sensor.book.observations) < 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"of": "inbox"}, "give by='0 9 "),
        ({"of": 3, "by": "@daily"}, "of=3 is no sensor"),
        ({"of": "In Box", "by": "@daily"}, "of='In Box' is no sensor"),
        ({"of": "a", "by": "@daily"}, "'a' can't watch itself"),
        ({"of": "inbox", "by": "0 0 31 2 *"}, "never fires"),
        ({"of": "inbox", "by": []}, r"by=\[\] names no deadline"),
        ({"of": "inbox", "by": ["@daily", "2026-11-20"]}, "both cron texts and times"),
        ({"of": "inbox", "by": "@daily", "zone": "Europe/Praha"}, "did you mean 'Europe/Prague'"),
        ({"of": "inbox", "within": "1h", "zone": "Europe/Praha"}, "did you mean 'Europe/Prague'"),
        ({"of": "inbox", "by": "@daily", "within": "1h"}, "by= has no meaning with within="),
        ({"of": "inbox", "within": "1h", "window": "1h"}, "window= has no meaning"),
        ({"of": "inbox", "within": "1s"}, "within='1s' is too short: use at least '10s'"),
        ({"of": "inbox", "by": "@daily", "window": 0}, "window=0 is too short"),
        ({"of": "inbox", "by": "@daily", "grace": "2h"}, "grace='2h' is too long"),
        ({"name": "A", "of": "inbox", "by": "@daily"}, "can't name a sensor"),
    ],
)
def test_what_cant_be_meant_is_refused_at_its_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message) as caught:
        AbsenceSensor(**{"name": "a", **options})
    assert caught.value.where is not None
    assert caught.value.where.startswith(__file__)
