from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from eventflow import (
    RunFailed,
    facts,
    group,
    pipeline,
    task,
)
from eventflow.errors import InvalidRequest, NotFound, ParameterError
from tests.engine.again import Calls, assert_sound, chain, ended, mapped, told, whats
from tests.engine.world import World, turns

# What stands


async def test_from_failed_only_what_failed_and_what_comes_behind_is_done_again() -> None:
    world, calls = World(), Calls("double")
    async with world.engine(pipe := chain(calls)) as engine:
        run = await ended(engine, pipe.bind(4))
        calls.mend()
        assert told(await engine.plan_rerun(run.id)) == {
            "load": "reuse: nothing that it depends on has changed",
            "double": "rerun: it failed",
            "report": "rerun: it couldn't run, because of double",
            "beside": "reuse: nothing that it depends on has changed",
        }
        again = await engine.rerun(run.id)
        assert await again.result() == "it is 8"
    assert calls.taken() == ["double", "report"]
    assert again.id != run.id
    assert (await world.run(again.id)).rerun_of == run.id
    assert (await world.run(run.id)).state == "failed"
    assert (await world.node(again.id, "load")).reason == run.id
    await assert_sound(world)


async def test_planning_runs_nothing() -> None:
    world, calls = World(), Calls("double")
    async with world.engine(pipe := chain(calls)) as engine:
        run = await ended(engine, pipe.bind(4))
        calls.mend()
        before = len(await world.records())
        await engine.plan_rerun(run.id, "everything")
        await turns()
    assert (calls.seen, len(await world.records())) == ([], before)


async def test_from_a_node_on_that_and_what_depends_on_it_is_done_again() -> None:
    world, calls = World(), Calls()
    async with world.engine(pipe := chain(calls)) as engine:
        run = await ended(engine, pipe.bind(4))
        calls.mend()
        plan = told(await engine.plan_rerun(run.id, "double"))
        assert plan["double"] == "rerun: asked for"
        assert plan["report"] == "rerun: its input 'value' comes from double, which is rerun"
        assert await (await engine.rerun(run.id, "double")).result() == "it is 8"
        assert calls.taken() == ["double", "report"]
        assert await (await engine.rerun(run.id, "everything")).result() == "it is 8"
        assert calls.taken() == ["beside", "double", "load", "report"]
    await assert_sound(world)


async def test_with_another_parameter_only_what_reads_it_and_what_comes_behind_is_done_again() -> None:
    world, calls = World(), Calls()
    async with world.engine(pipe := chain(calls)) as engine:
        run = await ended(engine, pipe.bind(4))
        calls.mend()
        plan = await engine.plan_rerun(run.id, arguments={"title": "now"})
        assert whats(plan, "rerun") == ["report"]
        assert told(plan)["report"] == "rerun: parameter title is another one"
        again = await engine.rerun(run.id, arguments={"title": "now"})
        assert await again.result() == "now 8"
        assert calls.taken() == ["report"]
        assert whats(await engine.plan_rerun(again.id, arguments={"title": "now"}), "rerun") == []


async def test_new_code_is_used_and_what_comes_behind_is_done_again() -> None:
    world, calls = World(), Calls()

    async def triple(value: int) -> int:
        calls("triple")
        return value * 3

    async with world.engine(pipe := chain(calls)) as engine:
        run = await ended(engine, pipe.bind(4))
    calls.mend()
    async with world.engine(chain(calls, triple)) as engine:
        plan = told(await engine.plan_rerun(run.id))
        assert plan["double"] == "rerun: its code has changed"
        assert plan["report"] == "rerun: its input 'value' comes from double, which is rerun"
        again = await engine.rerun(run.id)
        assert await again.result() == "it is 12"
    assert calls.taken() == ["report", "triple"]
    await assert_sound(world)


async def test_a_rerun_of_a_rerun_takes_results_from_where_they_were_made() -> None:
    world, calls = World(), Calls("double", "report")
    async with world.engine(pipe := chain(calls)) as engine:
        first = await ended(engine, pipe.bind(4))
        calls.mend()
        calls.broken = {"report"}
        second = await engine.rerun(first.id)
        await second.wait()
        assert calls.taken() == ["double", "report"]
        calls.mend()
        third = await engine.rerun(second.id)
        assert await third.result() == "it is 8"
    assert calls.taken() == ["report"]
    assert {fact.node: fact.source for fact in await world.facts(facts.NodeReused) if fact.run == third.id} == {
        "load": first.id,
        "beside": first.id,
        "double": second.id,
    }
    await assert_sound(world)


async def test_a_cancelled_run_goes_on_where_it_was() -> None:
    world, calls = World(), Calls()
    stuck = True

    @task
    async def load() -> int:
        calls("load")
        return 1

    @task
    async def wait(value: int) -> int:
        calls("wait")
        while stuck:
            await turns(1)
        return value + 1

    @pipeline
    def patient() -> int:
        return wait(load())

    async with world.engine(patient) as engine:
        run = await engine.submit(patient.bind())
        await world.until(facts.AttemptStarted, count=2)
        await run.cancel()
        await run.wait()
        stuck = False
        calls.taken()
        assert told(await engine.plan_rerun(run.id))["wait"] == "rerun: it was cancelled"
        assert await (await engine.rerun(run.id)).result() == 2
    assert calls.taken() == ["wait"]
    await assert_sound(world)


@dataclass
class Rich:
    """What JSON doesn't carry back without its annotation."""

    name: str


async def test_big_and_pickled_results_are_not_written_again() -> None:
    world, calls = World(), Calls("last")

    @task
    async def big() -> str:
        calls("big")
        return "x" * 100_000

    @task
    async def rich() -> Any:
        calls("rich")
        return Rich("it")

    @task
    async def last(text: str, thing: Any) -> list[Any]:
        calls("last")
        return [len(text), thing.name]

    @pipeline
    def kinds() -> list[Any]:
        return last(big(), rich())

    async with world.engine(kinds) as engine:
        run = await ended(engine, kinds.bind())
        calls.mend()
        again = await engine.rerun(run.id)
        assert await again.result() == [100_000, "it"]
    assert calls.taken() == ["last"]
    given = {fact.node: fact.result for fact in await world.facts(facts.AttemptSucceeded) if fact.run == run.id}
    reused = {fact.node: fact.result for fact in await world.facts(facts.NodeReused)}
    assert reused == given
    assert {node: type(value).__name__ for node, value in reused.items()} == {"big": "Stored", "rich": "Stored"}


async def test_what_only_waits_for_a_node_is_done_again_behind_it() -> None:
    world, calls = World(), Calls()

    @task
    async def create() -> None:
        calls("create")

    @task
    async def fill() -> None:
        calls("fill")

    @pipeline
    def tables() -> None:
        fill.after(create())()

    async with world.engine(tables) as engine:
        run = await ended(engine, tables.bind())
        calls.taken()
        assert told(await engine.plan_rerun(run.id, "create"))["fill"] == "rerun: it waits for create, which is rerun"
        await (await engine.rerun(run.id, "create")).wait()
    assert calls.taken() == ["create", "fill"]


async def test_a_run_whose_result_could_not_be_made_is_run_again() -> None:
    world, calls = World(), Calls()

    @task
    async def give() -> dict[str, int]:
        calls("give")
        return {"there": 1}

    def piped(name: str) -> Any:
        @pipeline(name="picky")
        def picky() -> Any:
            return give()[name]

        return picky

    async with world.engine(wrong := piped("missing")) as engine:
        run = await ended(engine, wrong.bind())
        assert await run.state() == "failed"
    async with world.engine(piped("there")) as engine:
        again = await engine.rerun(run.id)
        assert await again.result() == 1
    assert calls.taken() == ["give"]


# The graph has changed


async def test_new_nodes_and_other_wiring_are_told_apart() -> None:
    world, calls = World(), Calls()

    @task
    async def source(name: str) -> str:
        calls(f"source {name}")
        return name

    @task
    async def sink(value: str) -> str:
        calls(f"sink {value}")
        return value

    @pipeline(name="wired")
    def before() -> str:
        source.options(name="a")("a")
        b = source.options(name="b")("b")
        return sink(b)

    @pipeline(name="wired")
    def after() -> str:
        a = source.options(name="a")("a")
        b = source.options(name="b")("other")
        sink.options(name="more")(a)
        sink.options(name="last")(sink(a))
        return b

    async with world.engine(before) as engine:
        run = await ended(engine, before.bind())
    calls.taken()
    async with world.engine(after) as engine:
        assert told(await engine.plan_rerun(run.id)) == {
            "a": "reuse: nothing that it depends on has changed",
            "b": "rerun: its inputs are wired differently",
            "more": "new: it isn't in the old run's graph",
            "sink": "rerun: its inputs are wired differently",
            "last": "new: it isn't in the old run's graph",
        }
        assert await (await engine.rerun(run.id)).result() == "other"
    assert calls.taken() == ["sink a", "sink a", "sink a", "source other"]
    await assert_sound(world)


async def test_a_parameter_that_was_added_has_its_default() -> None:
    world, calls = World(), Calls()

    @task
    async def add(value: int, more: int) -> int:
        calls("add")
        return value + more

    @task
    async def load(value: int) -> int:
        calls("load")
        return value

    @pipeline(name="grown")
    def before(value: int) -> int:
        return add(load(value), 1)

    @pipeline(name="grown")
    def after(value: int, more: int = 5) -> int:
        return add(load(value), more)

    @pipeline(name="grown")
    def retyped(value: list[int]) -> int:
        return add(load(value[0]), 1)

    @pipeline(name="grown")
    def without(other: int) -> int:
        return add(load(other), 1)

    async with world.engine(before) as engine:
        run = await ended(engine, before.bind(1))
    calls.taken()
    async with world.engine(after) as engine:
        assert await (await engine.rerun(run.id)).result() == 6
    assert calls.taken() == ["add"]
    async with world.engine(retyped) as engine:
        with pytest.raises(ParameterError, match="'value': expected list"):
            await engine.rerun(run.id)
        assert await (await engine.rerun(run.id, arguments={"value": [3]})).result() == 4
    async with world.engine(without) as engine:
        with pytest.raises(ParameterError, match=r"'value' is unknown .*'other' is missing"):
            await engine.rerun(run.id)


async def test_a_rerun_has_the_priority_of_its_run() -> None:
    world, calls = World(), Calls("double")
    async with world.engine(pipe := chain(calls)) as engine:
        run = await engine.submit(pipe.bind(1), priority=5)
        await run.wait()
        again = await engine.rerun(run.id)
        assert (await world.run(again.id)).priority == 5
        await again.wait()


# What can't be


async def test_a_run_that_has_not_ended_is_not_run_again() -> None:
    world, calls = World(), Calls()
    async with world.engine(pipe := chain(calls)) as engine:
        run = await engine.submit(pipe.bind(1))
        for ask in (engine.plan_rerun, engine.rerun):
            with pytest.raises(InvalidRequest, match=r"hasn't ended: it is (queued|running).*cancel it"):
                await ask(run.id)
        await run.wait()


async def test_a_run_that_succeeded_says_what_to_ask_for() -> None:
    world, calls = World(), Calls()
    async with world.engine(pipe := chain(calls)) as engine:
        run = await ended(engine, pipe.bind(1))
        with pytest.raises(InvalidRequest, match=r"has succeeded.*a node's name or 'everything', or give other arguments"):
            await engine.rerun(run.id)
        assert whats(await engine.plan_rerun(run.id), "rerun") == []


async def test_a_node_that_is_not_there_is_answered_with_those_that_are() -> None:
    world, calls = World(), Calls()
    async with world.engine(pipe := mapped(calls)) as engine:
        run = await ended(engine, pipe.bind(2))
        with pytest.raises(NotFound, match=r"no node 'squares' .* one of numbers, square, total"):
            await engine.rerun(run.id, "squares")
        with pytest.raises(NotFound, match=r"no node 'square\[2\]' .* one of square\[0\], square\[1\]"):
            await engine.plan_rerun(run.id, "square[2]")
        with pytest.raises(NotFound, match=r"no node 'square\[0\]\.x'"):
            await engine.plan_rerun(run.id, "square[0].x")
        with pytest.raises(NotFound):
            await engine.rerun("0" * 32)


async def test_arguments_that_do_not_fit_are_refused() -> None:
    world, calls = World(), Calls()
    async with world.engine(pipe := chain(calls)) as engine:
        run = await ended(engine, pipe.bind(1))
        with pytest.raises(ParameterError, match="'start': expected int, got str"):
            await engine.rerun(run.id, arguments={"start": "one"})
        with pytest.raises(ParameterError, match="'strat' is unknown"):
            await engine.plan_rerun(run.id, arguments={"strat": 1})


async def test_a_run_of_a_pipeline_that_is_gone_is_not_run_again() -> None:
    world, calls = World(), Calls("double")
    async with world.engine(pipe := chain(calls)) as engine:
        run = await ended(engine, pipe.bind(1))
    async with world.engine(mapped(calls)) as engine:
        with pytest.raises(NotFound, match="no pipeline 'chained' in the code any more"):
            await engine.rerun(run.id)


async def test_with_a_key_there_is_one_rerun() -> None:
    world, calls = World(), Calls("double")
    async with world.engine(pipe := chain(calls)) as engine:
        run = await ended(engine, pipe.bind(1))
        calls.mend()
        first = await engine.rerun(run.id, key="k")
        second = await engine.rerun(run.id, key="k")
        assert first.id == second.id
        assert await first.result() == "it is 2"
    assert calls.taken() == ["double", "report"]


async def test_a_rerun_that_fails_again_says_so() -> None:
    world, calls = World(), Calls("double")
    async with world.engine(pipe := chain(calls)) as engine:
        run = await ended(engine, pipe.bind(1))
        with pytest.raises(RunFailed, match="node 'double' failed"):
            await (await engine.rerun(run.id)).result()
    await assert_sound(world)


async def test_groups_can_be_asked_for() -> None:
    world, calls = World(), Calls()

    @task
    async def step(name: str) -> str:
        calls(name)
        return name

    @pipeline
    def grouped() -> None:
        with group("first"):
            step.options(name="a")("a")
            step.options(name="b")("b")
        step.options(name="first_c")("c")

    async with world.engine(grouped) as engine:
        run = await ended(engine, grouped.bind())
        calls.taken()
        plan = await engine.plan_rerun(run.id, "first")
        assert whats(plan, "rerun") == ["first.a", "first.b"]
        await (await engine.rerun(run.id, "first")).wait()
    assert calls.taken() == ["a", "b"]
