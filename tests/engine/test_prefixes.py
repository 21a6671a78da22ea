"""A crash at any place: from every prefix of a run's facts, recovery comes to the same end as if there had been no crash."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventflow import Retry, current, facts, pipeline, task
from eventflow.codec import digest
from eventflow.engine.engine import Engine
from eventflow.facts import Unit
from eventflow.journal.memory import MemoryJournal
from eventflow.projections import NodeRow, RunRow
from tests.engine.world import World, of_run, turns


@task(retry=Retry(attempts=10, delay=10, backoff=2, jitter=0.1))
async def third_time(start: int) -> int:
    if current().attempt < 3:
        raise OSError("not yet")
    return start


@task
async def learn(start: int) -> list[int]:
    state: Any = current().checkpoint.load([])
    for epoch in current().resume(range(4)):
        state.append(start + epoch)
        current().checkpoint.save(state)
        await turns(4)
    return state


@task
def total(values: list[int], first: int) -> int:
    return sum(values) + first


@task
async def fails() -> int:
    raise ValueError("for good")


@task
async def below(value: int) -> int:
    return value


@task(at_most_once=True)
async def pay(amount: int) -> int:
    return amount


@pipeline
def good(start: int) -> Any:
    first = third_time(start)
    return [total(learn(first), first), {"start": start}]


@pipeline
def bad(start: int) -> Any:
    first = third_time(start)
    broken = below(below(fails()))
    return [total(learn(first), broken), below.options(name="beside")(first)]


@pipeline(max_active_runs=1)
def queued(start: int) -> Any:
    return below(learn(start)[0])


PIPELINES = (good, bad, queued)


async def complete(world: World, engine: Engine, runs: list[str]) -> None:
    """Let time pass until these runs have ended."""
    while any([(await world.run(run)).ended_at is None for run in runs]):
        await world.clock.advance(25)


async def reference() -> tuple[list[Unit], dict[str, Any]]:
    """Give the units of a history without a crash, and its end."""
    journal = Recording()
    world = World(journal=journal)
    async with world.engine(*PIPELINES) as engine:
        runs = [
            (await engine.submit(pipe.bind(number), key=f"k{number}")).id for number, pipe in enumerate([good, bad, queued, queued, queued])
        ]
        await complete(world, engine, runs)
        cancelled = await engine.submit(good.bind(9))
        await world.until(facts.AttemptFailed, count=6)
        await cancelled.cancel()
        await cancelled.wait()
    return journal.units, await end(world.journal)


class Recording(MemoryJournal):
    """A journal that remembers its units as they were given."""

    def __init__(self) -> None:
        super().__init__()
        self.units: list[Unit] = []

    def _commit(self, unit: Unit) -> int:
        seq = super()._commit(unit)
        self.units.append(unit)
        return seq


async def end(journal: Any) -> dict[str, Any]:
    """Give what every run and node came to: states, and results or first failures."""
    ended: dict[str, Any] = {}
    for row in await journal.select(RunRow):
        fact = (await journal.facts([row.result_seq])).get(row.result_seq) if row.result_seq else None
        result = bytes(fact.result.json) if isinstance(fact, facts.RunSucceeded) else None
        ended[row.run] = (row.state, row.reason, result)
    for row in await journal.select(NodeRow):
        ended[f"{row.run} {row.node}"] = (row.state, row.reason)
    return ended


async def recovered(units: list[Unit], *, deaths: list[int] | None = None) -> tuple[World, dict[str, Any]]:
    """Let a process find these units, and come to the end. Before that others may find them, and die after so many facts of their own."""
    journal = MemoryJournal()
    for unit in units:
        await journal.commit(unit)
    world = World(journal=journal)
    world.random.bits(1 + len(units))  # ids of its own
    for death in deaths or []:
        async with world.doomed(*PIPELINES) as engine:
            await _until_grown(world, world.journal.seq + death)
    async with world.engine(*PIPELINES) as engine:
        await complete(world, engine, [row.run for row in await journal.select(RunRow)])
    return world, await end(journal)


async def _until_grown(world: World, seq: int) -> None:
    for _ in range(40):
        if world.journal.seq >= seq:
            return
        await world.clock.advance(5)


def expected(whole: dict[str, Any], prefix: list[Unit]) -> dict[str, Any]:
    """Give what a prefix should come to: the same for each of its runs, unless its cancel had not been asked for yet."""
    known = {fact.run for unit in prefix for fact in unit.facts if isinstance(fact, facts.RunSubmitted)}
    asked = {fact.run for unit in prefix for fact in unit.facts if isinstance(fact, facts.CancelRequested)}
    return {
        name: found for name, found in whole.items() if (run := name.split()[0]) in known and (whole[run][0] != "cancelled" or run in asked)
    }


async def assert_sound(world: World, found: dict[str, Any], whole: dict[str, Any], prefix: list[Unit]) -> None:
    for name, wanted in expected(whole, prefix).items():
        assert found.get(name) == wanted, name
    for row in await world.journal.select(RunRow):
        assert_each_node_ends_once(of_run(await world.records(), row.run))


def assert_each_node_ends_once(happened: list[Any]) -> None:
    ended: set[str] = set()
    for fact in happened:
        if isinstance(fact, facts.AttemptStarted):
            assert fact.node not in ended, f"{fact.node} ran again"
        if isinstance(
            fact, facts.AttemptSucceeded | facts.NodeFailed | facts.NodeUpstreamFailed | facts.NodeCancelled | facts.AttemptCancelled
        ):
            assert fact.node not in ended, f"{fact.node} ended twice"
            ended.add(fact.node)


async def test_the_reference_has_everything_in_it() -> None:
    units, whole = await reference()
    kinds = {type(fact) for unit in units for fact in unit.facts}
    assert kinds >= {
        facts.AttemptFailed,
        facts.NodeFailed,
        facts.NodeUpstreamFailed,
        facts.CheckpointSaved,
        facts.CancelRequested,
        facts.RunCancelled,
        facts.RunFailed,
        facts.RunSucceeded,
    }
    assert sorted(state for name, (state, *_) in whole.items() if " " not in name) == ["cancelled", "failed", *["succeeded"] * 4]
    assert digest(repr(whole).encode()) == digest(repr((await reference())[1]).encode())  # it is the same every time


async def test_from_every_prefix_the_end_is_the_same() -> None:
    units, whole = await reference()
    for length in range(len(units) + 1):
        world, found = await recovered(units[:length])
        await assert_sound(world, found, whole, units[:length])


async def test_from_every_prefix_the_end_is_the_same_after_further_crashes() -> None:
    units, whole = await reference()
    for length in range(0, len(units) + 1, 2):
        world, found = await recovered(units[:length], deaths=[0, 3])
        await assert_sound(world, found, whole, units[:length])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(share=st.floats(0, 1), deaths=st.lists(st.integers(0, 12), max_size=5))
async def test_however_often_and_wherever_it_crashes_the_end_is_the_same(share: float, deaths: list[int]) -> None:
    units, whole = await reference()
    prefix = units[: round(share * len(units))]
    world, found = await recovered(prefix, deaths=deaths)
    poisoned = [name for name, what in found.items() if what[1] == "poisoned"]
    if not poisoned:
        await assert_sound(world, found, whole, prefix)


@pytest.mark.parametrize("length", range(7))
async def test_an_at_most_once_body_begins_once_whatever_crashes(length: int) -> None:
    @pipeline
    def pays() -> int:
        return pay(5)

    journal = Recording()
    world = World(journal=journal)
    async with world.engine() as engine:
        assert await (await engine.submit(pays.bind())).result() == 5
    prefix = journal.units[:length]
    again = World()
    for unit in prefix:
        await again.journal.commit(unit)
    async with again.engine(pays) as engine:
        for row in await again.journal.select(RunRow):
            await engine.wait(row.run)
    assert len(await again.facts(facts.AttemptStarted)) <= 1
