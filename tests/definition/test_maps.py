# ruff: noqa: B018  # asking for a definition traces it
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count as endless
from typing import Any

import pytest

from eventflow import codec
from eventflow.definition.axes import across, each
from eventflow.definition.bodies import Body, MapBody
from eventflow.definition.branches import maybe, one_of, when
from eventflow.definition.graph import ListOf, Map, Node, OneOf, Output, Parameter
from eventflow.definition.grouping import group
from eventflow.definition.options import MapOptions
from eventflow.definition.pipelines import Definition, Pipeline
from eventflow.definition.tasks import task
from eventflow.errors import DefinitionError


@dataclass
class Model:
    rate: float


@task
def rates() -> list[float]:
    raise NotImplementedError


@task
def names() -> list[str]:
    raise NotImplementedError


@task
def name() -> str:
    raise NotImplementedError


@task
def table() -> dict[str, float]:
    raise NotImplementedError


@task
def one_model() -> Model:
    raise NotImplementedError


@task
def pair() -> tuple[float, str]:
    raise NotImplementedError


@task
def anything() -> Any:
    raise NotImplementedError


@task
def train(rate: float, depth: int = 1, data: Any = None) -> Model:
    raise NotImplementedError


@task
def choose(models: list[Model]) -> Model:
    raise NotImplementedError


@task
def polish(model: Model, how: str = "well") -> Model:
    raise NotImplementedError


@task
def gather(first: int, *others: int, **named: int) -> int:
    raise NotImplementedError


@task
def take(value: Any = None) -> Any:
    raise NotImplementedError


def traced(body: Callable[..., Any]) -> Definition:
    return Pipeline("p", body).definition


def node_of(body: Callable[..., Any], wanted: str) -> Node:
    return next(node for node in traced(body).graph.nodes if node.name == wanted)


def map_of(body: Callable[..., Any], wanted: str = "train") -> Map:
    does = node_of(body, wanted).does
    assert isinstance(does, Map)
    return does


def literal(node: Node, argument: str) -> object:
    return codec.decode(node.inputs[argument].json)  # type: ignore[union-attr]


def test_a_mapped_task_is_a_node_with_the_graph_of_one_item() -> None:
    def body(given: list[float]) -> Model:
        data = anything()
        models = train.map(data=data, rate=each(given))
        return choose(models)

    definition = traced(body)
    node = definition.graph.nodes[1]
    assert (node.name, node.task, node.fingerprint) == ("train", f"{__name__}:train", definition.graph.nodes[1].does.nodes[0].fingerprint)  # type: ignore[union-attr]
    assert node.inputs == {"rate": Parameter("given"), "data": Output("anything")}
    item = Node("", f"{__name__}:train", {"rate": Parameter("rate"), "data": Parameter("data")}, fingerprint=node.fingerprint)
    assert node.does == Map({"rate": 0}, (item,), Output(""))
    assert definition.graph.nodes[2].inputs == {"models": Output("train")}


def test_the_functions_of_a_map_stand_under_its_path() -> None:
    definition = traced(lambda: train.options(min_success=0.9, max_active_items=8).map(each(rates())))
    mapped, item = definition.bodies["train"], definition.bodies["train[]"]
    assert isinstance(mapped, MapBody)
    assert (mapped.inputs, mapped.result) == ({"rate": float, "depth": int, "data": Any}, Model)
    assert (mapped.options, mapped.keyed, mapped.key) == (MapOptions(0.9, 8), None, None)
    assert isinstance(item, Body)
    assert (item.fn, item.result) == (train.fn, Model)


def test_lists_in_each_are_in_step_and_across_combines_them_as_written() -> None:
    assert map_of(lambda: train.map(each([0.1, 0.2]), each([1, 2]))).axes == {"rate": 0, "depth": 0}
    assert map_of(lambda: train.map(data=across([1]), depth=across([2]), rate=each([0.1]))).axes == {"rate": 0, "data": 1, "depth": 2}
    assert map_of(lambda: train.map(across([0.1]), data=across([1]), depth=5)).axes == {"rate": 0, "data": 1}


def test_literal_lists_are_stored_under_the_annotation_of_an_item() -> None:
    def body(n: int) -> None:
        train.map(each((1, 2)), across({3}))
        take.map(each(range(3)))
        take.map(each([]))
        take.map(each([n, anything()]))

    first, second, third, _, fourth = traced(body).graph.nodes
    assert (literal(first, "rate"), literal(first, "depth")) == ([1, 2], [3])
    assert (literal(second, "value"), literal(third, "value")) == ([0, 1, 2], [])
    assert fourth.inputs["value"] == ListOf((Parameter("n"), Output("anything")))


LISTS: dict[str, Callable[[], Any]] = {
    "a result": rates,
    "anything": anything,
    "a part": lambda: anything()["x"],
    "a choice with a default": lambda: one_of(rates(), []),
    "another map": lambda: take.map(each([1])),
}


@pytest.mark.parametrize("made", LISTS.values(), ids=LISTS)
def test_a_list_may_be_known_only_at_run_time(made: Callable[[], Any]) -> None:
    assert map_of(lambda: train.map(each(made()))).axes == {"rate": 0}


def test_a_list_is_taken_from_a_choice() -> None:
    binding = node_of(lambda: train.map(each(one_of(rates(), []))), "train").inputs["rate"]
    assert isinstance(binding, OneOf)
    assert binding.items[0] == Output("rates")


def test_a_key_names_the_items() -> None:
    def first(text: str) -> str:
        return text[:1]

    definition = traced(lambda: take.map(each(names(), key=first)))
    assert definition.graph.nodes[1].does.keyed  # type: ignore[union-attr]
    body = definition.bodies["take"]
    assert isinstance(body, MapBody)
    assert (body.keyed, body.key) == ("value", first)
    assert not map_of(lambda: take.map(each(names())), "take").keyed


def test_the_result_of_a_map_is_a_list() -> None:
    def body() -> None:
        first = train.map(each(rates()))[0]
        train(first)  # type: ignore[arg-type]

    with pytest.raises(DefinitionError, match=r"argument 'rate' of task 'train' wants float, but 'train\[0\]' is Model"):
        traced(body)


def test_maps_have_names_rules_and_order_like_tasks() -> None:
    def body(a: bool) -> None:
        with when(a):
            skipped = take()
            with group("g"):
                take.map(each([1]))
        take.options(rule="none_failed").after(skipped).map(each([1]))
        take.options(name="own").map(each([1]))

    definition = traced(body)
    found = {node.name: node for node in definition.graph.nodes}
    assert found["g.take"].within == "when_a"
    assert (found["take_2"].after, found["take_2"].rule) == (("take",), "none_failed")
    assert isinstance(definition.bodies["g.take[]"], Body)
    assert isinstance(found["own"].does, Map)


def test_a_skipped_map_passes_on_a_list_of_its_items_first_input() -> None:
    passing = polish.options(skip="pass-through")

    def body(a: bool, models: list[Model], hows: list[str]) -> None:
        with when(a):
            polished = passing.map(each(models))
            passing.map(one_model(), each(hows))
            passing.map(each(models), across(hows))
        choose(polished)

    found = {node.name: node for node in traced(body).graph.nodes}
    assert [found[name].passes for name in ("polish", "polish_2", "polish_3")] == [True, False, False]
    assert all(found[name].does.nodes[0].passes for name in ("polish", "polish_2", "polish_3"))  # type: ignore[union-attr]


def prepare_body(rate: float, depth: int = 3) -> Model:
    model = train(rate, depth)
    with when(depth, 3):
        better = polish(model)
    return one_of(better, model)


prepare = Pipeline("prepare", prepare_body)


def test_a_mapped_pipeline_is_a_node_with_its_graph() -> None:
    definition = traced(lambda: choose(prepare.map(each(rates()))))
    node = definition.graph.nodes[1]
    whole = prepare.definition.graph
    assert node.does == Map({"rate": 0}, whole.nodes, whole.result)
    assert node.inputs["rate"] == Output("rates")
    assert literal(node, "depth") == 3
    assert whole.nodes[0].inputs == {"rate": Parameter("rate"), "depth": Parameter("depth")}
    paths = {"prepare", "prepare[].train", "prepare[].when_depth", "prepare[].polish", "rates", "choose"}
    assert definition.bodies.keys() == paths
    mapped = definition.bodies["prepare"]
    assert isinstance(mapped, MapBody)
    assert (mapped.inputs, mapped.result) == ({"rate": float, "depth": int}, Model)


def test_maps_nest() -> None:
    inner = Pipeline("inner", lambda xs: take.map(each(xs)))
    outer = Pipeline("outer", lambda lists: inner.map(each(lists)))
    definition = traced(lambda: outer.options(min_success=0.5).map(each([[[1], []], []])))
    assert definition.bodies.keys() == {"outer", "outer[].inner", "outer[].inner[].take", "outer[].inner[].take[]"}
    body = definition.bodies["outer"]
    assert isinstance(body, MapBody)
    assert body.options.min_success == 0.5


def test_an_item_that_is_a_list_can_be_mapped_inside() -> None:
    def inner(xs: list[int]) -> list[Any]:
        return take.map(each(xs))

    assert map_of(lambda: Pipeline("inner", inner).map(each([[1], [2, 3]])), "inner").axes == {"xs": 0}


def no_list(a: bool) -> None:
    train.map(0.1)  # mistake no_list


def not_a_list(a: bool) -> None:
    train.map(rate=each(a))  # type: ignore[arg-type]  # mistake not_a_list


def a_text(a: bool) -> None:
    take.map(each(name()))  # mistake a_text


def a_dict(a: bool) -> None:
    take.map(each(table()))  # mistake a_dict


def an_object(a: bool) -> None:
    take.map(each(one_model()))  # type: ignore[arg-type]  # mistake an_object


def a_literal_text(a: bool) -> None:
    take.map(each("abc"))  # mistake a_literal_text


def a_literal_number(a: bool) -> None:
    take.map(across(5))  # type: ignore[arg-type]  # mistake a_literal_number


def without_end(a: bool) -> None:
    take.map(each(endless()))  # mistake without_end


def maybe_a_list(a: bool) -> None:
    take.map(each(maybe(rates())))  # type: ignore[arg-type]  # mistake maybe_a_list


def other_items(a: bool) -> None:
    train.map(each(names()))  # type: ignore[arg-type]  # mistake other_items


def other_items_of_a_pair(a: bool) -> None:
    train.map(each(pair()))  # type: ignore[arg-type]  # mistake other_items_of_a_pair


def other_literal_items(a: bool) -> None:
    train.map(each(["x"]))  # type: ignore[list-item]  # mistake other_literal_items


def other_argument(a: bool) -> None:
    train.map(each([0.1]), depth="x")  # type: ignore[arg-type]  # mistake other_argument


def missing_argument(a: bool) -> None:
    train.map(depth=each([1]))  # type: ignore[call-arg]  # mistake missing_argument


def each_in_a_call(a: bool) -> None:
    train(each([0.1]))  # mistake each_in_a_call


def across_in_a_list(a: bool) -> None:
    take([across([0.1])])  # mistake across_in_a_list


def each_in_a_list_of_a_map(a: bool) -> None:
    take.map([each([0.1])])  # mistake each_in_a_list_of_a_map


def each_in_stars(a: bool) -> None:
    gather.map(each([1]), each([2]))  # mistake each_in_stars


def each_in_named_stars(a: bool) -> None:
    gather.map(each([1]), x=each([2]))  # mistake each_in_named_stars


def each_in_each(a: bool) -> None:
    take.map(each(each([[1]])))  # mistake each_in_each


def each_returned(a: bool) -> Any:
    return each([take()])


def two_keys(a: bool) -> None:
    train.map(each([0.1], key=str), across([1], key=str))  # mistake two_keys


def no_key(a: bool) -> None:
    train.map(each([0.1], key="rate"))  # type: ignore[arg-type]  # mistake no_key


async def later(item: object) -> str:
    raise NotImplementedError


def key_that_is_awaited(a: bool) -> None:
    take.map(each([1], key=later))  # mistake key_that_is_awaited


def other_lengths(a: bool) -> None:
    train.map(each([0.1, 0.2]), each([1]))  # mistake other_lengths


def no_reference_for_all(a: bool) -> None:
    train.options(rule="always").map(each(rates()))  # mistake no_reference_for_all


def nothing_to_pass(a: bool) -> None:
    take.options(skip="pass-through").map()  # mistake nothing_to_pass


def pipeline_without_list(a: bool) -> None:
    prepare.map(0.1)  # mistake pipeline_without_list


def pipeline_with_other_items(a: bool) -> None:
    prepare.map(each(names()))  # type: ignore[arg-type]  # mistake pipeline_with_other_items


MISTAKES: dict[Callable[[bool], None], str] = {
    no_list: r"map\(\) of task 'train' has no list to go over: mark one with each\(...\), as in .map\(rate=each\(values\)\)",
    not_a_list: r"argument 'rate' of map\(\) of task 'train': 'a' is bool, which is no list: have a task give a list of its items",
    a_text: r"'name' is str, which is no list",
    a_dict: r"'table' is dict\[str, float\], which is no list",
    an_object: r"'one_model' is Model, which is no list",
    a_literal_text: r"each\(...\) goes over a list, not over a str: write each\(list\(...\)\) or each\(\[...\]\)",
    a_literal_number: r"across\(...\) goes over a list, not over a int",
    without_end: r"each\(...\) goes over a list, not over a count",
    maybe_a_list: r"maybe\(rates\) may be None, which is no list: write one_of\(rates, \[\]\)",
    other_items: r"argument 'rate' of map\(\) of task 'train' wants float, but an item of 'names' is str",
    other_items_of_a_pair: r"wants float, but an item of 'pair' is str",
    other_literal_items: r"argument 'rate' of map\(\) of task 'train': list doesn't fit its annotation: Expected `float`, got `str`",
    other_argument: r"argument 'depth' of map\(\) of task 'train': str doesn't fit",
    missing_argument: r"map\(\) of task 'train': missing a required argument: 'rate'; it takes \(rate, depth=1, data=None\)",
    each_in_a_call: r"argument 'rate' of task 'train': each\(...\) marks a named argument of .map\(...\), as in train.map\(rate=each\(rates\)\)",
    across_in_a_list: r"argument 'value' of task 'take' at \[0\]: across\(...\) marks a named argument of .map\(...\)",
    each_in_a_list_of_a_map: r"map\(\) of task 'take' has no list to go over",
    each_in_stars: r"argument '\*' of map\(\) of task 'gather' at \[0\]: each\(...\) marks a named argument of .map\(...\)",
    each_in_named_stars: r"argument '\*\*' of map\(\) of task 'gather' at \['x'\]: each\(...\) marks a named argument",
    each_in_each: r"argument 'value' of map\(\) of task 'take': each\(...\) stands inside each\(...\): leave one away",
    two_keys: r"both 'rate' and 'depth' have a key, but an item has one name: leave one away",
    no_key: r"key is a plain function that names an item, as in key=lambda item: item.name, not 'rate'",
    key_that_is_awaited: r"key is a plain function that names an item, .*, not <function later",
    other_lengths: r"lists in each\(...\) are taken in step, so they have as many items \('rate' 2, 'depth' 1\): across\(...\) combines them",
    no_reference_for_all: r"argument 'rate' of 'train', whose rule is 'always': 'rates' may have no value when it runs",
    nothing_to_pass: r"task 'take' has skip='pass-through', but no first input",
    pipeline_without_list: r"map\(\) of pipeline 'prepare' has no list to go over",
    pipeline_with_other_items: r"argument 'rate' of map\(\) of pipeline 'prepare' wants float, but an item of 'names' is str",
}


@pytest.mark.parametrize(("body", "says"), MISTAKES.items(), ids=[body.__name__ for body in MISTAKES])
def test_a_mistake_names_the_users_line(body: Callable[[bool], None], says: str, line: Callable[[str], str]) -> None:
    with pytest.raises(DefinitionError, match=says) as caught:
        traced(body)
    assert caught.value.where == line(f"mistake {body.__name__}")


def test_a_marker_is_no_result() -> None:
    with pytest.raises(DefinitionError, match=r"the result of pipeline 'p': each\(...\) marks a named argument"):
        traced(each_returned)


def test_what_an_item_needs_is_handed_over_as_an_argument() -> None:
    def body(n: int) -> None:
        inner = Pipeline("inner", lambda x: take([x, n]))
        inner.map(each([1]))

    with pytest.raises(DefinitionError, match="'n' was made in pipeline 'p' and means nothing in pipeline 'inner'"):
        traced(body)


def test_a_pipeline_is_not_mapped_in_itself() -> None:
    own: Pipeline[..., Any] = Pipeline("own", lambda x: own.map(each([x])))
    with pytest.raises(DefinitionError, match="pipeline 'own' is mapped inside itself, which would never end"):
        own.definition


def test_outside_of_a_body_nothing_is_mapped(line: Callable[[str], str]) -> None:
    with pytest.raises(DefinitionError, match=r"map\(\) of task 'take' is called outside a pipeline's body") as caught:
        take.map(each([1]))  # mapped outside
    assert caught.value.where == line("mapped outside")
    with pytest.raises(DefinitionError, match="pipeline 'prepare' is mapped outside a pipeline's body: do it in a @pipeline function"):
        prepare.map(each([0.1]))
