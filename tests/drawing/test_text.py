from __future__ import annotations

import msgspec

from eventflow.definition.graph import Attribute, DictOf, Graph, ListOf, Literal, Node, Output, Parameter
from eventflow.drawing.text import layers, text
from tests.drawing.pictures import EVERYTHING, ended, node

DIAMOND = Graph(
    "shape",
    (
        Node("a", "m:a", {"x": Parameter("given")}),
        Node("left", "m:left", {"x": Output("a", (Attribute("first"),))}),
        Node("right", "m:right", {"x": ListOf((Output("a"), Parameter("given"), Literal(msgspec.Raw(b"1"))))}, after=("left",)),
        Node("b", "m:b", {"x": DictOf({"l": Output("left"), "r": Output("right")})}, after=("a",)),
        Node("alone", "m:alone"),
    ),
    Output("b"),
)


def test_each_node_stands_in_the_first_layer_behind_what_it_depends_on() -> None:
    assert [[one.name for one in layer] for layer in layers(DIAMOND.nodes)] == [["a", "alone"], ["left"], ["right"], ["b"]]


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


def test_every_structure_has_its_words() -> None:
    assert text(ended(EVERYTHING), {}).replace("\u00d7", "x").splitlines() == [
        "everything()",
        "",
        " 1  ─ load",
        " 2  ┌ features.text         ← load",
        "    ├ features.image.scale  ← load",
        "    └ prepare               ← load  [each i0]",
        "         1  ─ read",
        "         2  ─ check  ← read",
        "         3  ─ count  ← check  [each i0]",
        "         4  ─ clear  [finally]",
        " 3  ─ features.image.cut    ← features.image.scale",
        " 4  ─ join                  ← features.text, features.image.cut",
        " 5  ─ train                 ← join  [each rate, pace x seed]",
        " 6  ─ judge                 ← train, prepare",
        " 7  ┌ when_judge            ← judge; yes if better | 2",
        "    ├ audit                 ← judge  [starts auditing]",
        "    └ alert                 ← after judge  [on failure]",
        " 8  ┌ deploy                ← train; if when_judge",
        "    └ otherwise             ← if not when_judge",
        " 9  ┌ tell                  ← deploy; if when_judge",
        "    ├ approval              ← judge; if otherwise  [waits for an answer]",
        "    └ free                  ← load; after deploy  [teardown]",
        "10  ─ when_approval         ← approval; yes if true; if otherwise",
        "11  ─ wait_for              ← if when_approval  [waits for an event]",
        "12  ─ sleep_until           ← after wait_for; if when_approval  [waits for a time]",
        "13  ─ rollout               ← train; after sleep_until; if when_approval  [runs rollout]",
        "14  ─ report                ← deploy or rollout, maybe tell  [all_done]",
        "15  ─ mend                  ← after report  [passes on if skipped, one_failed]",
        "16  ─ clean_up              [finally]",
        "17  ┌ unclean               ← after clean_up  [on failure]",
        "    └ run_failed            ← after clean_up  [on failure]",
        "",
        "gives report or mend",
    ]


def test_a_graph_without_a_result_says_nothing_of_it() -> None:
    assert text(Graph("p", (node("a"),)), {}).splitlines() == ["p()", "", "1  ─ a"]


def test_a_task_used_under_another_name_is_named() -> None:
    nodes = (Node("load_2", "m:load"), Node("fast", "m:load"))
    assert text(Graph("p", nodes), {}).splitlines()[2:] == ["1  ┌ load_2", "   └ fast    [load]"]


def test_nothing_gives_orders_to_the_terminal() -> None:
    assert text(Graph("p", (node("a\x1b[31m\nb"),)), {}).splitlines()[2] == r"1  ─ a\x1b[31m\nb"
