from __future__ import annotations

from eventflow.definition.graph import HOOK, TEARDOWN, Branch, DictOf, Ending, ListOf, Maybe, OneOf, Output, Parameter
from eventflow.drawing.lines import MAYBE, NO, ONE_OF, ORDER, VALUE, YES, Line, at_the_end, lines
from tests.drawing.pictures import EVERYTHING, ended, node


def test_each_kind_of_input_has_its_kind_of_line() -> None:
    nodes = (
        *map(node, "abcdefg"),
        node(
            "z",
            "a",
            OneOf((Output("b"), Output("c"))),
            Maybe(Output("d")),
            ListOf((Output("e"), Parameter("p"))),
            DictOf({"k": Output("f")}),
            after=("g",),
        ),
    )
    assert {line.source: line.kind for line in lines(nodes)} == {
        "a": VALUE, "b": ONE_OF, "c": ONE_OF, "d": MAYBE, "e": VALUE, "f": VALUE, "g": ORDER,
    }  # fmt: skip


def test_of_several_reasons_for_a_line_the_strongest_counts() -> None:
    nodes = (node("a"), node("b"), node("c", Maybe(Output("a")), "a", Maybe(OneOf((Output("a"), Output("b")))), after=("a", "b")))
    assert lines(nodes) == (Line("a", "c", VALUE), Line("b", "c", MAYBE))


def test_a_branch_leads_to_what_begins_in_it() -> None:
    nodes = (
        node("a"),
        node("when", "a", does=Branch()),
        node("first", "a", within="when"),
        node("second", "first", within="when"),
        node("inner", "a", does=Branch(), within="when"),
        node("third", "first", within="inner"),
        node("fourth", Maybe(Output("third")), within="when"),
        node("otherwise", does=Branch(None, ("when",))),
        node("other", within="otherwise"),
    )
    assert [line for line in lines(nodes) if line.kind in (YES, NO)] == [
        Line("when", "first", YES),
        Line("when", "inner", YES),
        Line("inner", "third", YES),
        Line("when", "otherwise", NO),
        Line("otherwise", "other", YES),
    ]


def test_a_closing_node_waits_for_the_last_ones_only() -> None:
    nodes = (node("a"), node("b", "a"), node("c", "b"), node("d", "a"), node("stop", "a", after=("b", "c", "d"), role=TEARDOWN))
    assert [line for line in lines(nodes) if line.target == "stop"] == [
        Line("a", "stop", VALUE),
        Line("c", "stop", ORDER),
        Line("d", "stop", ORDER),
    ]


def test_what_a_task_waits_for_is_drawn_even_where_others_lie_between() -> None:
    assert Line("a", "c", ORDER) in lines((node("a"), node("b", "a"), node("c", "b", after=("a",))))


def test_a_hook_hangs_on_its_node() -> None:
    nodes = (node("a"), node("b", "a"), node("alert", Ending("a"), after=("a",), role=HOOK, on="failure", of="a"))
    assert lines(nodes)[-1] == Line("a", "alert", ORDER)
    assert at_the_end(nodes) == frozenset()


def test_what_ends_the_run_has_lines_among_itself_only() -> None:
    nodes = ended(EVERYTHING).nodes
    last = {"clean_up", "unclean", "run_failed"}
    assert at_the_end(nodes) == last
    assert [line for line in lines(nodes) if {line.source, line.target} & last] == [
        Line("clean_up", "unclean", ORDER),
        Line("clean_up", "run_failed", ORDER),
    ]
