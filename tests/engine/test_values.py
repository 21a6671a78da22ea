from __future__ import annotations

import math
from typing import Any

import pytest

from eventflow import facts, pipeline, task
from eventflow.artifacts.memory import MemoryArtifacts
from eventflow.engine.values import INLINE, Snapshot, Values
from eventflow.errors import JournalDamaged, NotFinite, RunFailed, ValueNotStorable
from eventflow.facts import Inline, Stored
from tests.engine.world import KEY, World


class Unequal:
    """JSON can't carry it; pickle can."""

    def __init__(self, number: int) -> None:
        self.number = number


def values() -> Values:
    return Values(MemoryArtifacts(), KEY)


async def test_a_small_value_stays_in_its_fact() -> None:
    kept = await values().keep(values().snapshot([1, {"a": None}]))
    assert isinstance(kept, Inline)
    assert bytes(kept.json) == b'[1,{"a":null}]'
    assert await values().open(kept) == [1, {"a": None}]


async def test_the_bound_is_16_kib_of_json() -> None:
    mine = values()
    assert isinstance(await mine.keep(mine.snapshot("x" * (INLINE - 2))), Inline)
    stored = await mine.keep(mine.snapshot("x" * (INLINE - 1)))
    assert isinstance(stored, Stored)
    assert (stored.size, stored.codec) == (INLINE + 1, "json")
    assert await mine.open(stored, str) == "x" * (INLINE - 1)


async def test_what_json_cant_carry_is_pickled() -> None:
    mine = values()
    stored = await mine.keep(mine.snapshot(Unequal(5)))
    assert isinstance(stored, Stored)
    assert stored.codec == "pickle"
    copy = await mine.open(stored)
    assert isinstance(copy, Unequal)
    assert copy.number == 5


async def test_a_pickle_that_was_changed_or_signed_by_another_key_is_refused() -> None:
    mine, snapshot = values(), values().snapshot(Unequal(5))
    assert isinstance(mine.load(snapshot), Unequal)
    changed = snapshot.data[:-2] + b"x" + snapshot.data[-1:]
    for wrong in (changed, snapshot.data[32:], b"", b"\0" * 32 + snapshot.data[32:]):
        with pytest.raises(JournalDamaged, match="signature"):
            mine.load(Snapshot(wrong, "pickle"))
    with pytest.raises(JournalDamaged, match="signature"):
        Values(MemoryArtifacts(), b"another key, also of 32 bytes...").load(snapshot)


def test_a_snapshot_doesnt_change_with_its_value() -> None:
    value = [1]
    snapshot = values().snapshot(value)
    value.append(2)
    assert values().load(snapshot) == [1]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_nan_and_infinities_are_refused_with_their_place(number: float) -> None:
    with pytest.raises(NotFinite, match=r"\['a'\]\[1\]|a\[1\]|\.a\[1\]"):
        values().snapshot({"a": [1.0, number]})


def test_what_cant_be_pickled_either_is_refused() -> None:
    with pytest.raises(ValueNotStorable, match="can't be pickled"):
        values().snapshot(lambda: None)


async def refused(body: Any) -> tuple[World, Any]:
    made = task(name="body")(body)

    @pipeline
    def returns() -> Any:
        return made()

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(returns.bind())
        with pytest.raises(RunFailed) as failed:
            await run.result()
    return world, (run.id, str(failed.value))


async def test_a_result_that_cant_be_stored_fails_its_attempt_and_says_why() -> None:
    async def nan() -> Any:
        return {"loss": [math.nan]}

    def function() -> Any:
        return lambda: None

    async def generator() -> Any:
        return (number for number in range(3))

    for body, why in ((nan, "NaN"), (function, "can't be pickled"), (generator, "can't be pickled")):
        world, (run, message) = await refused(body)
        assert why in message
        assert await world.attempts(run, "body") == [("failed", "result")]


class Explosive:
    def __reduce__(self) -> Any:
        raise SystemExit(9)


async def test_a_result_that_ends_programs_when_it_is_stored_fails_its_attempt() -> None:
    async def explosive() -> Any:
        return Explosive()

    world, (run, message) = await refused(explosive)
    assert "SystemExit: 9" in message
    assert await world.attempts(run, "body") == [("failed", "result")]


async def test_a_plain_function_that_returns_a_coroutine_is_told_to_be_async() -> None:
    async def forgotten() -> int:
        return 1

    def body() -> Any:
        return forgotten()

    _, (_, message) = await refused(body)
    assert "write the task itself as `async def`" in message


class FullDisk(MemoryArtifacts):
    async def put(self, data: bytes) -> str:  # noqa: ARG002 - the port's
        raise OSError(28, "No space left on device")


async def test_a_store_that_fails_fails_the_attempt_and_not_the_engine() -> None:
    @task
    async def big() -> str:
        return "x" * INLINE

    @pipeline
    def bigger() -> str:
        return big()

    world = World(artifacts=FullDisk())
    async with world.engine() as engine:
        run = await engine.submit(bigger.bind())
        with pytest.raises(RunFailed, match="No space left on device"):
            await run.result()
        assert await world.attempts(run.id, "big") == [("failed", "result")]


async def test_big_and_pickled_results_reach_their_dependents_and_the_caller() -> None:
    @task
    async def big() -> str:
        return "x" * (2 * INLINE)

    @task
    def wrap(text: str) -> Any:
        return Unequal(len(text))

    @task
    async def number(of: Any) -> int:
        return of.number

    @pipeline
    def chain() -> Any:
        text = big()
        return [number(wrap(text)), text]

    world = World()
    async with world.engine() as engine:
        length, text = await (await engine.submit(chain.bind())).result()
    assert length == len(text) == 2 * INLINE
    codecs = [fact.result.codec for fact in await world.facts(facts.AttemptSucceeded) if isinstance(fact.result, Stored)]
    assert codecs == ["json", "pickle"]


class Damaging(MemoryArtifacts):
    """A store whose bytes changed meanwhile."""

    async def get(self, digest: str) -> bytes:
        return b"!" + await super().get(digest)


async def test_a_tampered_pickle_is_refused_by_its_consumer_and_by_the_run_and_the_engine_lives() -> None:
    @task
    async def rich() -> Any:
        return Unequal(1)

    @task
    async def consume(value: Any) -> int:
        return 1

    @task
    async def plain() -> int:
        return 1

    @pipeline
    def consumed() -> int:
        return consume(rich())

    @pipeline
    def returned() -> Any:
        return [rich()]

    @pipeline
    def other() -> int:
        return plain()

    async with World(artifacts=Damaging()).engine() as engine:
        with pytest.raises(RunFailed, match=r"node 'consume' failed: .*signature"):
            await (await engine.submit(consumed.bind())).result()
        with pytest.raises(RunFailed, match=r"its result couldn't be made: .*signature"):
            await (await engine.submit(returned.bind())).result()
        assert await (await engine.submit(other.bind())).result() == 1
