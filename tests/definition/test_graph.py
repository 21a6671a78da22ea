from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventflow.definition import graph
from eventflow.definition.graph import Attribute, DictOf, Graph, Item, ListOf, Literal, Node, Output, Parameter
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
