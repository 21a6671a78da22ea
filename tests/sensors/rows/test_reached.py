"""How far a sensor must look back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eventflow import codec
from eventflow.sensors.rows.reached import Reached, reached


def test_before_the_first_place_is_the_beginning() -> None:
    known = Reached().on_to((5,), 10.0, step=0, oldest=0)
    assert known.before(9.9) is None
    assert known.before(10.0) == (5,)


def test_an_instant_that_is_no_longer_known_is_the_first_that_is() -> None:
    known = Reached()
    for second in range(1, 100):
        known = known.on_to((second,), float(second), step=0, oldest=second - 10.0)
    assert known.before(50.0) == (89,)
    assert known.before(95.5) == (95,)
    assert len(known.marks) == 11


def test_nothing_behind_a_place_that_has_gone_was_reached() -> None:
    known = Reached().on_to((5,), 1.0, step=0, oldest=0).on_to((9,), 2.0, step=0, oldest=0).back_to((7,), 3.0)
    assert [place for _, place in known.marks] == [None, (5,), (7,)]


@given(st.lists(st.floats(0, 30), max_size=60), st.floats(0.5, 100))
def test_what_is_given_for_an_instant_had_always_been_reached_by_then(pauses: list[float], settle: float) -> None:
    known, now, truth = Reached(), 0.0, [(0.0, 0)]
    for number, pause in enumerate(pauses, 1):
        now += pause
        known = known.on_to((number,), now, step=settle / 8, oldest=now - settle)
        truth.append((now, number))
        place = known.before(now - settle)
        assert (0 if place is None else place[0]) <= max(number for second, number in truth if second <= max(now - settle, 0.0))
    assert len(known.marks) <= 2 * 8 + 3
    back = reached(codec.decode(codec.encode(known.data())))
    assert [place for _, place in back.marks] == [place for _, place in known.marks]
