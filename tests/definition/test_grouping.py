from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from eventflow.definition.branches import when
from eventflow.definition.graph import Node, Output
from eventflow.definition.grouping import group
from eventflow.definition.pipelines import Pipeline
from eventflow.definition.tasks import task
from eventflow.errors import DefinitionError


@task
def load() -> int:
    raise NotImplementedError


@task
def take(value: Any = None) -> Any:
    raise NotImplementedError


def nodes(body: Callable[..., Any]) -> dict[str, Node]:
    return {node.name: node for node in Pipeline("p", body).definition.graph.nodes}


def test_nodes_in_a_group_bear_its_name() -> None:
    def body() -> Any:
        load()
        with group("features"):
            first = load()
            with group("inner"):
                take(first)
            load.options(name="last")()
            load()
        return take(first)

    found = nodes(body)
    assert list(found) == ["load", "features.load", "features.inner.take", "features.last", "features.load_2", "take"]
    assert found["take"].inputs == {"value": Output("features.load")}


def test_the_functions_of_a_group_stand_under_its_nodes_names() -> None:
    def body() -> None:
        with group("g"):
            load()

    assert Pipeline("p", body).definition.bodies.keys() == {"g.load"}


def test_a_group_can_be_waited_for() -> None:
    def body() -> None:
        with group("features") as features:
            load()
            with group("inner"):
                take()
        with group("features_2"):
            load()
        take.after(features, load())()

    assert nodes(body)["take"].after == ("features.load", "features.inner.take", "load")


def test_a_group_with_branches_is_waited_for_under_a_rule_that_allows_them() -> None:
    def body(a: bool) -> None:
        with group("g") as g:
            with when(a):
                take()
            load()
        take.options(rule="none_failed").after(g)()
        with when(a):
            take.after(load())()

    found = nodes(body)
    assert found["take"].after == ("g.take", "g.load")
    assert found["g.when_a"].within is None


def test_branches_and_groups_nest_both_ways() -> None:
    def body(a: bool) -> None:
        with when(a), group("g"):
            take()
            with when(load()):
                take()

    found = nodes(body)
    assert [(name, node.within) for name, node in found.items()] == [
        ("when_a", None),
        ("g.take", "when_a"),
        ("g.load", "when_a"),
        ("g.when_load", "when_a"),
        ("g.take_2", "g.when_load"),
    ]


def name_used_twice(a: bool) -> None:
    with group("g"):
        load()
    with group("g"):  # mistake name_used_twice
        load()


def name_of_a_node(a: bool) -> None:
    load()
    with group("load"):  # mistake name_of_a_node
        load()


def node_named_like_a_group(a: bool) -> None:
    with group("g"):
        load()
    load.options(name="g")()  # mistake node_named_like_a_group


def no_name(a: bool) -> None:
    with group("My features"):  # mistake no_name
        load()


def empty_group(a: bool) -> None:
    with group("g") as g:
        pass
    take.after(g)()  # mistake empty_group


def group_with_a_branch(a: bool) -> None:
    with group("g") as g, when(a):
        load()
    take.after(g)()  # mistake group_with_a_branch


def group_inside_itself(a: bool) -> None:
    with group("g") as g:
        load()
        with group("inner"):
            take.after(g)()  # mistake group_inside_itself


def group_as_value(a: bool) -> None:
    with group("g") as g:
        load()
    take(g)  # mistake group_as_value


MISTAKES: dict[Callable[[bool], None], str] = {
    name_used_twice: "already has a node named 'g': choose another name",
    name_of_a_node: "already has a node named 'load': choose another name",
    node_named_like_a_group: "already has a node named 'g': choose another name",
    no_name: "'My features' can't name a group: use a-z",
    empty_group: r"after\(\) of task 'take': group 'g' is empty: call tasks in its block",
    group_with_a_branch: r"after\(\) of task 'take': 'g.load' was made inside when\(a\) .* give what waits for it a rule",
    group_inside_itself: "what is in group 'g' can't wait for the whole of it: wait for some of its nodes",
    group_as_value: r"argument 'value' of task 'take': group 'g' is no value: wait for it, as in train.after\(g\)\(...\)",
}


@pytest.mark.parametrize(("body", "says"), MISTAKES.items(), ids=[body.__name__ for body in MISTAKES])
def test_a_mistake_names_the_users_line(body: Callable[[bool], None], says: str, line: Callable[[str], str]) -> None:
    with pytest.raises(DefinitionError, match=says) as caught:
        nodes(body)
    assert caught.value.where == line(f"mistake {body.__name__}")


def test_a_group_of_another_body_means_nothing() -> None:
    leaked: list[Any] = []

    def first() -> None:
        with group("g") as g:
            load()
        leaked.append(g)

    nodes(first)
    with pytest.raises(DefinitionError, match=r"'g' was made in pipeline 'p' and means nothing in pipeline 'p'"):
        nodes(lambda: take.after(leaked[0])(1))
    assert repr(leaked[0]) == "<group g>"


def test_outside_of_a_body_there_are_no_groups() -> None:
    with pytest.raises(DefinitionError, match=r"group\(...\) is called outside a pipeline's body"), group("g"):
        pass
