from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eventflow.definition.graph import TEARDOWN, Graph, Node, walk
from eventflow.drawing.groups import grouped
from eventflow.drawing.lines import lines
from eventflow.drawing.sketch import Frame, Shape, Sketch, shapes, sketch
from tests.drawing.pictures import EVERYTHING, each, ended, node


def outline(item: Shape | Frame) -> object:
    return item.label if isinstance(item, Shape) else (item.title, [outline(one) for one in item.inside], [one.label for one in item.last])


def graph(*nodes: Node) -> Graph:
    return Graph("p", nodes)


def test_groups_and_maps_are_frames_around_what_is_in_them() -> None:
    _, inside, last = outline(sketch(ended(EVERYTHING)).whole)
    assert inside[:5] == [
        "load",
        ("features", ["text", ("image", ["scale", "cut"], [])], []),
        "join",
        "train",
        ("prepare", ["read", "check", "count"], ["clear"]),
    ]
    assert last == ["clean_up", "unclean", "run_failed"]


def test_a_map_of_one_task_has_nothing_inside_but_one_of_a_map_has() -> None:
    single = each("single")
    nested = each("nested", inside=(each("inner"),))
    assert outline(sketch(graph(single, nested)).whole) == ("p", ["single", ("nested", ["inner"], [])], [])


def test_every_node_is_drawn_once() -> None:
    whole = ended(EVERYTHING)
    drawn = sketch(whole)
    paths = [path for path, _ in walk(whole.nodes) if not path.endswith("[]")]
    assert sorted([shape.path for shape in shapes([drawn.whole])] + ["prepare"]) == sorted(paths)


def test_lines_bear_the_paths_of_what_they_join() -> None:
    assert ("prepare[].read", "prepare[].check") in [line[:2] for line in sketch(EVERYTHING).lines]


def test_a_group_that_is_left_and_entered_again_is_drawn_twice() -> None:
    whole = graph(node("g.start"), node("use", "g.start"), node("g.stop", "g.start", after=("use",), role=TEARDOWN), node("g.beside"))
    assert outline(sketch(whole).whole) == ("p", [("g", ["start"], []), "use", ("g", ["stop", "beside"], [])], [])


def test_two_groups_that_lead_into_each_other_are_parted() -> None:
    nodes = (node("a.one"), node("b.one"), node("b.two", "a.one"), node("a.two", "b.one"))
    assert outline(sketch(graph(*nodes)).whole) == ("p", [("a", ["one"], []), ("b", ["one", "two"], []), ("a", ["two"], [])], [])


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    groups = st.sampled_from(["", "", "a.", "b.", "a.c.", "b.c."])
    names = [f"{draw(groups)}n{number}" for number in range(draw(st.integers(1, 20)))]
    taken = [draw(st.lists(st.sampled_from(names[:number]), max_size=3, unique=True)) if number else [] for number in range(len(names))]
    return graph(*(node(name, *sources) for name, sources in zip(names, taken, strict=True)))


@given(graphs())
def test_no_lines_leave_a_frame_and_lead_back_into_it(whole: Graph) -> None:
    names = [one.name for one in whole.nodes]
    around = grouped(names, lines(whole.nodes))
    for depth in range(3):
        things = {name: (*around[name], name)[: depth + 1] for name in names}
        edges = {(things[line.source], things[line.target]) for line in lines(whole.nodes)}
        assert is_without_circles({(source, target) for source, target in edges if source != target and source[:-1] == target[:-1]})


def is_without_circles(edges: set[tuple[tuple[str, ...], tuple[str, ...]]]) -> bool:
    while edges:
        sources = {source for source, _ in edges}
        left = {edge for edge in edges if edge[1] in sources}
        if left == edges:
            return False
        edges = left
    return True


def test_a_circle_is_noticed() -> None:
    assert not is_without_circles({(("a",), ("b",)), (("b",), ("a",))})
    assert is_without_circles({(("a",), ("b",)), (("b",), ("c",))})


def test_a_graph_without_nodes_is_an_empty_frame() -> None:
    assert sketch(graph()) == Sketch(Frame("", "p", ()), ())
