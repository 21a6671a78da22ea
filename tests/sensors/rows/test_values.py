"""Values of columns, keys and places."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eventflow import codec
from eventflow.errors import SourceUnreachable
from eventflow.sensors.rows.places import packed, unpacked
from eventflow.sensors.rows.values import identity, instant, plain, unversioned, versioned


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "as_plain"),
    [
        (None, None),
        (True, True),
        (2**200, 2**200),
        (1.5, 1.5),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        ("a\0b", "a\0b"),
        ("a\udcff", "a\\udcff"),
        (b"\x00\xff", "AP8="),
        (bytearray(b"a"), "YQ=="),
        (memoryview(b"a"), "YQ=="),
        (Decimal("10.50"), "10.50"),
        (Decimal("NaN"), "NaN"),
        (Decimal("sNaN"), "sNaN"),
        (Decimal("-Infinity"), "-Infinity"),
        (datetime(2026, 11, 20, 12, tzinfo=UTC), "2026-11-20T12:00:00+00:00"),
        (date(2026, 11, 20), "2026-11-20"),
        (time(12, 30), "12:30:00"),
        (timedelta(minutes=1, milliseconds=500), 60.5),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (Colour.RED, "red"),
        ([1, math.nan, (b"a",)], [1, "NaN", ["YQ=="]]),
        ({"a": {1: Decimal(2)}}, {"a": {"1": "2"}}),
        ({"$path": "/etc/passwd"}, '{"$path": "/etc/passwd"}'),
        ([{"$path64": "AA=="}], ['{"$path64": "AA=="}']),
    ],
)
def test_values_become_plain_data_that_json_carries(value: object, as_plain: object) -> None:
    assert plain(value) == as_plain
    assert codec.decode(codec.encode({"column": plain(value)})) == {"column": as_plain}


def test_what_is_nested_without_end_is_cut() -> None:
    value: list[Any] = []
    value.append(value)
    assert b"nested too deeply" in codec.encode(plain(value))


def test_keys_are_named_by_their_digits_or_as_they_are() -> None:
    assert identity((4711,)) == "4711"
    assert identity((Decimal(4711),)) == "4711"
    assert identity((-5,)) == "-5"
    assert identity(("ab-12",)) == "ab-12"
    assert identity(("x", 1)) == '["x",1]'
    assert versioned("7", 3) == "7@3"


KEYS: Any = st.one_of(
    st.integers(), st.text(max_size=4), st.binary(max_size=3), st.sampled_from(["1", "null", '"a"', "a@1", "[1]", "a\udcff", "a\\udcff"])
)


@given(st.lists(st.tuples(KEYS), unique=True, max_size=30), st.lists(st.tuples(KEYS, KEYS), unique=True, max_size=30))
def test_different_keys_have_different_names(single: list[Any], double: list[Any]) -> None:
    names = [identity(key) for key in (*single, *double)]
    assert len(set(names)) == len(names)
    for name in names:
        name.encode()


@given(st.lists(st.tuples(KEYS, KEYS), unique=True, max_size=30))
def test_different_versions_have_different_names(pairs: list[Any]) -> None:
    names = [versioned(identity((key,)), version) for key, version in pairs]
    assert len(set(names)) == len(names)


PLACES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary(), st.datetimes(), st.dates(), st.times(),
    st.decimals(allow_nan=False), st.uuids(), st.datetimes(timezones=st.just(UTC)), st.just("a\udcff"),
)  # fmt: skip


@given(PLACES, PLACES)
def test_what_a_version_is_of_can_be_told(key: object, version: object) -> None:
    name = identity((key,))
    assert unversioned(versioned(name, version)) == name
    assert unversioned(versioned(identity((key, key)), version)) == identity((key, key))


@given(st.tuples(PLACES, PLACES))
@example((math.inf, -math.inf))
def test_places_come_back_from_a_cursor_the_same(place: tuple[object, ...]) -> None:
    back = unpacked(codec.decode(codec.canonical(packed(place))))
    assert back == place
    assert [type(value) for value in back] == [type(value) for value in place]


def test_a_place_of_a_strange_type_is_refused_with_what_to_do() -> None:
    with pytest.raises(SourceUnreachable, match="order of a dict: use a column of numbers"):
        packed(({},))


def test_instants_are_microseconds_of_utc() -> None:
    assert instant(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC)) == 1_000_005
    assert instant(datetime(1970, 1, 1, 1, 0, 0, tzinfo=timezone(timedelta(hours=1)))) == 0
    assert instant(datetime(1970, 1, 1, 0, 0, 1)) == 1_000_000  # noqa: DTZ001 - many databases give no zone
    assert instant("2026-01-01") is None
