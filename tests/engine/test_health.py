"""A sensor's health, as far as it is journaled, and the watch on sensors that hang."""

from __future__ import annotations

import anyio
import pytest

from eventflow import EventflowError, facts
from eventflow.engine.health import SensorHealth
from eventflow.errors import JournalError, SensorError
from eventflow.projections import SensorRow
from tests.engine.sources import Source, healths
from tests.engine.world import Journaled, World


async def health(world: World, *, interval: float | None = None) -> SensorHealth:
    return await SensorHealth.of(Source("source", interval=interval), world.make().ports)


async def test_a_first_observation_makes_a_sensor_healthy() -> None:
    world = World()
    (await health(world)).recovered()
    assert await world.journal.select(SensorRow) == [SensorRow("source", "healthy", world.clock.now())]


async def test_only_changes_are_journaled() -> None:
    world = World()
    watched = await health(world)
    for error in (None, None, "x", "x", "y", None, None, "y"):
        watched.recovered() if error is None else watched.degraded(EventflowError(error))
    expected = [("healthy", None), ("degraded", "x"), ("degraded", "y"), ("healthy", None), ("degraded", "y")]
    assert await healths(world) == expected


async def test_a_restart_goes_on_from_what_is_journaled() -> None:
    world = World()
    for _ in range(2):
        (await health(world)).degraded(EventflowError("x"))
    for _ in range(2):
        (await health(world)).recovered()
    assert await healths(world) == [("degraded", "x"), ("healthy", None)]


async def test_the_health_of_one_sensor_is_not_that_of_another() -> None:
    world = World()
    ports = world.make().ports
    (await SensorHealth.of(Source("a"), ports)).degraded(EventflowError("x"))
    (await SensorHealth.of(Source("b"), ports)).recovered()
    assert [(row.sensor, row.state) for row in await world.journal.select(SensorRow)] == [("a", "degraded"), ("b", "healthy")]


async def test_since_tells_when_the_state_began_and_not_when_it_was_last_seen() -> None:
    world = World()
    watched = await health(world)
    watched.recovered()
    began = world.clock.now()
    await world.clock.advance(60)
    watched.recovered()
    (row,) = await world.journal.select(SensorRow)
    assert row.since == began


async def test_an_error_of_unknown_kind_is_told_once_for_each_reason_and_ours_say_all_in_theirs() -> None:
    seen = Journaled()
    watched = await health(World(instrument=seen))
    first, second = OSError("x"), OSError("y")
    for error in (first, OSError("x"), second, EventflowError("z")):
        watched.degraded(error)
    assert seen.troubles == [("sensor source", first), ("sensor source", second)]


class Unprintable(SensorError):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (EventflowError("the folder is missing"), "the folder is missing"),
        (OSError(5, "no luck"), "OSError: [Errno 5] no luck"),
        (SystemExit(3), "SystemExit: 3"),
        (EventflowError("\udcff"), "\\udcff"),
        (Unprintable("x"), "(its message can't be shown: RuntimeError)"),
    ],
    ids=["ours", "theirs", "exit", "half a character", "unprintable"],
)
async def test_a_reason_can_always_be_written(error: BaseException, reason: str) -> None:
    world = World()
    (await health(world)).degraded(error)
    assert await healths(world) == [("degraded", reason)]
    (changed,) = await world.facts(facts.SensorChanged)
    assert facts.decode(facts.encode(changed)) == changed


# The watch


async def test_what_is_done_in_time_is_not_disturbed() -> None:
    world = World()
    watched = await health(world, interval=10)
    async with anyio.create_task_group() as tasks:

        async def work() -> None:
            with watched.watched():
                await world.clock.sleep(9.9)

        tasks.start_soon(work)
        await world.clock.advance(9.9)
    await world.clock.advance(100)
    assert await healths(world) == []
    assert world.clock.waiting == 0


async def test_what_takes_too_long_is_given_up_and_said_to_hang() -> None:
    world = World()
    watched = await health(world, interval=10)
    verdicts: list[str] = []

    async def work() -> None:
        with pytest.raises(EventflowError) as caught, watched.watched():
            await anyio.sleep_forever()
        verdicts.append(str(caught.value))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        await world.clock.advance(10)
    assert verdicts == ["it hangs: no observation within 10.0s, the longest that it declares"]
    assert await healths(world) == [("degraded", verdicts[0])]


async def test_what_has_come_at_the_last_moment_is_not_thrown_away() -> None:
    world = World()
    watched = await health(world, interval=10)
    with watched.watched():
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(world.clock.advance, 10)
        observation = "late"
    assert observation == "late"
    await anyio.lowlevel.checkpoint()
    assert [state for state, _ in await healths(world)] == ["degraded"]


async def test_a_sensor_that_declares_no_interval_is_not_watched() -> None:
    world = World()
    watched = await health(world)
    with watched.watched():
        assert world.clock.waiting == 0


async def test_an_error_goes_through_and_ends_the_watch() -> None:
    world = World()
    watched = await health(world, interval=10)
    with pytest.raises(KeyError), watched.watched():
        raise KeyError
    assert world.clock.waiting == 0


async def test_a_sensor_is_given_up_even_where_the_journal_has_failed() -> None:
    world = World()
    watched = await health(world, interval=10)
    ended = anyio.Event()

    def fail(unit: object) -> None:
        raise JournalError("gone")

    world.journal.enqueue = fail  # pyright: ignore[reportAttributeAccessIssue]

    async def work() -> None:
        with pytest.raises(EventflowError, match="it hangs"), watched.watched():
            await anyio.sleep_forever()
        ended.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        with pytest.raises(JournalError):
            await world.clock.advance(10)
    assert ended.is_set()
