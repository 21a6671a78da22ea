"""The shape of a map: which items of which lists meet, and what the meetings are called."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventflow.engine.axes import LONGEST_KEY, Axes


def met(axes: dict[str, int], lists: dict[str, str]) -> list[str]:
    """Give what meets in each item, as one text."""
    shape = Axes(axes, {name: len(values) for name, values in lists.items()})
    return ["".join(lists[name][shape.place(name, index)] for name in lists) for index in range(shape.count)]


def test_lists_of_one_axis_are_taken_in_step() -> None:
    assert met({"a": 0, "b": 0}, {"a": "xyz", "b": "123"}) == ["x1", "y2", "z3"]


def test_lists_of_several_axes_meet_in_all_combinations_the_first_changing_slowest() -> None:
    assert met({"a": 0, "b": 1}, {"a": "xy", "b": "123"}) == ["x1", "x2", "x3", "y1", "y2", "y3"]
    assert met({"a": 1, "b": 0}, {"a": "xy", "b": "12"}) == ["x1", "y1", "x2", "y2"]


def test_zipped_lists_are_one_axis_among_others() -> None:
    assert met({"a": 0, "b": 0, "c": 1}, {"a": "xy", "b": "12", "c": "!?"}) == ["x1!", "x1?", "y2!", "y2?"]


def test_an_empty_list_makes_no_item() -> None:
    assert met({"a": 0}, {"a": ""}) == []
    assert met({"a": 0, "b": 1}, {"a": "xyz", "b": ""}) == []
    assert Axes({}, {}).count == 0


def test_lists_in_step_of_different_lengths_are_refused_by_name_and_length() -> None:
    with pytest.raises(ValueError, match=r"of one length: 'a' has 3, 'b' has 2"):
        Axes({"a": 0, "b": 0, "c": 1}, {"a": 3, "b": 2, "c": 9})


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 3), min_size=1), st.lists(st.integers(0, 4), min_size=4, max_size=4))
def test_items_are_those_of_nested_loops(axes: dict[str, int], sizes: list[int]) -> None:
    shape = Axes(axes, {name: sizes[axis] for name, axis in axes.items()})
    loops = sorted(set(axes.values()))
    wanted = [dict(zip(loops, places, strict=True)) for places in product(*(range(sizes[axis]) for axis in loops))]
    assert shape.count == len(wanted)
    assert [{name: shape.place(name, index) for name in axes} for index in range(shape.count)] == [
        {name: places[axis] for name, axis in axes.items()} for places in wanted
    ]


# Names


def keys(*said: object) -> list[str]:
    return Axes({"a": 0}, {"a": len(said)}).keys(said)


def test_a_key_is_a_text_or_a_whole_number() -> None:
    assert keys("slow", 3, "größer than 2.5 %") == ["slow", "3", "größer than 2.5 %"]


@pytest.mark.parametrize(
    "key", ["", "a[0]", "a]", "a/b", "two\nlines", "\x1b[1m", "x" * (LONGEST_KEY + 1), True, 1.5, None, b"bytes", ("a",)], ids=repr
)
def test_what_could_be_no_name_is_no_key(key: object) -> None:
    with pytest.raises(ValueError, match="can't name an item"):
        keys("good", key)


def test_two_items_of_one_name_are_refused_with_their_numbers() -> None:
    with pytest.raises(ValueError, match=r"key='1' names two items, number 0 and 2: each needs a key of its own"):
        keys("1", "2", 1)
