from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventflow.definition import graph
from eventflow.definition.graph import (
    HOOK,
    TEARDOWN,
    Attribute,
    Binding,
    Branch,
    Child,
    Dependency,
    DictOf,
    Ending,
    Graph,
    Item,
    ListOf,
    Literal,
    Map,
    Maybe,
    Node,
    OneOf,
    Output,
    Parameter,
    Wait,
)
from eventflow.errors import DefinitionError


def node(name: str, *upstream: str, after: tuple[str, ...] = ()) -> Node:
    return Node(name, f"module:{name}", {f"i{number}": Output(one) for number, one in enumerate(upstream)}, after)


def names(whole: Graph) -> list[str]:
    return [one.name for one in whole.nodes]


def test_a_cycle_is_printed_as_a_path() -> None:
    with pytest.raises(DefinitionError, match=r"pipeline 'p' has a cycle: (a -> b -> c -> a|b -> c -> a -> b|c -> a -> b -> c)$"):
        graph.ordered(Graph("p", (node("a", "c"), node("b", "a"), node("c", after=("b",)))))


def test_a_node_that_needs_itself_is_a_cycle() -> None:
    with pytest.raises(DefinitionError, match="has a cycle: a -> a"):
        graph.ordered(Graph("p", (node("a", "a"),)))


def test_a_name_used_twice_is_refused() -> None:
    with pytest.raises(DefinitionError, match="two nodes named 'a'"):
        graph.ordered(Graph("p", (node("a"), node("a"))))


def test_a_dependency_that_is_not_there_is_named() -> None:
    with pytest.raises(DefinitionError, match="node 'b' of pipeline 'p' depends on 'a', which isn't in it"):
        graph.ordered(Graph("p", (node("b", "a"),)))


def test_an_ordered_graph_stays_as_it_was_written() -> None:
    written = Graph("p", (node("b"), node("a"), node("c", "b")))
    assert graph.ordered(written) is written


@given(st.data())
def test_each_node_comes_behind_what_it_needs(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    edges = [data.draw(st.sets(st.integers(0, number - 1), max_size=3)) if number else set[int]() for number in range(count)]
    made = [node(f"n{number}", *(f"n{one}" for one in sources)) for number, sources in enumerate(edges)]
    whole = graph.ordered(Graph("p", tuple(data.draw(st.permutations(made)))))
    placed: set[str] = set()
    for one in whole.nodes:
        assert placed.issuperset(graph.upstream(one))
        placed.add(one.name)
    assert len(placed) == count


def test_upstream_names_each_node_once_data_first() -> None:
    inputs = {
        "a": ListOf((Output("x"), DictOf({"k": Output("y", (Item(0),))}), Parameter("p"))),
        "b": Output("x"),
        "c": Literal(msgspec.Raw(b"1")),
    }
    assert graph.upstream(Node("n", "m:n", inputs, ("z", "y"))) == ("x", "y", "z")


def test_a_graph_survives_being_written() -> None:
    inputs = {
        "a": ListOf((Literal(msgspec.Raw(b'{"k":1}')), Parameter("p", (Attribute("x"), Item("k"), Item(2))))),
        "b": DictOf({"k": Output("n0")}),
    }
    whole = Graph("p", (node("n0"), Node("n1", "m:n1", inputs, ("n0",), "fingerprint")), Output("n1"))
    raw = graph.encode(whole)
    assert graph.encode(graph.decode(raw)) == raw
    assert names(graph.decode(raw)) == ["n0", "n1"]
    assert graph.decode(raw).nodes[1].after == ("n0",)


A, B = Output("a"), Output("b")
ONE = Literal(msgspec.Raw(b"1"))

NEEDED: dict[str, tuple[Binding, list[Dependency]]] = {
    "a literal": (ONE, []),
    "a parameter": (Parameter("p"), []),
    "an output": (A, [Dependency(("a",))]),
    "a list": (ListOf((A, ONE, DictOf({"x": B}))), [Dependency(("a",)), Dependency(("b",))]),
    "one of several": (OneOf((A, B, A)), [Dependency(("a", "b"))]),
    "one of several, with a default": (OneOf((A, ONE)), [Dependency(("a",), optional=True)]),
    "one of what is always there": (OneOf((Parameter("p"), ONE)), []),
    "maybe": (Maybe(A), [Dependency(("a",), optional=True)]),
    "maybe a list": (Maybe(ListOf((A, B))), [Dependency(("a",), optional=True), Dependency(("b",), optional=True)]),
    "maybe one of several": (Maybe(OneOf((A, B))), [Dependency(("a", "b"), optional=True)]),
    "a node's ending": (Ending("a"), [Dependency(("a",), counts=False)]),
    "the run's ending": (Ending(), []),
}


@pytest.mark.parametrize(("binding", "expected"), NEEDED.values(), ids=NEEDED)
def test_a_binding_says_what_it_waits_for(binding: Binding, expected: list[Dependency]) -> None:
    assert list(graph.needed(binding)) == expected


def test_a_node_depends_on_values_first_then_on_what_it_waits_for() -> None:
    plain = Node("n", "m:n", {"x": ListOf((A, B, A))}, ("c", "a"), within="w")
    assert graph.dependencies(plain) == (Dependency(("a",)), Dependency(("b",)), Dependency(("c",)))
    closing = Node("n", "m:n", {"x": A}, ("a", "c"), role=TEARDOWN)
    assert graph.dependencies(closing) == (Dependency(("a",)), Dependency(("c",), counts=False))
    otherwise = Node("o", "", does=Branch(otherwise=("a", "b")))
    assert graph.dependencies(otherwise) == (Dependency(("a",), counts=False), Dependency(("b",), counts=False))


def test_a_branch_stands_before_what_is_in_it_and_before_its_otherwise() -> None:
    within = Node("n", "m:n", {"x": A}, ("c",), within="w")
    assert graph.upstream(within) == ("w", "a", "c")
    otherwise = Node("o", "", does=Branch(otherwise=("w",)))
    whole = Graph("p", (within, otherwise, Node("w", "", {"value": Maybe(A)}, does=Branch()), node("c"), node("a")))
    order = names(graph.ordered(whole))
    assert order.index("a") < order.index("w") < min(order.index("n"), order.index("o"))


def test_the_path_of_a_node_leaves_every_item_open() -> None:
    inner = Node("train", "", does=Map({"x": 0}, (Node("", "m:train"),), Output("")))
    outer = Node("g.prepare", "", does=Map({"y": 0}, (node("load"), inner), None))
    assert [path for path, _ in graph.walk((node("first"), outer))] == [
        "first", "g.prepare", "g.prepare[].load", "g.prepare[].train", "g.prepare[].train[]",
    ]  # fmt: skip


def test_an_item_is_named_after_its_map_and_its_key() -> None:
    for name, key in [("train", "3"), ("prepare[a.b].train", "x y")]:
        item = graph.item_of(name, key)
        assert (item, graph.map_of(item), graph.key_of(item)) == (f"{name}[{key}]", name, key)


def test_every_kind_of_node_survives_being_written() -> None:
    nodes = (
        node("a"),
        Node("when_a", "", {"value": A}, does=Branch([1, None, "x", {"k": [True]}])),
        Node("b", "m:b", {"x": OneOf((A, ONE), (Item(0),)), "y": Maybe(A)}, within="when_a", rule="all_done", passes=True),
        Node("m", "m:m", {"x": A}, does=Map({"x": 0}, (Node("", "m:m", {"x": Parameter("x")}),), Output(""), keyed=True)),
        Node("w", "", does=Wait("event")),
        Node("c", "", does=Child("other", wait=False)),
        Node("h", "m:h", {"e": Ending("a")}, ("a",), role=HOOK, on="failure"),
    )
    raw = graph.encode(Graph("p", nodes, Maybe(OneOf((A, B)))))
    assert graph.decode(raw) == Graph("p", nodes, Maybe(OneOf((A, B))))
    assert graph.encode(graph.decode(raw)) == raw


def test_parts_are_those_of_lists_and_dicts() -> None:
    assert graph.parts(ListOf((A, ONE))) == (A, ONE)
    assert graph.parts(DictOf({"k": B})) == (B,)
    assert graph.parts(OneOf((A, B))) == graph.parts(Maybe(A)) == graph.parts(A) == ()
    assert list(graph.leaves(ListOf((OneOf((A, ONE)), Maybe(DictOf({"k": B})))))) == [A, ONE, B]
