"""A run: gates, outcomes, inputs and ends, on the memory journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from eventflow import facts, pipeline, task
from eventflow.errors import RunFailed
from tests.engine.world import Journaled, World, of_run, turns


@task
async def one() -> int:
    return 1


@task
async def add(a: int, b: int = 10) -> int:
    return a + b


@task
async def fail() -> int:
    raise ValueError("no luck")


async def result_of(call: Any, world: World | None = None) -> Any:
    async with (world or World()).engine() as engine:
        return await (await engine.submit(call)).result()


async def test_a_run_gives_what_its_pipeline_returns() -> None:
    @pipeline
    def sums(start: int) -> int:
        return add(add(start), add(start, b=1))

    assert await result_of(sums.bind(5)) == 21


async def test_a_node_starts_only_after_the_outcome_of_each_upstream_is_durable() -> None:
    seen = Journaled()

    @task
    async def first() -> int:
        seen.note("body first")
        return 1

    @task
    def second(value: int) -> int:
        seen.note("body second")
        return value

    @task
    async def third(a: int, b: int) -> int:
        seen.note("body third")
        return a + b

    @pipeline
    def ordered() -> int:
        a = first()
        return third(a, second(a))

    assert await result_of(ordered.bind(), World(instrument=seen)) == 2
    assert seen.seen == [
        "GraphRecorded",
        "RunSubmitted",
        "RunStarted",
        "AttemptStarted first",
        "body first",
        "AttemptSucceeded first",
        "AttemptStarted second",
        "body second",
        "AttemptSucceeded second",
        "AttemptStarted third",
        "body third",
        "AttemptSucceeded third",
        "RunSucceeded",
    ]


async def test_a_failure_closes_everything_below_it_at_once_and_leaves_the_siblings_alone() -> None:
    go, world = anyio.Event(), World()

    @task
    async def slow() -> int:
        await go.wait()
        return 1

    @pipeline
    def split() -> int:
        left = slow()
        value = fail()
        for _ in range(200):
            value = add(value)
        add.options(name="beside")(left)
        return add.options(name="both")(value, left)

    async with world.engine() as engine:
        run = await engine.submit(split.bind())
        await world.until(facts.NodeUpstreamFailed, count=201)
        states = await world.nodes(run.id)
        assert states["slow"] == "running"
        assert {state for node, state in states.items() if node.startswith("add")} == {"upstream_failed"}
        assert states["both"] == "upstream_failed"
        go.set()
        with pytest.raises(RunFailed, match=r"node 'fail' failed: ValueError: no luck"):
            await run.result()
        assert (await world.nodes(run.id))["beside"] == "succeeded"
    assert (await world.run(run.id)).reason == "fail"


async def test_upstream_failed_names_the_node_that_was_needed() -> None:
    @pipeline
    def deep() -> int:
        return add.options(name="lower")(add.options(name="upper")(fail()))

    world = World()
    with pytest.raises(RunFailed):
        await result_of(deep.bind(), world)
    named = {fact.node: fact.by for fact in await world.facts(facts.NodeUpstreamFailed)}
    assert named == {"upper": "fail", "lower": "upper"}


async def test_the_run_names_the_node_that_failed_first() -> None:
    early, world = anyio.Event(), World()

    @task
    async def a_late() -> None:
        await early.wait()
        raise ValueError("late")

    @task
    async def z_early() -> None:
        raise ValueError("early")

    @pipeline
    def two() -> None:
        a_late()
        z_early()

    async with world.engine() as engine:
        run = await engine.submit(two.bind())
        await world.until(facts.NodeFailed)
        early.set()
        with pytest.raises(RunFailed, match="z_early"):
            await run.result()


async def test_after_waits_without_taking_the_value() -> None:
    order: list[str] = []

    @task
    async def note(what: str) -> None:
        await turns(3)
        order.append(what)

    @pipeline
    def waits() -> None:
        last = note.options(name="first")("a")
        for name in "bcd":
            last = note.options(name=name).after(last)(name)

    await result_of(waits.bind())
    assert order == ["a", "b", "c", "d"]


async def test_after_a_failed_node_nothing_starts() -> None:
    @pipeline
    def waits() -> int:
        return one.after(fail())()

    world = World()
    with pytest.raises(RunFailed):
        await result_of(waits.bind(), world)
    assert [fact.node for fact in await world.facts(facts.AttemptStarted)] == ["fail"]


@dataclass
class Point:
    x: int
    tags: dict[str, list[int]]


@task
async def point() -> Point:
    return Point(3, {"a": [1, 2]})


@task
async def gather(*values: int, **named: Any) -> dict[str, Any]:
    return {"values": list(values), "named": named}


@task
def nested(value: Any) -> Any:
    return value


async def test_inputs_are_literals_parameters_projections_and_nests_of_them() -> None:
    @pipeline
    def many(size: int) -> Any:
        where = point()
        return nested({"literal": [1, None, "x"], "size": size, "deep": [{"x": where.x, "tag": where.tags["a"][1]}]})

    assert await result_of(many.bind(7)) == {"literal": [1, None, "x"], "size": 7, "deep": [{"x": 3, "tag": 2}]}


async def test_positional_and_named_rests_are_handed_over() -> None:
    @pipeline
    def rests(size: int) -> dict[str, Any]:
        return gather(1, size, point().x, text="t", where=point())

    given = await result_of(rests.bind(2))
    assert given == {"values": [1, 2, 3], "named": {"text": "t", "where": Point(3, {"a": [1, 2]})}}


async def test_what_stands_before_a_positional_rest_keeps_its_place() -> None:
    @task
    def placed(a: int, b: int, *rest: int, c: int) -> list[int]:
        return [a, b, *rest, c]

    @pipeline
    def places() -> list[int]:
        return placed(one(), 2, 3, one(), c=5)

    assert await result_of(places.bind()) == [1, 2, 3, 1, 5]


async def test_a_pipeline_may_return_nests_of_references_and_nothing() -> None:
    @pipeline
    def nests(size: int) -> Any:
        return {"a": [one(), size], "b": point().tags["a"]}

    @pipeline
    def nothing() -> None:
        one()

    assert await result_of(nests.bind(4)) == {"a": [1, 4], "b": [1, 2]}
    assert await result_of(nothing.bind()) is None


async def test_each_consumer_gets_a_copy_of_its_own() -> None:
    got: list[list[int]] = []

    @task
    async def source() -> list[int]:
        return [1]

    @task
    async def spoil(values: list[int]) -> list[int]:
        got.append(values)
        values.append(99)
        return values

    @pipeline
    def copies(given: list[int]) -> Any:
        values = source()
        return [spoil(values), spoil(values), spoil(given), spoil(given), values]

    assert await result_of(copies.bind([2])) == [[1, 99], [1, 99], [2, 99], [2, 99], [1]]
    assert len({id(values) for values in got}) == 4


async def test_a_projection_that_fails_fails_that_node_alone() -> None:
    @task
    async def bag() -> dict[str, int]:
        return {"here": 1}

    @pipeline
    def wrong() -> Any:
        values = bag()
        add.options(name="good")(values["here"])
        add.options(name="bad")(values["gone"])

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(wrong.bind())
        with pytest.raises(RunFailed, match=r"node 'bad' failed: KeyError: 'gone'"):
            await run.result()
    assert await world.attempts(run.id, "bad") == [("failed", "input")]
    assert (await world.nodes(run.id))["good"] == "succeeded"


class Rude:
    """A value whose attribute ends programs."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise SystemExit(3)


async def test_an_input_that_raises_system_exit_fails_its_node_alone() -> None:
    @task
    def rude() -> Any:
        return Rude()

    @pipeline
    def exits() -> Any:
        return nested(rude().anything)

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(exits.bind())
        with pytest.raises(RunFailed, match="SystemExit: 3"):
            await run.result()
    assert await world.attempts(run.id, "nested") == [("failed", "input")]


async def test_a_result_that_raises_when_it_is_made_fails_the_run() -> None:
    @task
    def rude() -> Any:
        return Rude()

    @pipeline
    def exits() -> Any:
        return rude().anything

    with pytest.raises(RunFailed, match="its result couldn't be made: SystemExit: 3"):
        await result_of(exits.bind())


async def test_every_start_is_journaled_before_its_ending() -> None:
    @pipeline
    def several() -> int:
        return add(one(), one())

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(several.bind())
        await run.wait()
    started: set[str] = set()
    for fact in of_run(await world.records(), run.id):
        if isinstance(fact, facts.AttemptStarted):
            started.add(fact.node)
        if isinstance(fact, facts.AttemptSucceeded):
            assert fact.node in started
    assert started == {"one", "one_2", "add"}
