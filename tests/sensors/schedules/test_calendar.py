"""The calendar of schedules against others: croniter, and a walk through all instants of a zone that asks what its clocks show."""

from __future__ import annotations

import bisect
import itertools
import random
import zoneinfo
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any

import pytest
from croniter import CroniterBadDateError, croniter

from eventflow.durations import instant_of
from eventflow.sensors.schedules.days import DaySet
from eventflow.sensors.schedules.plan import plan_of
from eventflow.sensors.schedules.ticks import Ticks, checked
from eventflow.sensors.schedules.zones import instants, local, moment, zone_named
from tests.sensors.schedules.ticking import at

ZONES = sorted(zoneinfo.available_timezones() - {"Factory", "localtime"})
HALF_HOURS = ("Australia/Lord_Howe", "Australia/LHI")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE = 60_000_000
QUARTER = 900 * 1_000_000
DAY = 86_400 * 1_000_000
FIELDS = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))  # second to day of the week
BUSY = ("Europe/Prague", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "Asia/Tehran", "America/St_Johns")


def ticks(zone: str = "UTC", dst: Any = "default", **when: Any) -> Ticks:
    return checked(plan_of(zone=zone, dst=dst, **when))


# Against croniter


def field(chance: random.Random, low: int, high: int) -> str:
    """Give a field of a cron text: starred more often than not, so that days match within reason."""
    one, other = sorted((chance.randint(low, high), chance.randint(low, high)))
    step = chance.randint(1, high - low)
    listed = sorted({chance.randint(low, high) for _ in range(chance.randint(1, 4))})
    kinds = ["*", "*", "*", f"*/{step}", str(one), ",".join(map(str, listed))]
    if one < other:
        kinds += [f"{one}-{other}", f"{one}-{other}/{chance.randint(1, other - one)}"]
    return chance.choice(kinds)


def expression(chance: random.Random) -> str:
    fields = [field(chance, low, high) for low, high in FIELDS]
    return " ".join(fields if chance.random() < 0.3 else fields[1:])


def theirs(text: str, start: datetime, count: int) -> list[int]:
    # croniter's own reading where both days are given is that either is enough, always: cron's, and ours, is only its option.
    found = croniter(text, start, datetime, implement_cron_bug=True, second_at_beginning=True)
    try:
        return [instant_of(found.get_next()) for _ in range(count)]
    except CroniterBadDateError:
        return []


@lru_cache
def moves(zone: str, first: str = "2015-01-01", last: str = "2031-01-01") -> list[int]:
    """Give the instants, to the minute, at which a zone's clocks are moved."""
    there, begin, found = zone_named(zone), at(first), list[int]()
    offsets = [(day, offset(day, there)) for day in range(begin, at(last), 7 * DAY)]
    for (sooner, before), (later, after) in itertools.pairwise(offsets):
        if before != after:
            found.append(first_of(range(sooner, later, MINUTE), lambda instant, old=before: offset(instant, there) != old))
    return found


def first_of(instants_: range, condition: Callable[[int], bool]) -> int:
    return instants_[bisect.bisect_left(instants_, 1, key=condition)]


def offset(instant: int, zone: tzinfo) -> timedelta:
    return (EPOCH + timedelta(microseconds=instant)).astimezone(zone).utcoffset() or timedelta(0)


@pytest.mark.parametrize("seed", range(20))
def test_a_thousand_random_expressions_fire_when_a_second_library_says(seed: int) -> None:
    """Both have times that don't exist fire after the gap. In croniter what comes twice fires twice, which is the policy "both" here.

    Two things are known to differ. After a gap croniter keeps to the seconds that were asked for, where here the first instant counts:
    so minutes are compared. And it passes over the second coming of half an hour, on Lord Howe Island: the walk below goes there.
    """
    chance = random.Random(seed)
    for _ in range(50):
        text, zone = expression(chance), chance.choice([zone for zone in (*BUSY, chance.choice(ZONES)) if zone not in HALF_HOURS])
        start = (
            chance.choice([*moves(zone), at("2010-01-01") + chance.randrange(20 * 365) * DAY])
            - chance.randrange(DAY // 1_000_000) * 1_000_000
        )
        expected = theirs(text, datetime.fromtimestamp(start // 1_000_000, zone_named(zone)), 10)
        try:
            plan = plan_of(cron=text, zone=zone, dst="both")
        except ValueError:
            assert expected == [], text
            continue
        found = list(itertools.islice(Ticks(plan).after(start), len(expected)))
        assert minutes(found) == minutes(expected), (text, zone, start)


def minutes(found: Iterable[int]) -> list[int]:
    return [minute for minute, _ in itertools.groupby(instant // 60_000_000 for instant in found)]


# Against a walk through all instants


def shown(zone: str, middle: int) -> list[tuple[int, datetime]]:
    """Give each quarter of an hour around an instant, with what the zone's clocks show."""
    there = zone_named(zone)
    return [(instant, local(instant, there)) for instant in range(middle - DAY, middle + DAY, QUARTER)]


def walked(clocks: list[tuple[int, datetime]], wanted: Callable[[datetime], bool], gap: str, fold: str) -> list[int]:
    """Give when a schedule for those local times is to fire, by looking at the clocks all the time."""
    found, gone = set[int](), {clocks[0][1]}
    for (_, before), (instant, now) in itertools.pairwise(clocks):
        for place, never in enumerate(skipped(before, now)):
            if wanted(never) and gap != "none":
                found.add(instant + place * QUARTER * (gap == "shift"))
        if wanted(now) and (fold == "both" or now not in gone):
            found.add(instant)
        gone.add(now)
    return sorted(found)


def skipped(before: datetime, now: datetime) -> Iterator[datetime]:
    while (before := before + timedelta(minutes=15)) < now:
        yield before


POLICIES = [
    ("30 2 * * *", "default", "first", "first"),
    ("*/30 * * * *", "default", "none", "both"),
    ("*/15 0,2 * * *", "default", "first", "both"),
    ("15,45 1-3 * * *", "skip", "none", "first"),
    ("*/30 * * * *", "skip", "none", "first"),
    ("15,45 0,1,2,3 * * *", "shift", "shift", "first"),
    ("30 0,1,2 * * *", "both", "first", "both"),
    ("*/15 * * * *", "both", "none", "both"),
]


def wanted(text: str) -> Callable[[datetime], bool]:
    """Read the two fields of a text of `POLICIES` that count."""
    minute, hour = ({int(number) for number in croniter.expand(text)[0][place] if number != "*"} for place in (0, 1))
    return lambda when: (not minute or when.minute in minute) and (not hour or when.hour in hour)


def around(ticks_: Ticks, clocks: list[tuple[int, datetime]]) -> list[int]:
    begin, end = clocks[0][0], clocks[-1][0]
    return list(itertools.takewhile(lambda tick: tick <= end, ticks_.after(begin)))


@lru_cache
def windows() -> list[tuple[str, list[tuple[int, datetime]]]]:
    """Give the clocks of each zone on four dates: when they are put on, put back, on a leap day, and when 32 bits of seconds are over.

    Zones whose clocks show the same all the time have one of them stand for all.
    """
    found: dict[tuple[tuple[int, datetime], ...], str] = {}
    for zone in ZONES:
        there = zone_named(zone)
        moved = [when for when in moves(zone) if when % QUARTER == 0]  # those that the walk comes by
        gaps = [when for when in moved if offset(when, there) > offset(when - QUARTER, there)]
        folds = sorted({*moved} - {*gaps})
        for middle in (*gaps[-1:], *folds[-1:], at("2028-02-29T12:00"), at("2038-01-19T03:00")):
            found.setdefault(tuple(shown(zone, middle)), zone)
    return [(zone, list(clocks)) for clocks, zone in found.items()]


@pytest.mark.parametrize(("text", "dst", "gap", "fold"), POLICIES)
def test_F28_in_every_zone_each_local_time_fires_as_the_policy_says(text: str, dst: str, gap: str, fold: str) -> None:
    matches = wanted(text)
    for zone, clocks in windows():
        found = around(ticks(zone, dst, cron=text), clocks)
        assert found == walked(clocks, matches, gap, fold), zone
        assert found == sorted({*found})


def test_the_walk_finds_what_the_schedules_promise() -> None:
    """The walk itself, on a night that everybody knows."""
    spring, autumn = shown("Europe/Prague", at("2026-03-29T01:00")), shown("Europe/Prague", at("2026-10-25T01:00"))
    nightly = wanted("30 2 * * *")
    assert walked(spring, nightly, "first", "first") == [at("2026-03-28T01:30"), at("2026-03-29T01:00"), at("2026-03-30T00:30")]
    assert walked(spring, nightly, "shift", "first") == [at("2026-03-28T01:30"), at("2026-03-29T01:30"), at("2026-03-30T00:30")]
    assert walked(autumn, nightly, "first", "both") == [at("2026-10-25T00:30"), at("2026-10-25T01:30")]


def test_F28_every_zone_has_been_visited_and_most_have_moved() -> None:
    assert len(ZONES) > 550
    assert len(windows()) > 150
    assert sum(bool(moves(zone)) for zone in ZONES) > 200


# Forward and back


@pytest.mark.parametrize("seed", range(8))
def test_walked_back_a_calendar_is_the_same(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(50):
        zone, dst = chance.choice(BUSY), chance.choice(["default", "skip", "shift", "both"])
        days = chance.choice([{}, {"exclude": "weekends"}, {"only": ["sun", "12-24/01-06"]}, {"exclude": ["2026-01-01/2026-06-30", "mon"]}])
        when: dict[str, Any] = {"every": chance.choice(["15m", "7h", "1h"])}
        if chance.random() < 0.8:
            when = {"cron": [expression(chance) for _ in range(chance.choice([1, 1, 3]))], "dst": dst}
        try:
            calendar = ticks(zone, **{**when, **days})
        except ValueError:
            continue
        start = chance.choice(moves(zone)) - chance.randrange(DAY // 1_000_000) * 1_000_000
        forward = list(itertools.islice(calendar.after(start), 40))
        if not forward:
            continue
        assert forward == sorted({*forward}), (when, zone)
        back = list(itertools.islice(calendar.before(forward[-1] + 1), len(forward)))
        assert back[::-1] == forward, (when, days, zone, start)
        middle = forward[len(forward) // 2]
        assert calendar.following(middle) == forward[len(forward) // 2 + 1], (when, zone)
        assert calendar.previous(forward[1]) == forward[0], (when, zone)


def test_it_matters_not_where_a_walk_begins() -> None:
    """Restarting at each tick and at each second between is as going on."""
    for dst in ("default", "skip", "shift", "both"):
        for begin in ("2026-03-28T22:00", "2026-10-24T22:00"):
            calendar = ticks("Europe/Prague", dst, cron=["*/7 1-3 * * *", "30 2,3 * * *"])
            whole = list(itertools.islice(calendar.after(at(begin)), 60))
            for start in range(at(begin), at(begin) + DAY // 4, 60_000_000):
                assert next(calendar.after(start)) == whole[bisect.bisect_right(whole, start)]
                earlier = whole[: bisect.bisect_left(whole, start)][-3:]
                assert list(itertools.islice(calendar.before(start), len(earlier))) == earlier[::-1]


# Days, starts and ends


def days_of(calendar: Ticks, start: str, count: int) -> list[str]:
    return [local(tick, calendar.zone).isoformat()[:10] for tick in itertools.islice(calendar.after(at(start)), count)]


def test_business_days_are_weekdays_without_holidays() -> None:
    holidays = ["12-24/12-26", date(2027, 1, 1), (date(2026, 12, 30), date(2026, 12, 31))]
    calendar = ticks("Europe/Prague", cron="0 9 * * *", exclude=["weekends", *holidays])
    assert days_of(calendar, "2026-12-22T12:00", 4) == ["2026-12-23", "2026-12-28", "2026-12-29", "2027-01-04"]


def test_a_yearly_range_may_reach_over_the_new_year() -> None:
    calendar = ticks(cron="@daily", only="12-31/01-02")
    assert days_of(calendar, "2026-06-01", 4) == ["2026-12-31", "2027-01-01", "2027-01-02", "2027-12-31"]


def test_a_leap_day_can_be_left_out_or_be_the_only_one() -> None:
    assert days_of(ticks(cron="0 0 * 2 *", exclude="02-29"), "2028-02-27T12:00", 2) == ["2028-02-28", "2029-02-01"]
    assert days_of(ticks(cron="@daily", only="02-29"), "2026-01-01", 2) == ["2028-02-29", "2032-02-29"]


def test_days_are_those_of_the_zone() -> None:
    """In Tokyo it is Saturday while it is still Friday in UTC."""
    calendar = ticks("Asia/Tokyo", every="6h", exclude="weekends")
    assert [local(tick, calendar.zone).isoformat() for tick in itertools.islice(calendar.after(at("2026-11-20T10:00")), 2)] == [
        "2026-11-20T21:00:00",
        "2026-11-23T03:00:00",
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * sun"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
    ],
)
def test_names_stand_for_cron_texts(name: str, text: str) -> None:
    one, other = (list(itertools.islice(ticks("Europe/Prague", cron=cron).after(at("2026-11-20")), 20)) for cron in (name, text))
    assert one == other


def test_six_fields_begin_with_seconds() -> None:
    found = itertools.islice(ticks(cron="*/20 30 2 * * *").after(at("2026-11-20T12:00")), 3)
    assert list(found) == [at(f"2026-11-21T02:30:{second}") for second in ("00", "20", "40")]


def test_several_texts_are_one_calendar_in_which_no_instant_comes_twice() -> None:
    calendar = ticks(cron=["0 9 * * mon-fri", "0 11 * * sat", "0 9 1 * *"])
    found = [local(tick, UTC).strftime("%a %d %H") for tick in itertools.islice(calendar.after(at("2026-11-30T12:00")), 5)]
    assert found == ["Tue 01 09", "Wed 02 09", "Thu 03 09", "Fri 04 09", "Sat 05 11"]


def test_lengths_of_time_begin_at_a_mondays_midnight() -> None:
    assert next(ticks(every="1w").after(at("2026-11-18"))) == at("2026-11-23")
    assert next(ticks(every="1h").after(at("2026-11-18T10:20"))) == at("2026-11-18T11:00")


def test_a_whole_day_that_a_country_left_out_fires_once_after_it() -> None:
    """Samoa had no 30 December 2011."""
    found = list(itertools.islice(ticks("Pacific/Apia", cron="0 12 * * *").after(at("2011-12-29T00:00")), 3))
    assert found == [at("2011-12-29T12:00-10:00"), at("2011-12-31T00:00+14:00"), at("2011-12-31T12:00+14:00")]


def test_clocks_that_were_moved_a_minute_after_midnight_are_understood() -> None:
    """As in Newfoundland until 2011."""
    found = list(itertools.islice(ticks("America/St_Johns", cron="30 0 * * *").after(at("2010-03-13T12:00")), 2))
    assert found == [at("2010-03-14T01:01-02:30"), at("2010-03-15T00:30-02:30")]


@pytest.mark.parametrize("exclude", ["2010-11-06", "2010-11-07", "sat", "sun", "weekends", "2010-11-01/2010-11-06"])
@pytest.mark.parametrize("every", ["15m", "1h", "7m"])
def test_a_day_that_comes_back_for_an_hour_is_left_out_or_not_both_times(exclude: str, every: str) -> None:
    """In Newfoundland the clocks were put back a minute after midnight, into the day before."""
    calendar, plain = ticks("America/St_Johns", every=every, exclude=exclude), ticks("America/St_Johns", every=every)
    left_out = DaySet([exclude])
    begin, end = at("2010-11-05T00:00"), at("2010-11-09T00:00")
    expected = [
        tick for tick in itertools.takewhile(lambda tick: tick < end, plain.after(begin)) if local(tick, plain.zone).date() not in left_out
    ]
    assert list(itertools.takewhile(lambda tick: tick < end, calendar.after(begin))) == expected
    assert list(itertools.takewhile(lambda tick: tick > begin, calendar.before(end))) == expected[::-1]


def test_an_offset_of_odd_seconds_is_shown_in_utc() -> None:
    """As in Liberia until 1972: no time with such an offset can be written down so that others read it."""
    assert moment(at("1971-01-01T12:00"), zone_named("Africa/Monrovia")).isoformat() == "1971-01-01T12:00:00+00:00"
    assert moment(at("1973-01-01T12:00"), zone_named("Africa/Lagos")).isoformat() == "1973-01-01T13:00:00+01:00"


# What people, and others, may write


@pytest.mark.parametrize(
    "zone",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "Zone\0",
        "Europe",
        "",
        " ",
        "Europe/Prague\n",
        "x" * 10_000,
        "right/UTC",
        "tzdata.zi",
        "\ud800",
        "Mars/Base",
        None,
        3,
    ],
)
def test_A85_a_name_that_is_no_zone_is_refused(zone: Any) -> None:
    with pytest.raises(ValueError, match="is no time zone"):
        zone_named(zone)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Europe/Praha", "Europe/Prague"),
        ("prague", "Europe/Prague"),
        ("new york", "America/New_York"),
        ("europe/prague", "Europe/Prague"),
        ("utc", "UTC"),
    ],
)
def test_A85_a_name_that_comes_close_is_answered_with_the_right_one(written: str, meant: str) -> None:
    with pytest.raises(ValueError, match=f"did you mean .*'{meant}'"):
        zone_named(written)


BOMBS = [
    ",".join(["1-59"] * 10_000) + " * * * *",
    "*/" + "1" * 100_000 + " * * * *",
    "9" * 200 + " * * * *",
    "*/1/1/1/1/1/1 * * * *",
    "* " * 10_000,
    "0-59/0 * * * *",
    "5-1 * * * *",
    "-1 * * * *",
    "* * * * 1#6",
    "* * * * \u00b2L",
    "* * * * 5L/2",
    "@" * 200,
    "\0 * * * *",
    "\ud800 * * * *",
    "? * * * *",
    "* * L-3 * *",
    "%s %d %f * *",
    "$(id) * * * *",
]


@pytest.mark.parametrize("text", BOMBS, ids=range(len(BOMBS)))
def test_A83_texts_made_to_hurt_are_refused_in_plain_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"^cron text ") as caught:
        ticks(cron=text)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("seed", range(4))
def test_A83_no_text_of_cron_characters_does_anything_but_fire_or_be_refused(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(300):
        text = " ".join("".join(chance.choices("0123456789*/,-#LWMONJA", k=chance.randint(1, 5))) for _ in range(5))
        refused = ""
        try:
            list(itertools.islice(ticks(cron=text).after(at("2026-01-01")), 2))
        except ValueError as error:
            refused = str(error)
        assert not refused or refused.startswith("cron text ")


def test_A83_ten_thousand_texts_are_too_many_and_a_second_is_none_too_few() -> None:
    with pytest.raises(ValueError, match="cron has 10000 entries: give at most 100"):
        ticks(cron=["* * * * * *"] * 10_000)
    with pytest.raises(ValueError, match="exclude has 1001 entries"):
        ticks(cron="* * * * *", exclude=[date(2026, 1, 1) + timedelta(days=n) for n in range(1001)])
    with pytest.raises(ValueError, match="at has 1001 entries"):
        ticks(at=[datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(1001)])
    assert next(ticks(cron="* * * * * *").after(at("2026-01-01"))) == at("2026-01-01T00:00:01")


def test_the_end_of_all_calendars_is_an_end() -> None:
    for when in ({"cron": "@daily"}, {"every": "1d"}):
        assert list(itertools.islice(ticks("Europe/Prague", **when).after(at("8999-12-30T12:00")), 5))[2:] == []


def test_a_local_time_means_no_instant_one_or_two() -> None:
    prague, read = zone_named("Europe/Prague"), datetime.fromisoformat
    assert instants(read("2026-07-01 12:00"), prague, "none", "first") == (at("2026-07-01T10:00"),)
    assert instants(read("2026-03-29 02:30"), prague, "none", "first") == ()
    assert instants(read("2026-10-25 02:30"), prague, "none", "both") == (at("2026-10-25T00:30"), at("2026-10-25T01:30"))
