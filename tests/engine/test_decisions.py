"""What becomes of one event at one trigger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import pytest

from eventflow import EngineClosed, Event, FileVersion, ParameterError, Trigger, facts, pipeline, task
from eventflow.engine.decisions import decide
from tests.engine.sources import Source, event, kinds
from tests.engine.world import World


@task
async def show(x: object, path: Path | None = None) -> object:
    return [x, path]


@pipeline
def shows(x: int, path: Path | None = None) -> object:
    return show(x, path)


def trigger(**functions: Any) -> Trigger[Any]:
    return Trigger("t", on=Source("source"), run=shows, **functions)


async def decided(asked: Trigger[Any], happened: Event[Any] | None = None) -> tuple[facts.Fact, ...]:
    async with World().engine() as engine:
        return decide(asked, happened or event(), "e" * 32, engine.intake)


async def arguments(asked: Trigger[Any], happened: Event[Any] | None = None) -> dict[str, Any]:
    (submitted,) = [fact for fact in await decided(asked, happened) if isinstance(fact, facts.RunSubmitted)]
    return msgspec.json.decode(submitted.arguments)


async def refusal(asked: Trigger[Any], happened: Event[Any] | None = None) -> str:
    (decision,) = await decided(asked, happened)
    assert isinstance(decision, facts.DecisionMade)
    assert (decision.event, decision.trigger, decision.outcome, decision.run) == ("e" * 32, "t", "refused", None)
    assert decision.reason is not None
    return decision.reason


async def test_an_event_fires_one_run_that_says_where_it_came_from() -> None:
    graph, submitted, decision = await decided(trigger())
    assert isinstance(graph, facts.GraphRecorded)
    assert isinstance(submitted, facts.RunSubmitted)
    assert (submitted.pipeline, submitted.event, submitted.trigger, submitted.graph) == ("shows", "e" * 32, "t", graph.digest)
    assert decision == facts.DecisionMade("e" * 32, "t", "fired", run=submitted.run)


async def test_a_graph_that_is_recorded_is_not_recorded_again() -> None:
    async with World().engine() as engine:
        await (await engine.submit(shows.bind(1))).wait()
        assert kinds(decide(trigger(), event(), "e" * 32, engine.intake)) == ["RunSubmitted", "DecisionMade"]


# where


@pytest.mark.parametrize("answer", [False, None, 0, ""])
async def test_an_event_that_where_turns_away_is_filtered(answer: Any) -> None:
    assert await decided(trigger(where=lambda _: answer)) == (facts.DecisionMade("e" * 32, "t", "filtered"),)


async def test_params_is_not_asked_about_a_filtered_event() -> None:
    asked: list[object] = []
    await decided(trigger(where=lambda _: False, params=asked.append))
    assert asked == []


async def test_where_and_params_are_asked_once_about_the_whole_event() -> None:
    asked: list[tuple[str, Event[Any]]] = []

    def where(happened: Event[Any]) -> bool:
        asked.append(("where", happened))
        return True

    def params(happened: Event[Any]) -> Mapping[str, object]:
        asked.append(("params", happened))
        return {"x": happened.time}

    assert await arguments(trigger(where=where, params=params), event(time=9)) == {"x": 9, "path": None}
    assert asked == [("where", event(time=9)), ("params", event(time=9))]


# What raises refuses the event, and nothing more


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


RAISED = [
    ValueError("bad"),
    ParameterError("bad"),
    SystemExit("bad"),
    asyncio.CancelledError("bad"),
    GeneratorExit("bad"),
    StopIteration("bad"),
]


@pytest.mark.parametrize("option", ["where", "params"])
@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
async def test_a_function_that_raises_refuses_the_event_with_the_reason(option: str, error: BaseException) -> None:
    def fails(_: object) -> Any:
        raise error

    reason = await refusal(trigger(**{option: fails}))
    assert "bad" in reason


async def test_a_refusal_names_the_users_line() -> None:
    def fails(_: object) -> Any:
        raise KeyError("label")

    line = fails.__code__.co_firstlineno + 1
    assert await refusal(trigger(where=fails)) == f"KeyError: 'label' ({__file__}:{line})"


async def test_an_error_that_can_not_be_shown_still_refuses() -> None:
    def fails(_: object) -> Any:
        raise Unprintable

    assert "its message can't be shown" in await refusal(trigger(params=fails))


async def test_a_reason_is_kept_within_bounds_and_can_be_written() -> None:
    def fails(_: object) -> Any:
        raise ParameterError("\udcff" + "x" * 1_000_000)

    reason = await refusal(trigger(params=fails))
    assert len(reason) < 20_000
    facts.encode(facts.DecisionMade("e", "t", "refused", reason=reason))


async def test_a_key_press_that_ends_the_process_is_no_refusal() -> None:
    def interrupted(_: object) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await decided(trigger(where=interrupted))


# Arguments


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"x": "one"}, "pipeline 'shows': parameter 'x': expected int, got str"),
        ({}, "pipeline 'shows': parameter 'x' is missing: expected int"),
        ({"x": 1, "y": 2}, "pipeline 'shows': parameter 'y' is unknown (there is: x, path)"),
    ],
)
async def test_arguments_that_do_not_fit_refuse_the_event_and_name_the_parameter(given: Any, reason: str) -> None:
    assert await refusal(trigger(params=lambda _: given)) == reason


async def test_arguments_that_json_can_not_carry_refuse_the_event() -> None:
    assert "parameter 'x': expected int, got object" in await refusal(trigger(params=lambda _: {"x": object()}))


@pytest.mark.parametrize("given", [None, [("x", 1)], 5, "x"])
async def test_params_that_gives_no_dict_refuses_the_event(given: Any) -> None:
    assert await refusal(trigger(params=lambda _: given)) == (
        f"trigger 't': params gave {type(given).__name__}, not a dict of the pipeline's arguments"
    )


async def test_params_may_give_any_mapping() -> None:
    assert await arguments(trigger(params=lambda _: MappingProxyType({"x": 3}))) == {"x": 3, "path": None}


class AsStruct(msgspec.Struct):
    x: int
    other: int = 0

    @property
    def path(self) -> Path:
        raise AssertionError("a property is no field")


@dataclass
class AsDataclass:
    x: int
    path: Path

    def count(self) -> int:
        raise NotImplementedError


class AsTuple(NamedTuple):
    x: int
    other: str


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"x": 3, "other": 4}, {"x": 3, "path": None}),
        ({"x": 3, "path": Path("a")}, {"x": 3, "path": {"$path": "a"}}),
        (AsStruct(3), {"x": 3, "path": None}),
        (AsDataclass(3, Path("a")), {"x": 3, "path": {"$path": "a"}}),
        (AsTuple(3, "b"), {"x": 3, "path": None}),
    ],
    ids=["dict", "dict with a path", "struct", "dataclass", "named tuple"],
)
async def test_without_params_the_fields_of_the_data_are_taken_by_name(data: Any, expected: Any) -> None:
    assert await arguments(trigger(), event(data=data)) == expected


@pytest.mark.parametrize("data", [{"y": 1}, "x", [1], 5], ids=lambda value: type(value).__name__)
async def test_data_without_the_field_refuses_the_event(data: Any) -> None:
    assert await refusal(trigger(), event(data=data)) == "pipeline 'shows': parameter 'x' is missing: expected int"


async def test_a_method_of_the_data_is_no_field_of_it() -> None:
    @pipeline
    def counts(count: int = 7) -> object:
        return show(count)

    for data in ("a text", [1, 1], AsDataclass(1, Path())):
        assert await arguments(Trigger("t", on=Source("source"), run=counts), event(data=data)) == {"count": 7}


async def test_a_files_path_reaches_a_pipeline_that_takes_one() -> None:
    @pipeline
    def reads(path: Path) -> object:
        return show(path)

    data = FileVersion(Path("in/a.csv"), 10, 5)
    assert await arguments(Trigger("t", on=Source("source"), run=reads), event(data=data)) == {"path": {"$path": "in/a.csv"}}


# An engine that takes nothing is no refusal


async def test_a_closed_engine_raises_so_that_the_event_is_found_again() -> None:
    async with World().engine() as engine:
        await engine.close(0)
        with pytest.raises(EngineClosed):
            decide(trigger(), event(), "e" * 32, engine.intake)


async def test_a_closed_engine_still_filters() -> None:
    turned_away: Callable[[object], bool] = lambda _: False  # noqa: E731
    async with World().engine() as engine:
        await engine.close(0)
        assert kinds(decide(trigger(where=turned_away), event(), "e" * 32, engine.intake)) == ["DecisionMade"]
