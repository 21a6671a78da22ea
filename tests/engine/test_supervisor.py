"""The supervisor: sensors kept at work, of which none harms another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from itertools import pairwise
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from eventflow import Observation, Trigger, codec, facts, pipeline, task
from eventflow.engine.backoff import FIRST_WAIT, LONGEST_WAIT, Backoff
from eventflow.engine.identities import JournalSeen
from eventflow.engine.retention import Retention
from eventflow.engine.supervisor import Supervisor
from eventflow.errors import EngineClosed, JournalDamaged, JournalError, JournalFull, SensorError
from eventflow.facts import Unit
from eventflow.journal.memory import MemoryJournal
from eventflow.ports import Seen
from eventflow.projections import SeenRow
from eventflow.testing import SeededRandom
from tests.engine.sources import NoWatcher, Source, decisions, dispatch, event, healths, once, runs, seeing, supervised
from tests.engine.world import Hurdle, Journaled, World, holding, turns

DAY = 86_400.0


@task
async def show(x: int) -> int:
    return x


@pipeline
def shows(x: int) -> int:
    return show(x)


def fires(source: Source) -> Trigger[Any]:
    return Trigger("fires", on=source, run=shows)


async def beats(cursor: object, seen: Seen) -> AsyncGenerator[Observation[Any]]:
    while True:
        yield Observation()
        await anyio.lowlevel.checkpoint()


class Failing:
    """A sensor's function that raises at each start, and notes when."""

    def __init__(self, world: World, error: BaseException | type[BaseException] = OSError, *, until: int | None = None) -> None:
        self.starts: list[float] = []
        self._world = world
        self._error = error
        self._until = until

    async def __call__(self, _cursor: object, _seen: Seen) -> AsyncGenerator[Observation[Any]]:
        self.starts.append(self._world.clock.monotonic())
        if len(self.starts) == self._until:
            yield Observation()
        raise self._error
        yield

    @property
    def waits(self) -> list[float]:
        return [after - before for before, after in pairwise(self.starts)]


# From observation to run


async def test_what_a_sensor_sees_becomes_a_run() -> None:
    world, source = World(), Source("source", once(seeing("a", cursor=1)))
    async with world.engine() as engine, supervised(engine, [source], [fires(source)]):
        await world.until(facts.RunSucceeded)
    assert await decisions(world) == [("fires", "fired")]
    assert await healths(world) == [("healthy", None)]


async def test_a_sensor_is_told_the_cursor_of_its_last_committed_observation() -> None:
    world, source = World(), Source("source", once(seeing("a", cursor={"at": 1}), seeing("b", cursor={"at": 2})))
    for _ in range(2):
        async with world.engine() as engine, supervised(engine, [source]):
            await turns()
    assert source.cursors == [None, {"at": 2}]


async def test_heartbeats_of_a_sensor_that_stays_where_it_is_commit_nothing() -> None:
    world = World()
    async with world.engine() as engine, supervised(engine, [Source("source", once(*[seeing(cursor=1)] * 5))]):
        await turns()
    assert [type(fact) for fact in await world.facts()] == [facts.CursorMoved, facts.SensorChanged]


async def test_when_a_sensor_is_asked_for_the_next_observation_the_last_is_committed() -> None:
    world = World()
    found: list[frozenset[str]] = []

    async def looks(cursor: object, seen: Seen) -> AsyncGenerator[Observation[Any]]:
        yield seeing("a")
        found.append(await seen.of(["a", "b"]))
        await anyio.sleep_forever()

    async with world.engine() as engine, supervised(engine, [Source("source", looks)]):
        await turns()
    assert found == [frozenset({"a"})]


async def test_a_sensor_sees_the_identities_of_its_own_source_only() -> None:
    world = World()
    await world.journal.commit(Unit(1, (facts.IdentitiesKnown("source", ("a", "b")), facts.IdentitiesKnown("other", ("c",)))))
    await world.journal.commit(Unit(7, (facts.IdentitiesForgotten("source", ("b",)),)))
    seen = JournalSeen(world.journal, "source")
    assert await seen.all() == {"a": None, "b": 7}
    assert await seen.of(["a", "c", "d"]) == {"a"}
    assert await seen.of([]) == frozenset()


async def test_two_sensors_fire_side_by_side() -> None:
    world = World()
    first = Source("first", once(Observation(events=(event("a", source="first"),))))
    second = Source("second", once(Observation(events=(event("a", source="second"),))))
    triggers = [Trigger("one", on=first, run=shows), Trigger("two", on=second, run=shows)]
    async with world.engine() as engine, supervised(engine, [first, second], triggers):
        await world.until(facts.RunSucceeded, count=2)
    assert sorted(await decisions(world)) == [("one", "fired"), ("two", "fired")]


# Failing sensors


async def test_a_failing_sensor_is_degraded_and_harms_no_other() -> None:
    world = World()
    good = Source("good", once(Observation(events=(event("a", source="good"),))))
    bad = Source("bad", Failing(world, OSError("no luck")))
    async with world.engine() as engine, supervised(engine, [bad, good], [fires(good)]):
        await world.until(facts.RunSucceeded)
        await world.clock.advance(60)
    ((state, reason),) = await healths(world, "bad")
    assert state == "degraded"
    assert reason is not None
    assert reason.startswith("OSError: no luck (")
    assert await healths(world, "good") == [("healthy", None)]


ANY_ERROR = [ValueError, SystemExit, asyncio.CancelledError, GeneratorExit, StopIteration, ExceptionGroup("all", [OSError()])]


@pytest.mark.parametrize("error", ANY_ERROR, ids=["error", "exit", "cancelled", "generator", "iteration", "group"])
async def test_whatever_a_sensor_raises_degrades_it_alone(error: Any) -> None:
    world = World()
    failing = Failing(world, error)
    async with world.engine() as engine, supervised(engine, [Source("bad", failing), Source("good", beats)]):
        await world.clock.advance(10)
        assert len(failing.starts) > 2
    assert [state for state, _ in await healths(world, "bad")] == ["degraded"]
    assert await healths(world, "good") == [("healthy", None)]


async def test_a_failed_sensor_goes_on_from_its_cursor_with_nothing_lost() -> None:
    world = World()

    async def stumbles(cursor: Any, seen: Seen) -> AsyncGenerator[Observation[Any]]:
        for number in range(cursor or 0, 5):
            yield seeing(f"e{number}", cursor=number + 1)
            if number == 2 and cursor is None:
                raise OSError("stumbled")
        await anyio.sleep_forever()

    source = Source("source", stumbles)
    async with world.engine() as engine, supervised(engine, [source], [fires(source)]):
        await world.clock.advance(2)
    assert source.cursors == [None, 3]
    assert [fact.id for fact in await world.facts(facts.EventRecorded)] == ["e0", "e1", "e2", "e3", "e4"]
    assert [state for state, _ in await healths(world)] == ["healthy", "degraded", "healthy"]


@pytest.mark.parametrize(
    ("observe", "reason"),
    [
        (once(seeing("a", cursor=float("nan"))), "a cursor that can't be stored"),
        (
            once(Observation(events=(event("a", {"x": float("nan")}),))),
            "data that can't be stored: the value holds NaN or an infinity at ['x']",
        ),
        (once(Observation(events=(event("a", source="other"),))), "without an id of its own, or with another source"),
        (once(Observation(events=(event(""),))), "without an id of its own"),
        (once(5), "yielded int where an Observation belongs"),
    ],
    ids=["cursor", "data", "source", "id", "no observation"],
)
async def test_what_can_not_be_recorded_degrades_the_sensor_with_the_reason(observe: Any, reason: str) -> None:
    world = World()
    async with world.engine() as engine, supervised(engine, [Source("source", observe), Source("good", beats)]):
        await turns()
    ((state, said),) = await healths(world)
    assert state == "degraded"
    assert said is not None
    assert reason in said
    assert await healths(world, "good") == [("healthy", None)]


async def ends(cursor: object, seen: Seen) -> AsyncGenerator[Observation[Any]]:
    yield Observation()


async def no_generator(cursor: object, seen: Seen) -> None:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("observe", "reason"),
    [
        (ends, "it ended: a sensor's observe() must go on for ever"),
        (no_generator, "its observe() gives a coroutine: write it as `async def` with `yield` in it"),
        (lambda *_: [Observation()], "its observe() gives a list: write it as `async def` with `yield` in it"),
        (lambda *_: None, "its observe() gives a NoneType: write it as `async def` with `yield` in it"),
        (lambda *_: iter([Observation()]), "its observe() gives a list_iterator: write it as `async def` with `yield` in it"),
    ],
    ids=["ends", "coroutine", "list", "nothing", "iterator"],
)
async def test_a_sensor_that_is_written_wrongly_is_told_how_to_write_it(observe: Any, reason: str) -> None:
    world = World()
    async with world.engine() as engine, supervised(engine, [Source("source", observe)]):
        await turns()
    assert (await healths(world))[-1] == ("degraded", reason)


async def test_a_sensor_whose_observe_raises_at_once_is_degraded() -> None:
    world = World()
    async with world.engine() as engine, supervised(engine, [Source("source", lambda *_: 1 / 0)]):
        await turns()
    ((state, reason),) = await healths(world)
    assert state == "degraded"
    assert "ZeroDivisionError" in str(reason)


async def test_any_async_iterator_will_do() -> None:
    class Iterator:
        def __init__(self) -> None:
            self._left = [seeing("a"), seeing("b")]

        def __aiter__(self) -> Iterator:
            return self

        async def __anext__(self) -> Observation[Any]:
            if not self._left:
                await anyio.sleep_forever()
            return self._left.pop(0)

    world = World()
    async with world.engine() as engine, supervised(engine, [Source("source", lambda *_: Iterator())]):
        await turns()
    assert [fact.id for fact in await world.facts(facts.EventRecorded)] == ["a", "b"]


# Back-off


async def test_each_wait_is_twice_the_last_up_to_five_minutes_with_a_little_chance_in_it() -> None:
    world = World()
    failing = Failing(world)
    async with world.engine() as engine, supervised(engine, [Source("source", failing)]):
        await world.clock.advance(2000)
    bounds = [min(2.0**turn, LONGEST_WAIT) for turn in range(len(failing.waits))]
    assert len(bounds) > 10
    assert all(bound * 0.75 <= wait <= bound for wait, bound in zip(failing.waits, bounds, strict=True))
    assert len({wait / bound for wait, bound in zip(failing.waits, bounds, strict=True)}) > 5


async def test_a_sensor_that_says_that_it_is_there_and_then_fails_rests_longer_each_time() -> None:
    world = World()
    starts: list[float] = []

    async def promises(cursor: object, seen: Seen) -> AsyncGenerator[Observation[Any]]:
        starts.append(world.clock.monotonic())
        yield Observation()
        raise OSError

    async with world.engine() as engine, supervised(engine, [Source("source", promises)]):
        await world.clock.advance(3600)
    waits = [after - before for before, after in pairwise(starts)]
    assert [wait <= bound for wait, bound in zip(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300], strict=False)] == [True] * 10
    assert waits[8] > 128
    assert len(await world.facts(facts.SensorChanged)) < 60


async def test_a_sensor_that_has_worked_for_a_minute_fails_for_the_first_time() -> None:
    world = World()
    starts: list[float] = []

    async def fails_later(cursor: object, seen: Seen) -> AsyncGenerator[Observation[Any]]:
        starts.append(world.clock.monotonic())
        if len(starts) == 5:
            yield Observation()
            await world.clock.sleep(60)
            yield Observation()
        raise OSError

    async with world.engine() as engine, supervised(engine, [Source("source", fails_later)]):
        await world.clock.advance(90)
    waits = [after - before for before, after in pairwise(starts)]
    assert 4 < waits[3] <= 8
    assert 60 < waits[4] <= 61
    assert waits[5] <= 2


async def test_a_sensor_that_hangs_now_and_then_is_started_again_soon_each_time() -> None:
    world = World()
    starts: list[float] = []

    async def tires(cursor: object, seen: Seen) -> AsyncGenerator[Observation[Any]]:
        starts.append(world.clock.monotonic())
        yield Observation()
        await anyio.sleep_forever()

    async with world.engine() as engine, supervised(engine, [Source("source", tires, interval=100)]):
        await world.clock.advance(1000)
    waits = [after - before - 100 for before, after in pairwise(starts)]
    assert len(waits) > 5
    assert max(waits) <= FIRST_WAIT


class Asking(SensorError):
    def __init__(self, retry_after: Any) -> None:
        super().__init__("not now")
        self.retry_after = retry_after


async def test_a_sensor_may_say_when_it_is_to_be_tried_again() -> None:
    world = World()
    failing = Failing(world, Asking(7))
    async with world.engine() as engine, supervised(engine, [Source("source", failing)]):
        await world.clock.advance(30)
    assert failing.waits == [7.0] * 4


@pytest.mark.parametrize("asked", [None, "7", b"7", 0, -5, float("nan"), object()], ids=lambda asked: repr(asked)[:7])
def test_a_wish_that_is_no_length_of_time_is_as_good_as_none(asked: Any) -> None:
    backoff = Backoff(SeededRandom())
    waits = [backoff.wait(Asking(asked)) for _ in range(3)]
    assert all(bound * 0.75 <= wait <= bound for wait, bound in zip(waits, [1, 2, 4], strict=True))


async def test_a_strange_attribute_of_a_users_error_harms_nobody() -> None:
    world = World()
    error = OSError("busy")
    error.retry_after = "soon"  # pyright: ignore[reportAttributeAccessIssue]
    failing = Failing(world, error)
    async with world.engine() as engine, supervised(engine, [Source("source", failing)]):
        await world.clock.advance(2)
    assert len(failing.starts) > 1


# Hanging sensors


async def test_a_hanging_sensor_is_degraded_and_started_again_and_harms_no_other() -> None:
    world = World()
    starts: list[float] = []

    async def hangs(cursor: object, seen: Seen) -> AsyncGenerator[Observation[Any]]:
        starts.append(world.clock.monotonic())
        if len(starts) > 1:
            yield Observation()
        await anyio.sleep_forever()

    async with world.engine() as engine, supervised(engine, [Source("source", hangs, interval=60), Source("good", beats)]):
        await world.clock.advance(59)
        assert await healths(world) == []
        await world.clock.advance(3)
    assert len(starts) == 2
    assert await healths(world) == [
        ("degraded", "it hangs: no observation within 1m, the longest that it declares"),
        ("healthy", None),
    ]
    assert await healths(world, "good") == [("healthy", None)]


async def test_each_observation_gives_the_sensor_its_whole_interval_again() -> None:
    world = World()

    async def slow(cursor: object, seen: Seen) -> AsyncGenerator[Observation[Any]]:
        while True:
            await world.clock.sleep(50)
            yield Observation()

    source = Source("source", slow, interval=60)
    async with world.engine() as engine, supervised(engine, [source]):
        await world.clock.advance(1000)
    assert await healths(world) == [("healthy", None)]
    assert len(source.cursors) == 1


class Blocked:
    """A sensor whose first look is stuck in a thread, where no cancellation reaches it, until it is let go."""

    def __init__(self) -> None:
        self.stuck = anyio.Event()
        self.starts = 0
        self._let_go = threading.Event()

    async def __call__(self, _cursor: object, _seen: Seen) -> AsyncGenerator[Observation[Any]]:
        self.starts += 1
        if self.starts == 1:
            await anyio.to_thread.run_sync(self._block, asyncio.get_running_loop())
            await anyio.lowlevel.checkpoint()
        yield Observation()
        await anyio.sleep_forever()

    def _block(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_soon_threadsafe(self.stuck.set)
        self._let_go.wait(30)

    def let_go(self) -> None:
        self._let_go.set()


async def test_a_sensor_stuck_in_a_thread_is_degraded_at_once_and_started_again_when_the_thread_ends() -> None:
    world, blocked = World(), Blocked()
    good = Source("good", once(Observation(events=(event("a", source="good"),))))
    async with world.engine() as engine, supervised(engine, [Source("source", blocked, interval=60), good], [fires(good)]):
        await blocked.stuck.wait()
        await world.clock.advance(60)
        assert [state for state, _ in await healths(world)] == ["degraded"]
        await world.until(facts.RunSucceeded)
        await world.clock.advance(1000)
        assert blocked.starts == 1
        blocked.let_go()
        await world.clock.until_waiting()
        await world.clock.advance(1)
        assert blocked.starts == 2
        await turns()
    assert [state for state, _ in await healths(world)] == ["degraded", "healthy"]


async def test_an_observation_that_comes_late_still_counts() -> None:
    world = World()

    async def late(cursor: object, seen: Seen) -> AsyncGenerator[Observation[Any]]:
        with anyio.CancelScope(shield=True):
            await world.clock.sleep(90)
        yield seeing("a")
        await anyio.sleep_forever()

    source = Source("source", late, interval=60)
    async with world.engine() as engine, supervised(engine, [source], [fires(source)]):
        await world.clock.advance(91)
    assert await decisions(world) == [("fires", "fired")]
    assert [state for state, _ in await healths(world)] == ["degraded", "healthy"]


async def test_a_commit_that_takes_long_is_not_the_sensors_fault() -> None:
    world = World()
    inner = world.journal
    hurdle = Hurdle(inner, "commit", holding(facts.EventRecorded))
    world.journal = hurdle
    source = Source("source", once(seeing("a")), interval=60)
    async with world.engine() as engine, supervised(engine, [source], [fires(source)]):
        await hurdle.reached.wait()
        await world.clock.advance(1000)
        hurdle.open.set()
        await world.until(facts.RunSucceeded)
        assert await healths(world) == [("healthy", None)]
        assert len(source.cursors) == 1


async def test_a_sensor_that_hangs_while_it_is_closed_is_degraded_too() -> None:
    world = World()

    async def clings(cursor: object, seen: Seen) -> AsyncGenerator[Observation[Any]]:
        try:
            yield seeing(cursor=float("nan"))
        finally:
            await anyio.sleep_forever()

    source = Source("source", clings, interval=60)
    async with world.engine() as engine, supervised(engine, [source]):
        await turns()
        await world.clock.advance(62)
        assert len(source.cursors) == 2
    assert [state for state, _ in await healths(world)] == ["degraded"]


# Health over restarts


async def test_health_is_journaled_only_where_it_changes_even_over_restarts() -> None:
    world = World()
    for _ in range(3):
        async with world.engine() as engine, supervised(engine, [Source("source", beats)]):
            await turns()
    assert await healths(world) == [("healthy", None)]
    for _ in range(3):
        async with world.engine() as engine, supervised(engine, [Source("source", Failing(world))]):
            await world.clock.advance(30)
    assert [state for state, _ in await healths(world)] == ["healthy", "degraded"]


# Stopping


async def test_sensors_are_closed_when_the_supervisor_is_cancelled() -> None:
    world = World()
    closed: list[str] = []

    async def waits(cursor: object, seen: Seen) -> AsyncGenerator[Observation[Any]]:
        try:
            yield Observation()
            await anyio.sleep_forever()
        finally:
            closed.append("waiting")

    async with world.engine() as engine, supervised(engine, [Source("source", waits)]):
        await turns()
    assert closed == ["waiting"]


async def test_a_sensor_whose_observation_is_being_committed_is_closed_as_well() -> None:
    world = World()
    closed: list[str] = []
    hurdle = Hurdle(world.journal, "commit", holding(facts.EventRecorded))
    world.journal = hurdle

    async def yields(cursor: object, seen: Seen) -> AsyncGenerator[Observation[Any]]:
        try:
            yield seeing("a")
        finally:
            closed.append("yielding")

    async with world.engine() as engine, supervised(engine, [Source("source", yields)]):
        await hurdle.reached.wait()
    assert closed == ["yielding"]


async def test_a_sensor_that_fails_while_it_is_stopped_does_not_disturb_the_stop() -> None:
    world = World()

    async def sulks(cursor: object, seen: Seen) -> AsyncGenerator[Observation[Any]]:
        try:
            yield Observation()
            await anyio.sleep_forever()
        finally:
            raise OSError("sulking")

    async with world.engine() as engine, supervised(engine, [Source("source", sulks)]):
        await turns()
    assert world.clock.waiting == 0


async def test_a_closing_engine_ends_the_sensor_in_peace() -> None:
    world = World()
    go = anyio.Event()

    async def late(cursor: object, seen: Seen) -> AsyncGenerator[Observation[Any]]:
        yield Observation()
        await go.wait()
        yield seeing("a")

    source = Source("source", late)
    async with world.engine() as engine, supervised(engine, [source], [fires(source)]):
        await turns()
        await engine.close(0)
        go.set()
        await world.clock.advance(600)
        assert len(source.cursors) == 1
    assert await runs(world) == []
    assert await healths(world) == [("healthy", None)]


# The journal


async def test_a_failed_journal_stops_everything_with_its_own_error() -> None:
    class Breaking(MemoryJournal):
        async def commit(self, _unit: Unit) -> int:
            raise JournalDamaged("the disk is gone")

    world = World(journal=Breaking())
    good = Source("good", beats)
    async with world.engine() as engine:
        supervisor = Supervisor(engine.ports, dispatch(engine), [Source("source", once(seeing("a"))), good])
        with pytest.raises(JournalDamaged, match="the disk is gone"):
            await supervisor.run(NoWatcher())


async def test_a_journal_that_fails_inside_a_sensor_stops_everything_too() -> None:
    class Breaking(MemoryJournal):
        is_broken = False

        async def select(self, table: Any, **conditions: Any) -> Any:
            self.is_broken |= conditions.get("id") == ("a",)
            if self.is_broken:
                raise JournalError("gone")
            return await super().select(table, **conditions)

        def enqueue(self, unit: Unit) -> None:
            if self.is_broken:
                raise JournalError("gone")
            super().enqueue(unit)

    async def asks(cursor: object, seen: Seen) -> AsyncGenerator[Observation[Any]]:
        await seen.of(["a"])
        yield Observation()

    world = World(journal=Breaking())
    async with world.engine() as engine:
        supervisor = Supervisor(engine.ports, dispatch(engine), [Source("source", asks)])
        with pytest.raises(JournalError, match="gone"):
            await supervisor.run(NoWatcher())


@pytest.mark.parametrize("error", [EngineClosed, JournalError])
async def test_an_error_of_ours_from_a_sensors_own_code_degrades_it_alone(error: type[Exception]) -> None:
    async def asks(cursor: object, seen: Seen) -> AsyncGenerator[Observation[Any]]:
        raise error("another engine's")
        yield

    world = World()
    async with world.engine() as engine, supervised(engine, [Source("source", asks), Source("good", beats)]):
        await turns()
    assert await healths(world) == [("degraded", f"it raised {error.__name__}: another engine's")]
    assert await healths(world, "good") == [("healthy", None)]


class Disk(MemoryJournal):
    is_full = True

    @property
    def full(self) -> bool:
        return self.is_full


async def test_what_a_full_disk_turned_away_is_observed_again_when_there_is_space() -> None:
    disk = Disk()
    world = World(journal=disk)

    async def counts(cursor: Any, seen: Seen) -> AsyncGenerator[Observation[Any]]:
        for number in range(cursor or 0, 3):
            yield seeing(f"e{number}", cursor=number + 1)
        await anyio.sleep_forever()

    source = Source("source", counts)
    async with world.engine() as engine, supervised(engine, [source], [fires(source)]):
        await world.clock.advance(10)
        assert await runs(world) == []
        disk.is_full = False
        await world.clock.advance(10)
        await world.until(facts.RunSucceeded, count=3)
    assert [fact.id for fact in await world.facts(facts.EventRecorded)] == ["e0", "e1", "e2"]
    assert [state for state, _ in await healths(world)] == ["degraded", "healthy"]
    assert JournalFull.__name__ not in str(await healths(world))


# Retention


async def test_a_forgotten_identity_is_free_again_after_the_retention_and_not_before() -> None:
    world = World()

    async def hourly(cursor: object, seen: Seen) -> AsyncGenerator[Observation[Any]]:
        yield Observation(known=("gone", "here", "back"))
        yield Observation(forget=("gone", "back"))
        yield Observation(keep=("back",))
        while True:
            await world.clock.sleep(3600)
            yield Observation()

    async with world.engine() as engine, supervised(engine, [Source("source", hourly)]):
        await world.clock.advance(29.9 * DAY)
        assert [row.id for row in await world.journal.select(SeenRow)] == ["back", "gone", "here"]
        await world.clock.advance(1.5 * DAY)
        assert [row.id for row in await world.journal.select(SeenRow)] == ["back", "here"]
    assert await world.facts(facts.IdentitiesExpired) == [facts.IdentitiesExpired("source", ("gone",))]


async def test_what_expired_while_nothing_ran_is_freed_before_the_sensor_looks() -> None:
    world = World()
    await world.journal.commit(Unit(world.clock.now(), (facts.IdentitiesKnown("source", ("a", "b")),)))
    await world.journal.commit(Unit(world.clock.now(), (facts.IdentitiesForgotten("source", ("a",)),)))
    found: list[object] = []

    async def looks(cursor: object, seen: Seen) -> AsyncGenerator[Observation[Any]]:
        found.append(await seen.all())
        yield seeing("a")
        await anyio.sleep_forever()

    await world.clock.advance(31 * DAY)
    source = Source("source", looks)
    async with world.engine() as engine, supervised(engine, [source], [fires(source)]):
        await world.until(facts.RunSucceeded)
    assert found == [{"b": None}]
    assert await decisions(world) == [("fires", "fired")]


async def test_the_identities_of_another_source_are_left_alone() -> None:
    world = World()
    await world.journal.commit(Unit(1, (facts.IdentitiesKnown("other", ("a",)),)))
    await world.journal.commit(Unit(1, (facts.IdentitiesForgotten("other", ("a",)),)))
    async with world.engine() as engine, supervised(engine, [Source("source", beats)]):
        await turns()
    assert len(await world.journal.select(SeenRow)) == 1
    assert await world.facts(facts.IdentitiesExpired) == []


async def test_the_identities_are_looked_through_once_a_day() -> None:
    world = World()
    retention = Retention(world.make().ports, "source")
    await retention.look()
    await world.journal.commit(Unit(1, (facts.IdentitiesKnown("source", ("a",)),)))
    await world.journal.commit(Unit(1, (facts.IdentitiesForgotten("source", ("a",)),)))
    await world.clock.advance(DAY - 1)
    await retention.look()
    assert len(await world.journal.select(SeenRow)) == 1
    await world.clock.advance(1)
    await retention.look()
    assert await world.journal.select(SeenRow) == []


async def test_very_many_identities_expire_in_units_of_moderate_size() -> None:
    world = World()
    names = tuple(f"{number:04}" for number in range(1201))
    await world.journal.commit(Unit(1, (facts.IdentitiesKnown("source", names),)))
    await world.journal.commit(Unit(1, (facts.IdentitiesForgotten("source", names),)))
    async with world.engine() as engine, supervised(engine, [Source("source", beats)]):
        await turns()
    assert [len(fact.ids) for fact in await world.facts(facts.IdentitiesExpired)] == [500, 500, 201]
    assert await world.journal.select(SeenRow) == []


async def test_trouble_is_told_to_the_instruments_with_the_sensors_name() -> None:
    seen = Journaled()
    world = World(instrument=seen)
    error = OSError("no luck")
    async with world.engine() as engine, supervised(engine, [Source("source", Failing(world, error))]):
        await world.clock.advance(10)
    assert seen.troubles == [("sensor source", error)]


async def test_a_cursor_survives_as_what_it_was() -> None:
    world, source = World(), Source("source", once(seeing(cursor=["é", 1.5, None, {"a": True}])))
    for _ in range(2):
        async with world.engine() as engine, supervised(engine, [source]):
            await turns()
    assert source.cursors == [None, ["é", 1.5, None, {"a": True}]]
    assert [codec.decode(fact.cursor) for fact in await world.facts(facts.CursorMoved)] == source.cursors[1:]
