from __future__ import annotations

import msgspec

from eventflow.cli.drawing import layers, mermaid, text
from eventflow.definition.graph import Attribute, DictOf, Graph, ListOf, Literal, Node, Output, Parameter

DIAMOND = Graph(
    "shape",
    (
        Node("a", "t", {"x": Parameter("given")}),
        Node("left", "t", {"x": Output("a", (Attribute("first"),))}),
        Node("right", "t", {"x": ListOf((Output("a"), Parameter("given"), Literal(msgspec.Raw(b"1"))))}, after=("left",)),
        Node("b", "t", {"x": DictOf({"l": Output("left"), "r": Output("right")})}, after=("a",)),
        Node("alone", "t"),
    ),
    Output("b"),
)


def test_each_node_stands_in_the_first_layer_behind_what_it_depends_on() -> None:
    assert [[node.name for node in layer] for layer in layers(DIAMOND)] == [["a", "alone"], ["left"], ["right"], ["b"]]


def test_the_text_names_what_each_node_takes_and_waits_for() -> None:
    assert text(DIAMOND, {"given": int}).splitlines() == [
        "shape(given: int)",
        "",
        "1  ┌ a      ← (given)",
        "   └ alone",
        "2  ─ left   ← a",
        "3  ─ right  ← a, (given); after left",
        "4  ─ b      ← left, right; after a",
        "",
        "gives b",
    ]


def test_mermaid_gets_arrows_for_values_and_dotted_ones_for_order() -> None:
    assert mermaid(DIAMOND).splitlines() == [
        "flowchart TD",
        '    n0["a"]',
        '    n1["left"]',
        '    n2["right"]',
        '    n3["b"]',
        '    n4["alone"]',
        "    n0 --> n1",
        "    n0 --> n2",
        "    n1 -.-> n2",
        "    n1 --> n3",
        "    n2 --> n3",
        "    n0 -.-> n3",
    ]


def test_a_graph_without_a_result_says_nothing_of_it() -> None:
    assert text(Graph("p", (Node("a", "t"),)), {}).splitlines() == ["p()", "", "1  ─ a"]
