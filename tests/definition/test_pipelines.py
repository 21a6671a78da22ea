# ruff: noqa: B018  # asking for a definition traces it
from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eventflow import codec
from eventflow.definition import graph
from eventflow.definition.graph import Output, Parameter
from eventflow.definition.options import PipelineOptions
from eventflow.definition.pipelines import Pipeline, pipeline
from eventflow.definition.retries import Retry
from eventflow.definition.tasks import task
from eventflow.errors import DefinitionError, ParameterError


@task
async def load(path: Path) -> list[int]:
    raise NotImplementedError


@task
def train(rows: list[int], rate: float = 0.1) -> float:
    raise NotImplementedError


def clean(rows: list[int]) -> list[int]:
    raise NotImplementedError


@pipeline
def retrain(path: Path, rate: float = 0.5) -> float:  # retrain is here
    return train(load(path), rate)


def test_a_pipeline_has_a_name_settings_a_function_and_a_place(line: Callable[[str], str]) -> None:
    assert (retrain.name, retrain.settings) == ("retrain", PipelineOptions())
    file, number = line("retrain is here").rsplit(":", 1)
    assert retrain.where == f"{file}:{int(number) - 1}"  # its decorator's line
    assert retrain.fn.__name__ == "retrain"
    assert repr(retrain) == "<pipeline retrain>"


def test_settings_are_given_to_the_decorator() -> None:
    @pipeline(name="nightly", max_active_runs=1, tags=["ml", "slow"], description="Trains again.")
    def body() -> None:
        load(Path("x"))

    assert (body.name, body.settings) == ("nightly", PipelineOptions(1, ("ml", "slow"), "Trains again."))
    assert body.definition.graph.pipeline == "nightly"


def test_the_body_is_traced_at_first_use_and_once() -> None:
    traced: list[int] = []

    @pipeline
    def later() -> None:
        traced.append(1)
        defined_below(1)

    assert traced == []

    @task
    def defined_below(x: int) -> None:
        raise NotImplementedError

    assert later.definition is later.definition
    assert traced == [1]


def test_the_definition_holds_the_graph_its_version_and_the_annotations() -> None:
    definition = retrain.definition
    assert definition.version == codec.digest(graph.encode(definition.graph))
    assert list(definition.bodies) == ["load", "train"]
    assert definition.result is float
    assert definition.parameters is retrain.parameters
    assert list(definition.parameters.annotations) == ["path", "rate"]


def test_the_same_body_has_the_same_version_and_another_one_another() -> None:
    def other(path: Path, rate: float = 0.5) -> float:
        return train(load(path))

    assert Pipeline("retrain", retrain.fn).definition.version == retrain.definition.version
    assert Pipeline("retrain", other).definition.version != retrain.definition.version


def test_bind_takes_arguments_as_the_function_would() -> None:
    call = retrain.bind("x.csv")  # type: ignore[arg-type]
    assert call.pipeline is retrain
    assert call.arguments == b'{"path":{"$path":"x.csv"},"rate":0.5}'
    assert retrain.bind(Path("x.csv"), 0.5) == retrain.bind(rate=0.5, path=Path("x.csv")) == call


@pytest.mark.parametrize(
    ("bind", "says"),
    [
        (retrain.bind, "pipeline 'retrain': parameter 'path' is missing: expected Path"),
        (lambda: retrain.bind(5), "parameter 'path': expected Path, got int"),  # type: ignore[arg-type]
        (lambda: retrain.bind("x", rat=1), "parameter 'rat' is unknown (there is: path, rate)"),  # type: ignore[call-arg,arg-type]
        (lambda: retrain.bind("x", path="y"), "parameter 'path' is given twice"),  # type: ignore[misc,arg-type]
        (lambda: retrain.bind("x", 1, 2), "takes 2 arguments by position, got 3"),  # type: ignore[call-arg,arg-type]
    ],
    ids=["missing", "wrong type", "unknown", "twice", "too many"],
)
def test_arguments_that_do_not_fit_are_named(bind: Callable[[], object], says: str) -> None:
    with pytest.raises(ParameterError) as caught:
        bind()
    assert says in str(caught.value)


def test_keyword_only_parameters_are_given_by_name() -> None:
    @pipeline
    def body(a: int, *, b: int) -> None:
        train([a, b])

    assert body.bind(1, b=2).arguments == b'{"a":1,"b":2}'
    with pytest.raises(ParameterError, match="takes 1 arguments by position"):
        body.bind(1, 2)  # type: ignore[call-arg,misc]
    assert len(body.definition.graph.nodes) == 1


def test_a_pipeline_is_not_called_outside_of_a_body(line: Callable[[str], str]) -> None:
    with pytest.raises(
        DefinitionError, match=r"is called outside a pipeline's body: use retrain.run\(...\), or submit retrain.bind"
    ) as caught:
        retrain(Path("x"))  # called plainly
    assert caught.value.where == line("called plainly")


def test_a_pipeline_that_asks_for_itself_is_refused() -> None:
    @pipeline
    def own() -> None:
        train([len(own.definition.graph.nodes)])

    with pytest.raises(DefinitionError, match="pipeline 'own' asks for its own definition"):
        own.definition


def test_a_pipeline_without_tasks_is_refused_at_its_definition() -> None:
    @pipeline
    def empty() -> int:
        return 5

    with pytest.raises(DefinitionError, match="pipeline 'empty' has no tasks") as caught:
        empty.definition
    assert caught.value.where == empty.where


async def an_async_body() -> None:
    """Do nothing."""


def a_generator() -> Iterator[int]:
    yield 1


async def an_async_generator() -> Any:
    yield 1


BAD: dict[str, tuple[Callable[[], object], str]] = {
    "async": (lambda: pipeline(an_async_body), "pipeline 'an_async_body' is an async function: write def"),
    "a generator": (lambda: pipeline(a_generator), "pipeline 'a_generator' yields"),
    "an async generator": (lambda: pipeline(an_async_generator), "yields"),
    "a task": (lambda: Pipeline("p", train), "made of a task"),
    "a decorated task": (lambda: pipeline(train), "expected a function, got <task train>"),
    "a class": (lambda: pipeline(dict), "expected a function"),
    "a lambda": (lambda: pipeline(lambda: None), "'<lambda>' can't name a pipeline"),
    "a bad name": (lambda: pipeline(name="Re train")(clean), "'Re train' can't name a pipeline: use a-z, 0-9, _ and -"),
    "no active run": (lambda: pipeline(max_active_runs=0), "max_active_runs is at least 1"),
    "a text as tags": (lambda: pipeline(tags="ml"), "tags is a list of texts"),
    "an unknown setting": (lambda: pipeline(max_runs=1), "'max_runs' is no option of a pipeline: there is max_active"),  # type: ignore[call-overload]
    "an unknown overlap": (lambda: pipeline(on_overlap="kill"), "on_overlap='kill' is unknown: there is 'queue', "),  # type: ignore[call-overload]
    "an overlap without a limit": (lambda: pipeline(on_overlap="skip"), "give that too, as in max_active_runs=1"),
    "a name among the defaults": (
        lambda: pipeline(defaults={"name": "x"}),  # type: ignore[typeddict-unknown-key]
        "'name' is no default of a pipeline's tasks: there is retry, ",
    ),
    "a default that makes no sense": (lambda: pipeline(defaults={"timeout": 0}), "timeout is longer than nothing"),
    "defaults that contradict each other": (
        lambda: pipeline(defaults={"retry": Retry(), "at_most_once": True}),
        "at_most_once can't be retried",
    ),
    "a function at the end": (lambda: pipeline(finally_=[clean]), "finally_ of pipeline '?' takes tasks, not <function clean"),  # type: ignore[list-item]
    "a task at the end that needs something": (
        lambda: Pipeline("p", clean, finally_=train),
        "finally_ of pipeline 'p': 'train' needs rows, but is given nothing: give it defaults, or call it in the body",
    ),
    "a function as a hook": (lambda: Pipeline("p", clean, on_failure=[clean]), "on_failure of pipeline 'p' takes tasks"),  # type: ignore[list-item]
    "both": (lambda: Pipeline("p", clean, steps=[("a", clean)]), "give one of the two"),  # type: ignore[call-overload]
    "no steps": (lambda: Pipeline("p", steps=[]), "steps is a list of names with functions"),
    "steps without names": (lambda: Pipeline("p", steps=[clean]), "steps is a list of names with functions"),  # type: ignore[list-item]
    "two steps of a name": (lambda: Pipeline("p", steps=[("a", clean), ("a", train)]), "pipeline 'p' has two steps named 'a'"),
    "a step's bad name": (lambda: Pipeline("p", steps=[("A B", clean)]), "'A B' can't name a task"),
    "a step's other bad name": (lambda: Pipeline("p", steps=[("A B", train)]), "'A B' can't name a task"),
    "a step that is no function": (lambda: Pipeline("p", steps=[("a", 5)]), "expected a function, got 5"),  # type: ignore[list-item]
}


@pytest.mark.parametrize(("make", "says"), BAD.values(), ids=BAD)
def test_what_makes_no_pipeline_is_refused_at_the_users_line(make: Callable[[], object], says: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        make()
    assert says in str(caught.value)
    assert caught.value.where is not None
    assert caught.value.where.startswith(f"{__file__}:")


def test_steps_hand_on_what_they_give() -> None:
    etl = Pipeline("etl", steps=[("collect", load), ("clean", clean), ("train", train)], tags=["x"])
    definition = etl.definition
    assert [(node.name, node.inputs) for node in definition.graph.nodes] == [
        ("collect", {"path": Parameter("path")}),
        ("clean", {"rows": Output("collect")}),
        ("train", {"rows": Output("clean")}),
    ]
    assert definition.graph.result == Output("train")
    assert definition.result is float
    assert definition.bodies["clean"].fn is clean
    assert etl.settings.tags == ("x",)


def test_the_first_steps_parameters_are_the_pipelines() -> None:
    etl = Pipeline("etl", steps=[("collect", load), ("clean", clean)])
    assert etl.bind("x").arguments == b'{"path":{"$path":"x"}}'
    with pytest.raises(ParameterError, match="parameter 'path' is missing"):
        etl.bind()


def test_steps_that_do_not_fit_together_name_the_line_of_the_pipeline(line: Callable[[str], str]) -> None:
    wrong = Pipeline("etl", steps=[("train", train), ("load", load)])  # steps that don't fit
    with pytest.raises(DefinitionError, match="argument 'path' of task 'load' wants Path, but 'train' is float") as caught:
        wrong.definition
    assert caught.value.where == wrong.where == line("steps that don't fit")


def test_a_first_step_with_stars_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"takes \*rows"):
        Pipeline("etl", steps=[("a", lambda *rows: rows)]).definition
