"""Branches in a run: who decides, who is skipped and by whom, how values leave a branch, and that nothing is decided twice."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from eventflow import facts, maybe, one_of, otherwise, pipeline, task, when
from eventflow.errors import RunFailed
from tests.engine.world import World


@task
async def give(value: int) -> int:
    return value


@task
async def label(value: str) -> str:
    return value


@task
async def tags(value: str) -> list[str]:
    return value.split()


@task
async def fail() -> int:
    raise ValueError("no luck")


@task
async def either(value: int | None) -> int | None:
    return value


async def ended(call: Any) -> tuple[dict[str, str], Any]:
    """Give the state of each node at the end, and the result, or the run's own state where it has none."""
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(call)
        row = await run.wait()
        return await world.nodes(run.id), await run.result() if row.state == "succeeded" else row.state


async def skippers(call: Any) -> dict[str, str]:
    """Give who skipped each node that was."""
    world = World()
    async with world.engine() as engine:
        await (await engine.submit(call)).wait()
    return {fact.node: fact.by for fact in await world.facts(facts.NodeSkipped)}


@pipeline
def by_label(wanted: str) -> int:
    verdict = label(wanted)
    with when(verdict, "better", "best"):
        new = give.options(name="new")(1)
    with when(verdict, "worse"):
        old = give.options(name="old")(2)
    with otherwise():
        same = give.options(name="same")(3)
    return one_of(new, old, same)


@pytest.mark.parametrize(("wanted", "number", "ran"), [("better", 1, "new"), ("best", 1, "new"), ("worse", 2, "old"), ("?", 3, "same")])
async def test_the_branch_whose_match_equals_the_value_runs_and_the_others_are_skipped(wanted: str, number: int, ran: str) -> None:
    states, result = await ended(by_label.bind(wanted))
    assert result == number
    assert {name: state for name, state in states.items() if name in ("new", "old", "same")} == {
        "new": "skipped",
        "old": "skipped",
        "same": "skipped",
        ran: "succeeded",
    }


async def test_a_skipped_node_says_which_branch_skipped_it_also_at_second_hand() -> None:
    @pipeline
    def chained(wanted: str) -> int | None:
        with when(label(wanted), "yes"):
            first = give(1)
            second = give(first)
        return maybe(second)

    assert await skippers(chained.bind("no")) == {"give": "when_label", "give_2": "when_label"}


async def test_a_list_takes_the_branch_where_it_holds_one_of_the_matches() -> None:
    @pipeline
    def shared(words: str) -> int | None:
        with when(tags(words), "a", "b"):
            found = give(1)
        return maybe(found)

    assert (await ended(shared.bind("x b y")))[1] == 1
    assert (await ended(shared.bind("x y")))[1] is None
    assert (await ended(shared.bind("")))[1] is None


@pytest.mark.parametrize(("value", "taken"), [(0, False), (1, True), (-1, True)])
async def test_without_matches_a_truthy_value_takes_the_branch(value: int, taken: bool) -> None:
    @pipeline
    def truthy(value: int) -> int | None:
        with when(value):
            found = give(7)
        return maybe(found)

    states, result = await ended(truthy.bind(value))
    assert result == (7 if taken else None)
    assert states["when_value"] == ("succeeded" if taken else "skipped")


async def test_matches_are_compared_as_data_so_that_true_is_not_one() -> None:
    @task
    async def anything() -> Any:
        return True

    @pipeline
    def typed() -> Any:
        with when(anything(), 1):
            one = give(1)
        with otherwise():
            other = give(2)
        return one_of(one, other)

    assert (await ended(typed.bind()))[1] == 2


async def test_a_branch_inside_one_that_is_not_taken_is_skipped_by_the_outer_one_and_so_is_its_otherwise() -> None:
    @pipeline
    def nested(outer: int, inner: int) -> int | None:
        with when(outer):
            with when(inner):
                a = give.options(name="a")(1)
            with otherwise():
                b = give.options(name="b")(2)
            both = one_of(a, b)
            last = give.options(name="last")(both)
        return maybe(last)

    assert (await ended(nested.bind(1, 1)))[1] == 1
    assert (await ended(nested.bind(1, 0)))[1] == 2
    assert await skippers(nested.bind(0, 1)) == dict.fromkeys(["when_inner", "a", "otherwise", "b", "last"], "when_outer")


async def test_a_branch_on_a_skipped_value_is_skipped_with_its_otherwise_by_who_skipped_the_value() -> None:
    @pipeline
    def behind(first: int) -> int:
        with when(first):
            value = give(1)
        chosen = give.options(name="chosen")(one_of(value))
        with when(chosen):
            a = give.options(name="a")(1)
        with otherwise():
            b = give.options(name="b")(2)
        return give.options(name="last")(one_of(a, b))

    assert await skippers(behind.bind(0)) == dict.fromkeys(["give", "chosen", "when_chosen", "otherwise", "a", "b", "last"], "when_first")


async def test_a_branch_on_a_failed_value_fails_everything_in_it_and_in_its_otherwise() -> None:
    @pipeline
    def broken() -> int:
        with when(fail()):
            a = give.options(name="a", rule="always")(1)
        with otherwise():
            b = give.options(name="b")(2)
        return one_of(a, b)

    states, result = await ended(broken.bind())
    assert states == {"fail": "failed", **dict.fromkeys(["when_fail", "a", "otherwise", "b"], "upstream_failed")}
    assert result == "failed"


class Moody(msgspec.Struct):
    name: str

    def __bool__(self) -> bool:
        raise RuntimeError(f"{self.name} would rather not say")


async def test_a_value_that_raises_when_it_is_asked_fails_its_branch_and_the_run() -> None:
    @task
    async def moody() -> Moody:
        return Moody("Eve")

    @pipeline
    def asked() -> int | None:
        with when(moody()):
            found = give(1)
        return maybe(found)

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(asked.bind())
        with pytest.raises(RunFailed, match="node 'when_moody' failed: RuntimeError: Eve would rather not say"):
            await run.result()
    assert await world.nodes(run.id) == {"moody": "succeeded", "when_moody": "failed", "give": "upstream_failed"}


async def test_whether_a_branch_was_taken_is_a_value_that_others_can_take() -> None:
    @pipeline
    def told(value: int) -> Any:
        with when(value) as taken:
            give(1)
        with otherwise() as not_taken:
            give(2)
        return [tell.options(name="first")(taken), tell.options(name="second")(not_taken)]

    @task
    async def tell(value: bool) -> bool:
        return value

    assert (await ended(told.bind(1)))[1] == [True, False]
    assert (await ended(told.bind(0)))[1] == [False, True]


# Leaving a branch


async def test_one_of_takes_the_first_alternative_that_is_there_and_a_plain_value_where_none_is() -> None:
    @pipeline
    def choose(a: int, b: int) -> int:
        with when(a):
            first = give(1)
        with when(b):
            second = give(2)
        return give.options(name="join")(one_of(first, second, 3))

    assert [(await ended(choose.bind(a, b)))[1] for a, b in [(1, 1), (1, 0), (0, 1), (0, 0)]] == [1, 1, 2, 3]


async def test_a_join_fails_with_the_branch_that_ran() -> None:
    @pipeline
    def join(which: int) -> int:
        with when(which):
            bad = give(fail())
        with otherwise():
            good = give.options(name="good")(2)
        return give.options(name="join")(one_of(bad, good))

    states, result = await ended(join.bind(1))
    assert (states["join"], result) == ("upstream_failed", "failed")
    assert (await ended(join.bind(0)))[1] == 2


async def test_maybe_gives_none_for_a_node_that_was_skipped_and_a_lenient_rule_also_for_one_that_failed() -> None:
    @pipeline
    def lenient(which: int) -> int | None:
        with when(which):
            value = give(fail())
        return either.options(rule="all_done")(maybe(value))

    world = World()
    for which, state in ((0, "succeeded"), (1, "failed")):
        async with world.engine() as engine:
            run = await engine.submit(lenient.bind(which))
            assert (await run.wait()).state == state
            assert (await world.nodes(run.id))["either"] == "succeeded"
    assert [bytes(fact.result.json) for fact in await world.facts(facts.AttemptSucceeded) if fact.node == "either"] == [b"null", b"null"]


async def test_an_eager_rule_takes_every_value_that_comes_whenever_it_comes() -> None:
    @task
    async def slowly(value: int) -> int:
        for _ in range(20):
            await give.fn(value)
            await world.clock.sleep(1)
        return value

    @pipeline
    def eager() -> Any:
        quick = give(1)
        slow = slowly(2)
        return [either.options(rule=rule, name=rule).after(quick)(maybe(slow)) for rule in ("one_success", "one_done", "always")]

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(eager.bind())
        await world.until(facts.AttemptSucceeded)
        await world.clock.advance(60)
        assert await run.result() == [2, 2, 2]


async def test_a_pipeline_whose_result_is_in_a_branch_that_did_not_run_gives_none() -> None:
    @pipeline
    def nothing(value: int) -> int:
        with when(value):
            a = give(1)
        return one_of(a)

    assert (await ended(nothing.bind(0)))[1] is None


# Recorded once


async def test_a_decision_is_recorded_once_with_the_value_for_people_and_nothing_of_the_branch_runs_before() -> None:
    world = World()
    async with world.engine() as engine:
        await (await engine.submit(by_label.bind("worse"))).wait()
    happened = [type(fact).__name__ for fact in await world.facts() if getattr(fact, "node", None) in ("when_label_2", "old")]
    assert happened == ["BranchDecided", "AttemptStarted", "AttemptSucceeded"]
    decided = {fact.node: (fact.taken, fact.value) for fact in await world.facts(facts.BranchDecided)}
    assert decided == {"when_label": (False, "'worse'"), "when_label_2": (True, "'worse'"), "otherwise": (False, None)}


async def test_the_value_is_shown_in_one_short_line_whatever_it_is() -> None:
    @task
    async def long() -> str:
        return "line\n\x1b[31m" * 500

    @pipeline
    def shown() -> int | None:
        with when(long()):
            found = give(1)
        return maybe(found)

    world = World()
    async with world.engine() as engine:
        await (await engine.submit(shown.bind())).wait()
    (decided,) = await world.facts(facts.BranchDecided)
    assert len(decided.value) <= 200
    assert decided.value.isprintable()
