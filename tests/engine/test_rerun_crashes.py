"""Reruns and crashes: a rerun is there as a whole or not at all, and goes on from wherever it was. And reruns of graphs of any shape."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventflow import each, facts, one_of, otherwise, pipeline, task, when
from eventflow.facts import Unit
from eventflow.journal.memory import MemoryJournal
from tests.engine.again import Calls, assert_sound, ended, whats
from tests.engine.world import World, turns


class Recording(MemoryJournal):
    """A journal that remembers its units as they were given."""

    def __init__(self) -> None:
        super().__init__()
        self.units: list[Unit] = []

    def _commit(self, unit: Unit) -> int:
        seq = super()._commit(unit)
        self.units.append(unit)
        return seq


def several(calls: Calls) -> Any:
    """Give a pipeline with a map and a branch; of the map's items one may fail."""

    @task
    async def numbers() -> list[int]:
        calls("numbers")
        return [1, 2, 3]

    @task
    async def item(number: int) -> int:
        calls(f"item {number}")
        return number

    @task
    async def judge(values: list[int]) -> str:
        calls("judge")
        return "good"

    @task
    async def verdict(values: list[int]) -> str:
        calls("verdict")
        return "good"

    @task
    async def deploy(values: list[int]) -> int:
        calls("deploy")
        return sum(values)

    @task
    async def keep() -> int:
        calls("keep")
        return 0

    @pipeline
    def several() -> Any:
        listed = numbers()
        with when(verdict(listed), "good"):
            first = deploy(listed)
        with otherwise():
            second = keep()
        items = item.map(each(listed))
        with when(judge(items), "bad"):
            third = deploy(items)
        with otherwise():
            fourth = deploy.options(name="other")(items)
        return [one_of(first, second), one_of(third, fourth)]

    return several


async def test_all_that_a_rerun_takes_over_is_submitted_with_it() -> None:
    journal, calls = Recording(), Calls("item 2")
    world = World(journal=journal)
    async with world.engine(pipe := several(calls)) as engine:
        run = await ended(engine, pipe.bind())
        calls.mend()
        again = await engine.rerun(run.id)
        assert await again.result() == [6, 6]
    assert calls.taken() == ["deploy", "item 2", "judge"]
    submitted = [unit for unit in journal.units if any(getattr(fact, "rerun_of", None) == run.id for fact in unit.facts)]
    assert len(submitted) == 1
    kinds = {type(fact) for fact in submitted[0].facts}
    assert kinds >= {facts.RunSubmitted, facts.NodeReused, facts.MapExpanded, facts.BranchDecided, facts.NodeSkipped}
    elsewhere = {type(fact) for unit in journal.units if unit is not submitted[0] for fact in unit.facts}
    assert facts.NodeReused not in elsewhere


async def test_from_every_crash_a_rerun_goes_on_and_nothing_reused_is_called() -> None:
    journal, calls = Recording(), Calls("item 2")
    world = World(journal=journal)
    async with world.engine(pipe := several(calls)) as engine:
        run = await ended(engine, pipe.bind())
        first = len(journal.units)
        calls.mend()
        again = await engine.rerun(run.id)
        await again.wait()
    whole, used = await world.nodes(again.id), set(calls.taken())
    assert used == {"item 2", "judge", "deploy"}
    for length in range(first + 1, len(journal.units) + 1):
        found = World(journal=MemoryJournal())
        for unit in journal.units[:length]:
            await found.journal.commit(unit)
        async with found.engine(pipe) as engine:
            assert await (await engine.find(again.id)).result() == [6, 6]
        assert set(calls.taken()) <= used
        assert await found.nodes(again.id) == whole
        await assert_sound(found)


async def test_a_rerun_that_is_queued_when_the_process_dies_keeps_what_it_took_over() -> None:
    world, calls = World(), Calls("item 2")
    async with world.engine(pipe := several(calls)) as engine:
        run = await ended(engine, pipe.bind())
        calls.mend()
        await engine.pause_pipeline("several")
        again = await engine.rerun(run.id)
        await turns()
    assert (await world.run(again.id)).started_at is None
    async with world.engine(pipe) as engine:
        await engine.unpause_pipeline("several")
        assert await engine.result(again.id) == [6, 6]
    assert set(calls.taken()) == {"item 2", "judge", "deploy"}
    await assert_sound(world)


async def test_a_queued_rerun_is_cancelled_with_what_it_took_over() -> None:
    world, calls = World(), Calls("item 2")
    async with world.engine(pipe := several(calls)) as engine:
        run = await ended(engine, pipe.bind())
        await engine.pause_pipeline("several")
        again = await engine.rerun(run.id)
        await again.cancel()
        assert await again.state() == "cancelled"
        await engine.unpause_pipeline("several")
        calls.mend()
        third = await engine.rerun(again.id)
        assert await third.result() == [6, 6]
    assert set(calls.taken()) == {"item 2", "judge", "deploy"}
    await assert_sound(world)


Shape = list[list[int]]


@st.composite
def shapes(draw: st.DrawFn) -> tuple[Shape, set[int]]:
    """Give, for each node, those before it that it takes values from; and the nodes that fail."""
    count = draw(st.integers(1, 7))
    shape = [draw(st.lists(st.integers(0, index - 1), unique=True, max_size=3)) if index else [] for index in range(count)]
    return shape, draw(st.sets(st.integers(0, count - 1), max_size=3))


def shaped(shape: Shape, calls: Calls) -> Any:
    @task
    async def add(name: str, values: list[int]) -> int:
        calls(name)
        return 1 + sum(values)

    @pipeline
    def shaped() -> list[int]:
        made: list[int] = []
        for index, before in enumerate(shape):
            made.append(add.options(name=f"n{index}")(f"n{index}", [made[one] for one in before]))
        return made

    return shaped


def below(shape: Shape, nodes: set[int]) -> set[int]:
    """Give some nodes with all that depend on them."""
    found = set(nodes)
    for index, before in enumerate(shape):
        if found & set(before):
            found.add(index)
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(shapes(), st.integers(0, 6))
async def test_what_is_done_again_is_what_failed_and_what_depends_on_it(drawn: tuple[Shape, set[int]], chosen: int) -> None:
    shape, failing = drawn
    world, calls = World(), Calls(*(f"n{index}" for index in failing))
    node = chosen % len(shape)
    async with world.engine(pipe := shaped(shape, calls)) as engine:
        run = await ended(engine, pipe.bind())
        calls.mend()
        fresh = await (await ended(engine, pipe.bind())).result()
        calls.mend()
        wanted = below(shape, failing | {node})
        plan = await engine.plan_rerun(run.id, f"n{node}")
        assert set(whats(plan, "rerun")) == {f"n{index}" for index in wanted}
        assert await (await engine.rerun(run.id, f"n{node}")).result() == fresh
    assert calls.taken() == sorted(f"n{index}" for index in wanted)
    await assert_sound(world)
