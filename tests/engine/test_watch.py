"""What a person does with a sensor, and what a sensor tells beside its events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, ClassVar

import anyio
import pytest

from eventflow import EventflowError, Observation, Trigger, facts, pipeline, task, wait_for
from eventflow.engine.dispatch import MISSED
from eventflow.engine.engine import Engine
from eventflow.engine.identities import JournalSeen
from eventflow.engine.retention import Retention
from eventflow.errors import NotFound, SourceUnreachable
from eventflow.facts import Unit
from eventflow.ports import Seen
from eventflow.ports import World as Outside
from eventflow.projections import CursorRow, EventRow, SeenRangeRow, SeenRow, SensorRow
from tests.engine.sources import NoWatcher, Source, decisions, event, healths, once, runs, seeing
from tests.engine.world import Hurdle, World, holding, turns


@task
async def show(x: int) -> int:
    return x


@pipeline
def shows(x: int) -> int:
    return show(x)


class Counting:
    """A sensor's function that sees one event at each start, behind the last one, and then rests for ever."""

    def __init__(self) -> None:
        self.starts = 0

    async def __call__(self, cursor: Any, _seen: Seen) -> AsyncGenerator[Observation[Any]]:
        self.starts += 1
        number = (cursor or 0) + 1
        yield seeing(f"e{number}", cursor=number)
        await anyio.sleep_forever()


def engine_with(world: World, source: Source) -> Engine:
    made = world.make()
    return Engine(made.ports, made._values, sensors=[source], triggers=[Trigger("fires", on=source, run=shows)])


async def state(world: World) -> str:
    return (await world.journal.select(SensorRow, sensor="source"))[0].state


# Poking


async def test_a_poked_sensor_looks_again_from_its_cursor() -> None:
    world, counting = World(), Counting()
    engine = engine_with(world, Source("source", counting))
    async with engine.running(), anyio.create_task_group() as tasks:
        tasks.start_soon(engine.sensors.run, NoWatcher())
        await world.until(facts.EventRecorded, count=1)
        engine.sensors.poke("source")
        await world.until(facts.EventRecorded, count=2)
        tasks.cancel_scope.cancel()
    assert [row.id for row in await world.journal.select(EventRow, order="seq")] == ["e1", "e2"]
    assert await healths(world) == [("healthy", None)]


async def test_a_poke_never_cuts_a_commit_and_takes_effect_behind_it() -> None:
    async def beats_and_counts(cursor: Any, _seen: Seen) -> AsyncGenerator[Observation[Any]]:
        starts.append(cursor)
        yield Observation(cursor=cursor)
        yield seeing(f"e{len(starts)}", cursor=len(starts))
        await anyio.sleep_forever()

    world, starts = World(), list[Any]()
    hurdle = Hurdle(world.journal, "commit", holding(facts.EventRecorded))
    world.journal = hurdle
    engine = engine_with(world, Source("source", beats_and_counts))
    async with engine.running(), anyio.create_task_group() as tasks:
        tasks.start_soon(engine.sensors.run, NoWatcher())
        await hurdle.reached.wait()
        engine.sensors.poke("source")
        await turns()
        assert starts == [None]
        hurdle.open.set()
        await world.until(facts.RunSucceeded, count=2)
        tasks.cancel_scope.cancel()
    assert starts == [None, 1]


async def test_a_first_look_is_not_begun_anew_for_a_minute_however_often_it_is_poked() -> None:
    async def looks_long(cursor: Any, seen: Seen) -> AsyncGenerator[Observation[Any]]:
        starts.append(world.clock.monotonic())
        await world.clock.sleep(100)
        yield Observation()
        await anyio.sleep_forever()

    world, starts = World(), list[float]()
    engine = engine_with(world, Source("source", looks_long))
    async with engine.running(), anyio.create_task_group() as tasks:
        tasks.start_soon(engine.sensors.run, NoWatcher())
        for _ in range(65):
            await turns(20)
            engine.sensors.poke("source")
            await world.clock.advance(1)
        tasks.cancel_scope.cancel()
    assert starts == [0, 61]


async def test_a_poke_ends_the_rest_of_a_sensor_that_failed() -> None:
    async def fails(cursor: Any, seen: Seen) -> AsyncGenerator[Observation[Any]]:
        nonlocal starts
        starts += 1
        if starts < 3:
            raise SourceUnreachable("nobody there", retry_after=10_000)
        yield Observation()
        await anyio.sleep_forever()

    world, starts = World(), 0
    engine = engine_with(world, Source("source", fails))
    async with engine.running(), anyio.create_task_group() as tasks:
        tasks.start_soon(engine.sensors.run, NoWatcher())
        for count in (1, 2):
            await turns()
            assert starts == count
            engine.sensors.poke("source")
        await world.until(facts.SensorChanged, count=2)
        tasks.cancel_scope.cancel()
    assert await healths(world) == [("degraded", "nobody there"), ("healthy", None)]
    assert world.clock.monotonic() == 0


async def test_a_poke_ends_the_rest_of_a_sensor_that_never_came_to_look() -> None:
    def no_generator(cursor: Any, seen: Seen) -> int:
        starts.append(world.clock.monotonic())
        return 5

    world, starts = World(), list[float]()
    engine = engine_with(world, Source("source", no_generator))
    async with engine.running(), anyio.create_task_group() as tasks:
        tasks.start_soon(engine.sensors.run, NoWatcher())
        await turns()
        engine.sensors.poke("source")
        await turns()
        tasks.cancel_scope.cancel()
    assert starts == [0, 0]


async def test_who_is_not_there_can_not_be_poked() -> None:
    world = World()
    engine = engine_with(world, Source("source"))
    with pytest.raises(NotFound, match="there is no sensor 'inbox': there is source"):
        engine.sensors.poke("inbox")


async def test_relative_paths_start_from_where_the_engine_began_whatever_tasks_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Rooted(Source):
        roots: ClassVar[list[Path]] = []

        def observe(self, cursor: object, seen: Seen, world: Outside) -> Any:
            self.roots.append(world.root)
            return super().observe(cursor, seen, world)

    monkeypatch.chdir(tmp_path)
    world = World()
    engine = engine_with(world, Rooted("source"))
    async with engine.running(), anyio.create_task_group() as tasks:
        tasks.start_soon(engine.sensors.run, NoWatcher())
        await engine.sensors.looked("source")
        monkeypatch.chdir("/")
        engine.sensors.poke("source")
        await turns()
        tasks.cancel_scope.cancel()
    assert Rooted.roots == [tmp_path, tmp_path]


# Pausing


async def test_a_paused_sensor_looks_no_more_until_it_is_resumed() -> None:
    world, counting = World(), Counting()
    engine = engine_with(world, Source("source", counting))
    async with engine.running(), anyio.create_task_group() as tasks:
        tasks.start_soon(engine.sensors.run, NoWatcher())
        await world.until(facts.EventRecorded)
        await engine.sensors.pause("source", "too loud")
        engine.sensors.poke("source")
        await turns()
        assert (counting.starts, engine.sensors.is_paused("source")) == (1, True)
        await engine.sensors.resume("source")
        await world.until(facts.EventRecorded, count=2)
        await turns()
        tasks.cancel_scope.cancel()
    assert await healths(world) == [("healthy", None), ("paused", "too loud"), ("starting", None), ("healthy", None)]


async def test_a_pause_outlives_a_restart_and_is_only_noted_once() -> None:
    world, counting = World(), Counting()
    for start in range(2):
        engine = engine_with(world, Source("source", counting))
        async with engine.running(), anyio.create_task_group() as tasks:
            assert engine.sensors.is_paused("source") is (start == 1)  # known before any sensor has begun
            await engine.sensors.pause("source")
            tasks.start_soon(engine.sensors.run, NoWatcher())
            await turns()
            assert engine.sensors.is_paused("source")
            tasks.cancel_scope.cancel()
    assert counting.starts == 0
    assert await healths(world) == [("paused", "asked for")]


async def test_resuming_what_is_not_paused_is_nothing() -> None:
    world = World()
    engine = engine_with(world, Source("source"))
    await engine.sensors.resume("source")
    assert await healths(world) == []


async def test_a_pause_stands_whatever_the_sensor_still_does() -> None:
    async def fails_late(cursor: Any, seen: Seen) -> AsyncGenerator[Observation[Any]]:
        yield Observation()
        try:
            await anyio.sleep_forever()
        finally:
            raise EventflowError("closing went wrong")

    world = World()
    engine = engine_with(world, Source("source", fails_late))
    async with engine.running(), anyio.create_task_group() as tasks:
        tasks.start_soon(engine.sensors.run, NoWatcher())
        await world.until(facts.SensorChanged)
        await engine.sensors.pause("source")
        await turns()
        assert await state(world) == "paused"
        await world.clock.advance(1000)
        await turns()
        assert await state(world) == "paused"
        tasks.cancel_scope.cancel()


# Lagging, and what errors say


async def test_a_sensor_that_is_behind_says_why_until_it_is_not() -> None:
    world = World()
    source = Source("source", once(Observation(lagging="behind pid 7"), Observation(lagging="behind pid 7"), Observation()))
    engine = engine_with(world, source)
    async with engine.running(), anyio.create_task_group() as tasks:
        tasks.start_soon(engine.sensors.run, NoWatcher())
        await world.until(facts.SensorChanged, count=2)
        tasks.cancel_scope.cancel()
    assert await healths(world) == [("lagging", "behind pid 7"), ("healthy", None)]


async def test_credentials_in_an_error_never_reach_the_journal() -> None:
    async def fails(cursor: Any, seen: Seen) -> AsyncGenerator[Observation[Any]]:
        raise OSError("no route to postgres://ada:hunter2@db/x?token=t0ps3cret&a=1")
        yield

    world = World()
    engine = engine_with(world, Source("source", fails))
    async with engine.running(), anyio.create_task_group() as tasks:
        tasks.start_soon(engine.sensors.run, NoWatcher())
        await world.until(facts.SensorChanged)
        tasks.cancel_scope.cancel()
    ((_, reason),) = await healths(world)
    assert reason is not None
    assert "postgres://***@db/x?token=***&a=1" in reason


async def test_when_a_sensor_last_looked_is_known() -> None:
    world = World()
    engine = engine_with(world, Source("source", once(Observation())))
    assert engine.sensors.looked_at("source") is None
    async with engine.running(), anyio.create_task_group() as tasks:
        tasks.start_soon(engine.sensors.run, NoWatcher())
        await world.until(facts.SensorChanged)
        assert engine.sensors.looked_at("source") == world.clock.now()
        tasks.cancel_scope.cancel()


# What was missed


@pipeline
def waits() -> Any:
    return wait_for("source", timeout="1h", default=None)


async def test_a_missed_event_is_recorded_and_fires_nothing() -> None:
    world = World()
    source = Source("source", once(Observation(events=(event("new"),), missed=(event("old"),), cursor=1)))
    engine = engine_with(world, source)
    async with engine.running(), anyio.create_task_group() as tasks:
        tasks.start_soon(engine.sensors.run, NoWatcher())
        await world.until(facts.RunSucceeded)
        tasks.cancel_scope.cancel()
    assert [row.id for row in await world.journal.select(EventRow, order="seq")] == ["new", "old"]
    assert await decisions(world) == [("fires", "fired"), ("fires", "filtered")]
    assert [fact.reason for fact in await world.facts(facts.DecisionMade)] == [None, MISSED]
    assert len(await runs(world)) == 1


async def test_a_missed_event_that_is_known_is_a_repetition() -> None:
    world = World()
    both = Observation(missed=(event("old"),)), Observation(missed=(event("old"),), events=(event("old"),))
    engine = engine_with(world, Source("source", once(*both, seeing("end"))))
    async with engine.running(), anyio.create_task_group() as tasks:
        tasks.start_soon(engine.sensors.run, NoWatcher())
        await world.until(facts.RunSucceeded)
        tasks.cancel_scope.cancel()
    assert [row.id for row in await world.journal.select(EventRow, order="seq")] == ["old", "end"]


async def test_a_missed_event_ends_no_wait() -> None:
    world = World()
    source = Source("source", once(Observation(missed=(event("old"),), cursor=1)))
    made = world.make()
    engine = Engine(made.ports, made._values, [waits], sensors=[source])
    async with engine.running(), anyio.create_task_group() as tasks:
        run = await engine.submit(waits.bind())
        await world.until(facts.RunSuspended)
        tasks.start_soon(engine.sensors.run, NoWatcher())
        await world.until(facts.EventRecorded)
        await turns()
        await world.clock.advance(3601)
        assert await run.result() is None
        tasks.cancel_scope.cancel()


# Identities that are whole numbers


async def taken(world: World, *names: str) -> None:
    await world.journal.commit(Unit(world.clock.now(), (facts.IdentitiesKnown("source", names),)))


async def compact(world: World) -> list[tuple[int, int]]:
    ports = world.make().ports
    await Retention(ports, "source").look()
    return [(row.low, row.high) for row in await world.journal.select(SeenRangeRow)]


async def test_numbers_without_a_gap_become_a_range_and_stay_taken() -> None:
    world = World()
    numbers = [*range(1, 1300), *range(2000, 2005)]
    await taken(world, *map(str, numbers), "007", "a")
    assert await compact(world) == [(1, 1299)]
    left = {row.id for row in await world.journal.select(SeenRow)}
    assert left == {"007", "a", *map(str, range(2000, 2005))}
    seen = JournalSeen(world.journal, "source")
    assert await seen.of(["1", "1299", "1300", "2004", "007", "a", "01", "b"]) == {"1", "1299", "2004", "007", "a"}
    assert (await seen.all()).keys() == {"007", "a", *map(str, numbers)}


async def test_a_range_grows_at_its_end() -> None:
    world = World()
    await taken(world, *map(str, range(100)))
    assert await compact(world) == [(0, 99)]
    await taken(world, "100", "101")
    assert await compact(world) == [(0, 101)]
    assert await world.journal.select(SeenRow) == []


async def test_what_is_gone_from_its_source_is_in_no_range() -> None:
    world = World()
    await taken(world, *map(str, range(40)))
    await world.journal.commit(Unit(world.clock.now(), (facts.IdentitiesForgotten("source", ("20",)),)))
    assert await compact(world) == [(0, 19), (21, 39)]
    assert [row.id for row in await world.journal.select(SeenRow)] == ["20"]


async def test_identities_beyond_a_page_become_ranges_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventflow.engine.retention._PAGE", 100)
    world = World()
    await taken(world, *map(str, range(1000, 2000)))
    await compact(world)
    assert await world.journal.select(SeenRow) == []
    assert (await JournalSeen(world.journal, "source").of([str(number) for number in (999, 1000, 1500, 1999, 2000)])) == {
        "1000",
        "1500",
        "1999",
    }


async def test_a_second_pause_is_as_durable_as_the_first() -> None:
    world = World()
    hurdle = Hurdle(world.journal, "commit", holding(facts.SensorChanged))
    world.journal = hurdle
    engine = engine_with(world, Source("source"))
    done: list[int] = []

    async def pause(number: int) -> None:
        await engine.sensors.pause("source")
        done.append(number)

    async with engine.running(), anyio.create_task_group() as tasks:
        tasks.start_soon(pause, 1)
        await hurdle.reached.wait()
        tasks.start_soon(pause, 2)
        await turns()
        assert done == []
        hurdle.open.set()


async def test_an_event_in_a_range_is_a_repetition() -> None:
    world = World()
    await taken(world, *map(str, range(20)))
    await compact(world)
    engine = engine_with(world, Source("source", once(seeing("7"), seeing("20"))))
    async with engine.running(), anyio.create_task_group() as tasks:
        tasks.start_soon(engine.sensors.run, NoWatcher())
        await world.until(facts.RunSucceeded)
        tasks.cancel_scope.cancel()
    assert [row.id for row in await world.journal.select(EventRow)] == ["20"]
    assert await world.journal.select(CursorRow) == []
