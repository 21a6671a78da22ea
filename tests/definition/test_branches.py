# ruff: noqa: B018  # asking for a definition traces it
from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

import pytest

from eventflow import ids
from eventflow.definition.bodies import BranchBody
from eventflow.definition.branches import maybe, one_of, otherwise, when
from eventflow.definition.graph import Attribute, Branch, Item, Maybe, Node, OneOf, Output, Parameter, dependencies
from eventflow.definition.pipelines import Definition, Pipeline
from eventflow.definition.references import Reference
from eventflow.definition.tasks import task
from eventflow.errors import DefinitionError

Verdict = Literal["improved", "regressed"]


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Model:
    version: int


@task
def judge() -> Verdict:
    raise NotImplementedError


@task
def colours() -> list[Colour]:
    raise NotImplementedError


@task
def is_good() -> bool:
    raise NotImplementedError


@task
def deploy() -> Model:
    raise NotImplementedError


@task
def keep() -> Model:
    raise NotImplementedError


@task
def count() -> int:
    raise NotImplementedError


@task
def numbers() -> list[int]:
    raise NotImplementedError


@task
def take(value: Any = None) -> Any:
    raise NotImplementedError


@task
def take_model(model: Model) -> Model:
    raise NotImplementedError


@task
def take_model_or_none(model: Model | None) -> None:
    raise NotImplementedError


@task(rule="all_done")
def report(value: Any = None) -> None:
    raise NotImplementedError


@task(skip="pass-through")
def polish(model: Model, how: Any = None) -> Model:
    raise NotImplementedError


def traced(body: Callable[..., Any]) -> Definition:
    return Pipeline("p", body).definition


def nodes(body: Callable[..., Any]) -> dict[str, Node]:
    return {node.name: node for node in traced(body).graph.nodes}


def matches(node: Node) -> object:
    assert isinstance(node.does, Branch)
    return node.does.matches


def test_a_branch_is_a_node_and_what_is_in_its_block_stands_within_it() -> None:
    def body() -> None:
        verdict = judge()
        with when(verdict, "improved"):
            deploy()
        keep()

    definition = traced(body)
    judged, branch, deployed, kept = definition.graph.nodes
    assert (branch.name, branch.inputs, branch.task) == ("when_judge", {"value": Output("judge")}, "")
    assert matches(branch) == ["improved"]
    assert [node.within for node in (judged, branch, deployed, kept)] == [None, None, "when_judge", None]
    assert definition.bodies["when_judge"] == BranchBody(Verdict)


def test_a_branch_without_matches_asks_for_truth() -> None:
    def body(flag: bool) -> None:
        with when(flag):
            take()
        with when(is_good()):
            take()
        with when(True):
            take()

    found = nodes(body)
    assert [matches(found[name]) for name in ("when_flag", "when_is_good", "when")] == [None, None, None]
    assert found["when_flag"].inputs == {"value": Parameter("flag")}


def test_branches_nest() -> None:
    def body(a: int, b: int) -> None:
        with when(a, 1):
            one = take()
            with when(b, 2):
                take(one)
            with otherwise():
                take(one)

    found = nodes(body)
    within = {name: node.within for name, node in found.items()}
    assert within == {
        "when_a": None, "take": "when_a", "when_b": "when_a", "take_2": "when_b", "otherwise": "when_a", "take_3": "otherwise",
    }  # fmt: skip


def test_several_branches_on_one_value_get_names_of_their_own() -> None:
    def body(a: int) -> None:
        for number in (1, 2):
            with when(a, number):
                take()
        with when(a, 3, 4):
            take()

    found = nodes(body)
    assert {name: matches(node) for name, node in found.items() if node.does} == {"when_a": [1], "when_a_2": [2], "when_a_3": [3, 4]}


def test_a_branch_is_named_after_the_way_to_its_value() -> None:
    def body(order: Any, given: Any) -> None:
        pair = take(order)
        values = [
            order.paid, order["country"], pair[0], pair[-1], order.lines[2].isFree, order["land code"], order["100 %"], order["国"],
            given, given.x, one_of(pair.kind, order).name, maybe(pair.kind), [pair.kind, order], {}, order["x" * 80], order["x" * 90],
        ]  # fmt: skip
        for value in values:
            with when(value):
                keep()

    assert [name for name, node in nodes(body).items() if node.does] == [
        "when_order_paid", "when_order_country", "when_take_0", "when_take_-1", "when_order_lines_2_isfree", "when_order_land_code",
        "when_order_100", "when_order", "when_given", "when_given_x", "when_take_kind_name", "when_take_kind", "when_take_kind_2", "when",
        "when_order_".ljust(64, "x"), "when_order_".ljust(62, "x") + "_2",
    ]  # fmt: skip
    assert all(map(ids.is_name, nodes(body)))


def test_otherwise_is_where_none_of_the_blocks_before_it_runs() -> None:
    def body(a: int, b: int) -> None:
        with when(b):
            take()
        with when(a, 1):
            take()
        with when(a, 2):
            take()
        with otherwise():
            take()
        with when(b):
            take()
        with otherwise():
            take()

    found = nodes(body)
    assert found["otherwise"].does == Branch(otherwise=("when_a", "when_a_2"))
    assert found["otherwise_2"].does == Branch(otherwise=("when_b_2",))
    assert found["otherwise"].inputs == {}
    assert found["take_4"].within == "otherwise"


MATCHES: dict[str, tuple[Callable[[], Any], tuple[Any, ...], list[Any]]] = {
    "a literal": (judge, ("improved", "regressed"), ["improved", "regressed"]),
    "an enum in a list": (colours, (Colour.RED,), ["red"]),
    "a whole list": (colours, ([Colour.RED, Colour.BLUE],), [["red", "blue"]]),
    "a truth value": (is_good, (False,), [False]),
    "None of anything": (take, (None, 1, {"a": [1]}), [None, 1, {"a": [1]}]),
    "an object": (deploy, (Model(1),), [{"version": 1}]),
}


@pytest.mark.parametrize(("value", "given", "stored"), MATCHES.values(), ids=MATCHES)
def test_matches_are_stored_as_json(value: Callable[[], Any], given: tuple[Any, ...], stored: list[Any]) -> None:
    def body() -> None:
        with when(value(), *given):
            take()

    (branch,) = [node for node in traced(body).graph.nodes if node.does]
    assert matches(branch) == stored


def test_what_when_gives_stands_for_whether_the_branch_is_taken() -> None:
    def body() -> None:
        with when(judge(), "improved") as taken:
            deploy()
        assert isinstance(taken, Reference)
        take.after(taken)(taken)

    found = nodes(body)["take"]
    assert (found.inputs, found.after) == ({"value": Output("when_judge")}, ("when_judge",))


def test_one_of_takes_the_first_value_that_is_there() -> None:
    def body() -> Any:
        verdict = judge()
        with when(verdict, "improved"):
            new = deploy()
        with otherwise():
            old = keep()
        model = one_of(new, old)
        take_model(model)
        take(model.version)
        take(one_of(numbers(), [])[0])
        return model

    graph = traced(body).graph
    found = {node.name: node for node in graph.nodes}
    chosen = OneOf((Output("deploy"), Output("keep")))
    assert graph.result == found["take_model"].inputs["model"] == chosen
    assert found["take"].inputs["value"] == OneOf(chosen.items, (Attribute("version"),))
    assert dependencies(found["take_model"])[0].nodes == ("deploy", "keep")
    listed = found["take_2"].inputs["value"]
    assert isinstance(listed, OneOf)
    assert (listed.items[0], listed.steps) == (Output("numbers"), (Item(0),))


def test_choices_nest_and_may_end_in_what_is_always_there() -> None:
    def body(given: Model) -> None:
        with when(is_good()):
            new, old = deploy(), keep()
        take_model(one_of(one_of(new, old), given))
        take(one_of(new, Model(1)))
        take(one_of(new, None))

    found = nodes(body)
    inner = OneOf((Output("deploy"), Output("keep")))
    assert found["take_model"].inputs["model"] == OneOf((inner, Parameter("given")))
    assert dependencies(found["take"])[0].optional


def test_maybe_is_none_where_there_is_no_value() -> None:
    def body() -> Any:
        with when(is_good()):
            new = deploy()
        take_model_or_none(maybe(new))
        take(maybe(new.version))
        take(maybe(maybe(new)))
        return maybe(one_of(new, keep()))

    graph = traced(body).graph
    found = {node.name: node for node in graph.nodes}
    assert found["take_model_or_none"].inputs["model"] == found["take_2"].inputs["value"] == Maybe(Output("deploy"))
    assert found["take"].inputs["value"] == Maybe(Output("deploy", (Attribute("version"),)))
    assert graph.result == Maybe(OneOf((Output("deploy"), Output("keep"))))


def test_a_value_of_a_branch_is_there_in_it_and_in_what_it_holds() -> None:
    def body(a: bool) -> None:
        with when(a):
            new = deploy()
            take_model(new)
            with when(new.version, 1):
                take([new])
                take.after(new)()

    assert nodes(body)["take"].within == "when_deploy_version"


def test_a_task_that_passes_its_input_on_may_be_used_outside_of_its_branch() -> None:
    def body(a: bool) -> Model:
        model = deploy()
        with when(a):
            model = polish(model)
            model = polish(model)
        return take_model(model)

    found = nodes(body)
    assert found["polish"].passes
    assert found["take_model"].inputs["model"] == Output("polish_2")


def test_other_rules_may_wait_for_what_may_not_run() -> None:
    def body(a: bool) -> None:
        with when(a):
            new = deploy()
        report.after(new)(maybe(new))
        report(one_of(new, 0))
        report(a)

    found = nodes(body)
    assert (found["report"].after, found["report"].rule) == (("deploy",), "all_done")


def test_a_failing_block_leaves_no_branch_open() -> None:
    def body(a: int) -> None:
        with suppress(KeyError), when(a):
            take({}["x"])
        take()

    assert nodes(body)["take"].within is None


@task(rule=lambda states: "failed" in states.values())
def on_trouble(value: Any) -> None:
    raise NotImplementedError


def used_outside(a: bool) -> None:
    with when(a, True):
        new = deploy()
    take_model(new)  # mistake used_outside


def part_used_outside(a: bool) -> None:
    with when(a):
        new = deploy()
    take([new.version])  # mistake part_used_outside


def used_in_the_other_branch(a: bool) -> None:
    with when(a):
        new = deploy()
    with otherwise():
        take(new)  # mistake used_in_the_other_branch


def used_outside_of_an_inner_one(a: bool) -> None:
    with when(a):
        with when(is_good()):
            new = deploy()
        take(new)  # mistake used_outside_of_an_inner_one


def waited_for_outside(a: bool) -> None:
    with when(a):
        new = deploy()
    take.after(new)()  # mistake waited_for_outside


def decided_on_outside(a: bool) -> None:
    with when(a):
        good = is_good()
    with when(good):  # mistake decided_on_outside
        take()


def passes_what_is_not_there(a: bool) -> None:
    with when(a):
        model = polish(deploy())
    take(model)  # mistake passes_what_is_not_there


def passes_nothing(a: bool) -> None:
    task(take.fn, name="x").options(skip="pass-through")()  # mistake passes_nothing


def passes_something_else(a: bool) -> None:
    task(lambda_like).options(skip="pass-through")(1)  # mistake passes_something_else


def lambda_like(number: int) -> str:
    raise NotImplementedError


def value_that_may_not_be_there(a: bool) -> None:
    report([deploy()])  # mistake value_that_may_not_be_there


def choice_that_may_not_be_there(a: bool) -> None:
    report(one_of(deploy(), keep()))  # mistake choice_that_may_not_be_there


def predicate_over_a_value(a: bool) -> None:
    on_trouble(deploy())  # mistake predicate_over_a_value


def impossible_literal(a: bool) -> None:
    with when(judge(), "improvd"):  # mistake impossible_literal
        take()


def impossible_enum(a: bool) -> None:
    with when(colours(), "green"):  # mistake impossible_enum
        take()


def impossible_bool(a: bool) -> None:
    with when(a, 1):  # mistake impossible_bool
        take()


def impossible_type(a: bool) -> None:
    with when(count(), "1"):  # mistake impossible_type
        take()


def reference_as_match(a: bool) -> None:
    with when(count(), count()):  # mistake reference_as_match
        take()


def unstorable_value(a: bool) -> None:
    with when(object()):  # mistake unstorable_value
        take()


def task_as_value(a: bool) -> None:
    with when(is_good):  # mistake task_as_value
        take()


def otherwise_alone(a: bool) -> None:
    with otherwise():  # mistake otherwise_alone
        take()


def otherwise_too_late(a: bool) -> None:
    with when(a):
        take()
    take()
    with otherwise():  # mistake otherwise_too_late
        take()


def otherwise_twice(a: bool) -> None:
    with when(a):
        take()
    with otherwise():
        take()
    with otherwise():  # mistake otherwise_twice
        take()


def otherwise_inside(a: bool) -> None:
    with when(a), otherwise():  # mistake otherwise_inside
        take()


def part_of_maybe(a: bool) -> None:
    maybe(deploy()).version  # type: ignore[union-attr]  # mistake part_of_maybe


def item_of_maybe(a: bool) -> None:
    maybe(numbers())[0]  # type: ignore[index]  # mistake item_of_maybe


def unpacked_maybe(a: bool) -> None:
    _one, _two = maybe(numbers())  # type: ignore[misc]  # mistake unpacked_maybe


def maybe_for_what_takes_no_none(a: bool) -> None:
    take_model(maybe(deploy()))  # type: ignore[arg-type]  # mistake maybe_for_what_takes_no_none


def choice_of_another_type(a: bool) -> None:
    take_model(one_of(deploy(), count()))  # type: ignore[arg-type]  # mistake choice_of_another_type


def maybe_of_a_value(a: bool) -> None:
    maybe(5)  # mistake maybe_of_a_value


def maybe_in_one_of(a: bool) -> None:
    one_of(maybe(deploy()), keep())  # mistake maybe_in_one_of


def value_before_others(a: bool) -> None:
    one_of(5, keep())  # mistake value_before_others


def parameter_before_others(a: bool) -> None:
    one_of(a, keep())  # mistake parameter_before_others


def list_in_one_of(a: bool) -> None:
    one_of([keep()])  # mistake list_in_one_of


def nothing_in_one_of(a: bool) -> None:
    one_of()  # type: ignore[call-overload]  # mistake nothing_in_one_of


def waiting_for_a_choice(a: bool) -> None:
    take.after(one_of(keep(), deploy()))()  # mistake waiting_for_a_choice


LEAVE = r"'deploy.*' was made inside when\(a.*\) \(.*test_branches.py:\d+\), which may not run: take one_of\(...\) .* or maybe\(deploy.*\)"
MISTAKES: dict[Callable[[bool], None], str] = {
    used_outside: r"argument 'model' of task 'take_model': " + LEAVE,
    part_used_outside: r"argument 'value' of task 'take' at \[0\]: " + LEAVE,
    used_in_the_other_branch: LEAVE,
    used_outside_of_an_inner_one: r"'deploy' was made inside when\(is_good\)",
    waited_for_outside: r"after\(\) of task 'take': 'deploy' was made inside when\(a\) .*: give what waits for it a rule that allows that",
    decided_on_outside: r"when\(is_good\): 'is_good' was made inside when\(a\)",
    passes_what_is_not_there: r"'polish' was made inside when\(a\)",
    passes_nothing: r"task 'x' has skip='pass-through', but no first input that it could hand on",
    passes_something_else: r"its first input 'number' is int and its result str: put the input first that can stand for the result",
    value_that_may_not_be_there: r"argument 'value' of 'report', whose rule is 'all_done': 'deploy' may have no value when it runs: "
    r"take maybe\(deploy\), or only wait for it with after\(...\)",
    choice_that_may_not_be_there: r"take maybe\(one_of\(deploy, keep\)\)",
    predicate_over_a_value: r"argument 'value' of 'on_trouble', whose rule is 'predicate'",
    impossible_literal: r"when\(judge, 'improvd'\): the value is Literal\['improved', 'regressed'\], which is never 'improvd'",
    impossible_enum: r"when\(colours, 'green'\): the value is list\[.*Colour\], which is never 'green'",
    impossible_bool: r"when\(a, 1\): the value is bool, which is never 1",
    impossible_type: r"when\(count, '1'\): the value is int, which is never '1'",
    reference_as_match: r"a match is a plain value, but <reference to count_2> is known only at run time: compare the two in a task",
    unstorable_value: r"builtins.object can't be written as JSON",
    task_as_value: r"Was it meant to be called\?",
    otherwise_alone: r"otherwise\(\) stands right behind a `with when\(...\):` block",
    otherwise_too_late: r"otherwise\(\) stands right behind a `with when\(...\):` block",
    otherwise_twice: r"otherwise\(\) stands right behind a `with when\(...\):` block",
    otherwise_inside: r"otherwise\(\) stands right behind a `with when\(...\):` block",
    part_of_maybe: r"maybe\(deploy\) may be None, which has no .version: write maybe\(deploy.version\)",
    item_of_maybe: r"maybe\(numbers\) may be None, which has no \[0\]: write maybe\(numbers\[0\]\)",
    unpacked_maybe: r"maybe\(numbers\) may be None",
    maybe_for_what_takes_no_none: r"wants Model, but 'maybe\(deploy\)' may be None: annotate it with Model \| None",
    choice_of_another_type: r"wants Model, but 'one_of\(deploy, count\)' is int",
    maybe_of_a_value: r"maybe\(...\) takes what a task gave, not 5",
    maybe_in_one_of: r"maybe\(deploy\) always has a value: put maybe around the choice, maybe\(one_of\(...\)\)",
    value_before_others: r"5 is always there, so that nothing behind it is ever taken: put it last",
    parameter_before_others: r"'a' is a parameter, which is always there: put it last",
    list_in_one_of: r"not lists of references: choose item by item",
    nothing_in_one_of: r"takes the values of several branches",
    waiting_for_a_choice: r"after\(\) of task 'take': one_of\(keep, deploy\) is a choice of values: wait for the nodes themselves, with a rule",
}


@pytest.mark.parametrize(("body", "says"), MISTAKES.items(), ids=[body.__name__ for body in MISTAKES])
def test_a_mistake_names_the_users_line(body: Callable[[bool], None], says: str, line: Callable[[str], str]) -> None:
    with pytest.raises(DefinitionError, match=says) as caught:
        traced(body)
    assert caught.value.where == line(f"mistake {body.__name__}")


def test_the_result_of_a_pipeline_leaves_its_branches_too() -> None:
    def body(a: bool) -> Any:
        with when(a):
            return deploy()

    with pytest.raises(DefinitionError, match=r"the result of pipeline 'p': " + LEAVE):
        traced(body)


OUTSIDE: dict[str, Callable[[], object]] = {
    "when": lambda: when(1).__enter__(),
    "otherwise": lambda: otherwise().__enter__(),
    "one_of": lambda: one_of(1),
    "maybe": lambda: maybe(1),
}


@pytest.mark.parametrize(("name", "call"), OUTSIDE.items(), ids=OUTSIDE)
def test_outside_of_a_body_there_are_no_branches(name: str, call: Callable[[], object]) -> None:
    with pytest.raises(
        DefinitionError, match=rf"^.*{name}\(.*\) is called outside a pipeline's body: call it in a @pipeline function"
    ) as caught:
        call()
    assert caught.value.where is not None
    assert caught.value.where.startswith(f"{__file__}:")
