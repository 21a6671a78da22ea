from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventflow import ids

instants = st.integers(0, (1 << 48) * 1000 - 1)
randoms = st.integers(0, (1 << 74) - 1)


@given(instants, randoms)
def test_an_id_is_a_uuid_of_version_7(now: int, bits: int) -> None:
    made = uuid.UUID(ids.uuid7(now, bits))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)


@given(instants, instants, randoms, randoms)
def test_ids_sort_by_the_millisecond_they_were_made(one: int, other: int, bits: int, more: int) -> None:
    assert one // 1000 >= other // 1000 or ids.uuid7(one, bits) < ids.uuid7(other, more)


@given(instants, randoms, randoms)
def test_other_random_bits_give_another_id(now: int, bits: int, more: int) -> None:
    assert (ids.uuid7(now, bits) == ids.uuid7(now, more)) is (bits == more)


def test_people_see_the_last_digits() -> None:
    assert ids.short("0123456789abcdef0123456789abcdef") == "89abcdef"


@pytest.mark.parametrize(
    "text", ["", "abc", "0123456789ABCDEF0123456789ABCDEF", "../../../../../../../etc/passwd..", "0123456789abcdef0123456789abcdef\n"]
)
def test_what_is_no_whole_id_is_refused(text: str) -> None:
    assert not ids.is_id(text)


def test_a_made_id_is_an_id() -> None:
    assert ids.is_id(ids.uuid7(1, 2))


@pytest.mark.parametrize("text", ["retrain", "_x", "etl-2", "a" * 64])
def test_names_are_short_and_plain(text: str) -> None:
    assert ids.is_name(text)


@pytest.mark.parametrize("text", ["", "Retrain", "2x", "-x", "a b", "a/b", "a" * 65, "x\n", "über", "<lambda>"])
def test_what_is_no_name_is_refused(text: str) -> None:
    assert not ids.is_name(text)
