from __future__ import annotations

from eventflow.drawing import order
from eventflow.drawing.ranks import Arc, ranked


def test_two_joins_that_change_sides_cross() -> None:
    assert order.crossings(ranked(4, [Arc(0, 3), Arc(1, 2)])) == 1
    assert order.crossings(ranked(4, [Arc(0, 2), Arc(1, 3)])) == 0


def test_joins_cross_by_where_they_leave_a_vertex() -> None:
    assert order.crossings(ranked(3, [Arc(0, 1, "right", out=9.0), Arc(0, 2, "left", out=-9.0)])) == 1


def test_an_order_without_crossings_is_found_where_there_is_one() -> None:
    ranks = ranked(6, [Arc(0, 5), Arc(1, 4), Arc(2, 3), Arc(0, 4)])
    assert order.crossings(ranks) == 4
    order.sort(ranks)
    assert order.crossings(ranks) == 0


def test_a_way_past_a_branch_keeps_to_the_side_where_it_goes() -> None:
    train, judge, when, deploy, otherwise = range(5)
    arcs = [Arc(train, judge), Arc(judge, when), Arc(train, deploy), Arc(when, deploy, "yes"), Arc(when, otherwise, "no", out=60.0)]
    ranks = ranked(5, arcs)
    order.sort(ranks)
    assert order.crossings(ranks) == 0
    assert ranks.rows[2][-1] == when
