# ruff: noqa: B018  # asking for a definition traces it
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eventflow import codec
from eventflow.definition.axes import each
from eventflow.definition.bodies import Body
from eventflow.definition.branches import maybe, one_of, when
from eventflow.definition.graph import Attribute, Item, Literal, Maybe, Node, Output, Parameter
from eventflow.definition.pipelines import Pipeline, pipeline
from eventflow.definition.tasks import task
from eventflow.errors import DefinitionError


@task
def load(path: Path) -> list[int]:
    raise NotImplementedError


@task
def count(rows: list[int], start: int = 0) -> int:
    raise NotImplementedError


@task
def take(value: Any = None) -> Any:
    raise NotImplementedError


@task
def path() -> Path:
    raise NotImplementedError


@pipeline
def counting(path: Path, start: int = 5) -> int:
    return count(load(path), start)


@pipeline
def halves(pair: tuple[int, int]) -> list[int]:
    left, right = pair
    return [take(left), take(right)]


@pipeline
def nothing(a: bool) -> None:
    with when(a):
        take()


def nodes(body: Callable[..., Any]) -> dict[str, Node]:
    return {node.name: node for node in Pipeline("p", body).definition.graph.nodes}


def test_a_pipeline_called_in_another_is_a_group_there() -> None:
    def body(given: Path) -> list[int]:
        first = counting(path())
        second = counting(given, start=first)
        return [first, second]

    definition = Pipeline("p", body).definition
    found = {node.name: node for node in definition.graph.nodes}
    assert list(found) == ["path", "counting.load", "counting.count", "counting_2.load", "counting_2.count"]
    assert found["counting.load"].inputs == {"path": Output("path")}
    assert found["counting_2.load"].inputs == {"path": Parameter("given")}
    start = found["counting.count"].inputs["start"]
    assert isinstance(start, Literal)
    assert codec.decode(start.json) == 5
    assert found["counting_2.count"].inputs["start"] == Output("counting.count")
    assert definition.bodies.keys() == found.keys()


def test_a_pipeline_inside_one_inside_another() -> None:
    middle = Pipeline("middle", lambda path: counting(path))  # noqa: PLW0108  # a function of its own
    assert list(nodes(lambda: middle("x"))) == ["middle.counting.load", "middle.counting.count"]


def test_a_name_can_be_chosen_for_one_use() -> None:
    def body(given: Path) -> None:
        counting.options(name="first")(given)
        counting.options(name="many").map(each([given]))

    assert list(nodes(body)) == ["first.load", "first.count", "many"]


def test_the_tasks_of_an_inner_pipeline_have_its_defaults_before_those_around_it() -> None:
    @pipeline(defaults={"timeout": 5})
    def inner() -> None:
        take()
        take.options(timeout=1)()

    @pipeline(defaults={"timeout": 9, "max_crashes": 7})
    def outer() -> None:
        inner()
        take()

    options = [body.options for body in outer.definition.bodies.values() if isinstance(body, Body)]
    assert [(one.timeout, one.max_crashes) for one in options] == [(5, 7), (1, 7), (9, 7)]


def test_a_pipeline_without_a_result_gives_none() -> None:
    def body(a: bool) -> None:
        assert nothing(a) is None  # type: ignore[func-returns-value]

    assert nodes(body)["nothing.take"].within == "nothing.when_a"


def test_arguments_are_read_by_the_annotations_of_the_inner_pipeline() -> None:
    def body(x: Any) -> None:
        halves(x)
        halves((1, 2))
        counting("x.csv")  # type: ignore[arg-type]

    found = nodes(body)
    assert found["halves.take_2"].inputs == {"value": Parameter("x", (Item(1),))}
    assert found["halves_2.take_2"].inputs["value"] == Literal(found["halves_2.take_2"].inputs["value"].json)  # type: ignore[union-attr]
    written = found["counting.load"].inputs["path"]
    assert isinstance(written, Literal)
    assert codec.decode(written.json, Path) == Path("x.csv")


def test_choices_go_in_and_come_out() -> None:
    @pipeline
    def chosen(value: Any) -> Any:
        return maybe(value)

    def body(a: bool) -> Any:
        with when(a):
            one = take()
        chosen(one_of(one, 1))
        return chosen(maybe(one))

    assert Pipeline("p", body).definition.graph.result == Maybe(Output("take"))


def test_steps_make_a_group_too() -> None:
    steps = Pipeline("steps", steps=[("first", load), ("second", count)])

    def body(given: Path) -> None:
        steps(given)
        steps(given)

    assert list(nodes(body)) == ["steps.first", "steps.second", "steps_2.first", "steps_2.second"]


def test_an_inner_pipeline_may_stand_in_a_branch() -> None:
    def body(a: bool, given: Path) -> Any:
        with when(a):
            number = counting(given)
        return [one_of(number, 0), one_of(take(), number).real]

    result = Pipeline("p", body).definition.graph.result
    assert result.items[1].steps == (Attribute("real"),)  # type: ignore[union-attr]


def wrong_argument(a: bool) -> None:
    counting(a)  # type: ignore[arg-type]  # mistake wrong_argument


def missing_argument(a: bool) -> None:
    counting(start=1)  # type: ignore[call-arg]  # mistake missing_argument


def unknown_argument(a: bool) -> None:
    counting(path(), stop=1)  # type: ignore[call-arg]  # mistake unknown_argument


def result_of_a_branch(a: bool) -> None:
    leaking(a)  # mistake result_of_a_branch


def used_outside_of_its_branch(a: bool) -> None:
    with when(a):
        number = counting(path())
    take(number)  # mistake used_outside_of_its_branch


def run_inside(a: bool) -> None:
    counting.run(Path("x"))  # mistake run_inside


def wrong_options(a: bool) -> None:
    counting.options(min_success=2)  # mistake wrong_options


def wrong_name(a: bool) -> None:
    counting.options(name="My name")  # mistake wrong_name


def unknown_option(a: bool) -> None:
    counting.options(retry=2)  # type: ignore[call-arg]  # mistake unknown_option


def name_twice(a: bool) -> None:
    counting.options(name="one")(path())
    counting.options(name="one")(path())  # mistake name_twice


def with_an_ending(a: bool) -> None:
    closed(a)  # mistake with_an_ending


def mapped_with_an_ending(a: bool) -> None:
    closed.map(each([True]))  # mistake mapped_with_an_ending


@pipeline
def leaking(a: bool) -> Any:
    with when(a):
        return take()
    return None


@pipeline(finally_=[take])
def closed(a: bool) -> None:
    take(a)


MISTAKES: dict[Callable[[bool], None], str] = {
    wrong_argument: "argument 'path' of pipeline 'counting' wants Path, but 'a' is bool",
    missing_argument: r"pipeline 'counting': missing a required argument: 'path'; it takes \(path, start=5\)",
    unknown_argument: "pipeline 'counting': got an unexpected keyword argument 'stop'",
    result_of_a_branch: r"the result of pipeline 'leaking': 'leaking.take' was made inside when\(a\)",
    used_outside_of_its_branch: r"'counting.count' was made inside when\(a\)",
    run_inside: r"pipeline 'counting' is run in the body of pipeline 'p': call it, counting\(...\), to have its nodes there, or run_pipeline",
    wrong_options: "min_success is a part, a number from 0 to 1, not 2",
    wrong_name: "'My name' can't name a pipeline",
    unknown_option: "'retry' is no option of a pipeline inside another: there is name, min_success, max_active_items",
    name_twice: "already has a node named 'one': choose another name",
    with_an_ending: r"pipeline 'closed' has tasks for the end of a run of its own .* with run_pipeline\(closed\)\(...\)",
    mapped_with_an_ending: r"pipeline 'closed' has tasks for the end of a run of its own",
}


@pytest.mark.parametrize(("body", "says"), MISTAKES.items(), ids=[body.__name__ for body in MISTAKES])
def test_a_mistake_names_the_users_line(body: Callable[[bool], None], says: str, line: Callable[[str], str]) -> None:
    with pytest.raises(DefinitionError, match=says) as caught:
        nodes(body)
    assert caught.value.where == line(f"mistake {body.__name__}")


def test_a_mistake_in_the_inner_body_names_its_own_line(line: Callable[[str], str]) -> None:
    wrong: Pipeline[..., Any] = Pipeline("wrong", lambda: count("x"))  # type: ignore[arg-type]  # inner mistake
    with pytest.raises(DefinitionError, match="argument 'rows' of task 'count'") as caught:
        nodes(lambda: wrong())  # noqa: PLW0108  # a body of its own
    assert caught.value.where == line("inner mistake")


def test_a_pipeline_is_not_called_in_itself() -> None:
    own: Pipeline[..., Any] = Pipeline("own", lambda x: own(x))  # noqa: PLW0108  # it names itself
    with pytest.raises(DefinitionError, match="pipeline 'own' is called inside itself, which would never end"):
        own.definition
    first: Pipeline[..., Any] = Pipeline("first", lambda x: second(x))  # noqa: PLW0108  # the second isn't there yet
    second: Pipeline[..., Any] = Pipeline("second", lambda x: first(x))  # noqa: PLW0108  # it names the first
    with pytest.raises(DefinitionError, match="pipeline 'first' is called inside itself"):
        first.definition


def test_stars_are_refused_as_anywhere() -> None:
    stars: Pipeline[..., Any] = Pipeline("stars", lambda *many: take(many))
    with pytest.raises(DefinitionError, match=r"pipeline 'stars' takes \*many"):
        nodes(lambda: stars(1))
