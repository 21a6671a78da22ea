"""Maps in a run: lists known only then, one node per item, what becomes of the map, and that nothing of the user's is asked twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eventflow import Retry, across, current, each, facts, maybe, one_of, pipeline, skip, task, when
from eventflow.artifacts.memory import MemoryArtifacts
from eventflow.engine.values import INLINE
from eventflow.errors import RunFailed
from tests.engine.world import Hurdle, World, turns


@task
async def numbers(count: int) -> list[int]:
    return list(range(count))


@task
async def double(value: int) -> int:
    return 2 * value


@task
async def odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError(f"{value} is even")
    return value


@task
async def skip_even(value: int) -> int:
    return value if value % 2 else skip("even")


@task
async def total(values: list[int]) -> int:
    return sum(values)


@task
async def join(a: int, b: int) -> str:
    return f"{a}{b}"


@task
async def give(value: Any) -> Any:
    return value


async def ended(call: Any, world: World | None = None) -> tuple[dict[str, str], Any]:
    """Give the state of each node at the end, and the result, or the run's own state where it has none."""
    world = world or World()
    async with world.engine() as engine:
        run = await engine.submit(call)
        row = await run.wait()
        return await world.nodes(run.id), await run.result() if row.state == "succeeded" else row.state


@pipeline
def doubled(count: int) -> list[int]:
    return double.map(each(numbers(count)))


async def test_each_item_is_a_node_of_its_own_and_the_map_gives_the_list_of_their_results_in_order() -> None:
    states, result = await ended(doubled.bind(3))
    assert result == [0, 2, 4]
    assert states == dict.fromkeys(["numbers", "double", "double[0]", "double[1]", "double[2]"], "succeeded")


async def test_an_empty_list_is_a_success_with_an_empty_list() -> None:
    assert await ended(doubled.bind(0)) == ({"numbers": "succeeded", "double": "succeeded"}, [])


async def test_lists_are_taken_in_step_or_in_all_combinations() -> None:
    @pipeline
    def zipped() -> list[str]:
        return join.map(a=each([1, 2]), b=each([3, 4]))

    @pipeline
    def crossed() -> list[str]:
        return join.map(a=each([1, 2]), b=across([3, 4]))

    assert (await ended(zipped.bind()))[1] == ["13", "24"]
    assert (await ended(crossed.bind()))[1] == ["13", "14", "23", "24"]


async def test_lists_in_step_of_different_lengths_fail_the_map_before_any_item_begins() -> None:
    @pipeline
    def uneven() -> list[str]:
        return join.map(a=each(numbers(2)), b=each(numbers(3)))

    world = World()
    states, result = await ended(uneven.bind(), world)
    assert result == "failed"
    assert states["join"] == "failed"
    assert not [node for node in states if "[" in node]
    (failed,) = await world.facts(facts.NodeFailed)
    assert (failed.reason, failed.failure.message) == (
        "items",
        "lists that are mapped over in step must be of one length: 'a' has 2, 'b' has 3",
    )


async def test_other_arguments_go_to_every_item_as_a_fresh_copy_each() -> None:
    @task
    async def push(value: int, seen: list[int]) -> list[int]:
        seen.append(value)
        return seen

    @pipeline
    def shared() -> list[list[int]]:
        return push.map(value=each(numbers(3)), seen=numbers(1))

    assert (await ended(shared.bind()))[1] == [[0, 0], [0, 1], [0, 2]]


async def test_items_of_a_written_list_are_of_the_type_that_the_task_wants() -> None:
    @task
    async def seen(item: Rates, path: Path) -> str:
        return f"{type(item).__name__} {item.values} {path.name}"

    @pipeline
    def written() -> list[str]:
        return seen.map(item=each([Rates([1]), Rates([2])]), path=each([Path("a/b"), Path("c")]))

    assert (await ended(written.bind()))[1] == ["Rates [1] b", "Rates [2] c"]


async def test_items_are_named_by_a_key() -> None:
    @pipeline
    def named() -> list[int]:
        return double.map(each(numbers(2), key=lambda value: f"n{value}"))

    states, result = await ended(named.bind())
    assert result == [0, 2]
    assert {"double[n0]", "double[n1]"} < set(states)


@pytest.mark.parametrize(
    ("key", "said"), [(lambda _: "same", "names two items"), (lambda value: [value], "can't name an item"), (lambda _: 1 // 0, "")]
)
async def test_a_bad_key_fails_the_map(key: Any, said: str) -> None:
    @pipeline
    def named() -> list[int]:
        return double.map(each(numbers(2), key=key))

    world = World()
    states, result = await ended(named.bind(), world)
    assert (states, result) == ({"numbers": "succeeded", "double": "failed"}, "failed")
    (failed,) = await world.facts(facts.NodeFailed)
    assert failed.reason == "items"
    assert said in failed.failure.message


@pytest.mark.parametrize("value", ["text", 5, None, {"a": 1}])
async def test_what_is_no_list_fails_the_map(value: object) -> None:
    @pipeline
    def mapped(value: Any) -> list[int]:
        return double.map(each(give(value)))

    world = World()
    states, result = await ended(mapped.bind(value), world)
    assert (states, result) == ({"give": "succeeded", "double": "failed"}, "failed")
    assert "'value' is mapped over" in (await world.facts(facts.NodeFailed))[0].failure.message


# What becomes of it


@pipeline
def partial(count: int) -> int:
    return total(odd.options(min_success=0.5).map(each(numbers(count))))


async def test_a_failed_item_fails_the_map_and_names_it_but_the_others_go_on() -> None:
    @pipeline
    def strict() -> int:
        return total(odd.map(each(numbers(4))))

    world = World()
    states, result = await ended(strict.bind(), world)
    assert result == "failed"
    assert [states[f"odd[{number}]"] for number in range(4)] == ["failed", "succeeded"] * 2
    assert (states["odd"], states["total"]) == ("failed", "upstream_failed")
    (map_ended,) = await world.facts(facts.MapEnded)
    assert "2 items succeeded, 4 are needed; the first that failed is odd[0]: ValueError: 0 is even" in map_ended.failure.message


@pytest.mark.parametrize(("count", "wanted"), [(0, 0), (2, 1), (4, 4), (3, "failed"), (1, "failed")])
async def test_enough_items_are_a_success_with_the_results_of_those(count: int, wanted: object) -> None:
    assert (await ended(partial.bind(count)))[1] == wanted


@pytest.mark.parametrize(
    ("share", "good", "count", "enough"),
    [(0.9, 9, 10, True), (0.9, 8, 10, False), (0.1, 1, 10, True), (0.7, 7, 10, True), (0.29, 29, 100, True)],
)
async def test_a_share_is_counted_as_people_count(share: float, good: int, count: int, enough: bool) -> None:
    @task
    async def below(value: int, limit: int) -> int:
        if value >= limit:
            raise ValueError("too high")
        return value

    @pipeline
    def shared() -> list[int]:
        return below.options(min_success=share).map(value=each(numbers(count)), limit=good)

    assert (await ended(shared.bind()))[1] == (list(range(good)) if enough else "failed")


async def test_skipped_items_are_left_out_and_count_neither_way() -> None:
    @pipeline
    def some() -> list[int]:
        return skip_even.map(each(numbers(5)))

    @pipeline
    def none() -> list[int]:
        return skip_even.map(each([0, 2]))

    states, result = await ended(some.bind())
    assert result == [1, 3]
    assert [states[f"skip_even[{number}]"] for number in range(5)] == ["skipped", "succeeded", "skipped", "succeeded", "skipped"]
    assert (await ended(none.bind()))[1] == []


async def test_each_item_is_retried_by_itself() -> None:
    @task(retry=Retry(attempts=2, delay=0))
    async def second_time(value: int) -> int:
        if current().attempt == 1 and value == 1:
            raise OSError
        return value

    @pipeline
    def retried() -> list[int]:
        return second_time.map(each(numbers(3)))

    world = World()
    assert (await ended(retried.bind(), world))[1] == [0, 1, 2]
    started = [(fact.node, fact.attempt) for fact in await world.facts(facts.AttemptStarted) if "[" in fact.node]
    assert sorted(started) == [("second_time[0]", 1), ("second_time[1]", 1), ("second_time[1]", 2), ("second_time[2]", 1)]


async def test_no_more_items_run_at_once_than_allowed() -> None:
    running = most = 0

    @task
    async def counted(value: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await turns(3)
        running -= 1
        return value

    @pipeline
    def few() -> list[int]:
        return counted.options(max_active_items=3).map(each(numbers(10)))

    assert (await ended(few.bind()))[1] == list(range(10))
    assert most == 3


async def test_rules_see_the_map_as_one_outcome() -> None:
    @pipeline
    def watched() -> Any:
        bad = odd.map(each(numbers(2)))
        return give.options(rule="one_failed", name="alarm").after(bad)("seen")

    states, result = await ended(watched.bind())
    assert (states["odd"], states["alarm"], result) == ("failed", "succeeded", "failed")


async def test_a_map_in_a_branch_that_is_not_taken_is_skipped_without_reading_its_list() -> None:
    @pipeline
    def branched(value: int) -> int:
        with when(value):
            found = double.map(each(numbers(2)))
        return total(one_of(found, [7]))

    assert await ended(branched.bind(0)) == (
        {"when_value": "skipped", "numbers": "skipped", "double": "skipped", "total": "succeeded"},
        7,
    )


async def test_a_skipped_map_hands_on_the_list_where_it_is_asked_to() -> None:
    @pipeline
    def passing(value: int) -> int:
        values = numbers(3)
        with when(value):
            found = double.options(skip="pass-through").map(each(values))
        return total(found)

    assert (await ended(passing.bind(1)))[1] == 6
    assert (await ended(passing.bind(0)))[1] == 3


# A graph per item


@pipeline
def prepare(value: int, offset: int = 10) -> int:
    low = double(value)
    with when(low, 2):
        high = total([low, offset])
    return one_of(high, low)


async def test_a_pipeline_is_mapped_with_branches_of_its_own_in_each_item() -> None:
    @pipeline
    def outer() -> list[int]:
        return prepare.map(value=each(numbers(3)), offset=100)

    states, result = await ended(outer.bind())
    assert result == [0, 102, 4]
    assert {name: state for name, state in states.items() if "[1]" in name} == {
        "prepare[1].double": "succeeded",
        "prepare[1].when_double": "succeeded",
        "prepare[1].total": "succeeded",
    }
    assert states["prepare[0].total"] == states["prepare[2].total"] == "skipped"


async def test_an_item_whose_result_was_skipped_is_left_out() -> None:
    @pipeline
    def inner(value: int) -> int:
        with when(value):
            found = double(value)
        return one_of(found)

    @pipeline
    def outer() -> list[int]:
        return inner.map(value=each(numbers(3)))

    assert (await ended(outer.bind()))[1] == [2, 4]


async def test_maps_stand_in_maps() -> None:
    @pipeline
    def row(count: int) -> int:
        return total(double.map(each(numbers(count))))

    @pipeline
    def table() -> list[int]:
        return row.map(count=each(numbers(4)))

    states, result = await ended(table.bind())
    assert result == [0, 0, 2, 6]
    assert "row[3].double[2]" in states
    assert "row[0].double[0]" not in states


async def test_an_item_that_is_a_list_is_mapped_inside() -> None:
    @task
    async def rows() -> list[list[int]]:
        return [[1], [2, 3], []]

    @pipeline
    def row(values: list[int]) -> int:
        return total(double.map(each(values)))

    @pipeline
    def table() -> list[int]:
        return row.map(values=each(rows()))

    assert (await ended(table.bind()))[1] == [2, 10, 0]


async def test_a_failure_inside_an_item_is_that_items_own() -> None:
    @pipeline
    def inner(value: int) -> int:
        return double(odd(value))

    @pipeline
    def outer() -> list[int]:
        return inner.options(min_success=0.5).map(value=each(numbers(4)))

    states, result = await ended(outer.bind())
    assert result == [2, 6]
    assert (states["inner[0].odd"], states["inner[0].double"], states["inner"]) == ("failed", "upstream_failed", "succeeded")


# Recorded once

ASKED: list[str] = []


class Rates(msgspec.Struct):
    """A list of the user's own that notices being gone over."""

    values: list[int]

    def __iter__(self) -> Iterator[int]:
        ASKED.append("iter")
        return iter(self.values)


@task
async def rates() -> Rates:
    return Rates([3, 4])


def key_of(value: int) -> str:
    ASKED.append(f"key {value}")
    return f"n{value}"


async def test_lists_and_keys_are_read_once_and_recorded_before_any_item_begins() -> None:
    @pipeline
    def mapped() -> int:
        found = double.map(each(rates(), key=key_of))
        return total.options(name="again")([total(found), total.options(name="other")(found)])

    ASKED.clear()
    world = World()
    assert (await ended(mapped.bind(), world))[1] == 28
    assert ASKED == ["iter", "key 3", "key 4"]
    happened = [(type(fact).__name__, fact.node) for fact in await world.facts() if getattr(fact, "node", "").startswith("double")]
    assert happened[0] == ("MapExpanded", "double")
    assert happened[-1] == ("MapEnded", "double")


@task
async def big(count: int) -> list[str]:
    return [f"{number:0100}" for number in range(count)]


@task
async def length(values: list[str]) -> int:
    return len(values)


@pipeline
def large(count: int) -> Any:
    found = give.map(each(big(count)))
    return [length.options(name=f"length_{number}")(found) for number in range(3)]


class Distant(MemoryArtifacts):
    """An artifact store that takes its time."""

    async def get(self, digest: str) -> bytes:
        await turns(3)
        return await super().get(digest)


async def test_a_large_map_is_kept_as_an_artifact_and_read_again_by_several_at_once_after_a_crash() -> None:
    count = INLINE // 50
    world, stopped = World(artifacts=Distant()), asyncio.Event()

    @task
    async def hold(value: int) -> int:
        await stopped.wait()
        return value

    @pipeline
    def held(count: int) -> Any:
        found = give.map(each(big(count)))
        go = hold.after(found)(1)
        return [length.options(name=f"length_{number}").after(go)(found) for number in range(3)]

    async with world.doomed(held) as engine:
        run = await engine.submit(held.bind(count))
        await world.until(facts.MapEnded)
        await world.until(facts.AttemptStarted, count=count + 2)
    stopped.set()
    async with world.engine(held) as engine:
        assert (await engine.wait(run.id)).state == "succeeded"
        assert await engine.result(run.id) == [count] * 3
    assert len(await world.facts(facts.MapExpanded)) == 1


@pytest.mark.parametrize("whole", [True, False])
async def test_a_map_is_cancelled_while_its_items_are_kept(whole: bool) -> None:
    world = World(artifacts=(hurdle := Hurdle(MemoryArtifacts(), "put", lambda data: data.startswith(b'{"keys"'))))
    async with world.engine() as engine:
        run = await engine.submit(large.bind(INLINE // 50))
        await hurdle.reached.wait()
        await engine.cancel(run.id, None if whole else "give")
        hurdle.open.set()
        row = await run.wait()
    assert row.state == ("cancelled" if whole else "failed")
    assert (await world.nodes(run.id))["give"] == "cancelled"
    assert not [node for node in await world.nodes(run.id) if "[" in node]


async def test_the_reason_of_a_failed_map_is_the_runs() -> None:
    @pipeline
    def strict() -> int:
        return total(odd.map(each(numbers(1))))

    async with World().engine() as engine:
        run = await engine.submit(strict.bind())
        with pytest.raises(
            RunFailed, match=r"node 'odd' failed: ItemsFailed: 0 items succeeded, 1 is needed; .*odd\[0\]: ValueError: 0 is even"
        ):
            await run.result()


async def test_maybe_a_failed_map_is_none() -> None:
    @pipeline
    def lenient() -> Any:
        return give.options(rule="all_done", name="seen")(maybe(odd.map(each(numbers(1)))))

    world = World()
    await ended(lenient.bind(), world)
    assert [bytes(fact.result.json) for fact in await world.facts(facts.AttemptSucceeded) if fact.node == "seen"] == [b"null"]


async def test_why_a_map_failed_is_known_after_a_crash() -> None:
    world, stopped = World(), asyncio.Event()

    @task
    async def hold() -> None:
        await stopped.wait()

    @pipeline
    def held() -> Any:
        hold()
        return odd.map(each(numbers(3)))

    async with world.doomed(held) as engine:
        run = await engine.submit(held.bind())
        await world.until(facts.MapEnded)
    stopped.set()
    async with world.engine(held) as engine:
        with pytest.raises(RunFailed, match=r"ItemsFailed: 1 item succeeded, 3 are needed; .*odd\[0\]: ValueError: 0 is even"):
            await engine.result(run.id)
