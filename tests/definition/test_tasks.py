from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from eventflow.definition.options import TaskOptions
from eventflow.definition.retries import Retry
from eventflow.definition.pipelines import Pipeline
from eventflow.definition.tasks import Task, task
from eventflow.errors import DefinitionError


@task
async def load(path: str) -> int:
    return len(path)


@task(name="clean-up", retry=Retry(attempts=2), timeout="5m")
def clean(count: int) -> int:
    return count + 1


@task
def outer() -> int:
    return clean(1)  # a task in a task


def graph_of(body: Callable[..., Any]) -> Any:
    return Pipeline("p", body).definition.graph


async def test_the_function_itself_can_be_called_as_it_was_written() -> None:
    assert await load.fn("abc") == 3
    assert clean.fn(1) == 2
    assert asyncio.iscoroutinefunction(load.fn)


def test_a_task_has_its_functions_name_and_no_retry_unless_said_otherwise() -> None:
    assert (load.name, load.settings) == ("load", TaskOptions())
    assert load.settings.retry.attempts == 1
    assert (clean.name, clean.settings.timeout, clean.settings.retry) == ("clean-up", "5m", Retry(attempts=2))
    assert repr(clean) == "<task clean-up>"


def test_a_call_outside_a_pipeline_says_where_to_call_it(line: Callable[[str], str]) -> None:
    with pytest.raises(
        DefinitionError, match=r"task 'clean-up' is called outside a pipeline's body: .* @pipeline function, .* clean\.fn\(\.\.\.\)"
    ) as caught:
        clean(1)  # called outside
    assert caught.value.where == line("called outside")


def test_a_task_that_calls_another_while_it_runs_is_told_to_use_the_function(line: Callable[[str], str]) -> None:
    with pytest.raises(DefinitionError, match=r"clean\.fn\(\.\.\.\)") as caught:
        outer.fn()
    assert caught.value.where == line("a task in a task")


def test_options_change_one_use_only() -> None:
    def body() -> Any:
        return load.options(timeout="1s", max_crashes=1)("a"), load("b")

    bodies = Pipeline("p", body).definition.bodies
    assert bodies["load"].options == TaskOptions(timeout="1s", max_crashes=1)
    assert bodies["load_2"].options == TaskOptions()
    assert load.settings == TaskOptions()


def test_options_and_after_can_be_put_together_in_any_order() -> None:
    def body() -> None:
        first = load.options(name="first")("a")
        second = load.options(name="second")("a")
        load.after(first).options(timeout=3).after(second, first)("b")

    node = graph_of(body).nodes[2]
    assert (node.name, node.after) == ("load", ("first", "second"))


def test_other_options_give_another_fingerprint() -> None:
    def body() -> None:
        load("a")
        load("a")
        load.options(timeout=1)("a")

    one, two, three = (node.fingerprint for node in graph_of(body).nodes)
    assert one == two != three


BAD_OPTIONS: dict[str, tuple[Callable[[], object], str]] = {
    "a duration": (lambda: task(timeout="soon"), "'soon' is not a duration"),
    "no attempts": (lambda: task(retry=Retry(attempts=0)), "attempts is at least 1"),
    "a number as retry": (lambda: task(retry=3), "retry is a Retry"),  # type: ignore[arg-type]
    "both": (lambda: task(at_most_once=True, retry=Retry()), "choose one of the two"),
    "unknown": (lambda: task(retries=3), "unexpected keyword argument 'retries'"),  # type: ignore[call-overload]
    "a duration for one use": (lambda: load.options(timeout=-1), "-1 is not a duration"),
    "unknown for one use": (lambda: load.options(nam="x"), "unexpected keyword argument 'nam'"),  # type: ignore[call-arg]
    "a bad name": (lambda: task(name="Load it")(lambda: None), "'Load it' can't name a task: use a-z, 0-9, _ and -"),
    "a bad name for one use": (lambda: load.options(name=""), "'' can't name a task"),
    "a name that is no text": (lambda: load.options(name=5), "5 can't name a task"),  # type: ignore[arg-type]
    "a lambda": (
        lambda: task(lambda: None),
        "'<lambda>' can't name a task: use a-z, 0-9, _ and -, beginning with a letter or _, at most 64 characters; give it one",
    ),
    "no function": (lambda: task(5), "expected a function, got 5"),  # type: ignore[call-overload]
    "a class": (lambda: task(dict), "expected a function, got <class 'dict'>"),
    "a partial": (lambda: task(functools.partial(int, base=2)), "expected a function"),
    "no signature": (lambda: task(max), "no readable signature"),
    "after a value": (lambda: load.after(5), "after() of task 'load' takes what other tasks gave in this body, not 5"),
    "after a task": (lambda: load.after(clean), "not the task 'clean-up' itself: call it first"),
}


@pytest.mark.parametrize(("make", "says"), BAD_OPTIONS.values(), ids=BAD_OPTIONS)
def test_what_makes_no_sense_is_refused_at_the_users_line(make: Callable[[], object], says: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        make()
    assert says in str(caught.value)
    assert caught.value.where is not None
    assert caught.value.where.startswith(f"{__file__}:")


def test_functions_that_yield_are_refused() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    async def more() -> AsyncIterator[int]:
        yield 1

    for fn in (numbers, more):
        with pytest.raises(DefinitionError, match="yields: a task returns its result"):
            task(fn)


def test_positional_only_parameters_are_refused() -> None:
    def fn(a: int, /) -> None:
        """Take one."""

    with pytest.raises(DefinitionError, match="task 'fn': 'a' is positional-only"):
        task(fn)


def test_a_lambda_with_a_name_is_a_task() -> None:
    double = task(name="double")(lambda x: 2 * x)
    assert isinstance(double, Task)
    assert graph_of(lambda: double(1)).nodes[0].name == "double"


def test_after_a_parameter_is_a_mistake(line: Callable[[str], str]) -> None:
    def body(path: str) -> None:
        load.after(path)(path)  # after a parameter

    with pytest.raises(DefinitionError, match=r"after\(\) of task 'load': 'path' is a parameter, which is there from the start") as caught:
        graph_of(body)
    assert caught.value.where == line("after a parameter")
