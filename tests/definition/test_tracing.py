# ruff: noqa: B018, B023, PLW0108  # asking for a definition traces it at once, so no loop variable is bound late
from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventflow import codec
from eventflow.definition import places, tracing
from eventflow.definition.graph import DictOf, Item, ListOf, Literal, Output, Parameter
from eventflow.definition.pipelines import Definition, Pipeline
from eventflow.definition.tasks import task
from eventflow.errors import DefinitionError


@dataclass
class Data:
    rows: list[int]
    source: Path | None = None


@task
async def load(path: Path, limit: int = 10) -> Data:
    raise NotImplementedError


@task
def train(data: Data, rate: float) -> float:
    raise NotImplementedError


@task
def gather(first: Any, *others: int, **named: Any) -> list[int]:
    raise NotImplementedError


@task
def gather_data(many: list[Data]) -> None:
    raise NotImplementedError


@task
def take(value: Any) -> Any:
    raise NotImplementedError


@task
def inc(x: int) -> int:
    raise NotImplementedError


def traced(body: Callable[..., Any]) -> Definition:
    return Pipeline("p", body).definition


def literal(node: Any, name: str, annotation: Any = Any) -> object:
    binding = node.inputs[name]
    assert isinstance(binding, Literal)
    return codec.decode(binding.json, annotation)


def test_a_body_becomes_the_graph_that_it_reads_like() -> None:
    def body(path: Path, rate: float) -> float:
        data = load(path)
        return train(data, rate=rate)

    graph = traced(body).graph
    assert [(node.name, node.task, node.inputs) for node in graph.nodes] == [
        ("load", f"{__name__}:load", {"path": Parameter("path")}),
        ("train", f"{__name__}:train", {"data": Output("load"), "rate": Parameter("rate")}),
    ]
    assert graph.result == Output("train")


def test_bodies_hold_what_the_engine_needs() -> None:
    def body(path: Path) -> None:
        gather(load(path), 1, x=2)

    bodies = traced(body).bodies
    assert bodies["load"].fn is load.fn
    assert (bodies["load"].inputs, bodies["load"].result) == ({"path": Path, "limit": int}, Data)
    assert bodies["gather"].inputs == {"first": Any, "*": list[int], "**": dict[str, Any]}


def test_literals_are_stored_under_the_parameters_annotation() -> None:
    def body() -> None:
        train(Data([1], Path("x")), 1)
        load("y")  # type: ignore[arg-type]

    first, second = traced(body).graph.nodes
    assert literal(first, "data", Data) == Data([1], Path("x"))
    assert literal(first, "rate", float) == 1.0
    assert literal(second, "path", Path) == Path("y")
    assert "limit" not in second.inputs


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)


@given(values)
def test_any_plain_value_written_in_a_body_comes_back(value: object) -> None:
    definition = traced(lambda: [take(value), take([value])][0])
    assert [literal(node, "value") for node in definition.graph.nodes] == [value, [value]]


@given(values)
def test_plain_values_beside_references_come_back(value: object) -> None:
    binding = traced(lambda: take([take(0), {"k": value, "r": take(1)}, value])).graph.nodes[2].inputs["value"]
    assert isinstance(binding, ListOf)
    _, inner, last = binding.items
    assert isinstance(inner, DictOf)
    assert [codec.decode(one.json) for one in (inner.items["k"], last) if isinstance(one, Literal)] == [value, value]


def test_references_inside_containers_become_lists_and_dicts_of_bindings() -> None:
    def body(n: int) -> None:
        take({"a": [take(1), (n,)], "b": []})

    binding = traced(body).graph.nodes[1].inputs["value"]
    assert isinstance(binding, DictOf)
    assert binding.items["a"] == ListOf((Output("take"), ListOf((Parameter("n"),))))
    assert isinstance(binding.items["b"], Literal)


def test_stars_are_bound_under_their_own_names() -> None:
    def body(n: int) -> None:
        gather(1, 2, 3)
        gather(1, 2, n, x=n, y=Path("z"))

    plain, mixed = traced(body).graph.nodes
    assert literal(plain, "*") == [2, 3]
    assert "**" not in plain.inputs
    stars, named = mixed.inputs["*"], mixed.inputs["**"]
    assert isinstance(stars, ListOf)
    assert isinstance(named, DictOf)
    assert stars.items[1] == named.items["x"] == Parameter("n")


def test_items_of_a_list_take_the_annotation_of_an_item() -> None:
    def body(path: Path) -> None:
        gather_data([load(path), Data([2])])

    items = traced(body).graph.nodes[1].inputs["many"].items  # type: ignore[union-attr]
    assert codec.decode(items[1].json, Data) == Data([2])  # type: ignore[index]


def test_a_second_use_gets_a_suffix_that_is_free() -> None:
    def body() -> None:
        take(1)
        take.options(name="take_2")(1)
        take(1)
        take(1)
        inc.options(name="take_5")(1)
        take(1)

    assert [node.name for node in traced(body).graph.nodes] == ["take", "take_2", "take_3", "take_4", "take_5", "take_6"]


def test_a_suffix_fits_into_the_longest_name() -> None:
    long = task(name="a" * 64)(take.fn)

    def body() -> None:
        long(1)
        long(1)

    assert [node.name for node in traced(body).graph.nodes] == ["a" * 64, "a" * 62 + "_2"]


RESULTS: dict[str, tuple[Callable[[Any], Any], object]] = {
    "nothing": (lambda n: (take(n), None)[1], None),
    "a reference": (lambda n: take(n), Output("take")),
    "a parameter": (lambda n: (take(1), n)[1], Parameter("n")),
    "a part": (lambda n: take(n)[0], Output("take", (Item(0),))),
    "a list": (lambda n: [take(n), n], ListOf((Output("take"), Parameter("n")))),
    "a tuple": (lambda n: (take(n), n), ListOf((Output("take"), Parameter("n")))),
    "a dict": (lambda n: {"a": take(n)}, DictOf({"a": Output("take")})),
}


@pytest.mark.parametrize(("body", "result"), RESULTS.values(), ids=RESULTS)
def test_what_a_body_returns_is_the_result(body: Callable[[Any], Any], result: object) -> None:
    assert traced(body).graph.result == result


def test_a_literal_can_be_the_result() -> None:
    result = traced(lambda: [take(1), 5][1]).graph.result
    assert isinstance(result, Literal)
    assert bytes(result.json) == b"5"


def missing() -> None:
    train(Data([]))  # type: ignore[call-arg]  # mistake missing


def unexpected() -> None:
    train(Data([]), 0.1, rat=5)  # type: ignore[call-arg]  # mistake unexpected


def wrong_literal() -> None:
    inc("5")  # type: ignore[arg-type]  # mistake wrong_literal


def not_a_number() -> None:
    train(Data([]), float("nan"))  # mistake not_a_number


def unstorable() -> None:
    take(object())  # mistake unstorable


def not_called() -> None:
    take(load)  # mistake not_called


def inside_an_object(path: Path) -> None:
    take(Data([load(path)]))  # type: ignore[list-item]  # mistake inside_an_object


def other_keys(path: Path) -> None:
    take({1: load(path)})  # mistake other_keys


def unrelated(path: Path) -> None:
    inc(load(path))  # type: ignore[arg-type]  # mistake unrelated


def unrelated_parameter(path: Path) -> None:
    inc(path)  # type: ignore[arg-type]  # mistake unrelated_parameter


def list_for_a_number(n: int) -> None:
    inc([n])  # type: ignore[arg-type]  # mistake list_for_a_number


def unrelated_in_a_list(n: int) -> None:
    gather_data([n])  # type: ignore[list-item]  # mistake unrelated_in_a_list


def same_name_twice() -> None:
    take.options(name="one")(1)
    take.options(name="one")(1)  # mistake same_name_twice


def name_taken() -> None:
    take(1)
    inc.options(name="take")(1)  # mistake name_taken


def raises() -> None:
    take({}["x"])  # mistake raises


def raises_elsewhere() -> None:
    int("x")  # mistake raises_elsewhere


def recursive() -> None:
    endless: list[object] = []
    endless.append(endless)
    take(endless)  # mistake recursive


MISTAKES: dict[Callable[..., None], str] = {
    missing: "task 'train': missing a required argument: 'rate'; it takes (data, rate)",
    unexpected: "task 'train': got an unexpected keyword argument 'rat'; it takes (data, rate)",
    wrong_literal: "argument 'x' of task 'inc': str doesn't fit its annotation: Expected `int`, got `str`",
    not_a_number: "argument 'rate' of task 'train': the value holds NaN",
    unstorable: "argument 'value' of task 'take': builtins.object can't be written as JSON",
    not_called: "argument 'value' of task 'take': eventflow.definition.tasks.Task can't be written as JSON. Was it meant to be called?",
    inside_an_object: "A reference can be inside lists, tuples and dicts, not inside other objects",
    other_keys: "argument 'value' of task 'take': 1 is no text",
    unrelated: "argument 'x' of task 'inc' wants int, but 'load' is Data",
    unrelated_parameter: "argument 'x' of task 'inc' wants int, but 'path' is Path",
    list_for_a_number: "argument 'x' of task 'inc' wants int, but is a list",
    unrelated_in_a_list: "argument 'many' of task 'gather_data' at [0] wants Data, but 'n' is int",
    same_name_twice: "pipeline 'p' already has a node named 'one'",
    name_taken: "pipeline 'p' already has a node named 'take'",
    raises: "the body of pipeline 'p' raised KeyError: 'x'",
    raises_elsewhere: "the body of pipeline 'p' raised ValueError: invalid literal for int()",
    recursive: "recursion",
}


@pytest.mark.parametrize(("body", "says"), MISTAKES.items(), ids=[body.__name__ for body in MISTAKES])
def test_a_mistake_names_the_users_line(body: Callable[..., None], says: str, line: Callable[[str], str]) -> None:
    with pytest.raises(DefinitionError) as caught:
        traced(body)
    assert says in str(caught.value)
    assert caught.value.where == line(f"mistake {body.__name__}")


def test_an_exception_of_the_body_is_the_cause() -> None:
    with pytest.raises(DefinitionError) as caught:
        traced(raises)
    assert isinstance(caught.value.__cause__, KeyError)


def test_what_is_no_mistake_of_the_body_passes_through() -> None:
    def body() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        traced(body)


def test_the_result_is_checked_too() -> None:
    def wrong(path: Path) -> int:
        return load(path)  # type: ignore[return-value]

    with pytest.raises(DefinitionError, match="the result of pipeline 'p' wants int, but 'load' is Data") as caught:
        traced(wrong)
    assert caught.value.where == places.of_function(wrong)
    with pytest.raises(DefinitionError, match=r"the result of pipeline 'p': builtins.object can't be written"):
        traced(lambda: [take(1), object()][1])


def test_after_a_failed_body_no_trace_is_left() -> None:
    for body in (raises, missing):
        with pytest.raises(DefinitionError):
            traced(body)
        assert tracing.current() is None


def test_a_reference_does_not_leave_its_body() -> None:
    leaked: list[Any] = []

    def first(n: int) -> None:
        leaked.extend([take(n), n])

    Pipeline("first", first).definition
    for reference in leaked:
        with pytest.raises(DefinitionError, match=r"was made in pipeline 'first' and means nothing in pipeline 'p'"):
            traced(lambda: take(reference))
        with pytest.raises(DefinitionError, match=r"made in pipeline 'first'"):
            traced(lambda: [take(1), reference])
    with pytest.raises(DefinitionError, match=r"after\(\) of task 'take': 'take' was made in pipeline 'first'"):
        traced(lambda: take.after(leaked[0])(1))


def test_a_trace_within_a_trace_leaves_the_outer_one_alone() -> None:
    inner = Pipeline("inner", lambda: inc(1))

    def body() -> None:
        take(1)
        take(len(inner.definition.graph.nodes))

    assert [node.name for node in traced(body).graph.nodes] == ["take", "take_2"]
    assert [node.name for node in inner.definition.graph.nodes] == ["inc"]


def test_a_trace_that_has_ended_takes_nothing_more() -> None:
    kept: list[contextvars.Context] = []

    def body() -> None:
        take(1)
        kept.append(contextvars.copy_context())

    definition = traced(body)
    kept[0].run(take, 1)
    assert kept[0].run(tracing.current) is None
    assert len(definition.graph.nodes) == 1


def test_another_thread_is_outside_the_body() -> None:
    there: list[object] = []

    def elsewhere() -> None:
        take(1)
        there.append(tracing.current())

    def body() -> None:
        take(1)
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()

    assert len(traced(body).graph.nodes) == 1
    assert there == [None]


def test_a_chain_of_100_000_tasks_is_traced() -> None:
    def body(n: int) -> int:
        for _ in range(100_000):
            n = inc(n)
        return n

    graph = traced(body).graph
    assert len(graph.nodes) == 100_000
    assert graph.nodes[-1].inputs == {"x": Output("inc_99999")}
