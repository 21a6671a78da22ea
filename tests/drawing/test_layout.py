from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventflow.drawing.layout import Box, Frame, Layout, Link, Rect, layout


def boxes(frame: Frame) -> Iterator[Box]:
    for item in (*frame.inside, *((frame.last,) if frame.last else ())):
        if isinstance(item, Box):
            yield item
        else:
            yield from boxes(item)


def frames(frame: Frame) -> Iterator[Frame]:
    yield frame
    for item in (*frame.inside, *((frame.last,) if frame.last else ())):
        if isinstance(item, Frame):
            yield from frames(item)


def overlap(one: Rect, other: Rect) -> bool:
    across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    return across > 0.01 and down > 0.01


def holds(outer: Rect, inner: Rect) -> bool:
    return (
        outer.x <= inner.x + 0.01
        and outer.y <= inner.y + 0.01
        and inner.x + inner.width <= outer.x + outer.width + 0.01
        and inner.y + inner.height <= outer.y + outer.height + 0.01
    )


def check(whole: Frame, links: list[Link]) -> Layout:
    """Lay out, and check everything that holds of every layout."""
    found = layout(whole, links)
    places = found.places
    leaves = [box.key for box in boxes(whole)]
    for frame in frames(whole):
        inside = [item.key for item in (*frame.inside, *((frame.last,) if frame.last else ()))]
        assert all(holds(places[frame.key], places[key]) for key in inside)
        assert [(one, other) for one, other in combinations(inside, 2) if overlap(places[one], places[other])] == []
    for link, way in zip(links, found.ways, strict=True):
        source, target = places[link.source], places[link.target]
        assert way[0] == pytest.approx((source.x + source.width / 2 + link.out, source.y + source.height))
        assert way[-1] == pytest.approx((target.x + target.width / 2, target.y))
        assert [after.y - before.y for before, after in pairwise(way) if after.y < before.y - 0.01] == []
        for before, after in pairwise(way):
            step = Rect(min(before.x, after.x) - 0.1, before.y, abs(before.x - after.x) + 0.2, after.y - before.y)
            assert [key for key in leaves if overlap(step, places[key])] == []
    return found


@st.composite
def trees(draw: st.DrawFn, first: int, count: int, depth: int) -> tuple[Box | Frame, ...]:
    """Give boxes in a row of frames: links from lower numbers to higher ones then never leave a frame and lead back into it."""
    items: list[Box | Frame] = []
    while count:
        size = draw(st.integers(1, count))
        if depth and draw(st.booleans()):
            inside = draw(trees(first, size, depth - 1))
            items.append(Frame(f"f{first}.{depth}", inside, draw(st.sampled_from([0.0, 30.0])), draw(st.sampled_from([0.0, 150.0]))))
        else:
            items += [
                Box(str(first + one), draw(st.sampled_from([30.0, 80.0, 250.0])), draw(st.sampled_from([20.0, 60.0])))
                for one in range(size)
            ]
        first, count = first + size, count - size
    return tuple(items)


@st.composite
def pictures(draw: st.DrawFn) -> tuple[Frame, list[Link]]:
    count = draw(st.integers(0, 25))
    last = draw(st.none() | st.just(Frame("last", (Box("one", 50.0, 20.0), Box("two", 50.0, 20.0)), 20.0)))
    whole = Frame("", draw(trees(0, count, 2)), 40.0, 100.0, last)
    numbers = st.integers(0, max(count - 1, 0))
    pairs = draw(st.sets(st.tuples(numbers, numbers).filter(lambda pair: pair[0] < pair[1]), max_size=50 if count > 1 else 0))
    kinds = st.sampled_from(["value", "order"])
    outs = st.sampled_from([0.0, 0.0, 0.0, 12.0])
    return whole, [Link(str(source), str(target), draw(kinds), draw(outs)) for source, target in sorted(pairs)]


@given(pictures())
def test_nothing_overlaps_and_links_go_from_box_to_box_past_all_others(picture: tuple[Frame, list[Link]]) -> None:
    check(*picture)


def test_an_overlap_is_noticed() -> None:
    assert overlap(Rect(0, 0, 10, 10), Rect(5, 5, 10, 10))
    assert not overlap(Rect(0, 0, 10, 10), Rect(10, 0, 10, 10))


def test_a_chain_is_one_straight_line() -> None:
    links = [Link(str(number), str(number + 1)) for number in range(5)]
    found = check(Frame("", tuple(Box(str(number), 40.0 + number, 30.0) for number in range(6))), links)
    assert {round(place.x + place.width / 2, 3) for key, place in found.places.items() if key} == {round(found.ways[0][0].x, 3)}


def test_two_that_meet_again_stand_at_the_same_height_around_the_middle() -> None:
    box = [Box(key, 60.0, 30.0) for key in ("a", "left", "right", "b")]
    found = check(Frame("", tuple(box)), [Link("a", "left"), Link("a", "right"), Link("left", "b"), Link("right", "b")]).places
    assert found["left"].y == found["right"].y
    assert found["a"].x == found["b"].x == pytest.approx((found["left"].x + found["right"].x) / 2)


def test_what_needs_nothing_stands_right_above_what_needs_it() -> None:
    links = [Link("a", "b"), Link("b", "c"), Link("late", "c")]
    found = check(Frame("", tuple(Box(key, 60.0, 30.0) for key in ("a", "b", "c", "late"))), links).places
    assert found["late"].y == found["b"].y


def test_a_link_into_a_frame_and_one_out_of_it_pass_its_edges_in_one_line() -> None:
    inner = Frame("frame", (Box("in", 60.0, 30.0),), 30.0)
    found = check(Frame("", (Box("a", 60.0, 30.0), inner, Box("b", 60.0, 30.0))), [Link("a", "in"), Link("in", "b")])
    assert {round(x, 3) for way in found.ways for x, _ in way} == {round(found.ways[0][0].x, 3)}


def test_links_may_begin_and_end_at_a_frame() -> None:
    inner = Frame("frame", (Box("in", 60.0, 30.0), Box("beside", 60.0, 30.0)), 30.0)
    check(Frame("", (Box("a", 60.0, 30.0), inner, Box("b", 60.0, 30.0))), [Link("a", "frame"), Link("frame", "b")])


def test_a_long_row_becomes_several() -> None:
    names = [str(number) for number in range(100)]
    links = [*(Link("begin", name) for name in names), *(Link(name, "end") for name in names)]
    whole = Frame("", (Box("begin", 60.0, 30.0), *(Box(name, 60.0, 30.0) for name in names), Box("end", 60.0, 30.0)))
    found = check(whole, links)
    assert len({found.places[name].y for name in names}) == 5


def test_the_links_of_many_to_one_come_as_one() -> None:
    names = [str(number) for number in range(6)]
    links = [*(Link(before, after) for before, after in pairwise(names)), *(Link(name, "end") for name in names)]
    found = check(Frame("", (*(Box(name, 60.0, 30.0) for name in names), Box("end", 60.0, 30.0))), links)
    assert len({way[-3:] for way in found.ways[5:9]}) == 1


def test_where_links_pass_too_many_rows_the_longest_go_beside_everything() -> None:
    names = [str(number) for number in range(130)]
    links = [*(Link(before, after) for before, after in pairwise(names)), *(Link("0", name) for name in names[2:])]
    found = check(Frame("", tuple(Box(name, 60.0, 30.0) for name in names)), links)
    (x,) = {way[len(way) // 2].x for way in found.ways[140:]}
    assert x < min(place.x for key, place in found.places.items() if key)


def test_what_hangs_on_one_link_hangs_straight() -> None:
    widths = {"top": 140.0, "left": 80.0, "below": 140.0, "end": 100.0, "under": 84.0}
    links = [Link("top", "left"), Link("top", "end"), Link("top", "under"), Link("left", "below"), Link("below", "end")]
    places = check(Frame("", tuple(Box(name, width, 30.0) for name, width in widths.items())), links).places
    assert places["under"].x + 42.0 == pytest.approx(places["top"].x + 70.0)
