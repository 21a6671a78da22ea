"""Keys that are used again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eventflow import codec
from eventflow.sensors.rows.lives import Lives, lives


def test_keys_are_their_own_names_until_they_are_let_go() -> None:
    known = Lives().handed_out({1: "", 2: ""})
    assert (known.name(1), known.name(2), known.name(3)) == ("1", "2", "3")
    known = known.left(1)
    assert (known.name(1), known.name(2), known.name(3)) == ("1", "2~1", "3")


def test_what_was_let_go_is_let_go_once() -> None:
    known = Lives().handed_out({1: "", 2: ""}).left(1)
    assert known.left(1) == known
    assert known.left(2) == known


def test_an_empty_table_lets_go_of_all_keys() -> None:
    known = Lives().handed_out({-4: "", 7: ""}).left(None)
    assert (known.name(-4), known.name(7), known.name(8)) == ("-4~1", "7~1", "8")
    assert known.left(None) == known


def test_a_row_of_the_tail_that_looks_different_has_another_name_and_its_neighbours_keep_theirs() -> None:
    known = Lives().handed_out({1: "a", 2: "b", 3: "c"}).compared({1: "a", 2: "x", 3: "c"})
    assert [known.name(key) for key in (1, 2, 3)] == ["1", "2~1", "3"]
    assert known.compared({1: "a", 2: "x", 3: "c"}) == known


def test_a_row_of_the_tail_that_is_gone_says_nothing_of_the_others() -> None:
    known = Lives().handed_out({1: "a", 2: "b"})
    assert known.compared({2: "b"}) == known


def test_it_comes_back_from_a_cursor_the_same() -> None:
    known = Lives().handed_out({1: "a", 2: "b", 9: "c"}).left(2).handed_out({3: "d"}).left(None)
    assert lives(codec.decode(codec.encode(known.data()))) == known


def test_what_it_remembers_is_bounded() -> None:
    known = Lives()
    for key in range(1, 1000):
        known = known.handed_out({key: "x", key + 1: "y"}).left(key)
    assert len(known.again) <= 100
    assert len(known.tail) <= 32
    assert known.name(999).startswith("999") and known.name(1000) == "1000~999"  # noqa: PT018


@given(st.lists(st.integers(0, 3), max_size=60))
def test_each_row_ever_has_a_name_of_its_own(steps: list[int]) -> None:
    """Rows come at the end and go from the end, and each change is looked at: SQLite's own rule for keys."""
    table: dict[int, str] = {}
    named: list[str] = []
    known = Lives()
    for step in steps:
        if step and table:
            del table[max(table)]
            known = known.left(max(table, default=None))
        else:
            key = max(table, default=0) + 1
            table[key] = known.name(key)
            named.append(table[key])
            known = known.handed_out({key: ""})
        assert {key: known.name(key) for key in table} == table
    assert len(set(named)) == len(named)
