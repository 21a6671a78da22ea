"""What takes the place of a failure: a value or another task; and which failures are tried again, and when."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import anyio
import pytest

from eventflow import DefinitionError, Retry, RunFailed, current, each, facts, pipeline, task
from eventflow.durations import SECOND
from eventflow.facts import Unit
from eventflow.journal.memory import MemoryJournal
from eventflow.projections import AttemptRow
from tests.engine.world import Hurdle, World, holding, turns


class Calls:
    """Counts the calls of bodies."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def note(self, what: str) -> None:
        self.seen.append(what)


@task
async def show(value: object) -> object:
    return value


async def result(world: World, pipe: Any, *args: Any) -> Any:
    async with world.engine() as engine:
        run = await engine.submit(pipe.bind(*args))
        return await finished(world, run)


async def finished(world: World, run: Any) -> Any:
    while (await world.run(run.id)).ended_at is None:
        await world.clock.advance(10)
    return await run.result()


def names(happened: list[Any]) -> list[str]:
    return [type(fact).__name__ for fact in happened]


# A value


@pytest.mark.parametrize("value", [7, None, [1, {"a": 2}], "text", False])
async def test_a_fallback_value_takes_the_place_of_a_failure(value: object) -> None:
    @task(fallback=value)
    async def fails() -> object:
        raise ValueError("no good")

    @pipeline
    def falls_back() -> object:
        return show(fails())

    world = World()
    assert await result(world, falls_back) == value
    run = (await world.facts(facts.RunSubmitted))[0].run
    assert await world.nodes(run) == {"fails": "succeeded", "show": "succeeded"}
    assert await world.attempts(run, "fails") == [("failed", "error")]


async def test_the_failure_and_what_takes_its_place_are_one_unit() -> None:
    @task(fallback=7)
    async def fails() -> int:
        raise ValueError("no good")

    @pipeline
    def falls_back() -> int:
        return fails()

    journal = Recording()
    await result(World(journal=journal), falls_back)
    assert ["AttemptFailed", "NodeFellBack"] in [names(list(unit.facts)) for unit in journal.units]


async def test_a_fallback_comes_after_all_attempts() -> None:
    calls = Calls()

    @task(retry=Retry(attempts=3, delay=5), fallback=7)
    async def fails() -> int:
        calls.note("tried")
        raise ValueError("no good")

    @pipeline
    def falls_back() -> int:
        return fails()

    assert await result(World(), falls_back) == 7
    assert calls.seen == ["tried"] * 3


async def test_what_succeeds_needs_no_fallback() -> None:
    @task(retry=Retry(attempts=2), fallback=7)
    async def second_time() -> int:
        if current().attempt == 1:
            raise ValueError("not yet")
        return 1

    @pipeline
    def falls_back() -> int:
        return second_time()

    world = World()
    assert await result(world, falls_back) == 1
    assert not await world.holds(facts.NodeFellBack)


async def test_a_fallback_takes_the_place_of_a_timeout_and_of_a_bad_result() -> None:
    @task(timeout=5, fallback=1)
    async def slow() -> int:
        await asyncio.sleep(1000)
        return 0

    @task(fallback=2)
    async def not_storable() -> Any:
        return lambda: None

    @pipeline
    def falls_back() -> list[Any]:
        return [slow(), not_storable()]

    assert await result(World(), falls_back) == [1, 2]


async def test_a_cancelled_node_has_no_fallback() -> None:
    @task(fallback=1)
    async def forever() -> int:
        await asyncio.sleep(1000)
        return 0

    @pipeline
    def falls_back() -> int:
        return forever()

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(falls_back.bind())
        await world.until(facts.AttemptStarted)
        await turns()
        await run.cancel()
        assert (await run.wait()).state == "cancelled"
    assert not await world.holds(facts.NodeFellBack)


async def test_a_node_whose_upstream_failed_has_no_fallback() -> None:
    @task
    async def fails() -> int:
        raise ValueError("no good")

    @task(fallback=1)
    async def below(value: int) -> int:
        return value

    @pipeline
    def falls_back() -> int:
        return below(fails())

    world = World()
    with pytest.raises(RunFailed, match="no good"):
        await result(world, falls_back)


async def test_each_item_of_a_map_falls_back_for_itself() -> None:
    @task(fallback=0)
    async def inverse(value: float) -> float:
        return 1 / value

    @pipeline
    def falls_back(values: list[float]) -> list[float]:
        return inverse.map(value=each(values))

    assert await result(World(), falls_back, [2.0, 0.0, 4.0]) == [0.5, 0, 0.25]


# A task


async def test_a_fallback_task_is_called_with_the_same_inputs() -> None:
    calls = Calls()

    @task
    async def plain(value: int, name: str = "x") -> str:
        calls.note(f"plain {value} {name} {current().attempt}")
        return "plain"

    @task(fallback=plain)
    async def clever(value: int, name: str = "y") -> str:
        calls.note(f"clever {value} {name} {current().attempt}")
        raise ValueError("too clever")

    @pipeline
    def falls_back() -> object:
        return [show(clever(1)), show(clever.options(name="named")(2, name="z"))]

    world = World()
    assert await result(world, falls_back) == ["plain", "plain"]
    assert sorted(calls.seen) == ["clever 1 y 1", "clever 2 z 1", "plain 1 x 2", "plain 2 z 2"]


async def test_a_fallback_task_that_takes_less_gets_what_it_takes() -> None:
    @task
    async def nothing() -> int:
        return 0

    @task
    async def some(a: int) -> int:
        return a

    @task(fallback=nothing)
    async def one(a: int, b: int) -> int:
        raise ValueError

    @task(fallback=some)
    async def two(a: int, b: int, *rest: int, **named: int) -> int:
        raise ValueError

    @pipeline
    def falls_back() -> list[int]:
        return [one(1, 2), two(1, 2), two.options(name="more")(5, 2, 3, 4, c=5)]

    assert await result(World(), falls_back) == [0, 1, 5]


async def test_a_fallback_task_has_retries_of_its_own() -> None:
    calls = Calls()

    @task(retry=Retry(attempts=3, delay=20))
    async def third_time() -> int:
        calls.note(f"fallback {current().attempt}")
        if current().attempt < 5:
            raise OSError("not yet")
        return 7

    @task(retry=Retry(attempts=2, delay=10), fallback=third_time)
    async def fails() -> int:
        calls.note(f"task {current().attempt}")
        raise ValueError("no good")

    @pipeline
    def falls_back() -> int:
        return fails()

    world = World()
    assert await result(world, falls_back) == 7
    assert calls.seen == ["task 1", "task 2", "fallback 3", "fallback 4", "fallback 5"]
    failed = await world.facts(facts.AttemptFailed)
    assert [fact.fallback for fact in failed] == [False, True, False, False]
    assert (await world.node(failed[0].run, "fails")).fallback == 2


async def test_a_fallback_task_that_fails_too_fails_the_node_with_its_own_error() -> None:
    @task
    async def also() -> int:
        raise LookupError("nor is this")

    @task(fallback=also)
    async def fails() -> int:
        raise ValueError("no good")

    @pipeline
    def falls_back() -> int:
        return fails()

    world = World()
    with pytest.raises(RunFailed, match="nor is this"):
        await result(world, falls_back)
    assert len(await world.facts(facts.AttemptStarted)) == 2


async def test_a_fallback_task_keeps_to_its_own_timeout() -> None:
    @task(timeout=5)
    async def slow() -> int:
        await asyncio.sleep(1000)
        return 0

    @task(fallback=slow)
    async def fails() -> int:
        raise ValueError("no good")

    @pipeline
    def falls_back() -> int:
        return fails()

    with pytest.raises(RunFailed, match="no result within 5"):
        await result(World(), falls_back)


async def test_a_fallback_that_needs_more_than_its_task_is_given_is_refused() -> None:
    @task
    async def more(value: int, other: int) -> int:
        return value

    @task(fallback=more)
    async def fails(value: int) -> int:
        return value

    @pipeline
    def falls_back() -> int:
        return fails(1)

    with pytest.raises(DefinitionError, match="'other'"):
        _ = falls_back.definition


# What waits too long for its turn


async def queued_too_long(world: World, *waiting: Any) -> list[Any]:
    """Have pipelines wait for a gpu that isn't given back, until all of them have ended. Gives their runs."""

    @task(uses={"gpu": 1})
    async def hold() -> None:
        await asyncio.sleep(1000)

    @pipeline
    def holding() -> None:
        hold()

    async with world.engine() as engine:
        await engine.submit(holding.bind())
        await turns()
        runs = [await engine.submit(pipe.bind()) for pipe in waiting]
        await turns()
        await world.clock.advance(60)
        for run in runs:
            await run.wait()
    return [run.id for run in runs]


async def test_a_fallback_value_takes_the_place_of_what_waits_too_long() -> None:
    @task(uses={"gpu": 1}, queue_timeout="1m", fallback=[7])
    async def train() -> list[int]:
        return []

    @pipeline
    def falls_back() -> object:
        return show(train())

    world = World(resources={"gpu": 1})
    (run,) = await queued_too_long(world, falls_back)
    assert await world.nodes(run) == {"train": "succeeded", "show": "succeeded"}
    assert await world.attempts(run, "train") == []
    (fell_back,) = await world.facts(facts.NodeFellBack)
    assert fell_back.failure.message == "nothing became free for it within 1m"
    async with world.engine(falls_back) as engine:
        assert await engine.result(run) == [7]


async def test_a_fallback_task_is_called_in_place_of_what_waits_too_long() -> None:
    calls = Calls()

    @task(retry=Retry(attempts=2, delay=0))
    async def small(rate: float) -> str:
        calls.note(f"small {rate} {current().attempt}")
        if current().attempt == 1:
            raise OSError("not yet")
        return "small"

    @task(uses={"gpu": 1}, queue_timeout="1m", fallback=small)
    async def large(rate: float) -> str:
        calls.note("large")
        return "large"

    @pipeline
    def falls_back() -> object:
        return show(large(0.5))

    world = World(resources={"gpu": 1})
    (run,) = await queued_too_long(world, falls_back)
    assert calls.seen == ["small 0.5 1", "small 0.5 2"]
    assert await world.nodes(run) == {"large": "succeeded", "show": "succeeded"}
    assert await world.attempts(run, "large") == [("failed", "error"), ("succeeded", None)]
    assert [(fact.queued, fact.fallback) for fact in await world.facts(facts.AttemptStarted) if fact.node == "large"] == [
        (True, True),
        (False, False),
    ]


async def test_a_fallback_task_that_waits_too_long_as_well_fails_the_node() -> None:
    @task(uses={"gpu": 1}, queue_timeout="20s", fallback=5)
    async def small() -> int:
        return 0

    @task(uses={"gpu": 1}, queue_timeout="30s", fallback=small)
    async def large() -> int:
        return 1

    @pipeline
    def falls_back() -> int:
        return large()

    world = World(resources={"gpu": 1})
    (run,) = await queued_too_long(world, falls_back)
    (failed,) = await world.facts(facts.NodeFailed)
    assert (failed.reason, failed.failure.message) == ("queue_timeout", "nothing became free for it within 20s")
    assert (await world.run(run)).state == "failed"


async def test_a_retry_that_waits_too_long_falls_back_too() -> None:
    @task(limit="1/h", retry=Retry(attempts=3, delay=1), queue_timeout="1m", fallback=5)
    async def fails() -> int:
        raise ValueError("no good")

    @pipeline
    def falls_back() -> int:
        return fails()

    world = World()
    assert await result(world, falls_back) == 5
    (run,) = [fact.run for fact in await world.facts(facts.RunSubmitted)]
    assert await world.attempts(run, "fails") == [("failed", "error")]


async def test_a_fallback_value_that_cant_be_kept_fails_what_waits_too_long() -> None:
    @task(uses={"gpu": 1}, queue_timeout="1m", fallback=threading.Lock())
    async def train() -> Any:
        return 1

    @pipeline
    def falls_back() -> Any:
        return train()

    world = World(resources={"gpu": 1})
    (run,) = await queued_too_long(world, falls_back)
    assert (await world.node(run, "train")).reason == "queue_timeout"


async def test_a_fallback_that_took_over_in_the_queue_goes_on_after_a_crash() -> None:
    calls = Calls()

    @task
    async def small() -> str:
        calls.note("small")
        if calls.seen.count("small") == 1:
            await asyncio.sleep(1000)
        return "small"

    @task(uses={"gpu": 1}, queue_timeout="1m", fallback=small)
    async def large() -> str:
        calls.note("large")
        await asyncio.sleep(1000)
        return "large"

    @pipeline
    def falls_back() -> str:
        return large()

    world = World(resources={"gpu": 1})
    async with world.doomed() as engine:
        await engine.submit(falls_back.bind())
        await turns()
        run = (await engine.submit(falls_back.bind())).id
        await turns()
        await world.clock.advance(60)
        assert calls.seen == ["large", "small"]
    async with world.engine(falls_back) as engine:
        assert await engine.result(run) == "small"
    assert await world.attempts(run, "large") == [("lost", "crash"), ("succeeded", None)]


async def test_a_fallback_task_waits_its_own_time_after_a_restart_too() -> None:
    @task(uses={"gpu": 1}, queue_timeout="20s")
    async def small() -> int:
        return 0

    @task(uses={"gpu": 1}, queue_timeout="1m", fallback=small)
    async def large() -> int:
        await asyncio.sleep(1000)
        return 1

    @pipeline
    def falls_back() -> int:
        return large()

    world = World(resources={"gpu": 1})
    async with world.doomed() as engine:
        await engine.submit(falls_back.bind())
        await turns()
        run = (await engine.submit(falls_back.bind())).id
        await turns()
        await world.clock.advance(30)
    async with world.engine(falls_back) as engine:
        await world.clock.advance(49)
        assert (await world.node(run, "large")).state == "queued"
        await world.clock.advance(1)
        assert (await engine.wait(run)).state == "failed"


@pytest.mark.parametrize("in_queue", [False, True])
async def test_a_cancel_that_is_durable_before_the_fallback_stands(in_queue: bool) -> None:
    @task(uses={"gpu": 1}, queue_timeout="1m", fallback=5)
    async def train(waits: bool) -> int:
        if waits:
            await asyncio.sleep(1000)
        raise ValueError("no good")

    @pipeline
    def falls_back(waits: bool) -> int:
        return train(waits)

    world = World(resources={"gpu": 1})
    hurdle = world.journal = Hurdle(world.journal, "commit", holding(facts.NodeFellBack))
    async with world.engine() as engine:
        if in_queue:
            await engine.submit(falls_back.bind(True))
            await turns()
        run = await engine.submit(falls_back.bind(False))
        await turns()
        await world.clock.advance(60)
        await hurdle.reached.wait()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.cancel, run.id, "train")
            await world.until(facts.NodeCancelRequested)
            hurdle.open.set()
        assert (await run.wait()).state == "failed"
    assert await world.nodes(run.id) == {"train": "cancelled"}
    assert not await world.holds(facts.NodeFellBack)


# A crash


class Recording(MemoryJournal):
    """A journal that remembers its units."""

    def __init__(self) -> None:
        super().__init__()
        self.units: list[Unit] = []

    def _commit(self, unit: Unit) -> int:
        seq = super()._commit(unit)
        self.units.append(unit)
        return seq


async def test_from_every_prefix_a_fallback_comes_to_the_same_end() -> None:
    @task(retry=Retry(attempts=2, delay=7))
    async def second_time(value: int) -> int:
        later.note(f"{current().attempt}")
        if len(later.seen) < 2:
            raise OSError("not yet")
        return value * 10

    @task(retry=Retry(attempts=2, delay=7), fallback=second_time)
    async def fails(value: int) -> int:
        raise ValueError("no good")

    @task(fallback=5)
    async def has_value() -> int:
        raise ValueError("no good")

    @pipeline
    def falls_back() -> object:
        return [show(fails(3)), has_value()]

    later, journal = Calls(), Recording()
    assert await result(World(journal=journal), falls_back) == [30, 5]
    run = next(fact.run for fact in journal.units[0].facts if isinstance(fact, facts.RunSubmitted))
    for length in range(1, len(journal.units) + 1):
        world, later.seen = World(), []
        failed = [
            fact for unit in journal.units[:length] for fact in unit.facts if isinstance(fact, facts.AttemptFailed) and fact.node == "fails"
        ]
        later.seen = ["" for fact in failed[2:]]
        for unit in journal.units[:length]:
            await world.journal.commit(unit)
        async with world.engine(falls_back) as engine:
            assert await finished(world, engine.handle(await world.run(run))) == [30, 5]
        mine = await world.journal.select(AttemptRow, run=run, node="fails", state="failed")
        assert len(mine) == 3, length  # twice the task, once its fallback: a crash takes no try away and gives none
        assert len(await world.facts(facts.NodeFellBack)) == 1


# Which failures are tried again


class Busy(Exception):
    """Says itself how long to wait."""

    def __init__(self, retry_after: object) -> None:
        super().__init__("busy")
        self.retry_after = retry_after


async def dues(error: BaseException, retry: Any) -> list[float | None]:
    """Give after how many seconds each failed attempt is followed by the next, where the body always raises this."""

    @task(retry=retry)
    async def fails() -> int:
        raise error

    @pipeline
    def failing() -> int:
        return fails()

    world = World()
    with pytest.raises(RunFailed):
        await result(world, failing)
    records = [record for record in await world.records() if isinstance(record.fact, facts.AttemptFailed)]
    return [None if one.fact.due is None else (one.fact.due - one.at) / SECOND for one in records]  # type: ignore[union-attr]


async def test_rules_per_exception_have_delays_of_their_own() -> None:
    rules = [Retry(attempts=2, delay=30, on=(ConnectionError,)), Retry(attempts=4, delay=2, backoff=2, on=(OSError,))]
    assert await dues(ConnectionError(), rules) == [30, None]
    assert await dues(FileNotFoundError(), rules) == [2, 4, 8, None]
    assert await dues(ValueError(), rules) == [None]


async def test_what_is_excepted_or_not_fit_is_not_tried_again() -> None:
    assert await dues(FileNotFoundError(), Retry(attempts=3, on=(OSError,), unless=(FileNotFoundError,))) == [None]
    assert await dues(OSError(5, "x"), Retry(attempts=2, delay=3, when=lambda error: getattr(error, "errno", 0) == 5)) == [3, None]
    assert await dues(OSError(6, "x"), Retry(attempts=2, delay=3, when=lambda error: getattr(error, "errno", 0) == 5)) == [None]


@pytest.mark.parametrize(("asked", "waits"), [(40, 40), ("2m", 120), ("15", 15), (None, 3), ("soon", 3), (-1, 3)])
async def test_an_exception_may_say_how_long_to_wait(asked: object, waits: float) -> None:
    assert await dues(Busy(asked), Retry(attempts=2, delay=3)) == [waits, None]


async def test_a_delay_of_hours_is_a_row_that_outlives_the_process() -> None:
    calls = Calls()

    @task(retry=Retry(attempts=2, delay="6h", max_delay="6h"))
    async def second_time() -> int:
        calls.note("tried")
        if current().attempt == 1:
            raise OSError("not yet")
        return 1

    @pipeline
    def patient() -> int:
        return second_time()

    world = World()
    async with world.doomed() as engine:
        run = (await engine.submit(patient.bind())).id
        await world.until(facts.AttemptFailed)
        await turns()
        await world.clock.advance(3600)
    assert (await world.node(run, "second_time")).due == world.clock.now() + 5 * 3600 * SECOND
    async with world.engine(patient) as engine:
        await world.clock.advance(5 * 3600 - 1)
        assert calls.seen == ["tried"]
        await world.clock.advance(1)
        assert await engine.result(run) == 1
