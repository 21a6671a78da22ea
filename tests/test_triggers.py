"""Triggers: what they are made of, and what is refused at the line that wrote it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest

from eventflow import DefinitionError, Event, FileSensor, Observation, Trigger, pipeline, task
from eventflow.triggers import check


@task
async def show(x: int) -> int:
    return x


@pipeline
def shows(x: int) -> int:
    return show(x)


class Source:
    interval = None

    def __init__(self, name: str) -> None:
        self.name = name

    def observe(self, cursor: object, seen: Any, world: Any) -> AsyncIterator[Observation[Any]]:
        raise NotImplementedError


source = Source("source")


@pytest.fixture
def line(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Gives `file:line` of the one line of this file that ends in `# <marker>`."""
    lines = request.path.read_text().splitlines()

    def find(marker: str) -> str:
        (number,) = [number for number, text in enumerate(lines, 1) if text.endswith(f"# {marker}")]
        return f"{request.path}:{number}"

    return find


def test_a_trigger_says_what_it_joins() -> None:
    trigger = Trigger("go-on_2", on=source, run=shows)
    assert (trigger.name, trigger.on, trigger.run, trigger.params, trigger.where) == ("go-on_2", source, shows, None, None)
    assert repr(trigger) == "<Trigger 'go-on_2': source fires shows>"


def test_a_trigger_remembers_its_line(line: Callable[[str], str]) -> None:
    trigger = Trigger("t", on=source, run=shows)  # here
    assert trigger.place == line("here")


@pytest.mark.parametrize("name", ["", "Big", "two words", "1st", "a/b", "é", "x" * 65, 5, None, b"t"])
def test_a_name_that_is_none_is_refused_at_its_line(name: Any, line: Callable[[str], str]) -> None:
    with pytest.raises(DefinitionError, match="can't name a trigger: use a-z") as caught:
        Trigger(name, on=source, run=shows)  # name
    assert caught.value.where == line("name")


@pytest.mark.parametrize("on", [None, FileSensor, show, 5])
def test_what_is_no_sensor_is_refused_at_its_line(on: Any, line: Callable[[str], str]) -> None:
    with pytest.raises(DefinitionError, match=r"trigger 't': on=.* is no sensor") as caught:
        Trigger("t", on=on, run=shows)  # sensor
    assert caught.value.where == line("sensor")


def test_a_trigger_may_be_on_a_source_that_has_no_sensor(line: Callable[[str], str]) -> None:
    trigger: Trigger[Any] = Trigger("t", on="stock", run=shows)
    check([], [trigger])
    assert (trigger.source, repr(trigger)) == ("stock", "<Trigger 't': stock fires shows>")
    with pytest.raises(DefinitionError, match="'No Source' can't name a source of events") as caught:
        Trigger("t", on="No Source", run=shows)  # misnamed
    assert caught.value.where == line("misnamed")


@pytest.mark.parametrize("run", [None, "shows", show, shows.bind(1), shows.fn], ids=["none", "name", "task", "call", "function"])
def test_what_is_no_pipeline_is_refused_at_its_line(run: Any, line: Callable[[str], str]) -> None:
    with pytest.raises(DefinitionError, match=r"trigger 't': run=.* is no pipeline") as caught:
        Trigger("t", on=source, run=run)  # pipeline
    assert caught.value.where == line("pipeline")


@pytest.mark.parametrize("option", ["params", "where"])
@pytest.mark.parametrize("given", [{"x": 1}, True, "x"])
def test_what_is_no_function_is_refused_at_its_line(option: str, given: Any, line: Callable[[str], str]) -> None:
    with pytest.raises(DefinitionError, match=f"trigger 't': {option}=.* is no function") as caught:
        Trigger("t", on=source, run=shows, **{option: given})  # function
    assert caught.value.where == line("function")


async def later(event: Event[Any]) -> Any:
    raise NotImplementedError


@pytest.mark.parametrize("option", ["params", "where"])
@pytest.mark.parametrize("given", [later, partial(later)])
def test_an_async_function_is_refused_for_it_would_always_be_true(option: str, given: Any, line: Callable[[str], str]) -> None:
    with pytest.raises(DefinitionError, match=f"{option} is an async function") as caught:
        Trigger("t", on=source, run=shows, **{option: given})  # async
    assert caught.value.where == line("async")


def test_sensors_and_triggers_that_fit_together_pass() -> None:
    other = Source("other")
    check([source, other], [Trigger("a", on=source, run=shows), Trigger("b", on=source, run=shows), Trigger("c", on=other, run=shows)])


def test_two_triggers_of_one_name_are_refused_at_the_second(line: Callable[[str], str]) -> None:
    first = Trigger("t", on=source, run=shows)
    second = Trigger("t", on=source, run=shows)  # second
    with pytest.raises(DefinitionError, match="two triggers are named 't'") as caught:
        check([source], [first, second])
    assert caught.value.where == line("second")


def test_two_sensors_of_one_name_are_refused_for_they_would_share_a_cursor() -> None:
    with pytest.raises(DefinitionError, match="two sensors are named 'source'"):
        check([source, Source("source")], [])


def test_a_sensor_by_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(DefinitionError, match="'In Box' can't name a sensor"):
        check([Source("In Box")], [])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("interval", "5s", "sensor 'bent' has interval '5s': give a number of seconds, or None"),
        ("interval", 0, "sensor 'bent' has interval 0: give a number of seconds, or None"),
        ("observe", None, "sensor 'bent' has an observe that can't be called"),
    ],
)
def test_a_sensor_that_is_written_wrongly_is_refused(name: str, value: object, message: str) -> None:
    bent = Source("bent")
    setattr(bent, name, value)
    with pytest.raises(DefinitionError, match=message):
        check([bent], [])


def test_a_trigger_on_a_sensor_that_is_not_given_is_refused_at_its_line(line: Callable[[str], str]) -> None:
    trigger = Trigger("t", on=Source("source"), run=shows)  # absent
    with pytest.raises(DefinitionError, match=r"trigger 't' is on sensor 'source', which isn't among those given") as caught:
        check([source], [trigger])
    assert caught.value.where == line("absent")
