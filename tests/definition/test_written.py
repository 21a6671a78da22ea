# ruff: noqa: B018  # asking for a definition traces it
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eventflow.definition import tracing
from eventflow.definition.branches import when
from eventflow.definition.graph import Output
from eventflow.definition.pipelines import Pipeline, pipeline
from eventflow.definition.tasks import task
from eventflow.errors import DefinitionError


@task
def load(path: Path) -> list[int]:
    raise NotImplementedError


@task
def total(rows: list[int]) -> int:
    raise NotImplementedError


@task
def a() -> None:
    raise NotImplementedError


@task
def cleanup() -> None:
    raise NotImplementedError


def test_what_is_called_in_the_block_becomes_the_graph() -> None:
    with Pipeline("etl", tags=["x"], defaults={"timeout": 5}, finally_=[cleanup]) as etl:
        rows = load(Path("x"))
        total(rows)
    graph = etl.definition.graph
    assert [(node.name, node.role) for node in graph.nodes] == [("load", "task"), ("total", "task"), ("cleanup", "finally")]
    assert graph.nodes[1].inputs == {"rows": Output("load")}
    assert graph.result is None
    body: Any = etl.definition.bodies["load"]
    assert (etl.settings.tags, body.options.timeout) == (("x",), 5)
    assert etl.definition is etl.definition
    assert tracing.current() is None


def test_it_takes_no_arguments_and_knows_its_place(line: Callable[[str], str]) -> None:
    with Pipeline("etl") as etl:  # the block
        a()
    assert etl.bind().arguments == b"{}"
    assert etl.where == line("the block")


def test_blocks_of_branches_stand_in_it() -> None:
    with Pipeline("etl") as etl, when(total(load(Path("x"))), 5):
        a()
    assert etl.definition.graph.nodes[-1].within == "when_total"


def test_a_block_around_another_goes_on_behind_it() -> None:
    with Pipeline("one") as one:
        a()
        with Pipeline("two") as two:
            cleanup()
        a()
    assert [node.name for node in one.definition.graph.nodes] == ["a", "a_2"]
    assert [node.name for node in two.definition.graph.nodes] == ["cleanup"]


def test_a_mistake_in_it_is_placed_at_its_line(line: Callable[[str], str]) -> None:
    with pytest.raises(DefinitionError, match="argument 'path' of task 'load' wants Path, but 'total' is int") as caught, Pipeline("etl"):
        load(total([1]))  # type: ignore[arg-type]  # doesn't fit
    assert caught.value.where == line("doesn't fit")


def test_before_its_block_has_ended_it_is_not_used(line: Callable[[str], str]) -> None:
    with Pipeline("etl") as etl:
        a()
        with pytest.raises(DefinitionError, match="pipeline 'etl' is used before its block has ended: use it behind the block") as caught:
            etl.definition  # used inside
        with pytest.raises(DefinitionError, match="pipeline 'etl' is called inside itself"):
            etl()
        with pytest.raises(DefinitionError, match="pipeline 'etl' is run in the body of pipeline 'etl'"):
            etl.run()
    assert caught.value.where == line("used inside")
    assert len(etl.definition.graph.nodes) == 1


def test_without_a_block_it_is_nothing(line: Callable[[str], str]) -> None:
    etl = Pipeline("etl")
    with pytest.raises(DefinitionError, match="pipeline 'etl' has neither a function nor steps nor a block: write its tasks in") as caught:
        etl.definition  # without a block
    assert caught.value.where == line("without a block")


def test_it_has_one_block(line: Callable[[str], str]) -> None:
    with Pipeline("etl") as etl:
        a()
        with pytest.raises(DefinitionError, match="pipeline 'etl' has had its block"), etl:
            a()
    with pytest.raises(DefinitionError, match="pipeline 'etl' has had its block: write all of it in one, or") as caught, etl:  # again
        a()
    assert caught.value.where == line("again")
    assert len(etl.definition.graph.nodes) == 1


def test_an_empty_block_is_refused_at_its_end() -> None:
    with pytest.raises(DefinitionError, match="pipeline 'empty' has no tasks"), Pipeline("empty") as empty:
        pass
    with pytest.raises(DefinitionError, match=r"isn't whole: its block raised DefinitionError: .*has no tasks"):
        empty.definition


def test_a_block_that_raises_leaves_nothing_to_use(line: Callable[[str], str]) -> None:
    etl = Pipeline("etl")
    with pytest.raises(KeyError), etl:
        raise KeyError(a.name)
    with pytest.raises(DefinitionError, match="pipeline 'etl' isn't whole: its block raised KeyError: 'a'") as caught:
        etl.definition  # not whole
    assert caught.value.where == line("not whole")
    assert tracing.current() is None


def test_a_pipeline_of_a_function_has_no_block(line: Callable[[str], str]) -> None:
    @pipeline
    def plain() -> None:
        a()

    with pytest.raises(DefinitionError, match="pipeline 'plain' is made of a function or of steps: it has no block") as caught:
        plain.__enter__()  # opened
    assert caught.value.where == line("opened")


def test_it_is_not_called_in_the_body_of_another(line: Callable[[str], str]) -> None:
    with Pipeline("etl") as etl:
        a()

    def body() -> None:
        etl()  # called in a body

    with pytest.raises(
        DefinitionError, match=r"was written in a block, which can't be written again .*: use run_pipeline\(...\)"
    ) as caught:
        Pipeline("p", body).definition
    assert caught.value.where == line("called in a body")
