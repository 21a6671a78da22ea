from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextvars import copy_context
from typing import Any

import pytest

from eventflow.context import Context, Ended, Stop, running
from eventflow.definition.options import TaskOptions
from eventflow.definition.pipelines import Pipeline, checked_call, pipeline
from eventflow.definition.retries import Retry
from eventflow.definition.tasks import Task, task
from eventflow.errors import DefinitionError, InvalidRequest, ParameterError


@task
async def load(path: str) -> int:
    return len(path)


@task(name="clean-up", retry=Retry(attempts=2), timeout="5m")
def clean(count: int) -> int:
    return count + 1


@task
def outer() -> int:
    return clean(1)  # a task in a task


class NoCheckpoint:
    def begin(self) -> int:
        raise NotImplementedError

    def load(self, default: object = None) -> object:
        raise NotImplementedError

    def save(self, state: object) -> None:
        raise NotImplementedError

    def advance(self, position: int) -> None:
        raise NotImplementedError


@task
def alert(ended: Ended) -> None:
    raise NotImplementedError


@task
def needs_two(one: int, two: int) -> None:
    raise NotImplementedError


def any_failed(states: Mapping[str, str]) -> bool:
    return "failed" in states.values()


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


def test_a_call_outside_a_pipeline_is_harmless_while_nothing_is_done_with_it() -> None:
    assert repr(load("a.csv")) == "<reference to load>"


LOOSE: dict[str, Callable[[Any], object]] = {
    "a truth test": bool,
    "formatting": str,
    "arithmetic": lambda given: given + 1,
    "iterating": list,
    "calling it": lambda given: given(),
}


@pytest.mark.parametrize("use", LOOSE.values(), ids=LOOSE)
def test_what_a_call_outside_a_pipeline_gives_has_no_value(use: Callable[[Any], object], line: Callable[[str], str]) -> None:
    given = clean(1)  # called outside
    with pytest.raises(DefinitionError) as caught:
        use(given)
    assert f"but task 'clean-up' was called outside a pipeline's body ({line('called outside')}): " in str(caught.value)
    assert str(caught.value).endswith("call it in a @pipeline function, or call its function, clean.fn(...)")
    assert caught.value.where is not None
    assert caught.value.where.startswith(f"{__file__}:")


async def test_a_call_outside_a_pipeline_is_not_awaited(line: Callable[[str], str]) -> None:
    with pytest.raises(
        DefinitionError, match=r"await needs the value of 'load', but task 'load' was called outside .* load\.fn\("
    ) as caught:
        await load("a.csv")  # type: ignore[misc]  # awaited outside
    assert caught.value.where == line("awaited outside")


def test_a_call_outside_a_pipeline_is_not_taken_inside_one(line: Callable[[str], str]) -> None:
    given = load("a.csv")

    def body() -> int:
        return clean(given)  # taken inside

    with pytest.raises(DefinitionError, match="argument 'count' of task 'clean-up': task 'load' was called outside a pipeline's") as caught:
        graph_of(body)
    assert caught.value.where == line("taken inside")

    with pytest.raises(DefinitionError, match="after\\(\\) of task 'load': task 'load' was called outside a pipeline's body"):
        graph_of(lambda: load.after(given)("b"))


def test_a_call_outside_a_pipeline_is_no_argument_and_is_not_submitted() -> None:
    @pipeline
    def count(n: int) -> int:
        return clean(n)

    with pytest.raises(ParameterError, match="parameter 'n': expected int, got Reference"):
        count.bind(clean(1))
    with pytest.raises(
        InvalidRequest, match=r"<reference to clean-up> can't be submitted: give DAG\(\[\.\.\.\]\)\.bind\(\), which gathers"
    ):
        checked_call(clean(1))


def test_a_call_outside_a_pipeline_with_wrong_arguments_is_refused_at_once(line: Callable[[str], str]) -> None:
    with pytest.raises(DefinitionError, match=r"task 'load': missing a required argument: 'path'; it takes \(path\)") as caught:
        load()  # type: ignore[call-arg]  # called wrongly
    assert caught.value.where == line("called wrongly")


def test_a_task_that_calls_another_while_it_runs_is_told_to_use_the_function(line: Callable[[str], str]) -> None:
    context = copy_context()
    context.run(running.set, Context("r", "p", "outer", 1, NoCheckpoint(), Stop()))
    with pytest.raises(DefinitionError, match=r"called in the body of a task that is running: .* clean\.fn\(\.\.\.\)") as caught:
        context.run(outer.fn)
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


def test_what_an_earlier_use_said_stays_where_a_later_one_says_nothing() -> None:
    twice = clean.options(timeout="1s").options(max_crashes=1)
    assert (twice.settings.timeout, twice.settings.max_crashes, twice.settings.retry) == ("1s", 1, Retry(attempts=2))


def test_a_pipelines_defaults_stand_behind_what_a_task_says_and_before_what_is_built_in() -> None:
    def body() -> Any:
        return load("a"), clean(1), clean.options(timeout=7)(1)

    defaults: Any = {"timeout": "1h", "retry": [Retry(attempts=5)], "max_crashes": 9}
    bodies: Any = Pipeline("p", body, defaults=defaults).definition.bodies
    options = [bodies[name].options for name in ("load", "clean-up", "clean-up_2")]
    assert [one.timeout for one in options] == ["1h", "5m", 7]
    assert [one.retry for one in options] == [(Retry(attempts=5),), Retry(attempts=2), Retry(attempts=2)]
    assert [one.max_crashes for one in options] == [9, 9, 9]
    assert load.settings == TaskOptions()


def test_a_task_may_be_used_under_several_defaults() -> None:
    def body() -> Any:
        return load("a"), load("b"), load.options(max_crashes=1)("c")

    def timeouts(**defaults: Any) -> list[object]:
        bodies: Any = Pipeline("p", body, defaults=defaults).definition.bodies  # type: ignore[arg-type]
        return [(one.options.timeout, one.options.max_crashes) for one in bodies.values()]

    assert timeouts(timeout=1) == [(1, 3), (1, 3), (1, 1)]
    assert timeouts(timeout=2) == [(2, 3), (2, 3), (2, 1)]
    assert timeouts() == [(None, 3), (None, 3), (None, 1)]


def test_what_a_default_contradicts_is_said_by_the_task() -> None:
    def body() -> None:
        load.options(at_most_once=True)("a")

    def again() -> None:
        load.options(retry=Retry(attempts=2))("a")

    once: Any = Pipeline("p", body, defaults={"retry": Retry()}).definition.bodies["load"]
    assert (once.options.at_most_once, once.options.retry) == (True, Retry(attempts=1))
    more: Any = Pipeline("p", again, defaults={"at_most_once": True}).definition.bodies["load"]
    assert (more.options.at_most_once, more.options.retry) == (False, Retry(attempts=2))


def test_the_defaults_of_a_pipeline_change_the_fingerprints_in_it() -> None:
    def body() -> None:
        load("a")

    one, other = (Pipeline("p", body, defaults=defaults).definition.graph.nodes[0] for defaults in ({}, {"timeout": 1}))  # type: ignore[arg-type]
    assert one.fingerprint != other.fingerprint


def test_a_rule_is_written_into_the_graph() -> None:
    def body() -> None:
        load.options(rule="all_done")("a")
        load.options(rule=any_failed)("a")

    first, second = graph_of(body).nodes
    assert (first.rule, second.rule) == ("all_done", "predicate")


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
    "unknown": (lambda: task(retries=3), "'retries' is no option of a task: there is retry, timeout, "),  # type: ignore[call-overload]
    "a duration for one use": (lambda: load.options(timeout=-1), "-1 is not a duration"),
    "unknown for one use": (lambda: load.options(nam="x"), "'nam' is no option of a task"),  # type: ignore[call-arg]
    "an unknown rule": (lambda: task(rule="never"), "rule='never' is unknown: there is 'all_success', "),  # type: ignore[call-overload]
    "a part of items": (lambda: load.options(min_success=2), "min_success is a part, a number from 0 to 1, not 2"),
    "a function as a hook": (lambda: task(on_failure=[print]), "on_failure of a task takes tasks, not <built-in function print>"),  # type: ignore[list-item]
    "a hook with two inputs": (
        lambda: task(on_failure=[needs_two]),
        "on_failure of a task: 'needs_two' needs one, two, but a hook is given",
    ),
    "a hook with hooks": (
        lambda: task(on_success=[load.options(on_cancel=alert)]),
        "on_success of a task: 'load' has hooks itself, which would never end: give a hook none, as in .options(on_success=[]",
    ),
    "a reference as a fallback": (
        lambda: load.options(fallback=load("a")),
        "fallback is a plain value or a task, not <reference to load>, which is known only at run time",
    ),
    "a function as a fallback": (lambda: task(fallback=print), "fallback is a value or a task, not <built-in function print>: decorate"),
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
