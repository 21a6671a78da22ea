# ruff: noqa: B018  # asking for a definition traces it
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from eventflow.definition.branches import when
from eventflow.definition.graph import Output
from eventflow.definition.grouping import group
from eventflow.definition.pipelines import Pipeline, pipeline
from eventflow.definition.tasks import task
from eventflow.errors import DefinitionError


@task
def a() -> int:
    raise NotImplementedError


@task
def b() -> int:
    raise NotImplementedError


@task
def c() -> int:
    raise NotImplementedError


@task
def d() -> int:
    raise NotImplementedError


@task
def takes(number: int) -> int:
    raise NotImplementedError


def waits(etl: Pipeline[..., Any]) -> dict[str, tuple[str, ...]]:
    return {node.name: node.after for node in etl.definition.graph.nodes}


DIAMOND = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}


def test_a_chain_puts_tasks_in_order_and_calls_each_once() -> None:
    with Pipeline("etl") as etl:
        etl.chain(a, [b, c], d)
    assert waits(etl) == DIAMOND


def test_arrows_say_the_same() -> None:
    with Pipeline("etl") as etl:
        a >> [b, c] >> d
    with Pipeline("etl") as one_by_one:
        a >> b >> d
        a >> c
        c >> d
    assert waits(etl) == waits(one_by_one) == DIAMOND


def test_references_and_tasks_mix() -> None:
    with Pipeline("etl") as etl:
        first: Any = a()
        second: Any = takes(first)
        second >> [b, c]
        [b, first] >> d
        first >> c >> b
    assert waits(etl) == {"a": (), "takes": (), "c": ("takes", "a"), "b": ("takes", "c"), "d": ("b", "a")}


def test_a_call_makes_another_node_than_the_task_written_alone() -> None:
    with Pipeline("etl") as etl:
        a >> b
        etl.chain(a(), b)
        a >> a.options(name="last")
    assert waits(etl) == {"a": (), "a_2": (), "b": ("a", "a_2"), "last": ("a",)}


def test_arrows_work_in_the_body_of_a_function() -> None:
    @pipeline
    def etl() -> int:
        a >> b
        etl.chain(b, c)
        return c.after()()

    assert waits(etl) == {"a": (), "b": ("a",), "c": ("b",), "c_2": ()}


def test_a_chain_may_wait_for_a_group_and_let_one_wait() -> None:
    with Pipeline("etl") as etl:
        with group("first") as first:
            a()
            b()
        with group("second") as second:
            c()
        etl.chain(first, second, d)
    assert waits(etl) == {"first.a": (), "first.b": (), "second.c": ("first.a", "first.b"), "d": ("second.c",)}


def test_order_into_a_branch_is_allowed_and_out_of_one_needs_a_rule(line: Callable[[str], str]) -> None:
    with Pipeline("etl") as etl:
        with when(takes(1)):
            inside: Any = b()
        a >> inside >> c.options(rule="all_done")
    assert waits(etl) == {"takes": (), "when_takes": (), "a": (), "b": ("a",), "c": ("b",)}

    @pipeline
    def wrong() -> None:
        with when(takes(1)):
            there: Any = b()
        there >> d  # out of a branch

    with pytest.raises(DefinitionError, match=r"order of 'd': 'b' was made inside when\(takes\)") as caught:
        wrong.definition
    assert caught.value.where == line("out of a branch")


def test_nodes_are_listed_behind_what_they_wait_for() -> None:
    with Pipeline("etl") as etl:
        last: Any = a()
        b >> last
    assert [node.name for node in etl.definition.graph.nodes] == ["b", "a"]


def test_order_twice_counts_once() -> None:
    with Pipeline("etl") as etl:
        a >> b
        etl.chain(a, [b, b])
    assert waits(etl) == {"a": (), "b": ("a",)}


def test_a_circle_is_printed_and_placed_at_the_pipeline(line: Callable[[str], str]) -> None:
    with pytest.raises(DefinitionError, match="pipeline 'etl' has a cycle: ") as caught, Pipeline("etl"):  # in a circle
        a >> b >> c >> a
    assert caught.value.where == line("in a circle")


def test_order_keeps_values(line: Callable[[str], str]) -> None:
    with Pipeline("etl") as etl:
        number = a()
        b >> takes(number)  # type: ignore[operator]
    assert etl.definition.graph.nodes[-1].inputs == {"number": Output("a")}


MISTAKES: dict[str, tuple[Callable[[Any, Any], object], str]] = {
    "itself": (lambda _, given: given >> given, "'a' would wait for itself: a second node of the task is made by calling it"),
    "a task that needs something": (
        lambda _, given: given >> takes,
        "task 'takes' needs number: call it, takes(...), and put in order what that gives",
    ),
    "a value": (lambda _, given: given >> 5, "the later side of an order takes what tasks gave in this body, and groups, not 5"),
    "a value before": (lambda etl, given: etl.chain(5, given), "order of 'a' takes what tasks gave in this body, and groups, not 5"),
    "an empty list": (lambda _, given: given >> [], "an empty list has no place in an order: leave it away"),
    "one link": (lambda etl, given: etl.chain(given), "chain(...) takes what comes first, and what comes then, as in chain(load, [clean"),
    "the other way round": (lambda _, given: given << b, "arithmetic needs the value of 'a'"),
}


@pytest.mark.parametrize(("write", "says"), MISTAKES.values(), ids=MISTAKES)
def test_what_makes_no_order_is_refused_at_its_line(write: Callable[[Any, Any], object], says: str) -> None:
    with pytest.raises(DefinitionError) as caught, Pipeline("etl") as etl:
        write(etl, a())
    assert says in str(caught.value)
    assert caught.value.where is not None
    assert caught.value.where.startswith(f"{__file__}:")


def test_a_parameter_has_no_place_in_an_order(line: Callable[[str], str]) -> None:
    @pipeline
    def etl(path: Any) -> None:
        path >> a  # a parameter

    with pytest.raises(DefinitionError, match="'path' is a parameter, which is there from the start") as caught:
        etl.definition
    assert caught.value.where == line("a parameter")


def test_outside_there_is_no_order(line: Callable[[str], str]) -> None:
    with Pipeline("etl") as etl:
        a()
    with pytest.raises(DefinitionError, match=r"chain\(\) of pipeline 'etl' is called outside a pipeline's body") as caught:
        etl.chain(a, b)  # chained outside
    assert caught.value.where == line("chained outside")
    with pytest.raises(DefinitionError, match=">> is called outside a pipeline's body"):
        a >> b
    loose: Any = a()  # called loosely
    with pytest.raises(
        DefinitionError, match=r"task 'a' was called outside .* For order without values write .after\(\.\.\.\) when"
    ) as caught:
        loose >> b
    assert caught.value.where == line("called loosely")


def test_a_chain_of_another_pipeline_is_refused() -> None:
    with Pipeline("one") as one:
        a()
    with pytest.raises(DefinitionError, match=r"chain\(\) of pipeline 'one' is called in the body of pipeline 'two'"), Pipeline("two"):
        one.chain(a, b)


def test_a_chain_of_10_000_tasks_is_put_in_order() -> None:
    with Pipeline("etl") as etl:
        given: Any = a()
        for _ in range(10_000):
            given = given >> a()
    assert len(etl.definition.graph.nodes) == 10_001
    assert etl.definition.graph.nodes[-1].after == ("a_10000",)
