from __future__ import annotations

from typing import Any

import anyio
import pytest

from eventflow import each, facts, one_of, otherwise, pipeline, task, when
from tests.engine.again import Calls, assert_sound, ended, mapped, taken_over, told, whats
from tests.engine.world import World


@pytest.mark.parametrize("keyed", [False, True])
async def test_of_ten_items_the_nine_that_succeeded_are_reused(keyed: bool) -> None:
    world, calls = World(), Calls("square 3")
    item = "square[n3]" if keyed else "square[3]"
    async with world.engine(pipe := mapped(calls, keyed=keyed)) as engine:
        run = await ended(engine, pipe.bind(10))
        calls.mend()
        plan = await engine.plan_rerun(run.id)
        assert whats(plan, "rerun") == ["square", item, "total"]
        assert told(plan)["square"] == "rerun: it failed; 9 of its 10 items are reused"
        assert told(plan)[item] == "rerun: it failed"
        again = await engine.rerun(run.id)
        assert await again.result() == 285
    assert calls.taken() == ["square 3", "total"]
    assert len(await taken_over(world, again.id)) == 10
    await assert_sound(world)


async def test_one_item_that_was_asked_for_is_done_again() -> None:
    world, calls = World(), Calls()
    async with world.engine(pipe := mapped(calls)) as engine:
        run = await ended(engine, pipe.bind(4))
        calls.mend()
        plan = told(await engine.plan_rerun(run.id, "square[2]"))
        assert plan["square"] == "rerun: an item of it was asked for; 3 of its 4 items are reused"
        assert plan["square[2]"] == "rerun: asked for"
        assert await (await engine.rerun(run.id, "square[2]")).result() == 14
        assert calls.taken() == ["square 2", "total"]
        assert await (await engine.rerun(run.id, "square")).result() == 14
        assert calls.taken() == ["square 0", "square 1", "square 2", "square 3", "total"]


async def test_where_the_list_is_made_anew_all_items_are() -> None:
    world, calls = World(), Calls()
    async with world.engine(pipe := mapped(calls)) as engine:
        run = await ended(engine, pipe.bind(2))
        calls.mend()
        plan = await engine.plan_rerun(run.id, arguments={"count": 3})
        assert [entry.name for entry in plan.entries] == ["numbers", "square", "total"]
        assert await (await engine.rerun(run.id, arguments={"count": 3})).result() == 5
    assert calls.taken() == ["numbers", "square 0", "square 1", "square 2", "total"]
    await assert_sound(world)


async def test_new_code_of_the_items_leaves_the_list_as_it_is() -> None:
    world, calls = World(), Calls()

    def piped(task_of: Any) -> Any:
        @task
        async def numbers() -> list[int]:
            calls("numbers")
            return [1, 2]

        @pipeline(name="renewed")
        def renewed() -> list[int]:
            return task(name="item")(task_of).map(each(numbers(), key=name))

        return renewed

    def name(number: int) -> str:
        calls("key")
        return str(number)

    async def item(number: int) -> int:
        return number

    async def other(number: int) -> int:
        return -number

    async with world.engine(pipe := piped(item)) as engine:
        run = await ended(engine, pipe.bind())
    calls.mend()
    async with world.engine(piped(other)) as engine:
        assert told(await engine.plan_rerun(run.id))["item[2]"] == "rerun: its code has changed"
        assert await (await engine.rerun(run.id)).result() == [-1, -2]
    assert calls.taken() == []
    await assert_sound(world)


async def test_a_map_that_could_do_without_an_item_stands_as_a_whole() -> None:
    world, calls = World(), Calls("square 1", "total")
    async with world.engine(pipe := mapped(calls, min_success=0.5)) as engine:
        run = await ended(engine, pipe.bind(4))
        calls.mend()
        plan = told(await engine.plan_rerun(run.id))
        assert plan["square"] == "reuse: nothing that it depends on has changed"
        assert plan["square[1]"] == "reuse: it was failed, and its map succeeded all the same"
        again = await engine.rerun(run.id)
        assert await again.result() == 13
        assert calls.taken() == ["total"]
        assert (await world.nodes(again.id))["square[1]"] == "failed"
        assert await (await engine.rerun(again.id, "square[1]")).result() == 14
        assert calls.taken() == ["square 1", "total"]
    ends = {fact.run: fact.succeeded for fact in await world.facts(facts.MapEnded)}
    assert ends[again.id] == 3
    await assert_sound(world)


async def test_a_failed_map_that_is_taken_over_still_says_why() -> None:
    world, calls = World(), Calls("one 2", "total")

    @task
    async def one(number: int) -> int:
        calls(f"one {number}")
        return number

    @task
    async def total(found: list[list[int]]) -> int:
        calls("total")
        return sum(map(sum, found))

    @pipeline
    def inner(numbers: list[int]) -> list[int]:
        return one.map(each(numbers))

    @pipeline
    def outer() -> int:
        return total(inner.options(min_success=0.5).map(each([[1], [2]])))

    async with world.engine(outer) as engine:
        run = await ended(engine, outer.bind())
        calls.mend()
        assert await (await engine.rerun(run.id)).result() == 1
        assert calls.taken() == ["total"]
    first, second = [fact for fact in await world.facts(facts.MapEnded) if fact.node == "inner[1].one"]
    assert "one 2 is broken" in second.failure.message
    assert second.failure == first.failure
    await assert_sound(world)


async def test_what_a_map_can_do_without_is_nothing_to_its_items() -> None:
    world, calls = World(), Calls("square 1", "square 2")
    async with world.engine(pipe := mapped(calls)) as engine:
        run = await ended(engine, pipe.bind(4))
    calls.taken()
    calls.broken = {"square 2"}
    async with world.engine(mapped(calls, min_success=0.75)) as engine:
        again = await engine.rerun(run.id)
        assert await again.result() == 10
        assert calls.taken() == ["square 1", "square 2", "total"]
    async with world.engine(mapped(calls, min_success=1.0)) as engine:
        plan = told(await engine.plan_rerun(again.id))
        assert plan["square"] == "rerun: its code has changed; 3 of its 4 items are reused"
    await assert_sound(world)


async def test_an_empty_map_and_several_readers_of_a_reused_one() -> None:
    world, calls = World(), Calls("left")

    @task
    async def item(number: int) -> str:
        calls("item")
        return "x" * 20_000

    @task
    async def side(name: str, texts: list[str], none: list[str]) -> int:
        calls(name)
        return len(texts) + len(none)

    @pipeline
    def read(numbers: list[int]) -> list[int]:
        texts, none = item.map(each(numbers)), item.options(name="none").map(each([]))
        return [side.options(name=name)(name, texts, none) for name in ("left", "right")]

    async with world.engine(read) as engine:
        run = await ended(engine, read.bind(list(range(2000))))
        calls.mend()
        calls.broken = {"right"}
        again = await engine.rerun(run.id, "right")
        await again.wait()
        calls.mend()
        assert await (await engine.rerun(again.id)).result() == [2000, 2000]
    assert calls.taken() == ["right"]
    await assert_sound(world)


def prepared(calls: Calls) -> Any:
    """Give a pipeline that maps a pipeline with a branch and a map inside."""
    prepare = preparing(calls)

    @task
    async def total(values: list[int]) -> int:
        calls("total")
        return sum(values)

    @pipeline
    def prepared(numbers: list[int]) -> int:
        return total(prepare.map(each(numbers, key=lambda number: f"k{number}")))

    return prepared


def preparing(calls: Calls) -> Any:

    @task
    async def load(number: int) -> int:
        calls(f"load {number}")
        return number

    @task
    async def part(number: int, of: int) -> int:
        calls(f"part {number} of {of}")
        return number * of

    @task
    async def odd(parts: list[int]) -> int:
        calls(f"odd {parts}")
        return sum(parts)

    @task
    async def even(parts: list[int]) -> int:
        calls(f"even {parts}")
        return -sum(parts)

    @task
    async def is_odd(number: int) -> bool:
        calls(f"is_odd {number}")
        return number % 2 == 1

    @pipeline
    def prepare(number: int) -> int:
        loaded = load(number)
        parts = part.map(each([1, 2]), of=loaded)
        with when(is_odd(loaded)):
            one = odd(parts)
        with otherwise():
            two = even(parts)
        return one_of(one, two)

    return prepare


def renewing(body: Any) -> Any:
    """Give a pipeline that maps a pipeline, in which `body` is the code of one of two nodes."""

    @task
    async def load(number: int) -> int:
        return number

    @pipeline(name="inner")
    def inner(number: int) -> int:
        return task(name="work")(body)(load(number))

    @pipeline(name="renewing")
    def renewing() -> list[int]:
        return inner.map(each([1, 2]))

    return renewing


async def test_new_code_inside_of_items_that_succeeded_is_used() -> None:
    world = World()

    async def old(number: int) -> int:
        return number

    async def new(number: int) -> int:
        return -number

    async with world.engine(pipe := renewing(old)) as engine:
        run = await ended(engine, pipe.bind())
    async with world.engine(renewing(new)) as engine:
        plan = told(await engine.plan_rerun(run.id))
        assert plan["inner"] == "rerun: what is inside of it has changed; 0 of its 2 items are reused"
        assert plan["inner[0].load"].startswith("reuse")
        assert plan["inner[0].work"] == "rerun: its code has changed"
        assert await (await engine.rerun(run.id)).result() == [-1, -2]
    await assert_sound(world)


async def test_what_old_code_made_inside_of_items_is_made_anew() -> None:
    world = World()

    async def old(number: int) -> int:
        return await anyio.sleep_forever() or 0 if number == 2 else number

    async def new(number: int) -> int:
        return -number

    async with world.doomed(pipe := renewing(old)) as engine:
        run = await engine.submit(pipe.bind())
        await world.until(facts.AttemptSucceeded, count=3)
    async with world.engine(renewing(new)) as engine:
        assert await engine.result(run.id) == [1, -2]
        plan = told(await engine.plan_rerun(run.id))
        assert plan["inner[0].work"] == "rerun: its code has changed"
        assert plan["inner[1].work"].startswith("reuse")
        assert await (await engine.rerun(run.id)).result() == [-1, -2]
    await assert_sound(world)


async def test_inside_of_an_item_each_node_is_looked_at_by_itself() -> None:
    world, calls = World(), Calls("part 2 of 5")
    async with world.engine(pipe := prepared(calls)) as engine:
        run = await ended(engine, pipe.bind([4, 5]))
        calls.mend()
        plan = told(await engine.plan_rerun(run.id))
        assert plan["prepare"] == "rerun: it failed; 1 of its 2 items are reused"
        assert plan["prepare[k5].part"] == "rerun: it failed; 1 of its 2 items are reused"
        assert plan["prepare[k5].load"] == "reuse: nothing that it depends on has changed"
        again = await engine.rerun(run.id)
        assert await again.result() == 15 - 12
        assert calls.taken() == ["odd [5, 10]", "part 2 of 5", "total"]
        assert (await world.nodes(again.id))["prepare[k4].odd"] == "skipped"
        third = await engine.rerun(again.id, "prepare[k4].load")
        assert await third.result() == 3
        assert calls.taken() == ["even [4, 8]", "is_odd 4", "load 4", "part 1 of 4", "part 2 of 4", "total"]
        fourth = await engine.rerun(third.id, "prepare[k5]")
        assert await fourth.result() == 3
        assert calls.taken() == ["is_odd 5", "load 5", "odd [5, 10]", "part 1 of 5", "part 2 of 5", "total"]
        fifth = await engine.rerun(fourth.id, "total")
        assert await fifth.result() == 3
        assert calls.taken() == ["total"]
    await assert_sound(world)
