"""Runs that nodes of other runs begin: waited for or not, ended with their parents, found again after a crash."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import anyio
import msgspec
import pytest

from eventflow import RunCancelled, RunFailed, each, facts, maybe, pipeline, run_pipeline, sleep_until, task, when
from eventflow.definition import graph as graphs
from eventflow.engine.frame import Wish
from eventflow.errors import InvalidRequest, JournalDamaged
from eventflow.facts import Unit, run_of
from eventflow.journal.memory import MemoryJournal
from eventflow.ports import Instrument
from eventflow.projections import RunRow
from tests.engine.sources import runs
from tests.engine.world import Hurdle, Late, World, holding, turns


@task
async def double(value: int) -> int:
    return value * 2


@task
async def fails(value: int) -> int:
    raise ValueError("no good")


@task
async def forever() -> int:
    await anyio.sleep_forever()
    return 1


@pipeline
def child(value: int) -> int:
    return double(value)


@pipeline
def parent(value: int) -> int:
    return double(run_pipeline(child)(double(value)))


@pipeline
def endless() -> int:
    return forever()


@pipeline
def above() -> int:
    return double(run_pipeline(endless)())


@pipeline
def top() -> int:
    return double(run_pipeline(above)())


async def states_of(world: World) -> dict[str, str]:
    return {row.pipeline: row.state for row in await runs(world)}


# How it goes


async def test_a_node_gives_what_the_run_that_it_began_has_returned() -> None:
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(parent.bind(3))
        assert await run.result() == 24
    mine, childs = await runs(world)
    assert (childs.pipeline, childs.parent, childs.parent_node, childs.state) == ("child", run.id, "child", "succeeded")
    assert mine.parent is None
    assert (await world.node(run.id, "child")).reason == childs.run
    assert await world.holds(facts.RunSuspended)


async def test_the_child_and_the_wait_for_it_are_one_unit() -> None:
    world = World(journal=(journal := Recording()))
    async with world.engine() as engine:
        await (await engine.submit(parent.bind(3))).result()
    (unit,) = [unit for unit in journal.units if any(isinstance(fact, facts.NodeSuspended) for fact in unit.facts)]
    assert [type(fact) for fact in unit.facts] == [facts.GraphRecorded, facts.RunSubmitted, facts.NodeSuspended]


async def test_without_waiting_it_gives_the_id_at_once() -> None:
    @pipeline
    def begins() -> str:
        return run_pipeline(endless, wait=False)()

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(begins.bind())
        name = await run.result()
        assert await states_of(world) == {"begins": "succeeded", "endless": "running"}
        assert (await engine.state(name)).parent == run.id
        assert not await world.holds(facts.RunSuspended)


async def test_a_failed_child_fails_its_node_and_says_why() -> None:
    @pipeline
    def bad() -> int:
        return fails(1)

    @pipeline
    def outer() -> int:
        return double(run_pipeline(bad)())

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(outer.bind())
        with pytest.raises(RunFailed, match="no good"):
            await run.result()
    (_, childs) = await runs(world)
    node = await world.node(run.id, "bad")
    assert (node.state, node.reason) == ("failed", "child")
    assert await world.nodes(run.id) == {"bad": "failed", "double": "upstream_failed"}
    assert childs.run[-8:] in str([fact.failure for fact in await world.facts(facts.NodeFailed) if fact.run == run.id])


async def test_a_cancelled_child_fails_its_node() -> None:
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(above.bind())
        await world.until(facts.RunSuspended)
        (_, childs) = await runs(world)
        await engine.cancel(childs.run)
        with pytest.raises(RunFailed, match="it was cancelled"):
            await run.result()
    assert await states_of(world) == {"above": "failed", "endless": "cancelled"}


async def test_a_failure_of_a_child_goes_by_the_rules_of_a_graph() -> None:
    @pipeline
    def bad() -> int:
        return fails(1)

    @task(rule="one_failed")
    async def instead() -> int:
        return 7

    @pipeline
    def outer() -> int | None:
        return maybe(instead.after(run_pipeline(bad)())())

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(outer.bind())
        assert (await run.wait()).state == "failed"
    assert (await world.nodes(run.id))["instead"] == "succeeded"


async def test_arguments_that_dont_fit_fail_the_node() -> None:
    @task
    async def says() -> Any:
        return "text"

    @pipeline
    def outer() -> int:
        return run_pipeline(child)(says())

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(outer.bind())
        with pytest.raises(RunFailed, match="value"):
            await run.result()
    assert (await world.node(run.id, "child")).reason == "input"
    assert [row.pipeline for row in await runs(world)] == ["outer"]


async def test_children_in_maps_and_branches() -> None:
    @pipeline
    def careful(value: int) -> int | None:
        with when(double(value)):
            got = run_pipeline(child)(value)
        return maybe(got)

    @pipeline
    def many(values: list[int]) -> Any:
        return careful.map(value=each(values))

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(many.bind([1, 0, 3]))
        assert await run.result() == [2, None, 6]
    assert [row.parent_node for row in await runs(world) if row.parent] == ["careful[0].child", "careful[2].child"]


async def test_a_child_of_the_child() -> None:
    @pipeline
    def middle(value: int) -> int:
        return double(run_pipeline(child)(value))

    @pipeline
    def highest(value: int) -> int:
        return double(run_pipeline(middle)(value))

    world = World()
    async with world.engine() as engine:
        assert await (await engine.submit(highest.bind(1))).result() == 8


async def test_a_pipeline_may_begin_itself_though_only_one_run_may_be_active() -> None:
    @task
    async def less(depth: int) -> int:
        return depth - 1

    @task
    async def one_more(below: int | None) -> int:
        return 1 + (below or 0)

    @pipeline(max_active_runs=1)
    def deep(depth: int) -> int:
        with when(depth):
            below = run_pipeline(itself)(less(depth))
        return one_more(maybe(below))

    itself: Any = deep
    world = World()
    async with world.engine() as engine:
        assert await (await engine.submit(deep.bind(4))).result() == 5
    active = 0
    for fact in await world.facts(facts.RunStarted, facts.RunSuspended, facts.RunSucceeded):
        active += 1 if isinstance(fact, facts.RunStarted) else -1
        assert active <= 1
    assert len(await runs(world)) == 5


# Keys


@pytest.mark.parametrize("key", ["nightly", lambda given: f"nightly-{given['value']}"])
async def test_two_nodes_with_one_key_share_one_run(key: Any) -> None:
    @pipeline
    def keyed(value: int) -> int:
        return run_pipeline(child, key=key)(value)

    world = World()
    async with world.engine() as engine:
        both = [await engine.submit(keyed.bind(3)) for _ in range(2)]
        assert [await run.result() for run in both] == [6, 6]
        assert await (await engine.submit(keyed.bind(3))).result() == 6  # its run has ended long ago
    assert [row.pipeline for row in await runs(world)].count("child") == 1


async def test_a_key_is_asked_for_once() -> None:
    asked: list[Mapping[str, Any]] = []

    def key(given: Mapping[str, Any]) -> str:
        asked.append(dict(given))
        return "k"

    @pipeline
    def keyed() -> int:
        return double(run_pipeline(endless, key=key)())

    world = World()
    async with world.doomed() as engine:
        await engine.submit(keyed.bind())
        await world.until(facts.RunSuspended)
    async with world.engine(keyed) as engine:
        await turns()
        assert await states_of(world) == {"keyed": "suspended", "endless": "running"}
    assert asked == [{}]


async def test_a_key_that_is_none_fails_the_node() -> None:
    def wrong(given: Mapping[str, Any]) -> str:
        raise LookupError("which?")

    @pipeline
    def keyed() -> int:
        return run_pipeline(child, key=wrong)(1)

    @pipeline
    def empty() -> int:
        return run_pipeline(child, key=lambda _: "")(1)

    world = World()
    async with world.engine() as engine:
        with pytest.raises(RunFailed, match=r"which\?"):
            await (await engine.submit(keyed.bind())).result()
        with pytest.raises(RunFailed, match="is no key"):
            await (await engine.submit(empty.bind())).result()


async def test_a_run_that_would_wait_for_itself_fails_instead() -> None:
    @pipeline
    def itself() -> int:
        return double(run_pipeline(again, key="same")())

    again: Any = itself
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(itself.bind(), key="same")
        with pytest.raises(RunFailed, match="would never end: it is this run itself"):
            await run.result()
    assert len(await runs(world)) == 1


async def test_runs_that_would_wait_for_each_other_fail_instead() -> None:
    @pipeline
    def ping() -> int:
        return double(run_pipeline(other, key="pong")())

    @pipeline
    def pong() -> int:
        return double(run_pipeline(ping, key="ping")())

    other: Any = pong
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(ping.bind(), key="ping")
        with pytest.raises(RunFailed, match="would never end: it waits for this run"):
            await run.result()
    assert await states_of(world) == {"ping": "failed", "pong": "failed"}


async def test_runs_that_would_wait_for_each_other_in_a_ring_fail_instead() -> None:
    @pipeline
    def one() -> int:
        return double(run_pipeline(after_one, key="two")())

    @pipeline
    def three() -> int:
        return double(run_pipeline(one, key="one")())

    @pipeline
    def two() -> int:
        return double(run_pipeline(three, key="three")())

    after_one: Any = two
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(one.bind(), key="one")
        with pytest.raises(RunFailed, match="would never end: it waits for this run"):
            await run.result()


async def test_not_waiting_for_itself_is_no_harm() -> None:
    @pipeline
    def itself() -> str:
        return run_pipeline(again, wait=False, key="same")()

    again: Any = itself
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(itself.bind(), key="same")
        assert await run.result() == run.id


# Cancelled with their parents


async def test_a_cancelled_parent_takes_its_children_and_theirs_along() -> None:
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(top.bind())
        await world.until(facts.RunSuspended, count=2)
        await run.cancel()
        with pytest.raises(RunCancelled):
            await run.result()
        for row in await runs(world):
            assert row.cancel_requested
            assert (await engine.wait(row.run)).state == "cancelled"
        assert engine.waiting() == []
    assert await world.nodes(run.id) == {"above": "cancelled", "double": "cancelled"}


async def test_children_that_have_ended_are_left_alone() -> None:
    @pipeline
    def both() -> int:
        return double.after(run_pipeline(child)(1))(forever())

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(both.bind())
        await world.until(facts.NodeAnswered)
        await run.cancel()
        await run.wait()
    assert await states_of(world) == {"both": "cancelled", "child": "succeeded"}


async def test_a_child_that_is_not_waited_for_is_cancelled_with_its_parent_too() -> None:
    @pipeline
    def begins() -> int:
        return double.after(run_pipeline(endless, wait=False)())(forever())

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(begins.bind())
        await world.until(facts.AttemptStarted, count=2)
        await run.cancel()
        for row in await runs(world):
            assert (await engine.wait(row.run)).state == "cancelled"


async def test_a_run_that_another_one_began_isnt_cancelled_with_who_only_waits_for_it() -> None:
    @pipeline
    def keyed() -> int:
        return double(run_pipeline(endless, key="one")())

    world = World()
    async with world.engine() as engine:
        first, second = await engine.submit(keyed.bind()), await engine.submit(keyed.bind())
        await world.until(facts.RunSuspended, count=2)
        await second.cancel()
        assert (await second.wait()).state == "cancelled"
        assert (await states_of(world))["endless"] == "running"
        (shared,) = [row for row in await runs(world) if row.pipeline == "endless"]
        await engine.cancel(shared.run)
        assert (await first.wait()).state == "failed"  # it still hears of its child


@pytest.mark.parametrize("slow", [False, True])
async def test_a_cancelled_node_takes_its_child_along_and_the_run_goes_on(slow: bool) -> None:
    @pipeline
    def beside() -> list[int]:
        return [double(1), run_pipeline(endless)()]

    world = World(journal=Late() if slow else None)
    async with world.engine() as engine:
        run = await engine.submit(beside.bind())
        await world.until(facts.RunSuspended)
        await turns()
        await engine.cancel(run.id, "endless")
        assert (await run.wait()).state == "failed"
        assert await world.nodes(run.id) == {"double": "succeeded", "endless": "cancelled"}
        (_, childs) = await runs(world)
        assert (await engine.wait(childs.run)).state == "cancelled"


@pytest.mark.parametrize("slow", [False, True])
async def test_a_cancelled_node_of_a_run_at_work_takes_its_child_along(slow: bool) -> None:
    @pipeline
    def beside() -> list[int]:
        return [forever(), run_pipeline(endless)()]

    world = World(journal=Late() if slow else None)
    async with world.engine() as engine:
        run = await engine.submit(beside.bind())
        await world.until(facts.AttemptStarted, count=2)
        await turns()
        await engine.cancel(run.id, "endless")
        assert (await world.nodes(run.id))["endless"] == "cancelled"
        (_, childs) = await runs(world)
        assert (await engine.wait(childs.run)).state == "cancelled"
        assert await run.state() == "running"
        await run.cancel()
        await run.wait()


@pytest.mark.parametrize("whole", [False, True])
async def test_who_is_cancelled_with_its_child_doesnt_fail_of_that(whole: bool) -> None:
    world = World()

    def is_of_parent(unit: Unit) -> bool:
        return any(isinstance(fact, facts.NodeCancelled) and fact.node == "endless" for fact in unit.facts)

    @pipeline
    def beside() -> list[int]:
        return [forever(), run_pipeline(endless)()]

    world.journal = hurdle = Hurdle(world.journal, "commit", is_of_parent)
    async with world.engine() as engine, anyio.create_task_group() as tasks:
        run = await engine.submit(beside.bind())
        await world.until(facts.AttemptStarted, count=2)
        await turns()
        tasks.start_soon(engine.cancel, run.id, None if whole else "endless")
        await hurdle.reached.wait()
        await turns()
        assert (await states_of(world))["endless"] == "cancelled"
        hurdle.open.set()
        await turns()
        assert (await world.nodes(run.id))["endless"] == "cancelled"
        await run.cancel()


async def test_a_cancelled_node_leaves_the_children_of_others_alone() -> None:
    @pipeline
    def both() -> list[int]:
        return [run_pipeline(endless, name="one")(), run_pipeline(endless, name="two")(), forever()]

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(both.bind())
        await world.until(facts.AttemptStarted, count=3)
        await turns()
        await engine.cancel(run.id, "one")
        await turns()
        assert {row.parent_node: row.state for row in await runs(world)} == {None: "running", "one": "cancelled", "two": "running"}
        await run.cancel()


async def test_a_run_out_of_time_while_a_child_comes_to_be_takes_it_along() -> None:
    class OutOfTime(Late):
        def _commit(self, unit: Unit) -> int:
            seq = super()._commit(unit)
            if _has(unit, facts.NodeSuspended):
                engine._runs.find(run.id).execution._end_early(Wish.TIMEOUT)  # type: ignore[union-attr]
            return seq

    @pipeline(timeout=10)
    def limited() -> int:
        return double(run_pipeline(endless)())

    world = World(journal=OutOfTime())
    async with world.engine() as engine:
        run = await engine.submit(limited.bind())
        with anyio.fail_after(5):
            assert (await run.wait()).state == "failed"
        (_, childs) = await runs(world)
        assert (await engine.wait(childs.run)).state == "cancelled"
        assert engine.waiting() == []


@pytest.mark.parametrize("slow", [False, True])
async def test_a_node_that_is_cancelled_while_its_child_comes_to_be_takes_it_along(slow: bool) -> None:
    world = World(journal=Late() if slow else None)
    world.journal = hurdle = Hurdle(world.journal, "commit", holding(facts.NodeSuspended))
    async with world.engine() as engine, anyio.create_task_group() as tasks:
        run = await engine.submit(above.bind())
        await hurdle.reached.wait()
        tasks.start_soon(engine.cancel, run.id, "endless")
        await turns()
        hurdle.open.set()
        assert (await run.wait()).state == "failed"
        assert (await world.nodes(run.id))["endless"] == "cancelled"
        for row in await runs(world):
            assert (await engine.wait(row.run)).state in ("failed", "cancelled")
        assert engine.waiting() == []


async def test_a_child_that_begins_while_those_before_are_looked_for_is_cancelled_too() -> None:
    go = anyio.Event()

    @task
    async def prepare() -> None:
        await go.wait()

    @pipeline
    def later() -> object:
        return [run_pipeline(endless, wait=False, after=[prepare()])(), forever()]

    async def slowly(table: Any, **conditions: Any) -> Any:
        found = await select(table, **conditions)
        if "parent" in conditions:
            go.set()
            await turns()
        return found

    world = World()
    select, world.journal.select = world.journal.select, slowly
    async with world.engine() as engine:
        run = await engine.submit(later.bind())
        await world.until(facts.AttemptStarted, count=2)
        await turns()
        await run.cancel()
        await run.wait()
        await turns()
        assert {row.state for row in await runs(world)} == {"cancelled"}


@pytest.mark.parametrize("turn", range(0, 60, 3))
async def test_at_whatever_moment_a_parent_is_cancelled_no_child_that_isnt_waited_for_goes_on(turn: int) -> None:
    @task
    async def then(name: str) -> str:
        return name

    @pipeline
    def several() -> object:
        first = run_pipeline(endless, wait=False, name="one")()
        second = then.after(run_pipeline(endless, wait=False, name="two", after=[then(first)])())(first)
        return [second, forever()]

    world = World(journal=Late())
    async with world.engine() as engine:
        run = await engine.submit(several.bind())
        await turns(turn)
        await run.cancel()
        with pytest.raises(RunCancelled):
            await run.result()
        await turns(100)
        assert {row.state for row in await runs(world)} == {"cancelled"}


async def test_a_long_line_of_descendants_is_cancelled() -> None:
    world = World()
    runs_in_line = [f"{number:032x}" for number in range(60)]
    graph = endless.definition
    await world.journal.commit(Unit(1, (facts.GraphRecorded(graph.version, msgspec.Raw(graphs.encode(graph.graph))),)))
    for parent, run in zip([None, *runs_in_line], runs_in_line, strict=False):
        submitted = facts.RunSubmitted(run, "endless", graph.version, msgspec.Raw(b"{}"), parent=parent)
        await world.journal.commit(Unit(1, (submitted,)))
    async with world.engine() as engine:  # where nobody knows the pipeline, so that all are held
        await engine.cancel(runs_in_line[0])
        assert {row.state for row in await runs(world)} == {"cancelled"}


async def test_a_run_out_of_time_takes_the_child_along_that_it_waits_for() -> None:
    @pipeline(timeout=10)
    def limited() -> list[int]:
        return [forever(), run_pipeline(endless)()]

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(limited.bind())
        await world.until(facts.AttemptStarted, count=2)
        await world.clock.advance(10)
        assert (await run.wait()).state == "failed"
        (_, childs) = await runs(world)
        assert (await engine.wait(childs.run)).state == "cancelled"
    assert (await world.nodes(run.id))["endless"] == "cancelled"


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("slow", [False, True])
async def test_a_child_that_comes_to_be_while_its_parent_is_cancelled_is_cancelled_too(wait: bool, slow: bool) -> None:
    @pipeline
    def begins() -> object:
        return [run_pipeline(endless, wait=wait)(), forever()]

    world = World(journal=Late() if slow else None)
    world.journal = hurdle = Hurdle(world.journal, "commit", holding(facts.NodeSuspended))
    async with world.engine() as engine:
        run = await engine.submit(begins.bind())
        await hurdle.reached.wait()
        await run.cancel()
        await turns()
        hurdle.open.set()
        assert (await run.wait()).state == "cancelled"
        await turns()
        for row in await runs(world):
            assert (await engine.wait(row.run)).state == "cancelled"


@pytest.mark.parametrize("turn", range(0, 60, 3))
async def test_at_whatever_moment_a_parent_is_cancelled_no_child_goes_on(turn: int) -> None:
    world = World(journal=Late())
    async with world.engine() as engine:
        run = await engine.submit(top.bind())
        await turns(turn)
        await run.cancel()
        with pytest.raises(RunCancelled):
            await run.result()
        await turns(100)
        assert {row.state for row in await runs(world)} == {"cancelled"}
        assert engine.waiting() == []


# The engine stops, the process dies


class Recording(MemoryJournal):
    """A journal that remembers its units."""

    def __init__(self) -> None:
        super().__init__()
        self.units: list[Unit] = []

    def _commit(self, unit: Unit) -> int:
        seq = super()._commit(unit)
        self.units.append(unit)
        return seq


async def test_a_stop_just_before_a_child_begins_is_no_failure() -> None:
    class Stopping(Instrument):
        def reached(self, point: str) -> None:
            if point == "engine.attempt.succeeded":
                stop.set()

    stop = anyio.Event()
    world = World(instrument=Stopping())
    async with world.engine() as engine:
        run = (await engine.submit(parent.bind(3))).id
        await stop.wait()
        await engine.close(0.0)
        await turns()
    assert (await world.run(run)).state in ("running", "suspended")
    assert not await world.holds(facts.NodeFailed)
    async with world.engine(parent) as engine:
        assert await engine.result(run) == 24


async def test_a_full_disk_doesnt_fail_a_run_that_begins_a_child() -> None:
    world = World()
    go = anyio.Event()

    @task
    async def prepare() -> int:
        await go.wait()
        return 4

    @pipeline
    def begins() -> int:
        return run_pipeline(child)(prepare())

    async with world.engine() as engine:
        run = await engine.submit(begins.bind())
        type(world.journal).full, kept = property(lambda _: True), type(world.journal).full  # type: ignore[misc]
        try:
            go.set()
            assert await run.result() == 8
        finally:
            type(world.journal).full = kept  # type: ignore[misc]


@pipeline
def waits_and_not(value: int) -> list[Any]:
    return [run_pipeline(child)(value), run_pipeline(child, wait=False)(value), run_pipeline(child, key="k")(value)]


PIPELINES = (parent, child, top, above, endless, waits_and_not)


async def reference() -> list[Unit]:
    """Give the units of a history in which children end well, with a key, without being waited for, and with cancelled parents."""
    world = World(journal=(journal := Recording()))
    async with world.engine(*PIPELINES) as engine:
        for one in (parent.bind(3), waits_and_not.bind(1), waits_and_not.bind(2)):
            await (await engine.submit(one)).result()
        run = await engine.submit(top.bind())
        await world.until(facts.RunSuspended, count=len([unit for unit in journal.units if _has(unit, facts.RunSuspended)]) + 1)
        await turns()
        await run.cancel()
        await run.wait()
        await turns()
    return journal.units


def _has(unit: Unit, kind: type[facts.Fact]) -> bool:
    return any(isinstance(fact, kind) for fact in unit.facts)


async def test_after_a_crash_between_any_two_facts_each_node_finds_its_one_child_again() -> None:
    units = await reference()
    assert any(_has(unit, facts.RunCancelled) for unit in units)
    for length in range(len(units) + 1):
        world = World()
        world.random.bits(1 + length)  # ids of its own
        for unit in units[:length]:
            await world.journal.commit(unit)
        async with world.engine(*PIPELINES) as engine:
            await turns(100)
            found = await runs(world)
            began = [(row.parent, row.parent_node) for row in found if row.parent]
            assert len(began) == len(set(began)), f"two children of one node after {length} units"
            asked = {row.run for row in found if row.cancel_requested}
            for row in found:
                endless_still = row.pipeline in ("top", "above", "endless") and not asked
                assert (row.state in ("running", "suspended", "queued")) == endless_still, (length, row.pipeline, row.state)
                if row.parent in asked:
                    assert row.state == "cancelled", (length, row.pipeline)
            assert_nothing_ended_twice(await world.records())
            for row in await world.journal.select(RunRow, pipeline="parent"):
                assert await engine.result(row.run) == 24


def assert_nothing_ended_twice(records: list[Any]) -> None:
    ended: set[tuple[str, str]] = set()
    for record in records:
        fact = record.fact
        if isinstance(fact, facts.NodeAnswered | facts.NodeFailed | facts.NodeCancelled | facts.AttemptSucceeded | facts.AttemptCancelled):
            assert (fact.run, fact.node) not in ended
            ended.add((fact.run, fact.node))


async def test_a_child_that_ended_while_nobody_looked_ends_the_wait_at_the_next_start() -> None:
    world = World()
    go = anyio.Event()

    @task
    async def prepare() -> int:
        await go.wait()
        return 4

    @pipeline(name="slow")
    def slow() -> int:
        return prepare()

    @pipeline
    def waiting() -> int:
        return double(run_pipeline(slow)())

    async with world.doomed() as engine:
        run = (await engine.submit(waiting.bind())).id
        await world.until(facts.RunSuspended)
    go.set()
    async with world.engine(slow) as engine:  # the parent's pipeline isn't known here: it is held
        (_, childs) = await runs(world)
        assert await engine.result(childs.run) == 4
        assert (await engine.state(run)).state == "held"
        await turns()
        assert (await world.node(run, "slow")).state == "succeeded"
    async with world.engine(waiting) as engine:
        assert await engine.result(run) == 8


async def test_a_wait_for_a_run_that_the_journal_lost_is_damage() -> None:
    world = World()
    async with world.doomed(above) as engine:
        await engine.submit(above.bind())
        await world.until(facts.RunSuspended)
    (_, childs) = await runs(world)
    damaged = World()
    await damaged.journal.commit(Unit(0, tuple(fact for fact in await world.facts() if run_of(fact) != childs.run)))
    with pytest.raises(JournalDamaged, match=r"waits for run .* which it doesn't hold"):
        async with damaged.engine(above):
            await turns()


async def test_a_node_cancel_that_a_crash_cut_short_still_takes_the_child_along() -> None:
    class Dying(Instrument):
        def reached(self, point: str) -> None:
            if point == "engine.cancel_node.after":
                world.journal.die()

    @pipeline
    def beside() -> list[int]:
        return [double(1), run_pipeline(endless)()]

    world = World(instrument=Dying())
    async with world.doomed() as engine:
        run = (await engine.submit(beside.bind())).id
        await world.until(facts.RunSuspended)
        await turns()
        with anyio.move_on_after(0.2):
            await engine.cancel(run, "endless")
    assert await states_of(world) == {"beside": "suspended", "endless": "running"}
    world.instrument = Instrument()
    async with world.engine(beside) as engine:
        assert (await engine.wait(run)).state == "failed"
        (_, childs) = await runs(world)
        assert (await engine.wait(childs.run)).state == "cancelled"
        assert await world.nodes(run) == {"double": "succeeded", "endless": "cancelled"}


async def test_a_cancel_whose_children_a_crash_left_out_reaches_them_at_the_next_start() -> None:
    world = World()
    async with world.doomed() as engine:
        run = (await engine.submit(top.bind())).id
        await world.until(facts.RunSuspended, count=2)
    await world.journal.commit(Unit(world.clock.now(), (facts.CancelRequested(run),)))
    async with world.engine(top) as engine:
        for row in await runs(world):
            assert (await engine.wait(row.run)).state == "cancelled"


async def test_a_pipeline_that_only_children_have_is_known_from_its_parent() -> None:
    world = World()
    async with world.doomed(top) as engine:
        await engine.submit(top.bind())
        await world.until(facts.RunSuspended, count=2)
    async with world.engine(top) as engine:
        await turns()
        assert await states_of(world) == {"top": "suspended", "above": "suspended", "endless": "running"}
        assert {pipeline.name for pipeline in engine.pipelines} == {"top", "above", "endless"}


async def test_a_sleeping_child_lets_its_parent_sleep() -> None:
    @pipeline
    def sleeps() -> int:
        return double.after(sleep_until(datetime(2100, 1, 1, tzinfo=UTC)))(1)

    @pipeline
    def waits() -> int:
        return run_pipeline(sleeps)()

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(waits.bind())
        await world.until(facts.RunSuspended, count=2)
        await turns()
        assert await states_of(world) == {"waits": "suspended", "sleeps": "suspended"}
        assert {wait.kind for wait in engine.waiting()} == {"child", "time"}
        with pytest.raises(InvalidRequest, match="doesn't wait for an answer"):
            await engine.answer(run.id, "sleeps", True)
