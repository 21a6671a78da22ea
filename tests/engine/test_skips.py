"""Skips: asked for by a body, by a rule, by a predicate; who is named for them; and inputs that are handed on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from eventflow import Retry, current, facts, maybe, one_of, pipeline, skip, task, when
from eventflow.facts import Unit
from tests.engine.world import World, turns


@task
async def give(value: int) -> int:
    return value


@task
async def leave() -> int:
    skip("nothing new")


@task
async def fail() -> int:
    raise ValueError("no luck")


@task
async def either(value: int | None) -> int | None:
    return value


async def ended(call: Any, world: World | None = None) -> tuple[dict[str, str], Any]:
    """Give the state of each node at the end, and the result, or the run's own state where it has none."""
    world = world or World()
    async with world.engine() as engine:
        run = await engine.submit(call)
        row = await run.wait()
        return await world.nodes(run.id), await run.result() if row.state == "succeeded" else row.state


# A body asks to be skipped


async def test_a_body_that_skips_ends_its_node_skipped_with_its_words_and_what_needs_it_is_skipped_by_it() -> None:
    @pipeline
    def left() -> int:
        return give(give(leave()))

    world = World()
    assert await ended(left.bind(), world) == (dict.fromkeys(["leave", "give", "give_2"], "skipped"), None)
    (said,) = await world.facts(facts.AttemptSkipped)
    assert (said.node, said.attempt, said.reason) == ("leave", 1, "nothing new")
    assert {fact.node: fact.by for fact in await world.facts(facts.NodeSkipped)} == {"give": "leave", "give_2": "leave"}


async def test_a_body_in_a_thread_may_skip_too_and_so_may_a_second_attempt() -> None:
    @task
    def in_thread() -> int:
        skip()

    @task(retry=Retry(attempts=3, delay=0))
    async def later() -> int:
        if current().attempt == 2:
            skip("enough")
        raise OSError

    @pipeline
    def both() -> Any:
        return [maybe(in_thread()), maybe(later())]

    world = World()
    assert await ended(both.bind(), world) == ({"in_thread": "skipped", "later": "skipped"}, [None, None])
    (later_skip,) = [fact for fact in await world.facts(facts.AttemptSkipped) if fact.node == "later"]
    assert later_skip.attempt == 2


async def test_a_skip_is_no_exception_that_a_body_catches_by_mistake() -> None:
    @task
    async def careless() -> int:
        try:
            skip("really")
        except Exception:  # noqa: BLE001 - what a user might write
            return 1

    @pipeline
    def once() -> int:
        return careless()

    assert (await ended(once.bind()))[0] == {"careless": "skipped"}


async def test_a_skipped_node_is_no_failure_and_takes_no_fallback() -> None:
    @task(fallback=7)
    async def falls_back() -> int:
        skip()

    @pipeline
    def once() -> int:
        return falls_back()

    assert await ended(once.bind()) == ({"falls_back": "skipped"}, None)


# A rule skips


async def test_a_node_that_its_rule_skips_names_itself() -> None:
    @pipeline
    def alarm() -> int | None:
        good = give(1)
        return maybe(either.options(rule="one_failed", name="alarm")(maybe(good)))

    world = World()
    assert await ended(alarm.bind(), world) == ({"give": "succeeded", "alarm": "skipped"}, None)
    assert [(fact.node, fact.by) for fact in await world.facts(facts.NodeSkipped)] == [("alarm", "alarm")]


async def test_a_rule_of_a_pipelines_first_node_has_nothing_to_object_to() -> None:
    @pipeline
    def first() -> int:
        return give.options(rule="one_success")(1)

    assert (await ended(first.bind()))[1] == 1


# A predicate


async def test_a_predicate_is_asked_once_with_the_states_of_all_upstream_nodes() -> None:
    asked: list[dict[str, str]] = []

    def most(states: Mapping[str, str]) -> bool:
        asked.append(dict(states))
        return "succeeded" in states.values()

    @pipeline
    def voted() -> Any:
        nodes = [give(1), leave(), fail()]
        return maybe(give.options(rule=most, name="vote").after(*nodes)(7))

    world = World()
    states, _ = await ended(voted.bind(), world)
    assert states["vote"] == "succeeded"
    assert asked == [{"give": "succeeded", "leave": "skipped", "fail": "failed"}]
    happened = [type(fact).__name__ for fact in await world.facts() if getattr(fact, "node", "") == "vote"]
    assert happened == ["NodeQueued", "AttemptStarted", "AttemptSucceeded"]
    assert not any(fact.limited for fact in await world.facts(facts.NodeQueued))


async def test_a_predicate_that_says_no_skips_the_node_and_one_that_raises_fails_it() -> None:
    def no(_: Mapping[str, str]) -> bool:
        return False

    def broken(_: Mapping[str, str]) -> bool:
        raise KeyError("hm")

    @pipeline
    def voted() -> Any:
        first = give(1)
        return [maybe(give.options(rule=rule, name=rule.__name__).after(first)(7)) for rule in (no, broken)]

    world = World()
    states, result = await ended(voted.bind(), world)
    assert states == {"give": "succeeded", "no": "skipped", "broken": "failed"}
    assert result == "failed"
    (failed,) = await world.facts(facts.NodeFailed)
    assert (failed.node, failed.reason, failed.failure.type) == ("broken", "rule", "KeyError")


async def test_a_predicate_that_was_asked_is_not_asked_again_after_a_crash_at_any_later_fact() -> None:
    asked: list[str] = []

    def yes(states: Mapping[str, str]) -> bool:
        asked.append("yes")
        return True

    def no(states: Mapping[str, str]) -> bool:
        asked.append("no")
        return False

    @pipeline
    def voted() -> Any:
        first = give(1)
        return [maybe(give.options(name=rule.__name__, rule=rule).after(first)(7)) for rule in (yes, no)]

    first = World()
    await ended(voted.bind(), first)
    happened = await first.facts()
    answers = {"yes": facts.NodeQueued, "no": facts.NodeSkipped}
    for length in range(3, len(happened) + 1):
        known = [name for name, kind in answers.items() if any(isinstance(fact, kind) for fact in happened[:length])]
        asked.clear()
        world = World()
        for fact in happened[:length]:
            await world.journal.commit(Unit(world.clock.now(), (fact,)))
        async with world.engine(voted) as engine:
            assert await engine.result(happened[1].run) == [7, None]
        assert sorted([*asked, *known]) == ["no", "yes"], length


# Handing the input on


async def test_a_skipped_node_hands_its_first_input_on_to_those_that_need_it() -> None:
    @pipeline
    def cleaned(value: int) -> int:
        first = give(5)
        with when(value):
            clean = give.options(name="clean", skip="pass-through")(first)
        return give.options(name="last")(clean)

    assert await ended(cleaned.bind(0)) == (
        {"give": "succeeded", "when_value": "skipped", "clean": "skipped", "last": "succeeded"},
        5,
    )


async def test_a_body_that_skips_hands_its_first_input_on_too_down_a_chain() -> None:
    @task(skip="pass-through")
    async def improve(value: int) -> int:
        skip()

    @pipeline
    def chain() -> int:
        return give.options(name="last")(improve(improve(give(3))))

    assert (await ended(chain.bind()))[1] == 3


async def test_what_hands_nothing_on_because_its_input_was_skipped_skips_what_needs_it() -> None:
    @pipeline
    def chain(value: int) -> int:
        with when(value):
            first = give(3)
        with when(value):
            second = give.options(skip="pass-through", name="second")(one_of(first))
        return give.options(name="last")(one_of(second, 8))

    states, result = await ended(chain.bind(0))
    assert states["second"] == "skipped"
    assert result == 8


async def test_an_input_that_failed_can_not_be_handed_on() -> None:
    @pipeline
    def chain(value: int) -> int:
        bad = fail()
        with when(value):
            second = give.options(skip="pass-through", name="second")(bad)
        return give.options(name="last")(second)

    states, _ = await ended(chain.bind(0))
    assert (states["second"], states["last"]) == ("upstream_failed", "upstream_failed")


@pytest.mark.parametrize("value", [0, 1])
async def test_an_input_is_handed_on_also_after_a_crash(value: int) -> None:
    go = anyio.Event()

    @task
    async def hold(value: int) -> int:
        await go.wait()
        return value

    @pipeline
    def held(value: int) -> int:
        first = give(5)
        with when(value):
            clean = give.options(name="clean", skip="pass-through")(first)
        return hold(clean)

    world = World()
    async with world.doomed(held) as engine:
        run = await engine.submit(held.bind(value))
        await world.until(facts.AttemptStarted, count=2 + value)
        await turns()
    go.set()
    async with world.engine(held) as engine:
        assert await engine.result(run.id) == 5
