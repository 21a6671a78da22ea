"""What user code outside of bodies may do wrong: whatever it raises ends its node, or its submission, and nothing else."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eventflow import DefinitionError, RunFailed, approval, each, facts, one_of, pipeline, task, wait_for, when
from eventflow.definition.pipelines import Pipeline
from eventflow.embed import run
from eventflow.engine import axes
from eventflow.errors import InvalidRequest
from tests.engine.world import World

RAISED = [SystemExit, KeyboardInterrupt, asyncio.CancelledError, GeneratorExit, ValueError]


class Explosive:
    """Raises when it is asked whether it is true, and when it is gone through."""

    def __init__(self, kind: type[BaseException]) -> None:
        self.kind = kind

    def __bool__(self) -> bool:
        raise self.kind

    def __iter__(self) -> Iterator[int]:
        raise self.kind


@task
async def inc(x: int) -> int:
    return x + 1


def by_key(kind: type[BaseException]) -> Pipeline[[], Any]:
    def key(_: object) -> str:
        raise kind

    return Pipeline("by-key", lambda: inc.map(x=each([1, 2], key=key)))


def by_predicate(kind: type[BaseException]) -> Pipeline[[], Any]:
    def rule(_: object) -> bool:
        raise kind

    return Pipeline("by-predicate", lambda: inc.options(rule=rule)(1))


def by_truth(kind: type[BaseException]) -> Pipeline[[], Any]:
    @task
    async def give() -> Any:
        return Explosive(kind)

    def body() -> Any:
        with when(give()):
            inner = inc(1)
        return one_of(inner, 0)

    return Pipeline("by-truth", body)


def by_iteration(kind: type[BaseException]) -> Pipeline[[], Any]:
    @task
    async def give() -> Any:
        return Explosive(kind)

    return Pipeline("by-iteration", lambda: inc.map(x=each(give())))


@pytest.mark.parametrize("kind", RAISED)
@pytest.mark.parametrize("make", [by_key, by_predicate, by_truth, by_iteration])
async def test_whatever_user_code_raises_fails_its_node_and_leaves_the_engine_alone(
    make: Callable[[type[BaseException]], Pipeline[[], Any]], kind: type[BaseException]
) -> None:
    world = World()
    async with world.engine() as engine:
        with pytest.raises(RunFailed, match=kind.__name__):
            await (await engine.submit(make(kind).bind())).result()
        other = Pipeline("other", lambda: inc(1))
        assert await (await engine.submit(other.bind())).result() == 2


async def test_a_concurrency_key_that_ends_the_program_refuses_the_submission_alone() -> None:
    def key(_: object) -> str:
        raise SystemExit

    keyed = pipeline(name="keyed", max_active_runs=1, concurrency_key=key)(lambda: inc(1))
    async with World().engine() as engine:
        with pytest.raises(InvalidRequest, match="SystemExit"):
            await engine.submit(keyed.bind())


@pytest.mark.parametrize(("value", "match", "taken"), [(1.0, 1, True), (1, 1.0, True), (2.5, 2.5, True), (1.5, 1, False), (True, 1, False)])
async def test_numbers_match_by_value_and_truth_is_no_number(value: Any, match: Any, taken: bool) -> None:
    @pipeline
    def chosen(value: Any) -> int:
        with when(value, match):
            inner = inc(1)
        return one_of(inner, 0)

    async with World().engine() as engine:
        assert await (await engine.submit(chosen.bind(value))).result() == (2 if taken else 0)


@dataclasses.dataclass
class Decision:
    deploy: bool
    share: float = 1.0


@pipeline
def asks() -> Decision:
    return approval("Deploy?", form=Decision)


async def test_a_word_mistyped_in_an_answer_is_refused_and_can_be_put_right() -> None:
    world = World()
    async with world.engine() as engine:
        submitted = await engine.submit(asks.bind())
        await world.until(facts.NodeSuspended)
        with pytest.raises(InvalidRequest, match="no field 'shore'"):
            await engine.answer(submitted.id, "approval", {"deploy": True, "shore": 0.1})
        await engine.answer(submitted.id, "approval", {"deploy": True, "share": 0.1})
        assert await submitted.result() == Decision(deploy=True, share=0.1)


class Opaque:
    """No JSON becomes one of these."""


@pytest.mark.parametrize("form", [Opaque, complex])
def test_a_form_that_no_answer_fits_is_refused_before_anybody_waits_for_one(form: Any) -> None:
    impossible = Pipeline("impossible", lambda: approval("Well?", form=form))
    with pytest.raises(DefinitionError, match="which no answer in JSON can become"):
        impossible.definition  # noqa: B018 - traces it


@pytest.mark.parametrize("wait", [lambda: approval("Well?"), lambda: wait_for("inbox")], ids=["approval", "wait_for"])
def test_what_would_wait_for_ever_is_refused_where_nobody_can_answer(wait: Callable[[], Any]) -> None:
    waits = Pipeline("waits", wait)
    with pytest.raises(InvalidRequest, match=r"waits for what can't come in run\(\), and has no deadline"):
        run(waits.bind())


async def test_a_list_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(axes, "MOST_ITEMS", 10)
    with pytest.raises(ValueError, match="all combinations are 16 items, and 10 is the most"):
        axes.Axes({"a": 0, "b": 1}, {"a": 4, "b": 4})
