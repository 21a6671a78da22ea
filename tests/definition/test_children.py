from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eventflow.definition.bodies import ChildBody
from eventflow.definition.children import run_pipeline
from eventflow.definition.dags import DAG
from eventflow.definition.graph import Child, Node, Output, Parameter
from eventflow.definition.grouping import group
from eventflow.definition.pipelines import Pipeline, pipeline
from eventflow.definition.tasks import task
from eventflow.errors import DefinitionError


@task
def load(path: Path) -> list[int]:
    raise NotImplementedError


@task
def use(score: float) -> None:
    raise NotImplementedError


@task
def ping() -> None:
    raise NotImplementedError


@pipeline
def retrain(path: Path, rate: float = 0.5) -> float:
    raise NotImplementedError("a child's own graph is none of its parent's business")


def traced(body: Callable[..., Any]) -> tuple[dict[str, Node], dict[str, Any]]:
    definition = Pipeline("p", body).definition
    return {node.name: node for node in definition.graph.nodes}, dict(definition.bodies)


def test_it_is_a_node_that_gives_the_others_result() -> None:
    def body(path: Path) -> None:
        use(run_pipeline(retrain)(path, rate=0.1))

    nodes, bodies = traced(body)
    child = nodes["retrain"]
    assert child.does == Child("retrain", wait=True)
    assert child.inputs["path"] == Parameter("path")
    assert list(child.inputs) == ["path", "rate"]
    assert nodes["use"].inputs == {"score": Output("retrain")}
    assert bodies["retrain"] == ChildBody(retrain, float)


def test_what_is_not_given_is_left_to_the_child() -> None:
    def body(path: Path) -> None:
        run_pipeline(retrain)(path)

    assert list(traced(body)[0]["retrain"].inputs) == ["path"]


def test_without_waiting_it_gives_the_id_of_the_run() -> None:
    def body() -> str:
        return run_pipeline(retrain, wait=False)(Path("x"))

    nodes, bodies = traced(body)
    assert nodes["retrain"].does == Child("retrain", wait=False)
    assert bodies["retrain"].result is str


def test_it_may_have_a_key_a_name_and_something_to_wait_for() -> None:
    def by_path(arguments: Any) -> str:
        return str(arguments["path"])

    def body() -> None:
        first = ping()
        with group("all") as everything:
            ping()
        run_pipeline(retrain, key="nightly", name="night", after=[first, everything])(Path("x"))
        run_pipeline(retrain, key=by_path, after=first)(Path("y"))  # type: ignore[arg-type]
        run_pipeline(retrain)(Path("z"))

    nodes, bodies = traced(body)
    assert nodes["night"].after == ("ping", "all.ping")
    assert (bodies["night"].key, bodies["retrain"].key, bodies["retrain_2"].key) == ("nightly", by_path, None)
    assert nodes["retrain"].after == ("ping",)


def test_a_pipeline_may_run_itself_as_a_child() -> None:
    @pipeline
    def again(n: int) -> int:
        return run_pipeline(again)(n)  # type: ignore[no-any-return,has-type]

    assert [node.name for node in again.definition.graph.nodes] == ["again"]


def test_pipelines_from_any_door_can_be_children() -> None:
    with Pipeline("written") as written:
        ping()
    gathered = DAG([load(Path("x"))])

    def body() -> None:
        run_pipeline(written)()
        run_pipeline(gathered)()

    assert list(traced(body)[0]) == ["written", "dag"]


MISTAKES: dict[str, tuple[Callable[[], object], str]] = {
    "no pipeline": (
        lambda: run_pipeline(load),
        "takes a pipeline, not <task load>: its arguments come behind, as in run_pipeline(retrain)",
    ),  # type: ignore[call-overload]
    "an empty key": (lambda: run_pipeline(retrain, key=""), "key is a text, or a function of the arguments by name, not ''"),
    "a number as key": (lambda: run_pipeline(retrain, key=5), "key is a text, or a function of the arguments by name, not 5"),  # type: ignore[call-overload]
    "a class as key": (lambda: run_pipeline(retrain, key=str), "key is a function, not <class 'str'>"),
    "a bad name": (lambda: run_pipeline(retrain, name="A b"), "'A b' can't name a node"),
    "missing": (run_pipeline(retrain), "pipeline 'retrain': missing a required argument: 'path'; it takes (path, rate=0.5)"),
    "unknown": (lambda: run_pipeline(retrain)(Path("x"), rat=1), "got an unexpected keyword argument 'rat'; it takes (path, rate=0.5)"),  # type: ignore[call-arg]
    "a value of the wrong type": (
        lambda: run_pipeline(retrain)(Path("x"), "fast"),
        "argument 'rate' of pipeline 'retrain': str doesn't fit",
    ),  # type: ignore[arg-type]
    "after a value": (lambda: run_pipeline(retrain, after=[5])(Path("x")), "after of run_pipeline(retrain) takes what tasks gave"),
}


@pytest.mark.parametrize(("write", "says"), MISTAKES.values(), ids=MISTAKES)
def test_what_makes_no_child_is_refused_at_its_line(write: Callable[[], object], says: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        traced(lambda: write() and None)
    assert says in str(caught.value)
    assert caught.value.where is not None
    assert caught.value.where.startswith(f"{__file__}:")


def test_outside_a_body_there_is_no_child(line: Callable[[str], str]) -> None:
    with pytest.raises(
        DefinitionError, match=r"run_pipeline\(retrain\) is called outside a pipeline's body: call it in a @pipeline"
    ) as caught:
        run_pipeline(retrain)(Path("x"))  # run outside
    assert caught.value.where == line("run outside")
