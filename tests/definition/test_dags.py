# ruff: noqa: B018  # asking for a definition traces it
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from eventflow.definition.dags import DAG
from eventflow.definition.graph import Attribute, DictOf, Item, ListOf, Output
from eventflow.definition.pipelines import Pipeline, pipeline
from eventflow.definition.tasks import task
from eventflow.errors import DefinitionError, ParameterError


class Parts(NamedTuple):
    train: list[int]
    test: list[int]


@task
def load(path: Path) -> list[int]:
    raise NotImplementedError


@task
def split(rows: list[int]) -> Parts:
    raise NotImplementedError


@task
def total(rows: list[int]) -> int:
    raise NotImplementedError


@task
def report(*numbers: object, **named: object) -> str:
    raise NotImplementedError


@task
def ping() -> None:
    raise NotImplementedError


def nodes_of(dag: Pipeline[[], object]) -> list[tuple[str, Any]]:
    return [(node.name, node.inputs) for node in dag.definition.graph.nodes]


def test_it_holds_what_it_is_given_and_all_that_this_depends_on() -> None:
    rows = load(Path("x"))
    load(Path("forgotten"))
    dag = DAG([total(rows), ping()])
    assert isinstance(dag, Pipeline)
    assert dag.name == dag.definition.graph.pipeline == "dag"
    assert [name for name, _ in nodes_of(dag)] == ["load", "total", "ping"]
    assert nodes_of(dag)[1] == ("total", {"rows": Output("load")})


def test_its_result_is_that_of_the_last_one() -> None:
    rows = load(Path("x"))
    number = total(rows)
    assert DAG([rows, number]).definition.graph.result == Output("total")
    definition = DAG([number, split(rows).test]).definition
    assert definition.graph.result == Output("split", (Attribute("test"),))
    assert definition.result == list[int]


def test_it_takes_no_arguments() -> None:
    dag = DAG([ping()])
    assert dag.bind().arguments == b"{}"
    with pytest.raises(ParameterError, match="takes 0 arguments by position, got 1"):
        dag.bind(1)  # type: ignore[call-arg]


def test_references_may_be_parts_and_stand_in_lists_and_dicts() -> None:
    train, test = split(load(Path("x")))
    dag = DAG([report(train, [test[0], 5], {"a": total(train)}, plain=[1, 2])])
    assert [name for name, _ in nodes_of(dag)] == ["load", "split", "total", "report"]
    assert nodes_of(dag)[-1][1]["*"] == ListOf(
        (
            Output("split", (Item(0),)),
            ListOf((Output("split", (Item(1), Item(0))), dag.definition.graph.nodes[-1].inputs["*"].items[1].items[1])),  # type: ignore[union-attr]
            DictOf({"a": Output("total")}),
        )
    )


def test_what_is_used_twice_is_there_once() -> None:
    rows = load(Path("x"))
    dag = DAG([total(rows), total(rows), rows, rows])
    assert [name for name, _ in nodes_of(dag)] == ["load", "total", "total_2"]


def test_what_is_only_waited_for_is_there_too() -> None:
    first = ping()
    node = DAG([load.after(first)(Path("x"))]).definition.graph.nodes[1]
    assert (node.name, node.after) == ("load", ("ping",))


def test_options_and_defaults_count() -> None:
    settings: Any = {"defaults": {"timeout": 9}, "tags": ["x"]}
    dag = DAG([ping.options(name="first", max_crashes=1)()], name="nightly", **settings)
    body: Any = dag.definition.bodies["first"]
    assert (body.options.timeout, body.options.max_crashes) == (9, 1)
    assert (dag.name, dag.settings.tags) == ("nightly", ("x",))


def test_one_call_may_be_in_several_of_them() -> None:
    rows = load(Path("x"))
    assert [nodes_of(DAG([given])) for given in (rows, rows)] == [nodes_of(DAG([rows]))] * 2


def test_it_is_placed_where_it_is_written(line: Callable[[str], str]) -> None:
    dag = DAG([ping()])  # the dag
    assert dag.where == line("the dag")


def test_it_can_be_called_in_the_body_of_a_pipeline() -> None:
    inner = DAG([total(load(Path("x")))], name="inner")

    @pipeline
    def outer() -> None:
        report(inner())

    assert [node.name for node in outer.definition.graph.nodes] == ["inner.load", "inner.total", "report"]


def test_calls_that_do_not_fit_together_name_the_line_of_the_call(line: Callable[[str], str]) -> None:
    wrong = load(total([1]))  # type: ignore[arg-type]  # doesn't fit
    with pytest.raises(DefinitionError, match="argument 'path' of task 'load' wants Path, but 'total' is int") as caught:
        DAG([wrong]).definition
    assert caught.value.where == line("doesn't fit")


def test_what_was_made_in_a_body_is_no_part_of_it(line: Callable[[str], str]) -> None:
    kept: list[Any] = []
    Pipeline("p", lambda: kept.append(load(Path("x")))).definition
    with pytest.raises(DefinitionError, match=r"DAG.* takes what tasks gave that were called outside .* not <reference to load>") as caught:
        DAG(kept)  # made inside
    assert caught.value.where == line("made inside")
    taken = total(kept[0])  # takes what was made inside
    with pytest.raises(DefinitionError, match="'load' was made in pipeline 'p' and means nothing in pipeline 'dag'") as caught:
        DAG([taken]).definition
    assert caught.value.where == line("takes what was made inside")


BAD: dict[str, tuple[Callable[[], object], str]] = {
    "nothing": (lambda: DAG([]), "pipeline 'dag': DAG([]) is empty: give it what its last tasks gave"),
    "a task": (lambda: DAG([ping]), "not the task 'ping' itself: call it"),
    "only a task": (lambda: DAG(ping), "not the task 'ping' itself: call it"),  # type: ignore[arg-type]
    "a value": (lambda: DAG([5]), "takes what tasks gave that were called outside of any pipeline's body, not 5"),
    "a bad name": (lambda: DAG([ping()], name="My DAG"), "'My DAG' can't name a pipeline"),
    "an unknown option": (lambda: DAG([ping()], nam="x"), "'nam' is no option of a pipeline"),  # type: ignore[call-arg]
}


@pytest.mark.parametrize(("make", "says"), BAD.values(), ids=BAD)
def test_what_makes_none_is_refused_at_the_users_line(make: Callable[[], object], says: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        make()
    assert says in str(caught.value)
    assert caught.value.where is not None
    assert caught.value.where.startswith(f"{__file__}:")


def test_a_single_reference_is_enough() -> None:
    assert [name for name, _ in nodes_of(DAG(ping()))] == ["ping"]  # type: ignore[arg-type,func-returns-value]


def test_a_chain_of_20_000_calls_is_gathered() -> None:
    @task
    def inc(number: int) -> int:
        raise NotImplementedError

    number = inc(0)
    for _ in range(19_999):
        number = inc(number)
    nodes = DAG([number]).definition.graph.nodes
    assert len(nodes) == 20_000
    assert nodes[-1].inputs == {"number": Output("inc_19999")}
