"""The run sensor: pipelines that follow on pipelines."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from eventflow import DefinitionError, RunSensor, Trigger, facts, open_engine, pipeline, task
from eventflow.definition.waits import data_of
from eventflow.engine.engine import Engine
from eventflow.errors import JournalDamaged
from eventflow.journal.connection import connect
from eventflow.journal.memory import MemoryJournal
from eventflow.journal.preparation import make
from eventflow.journal.statements import question
from eventflow.ports import Above, Checkable, Journal, References, Referring
from eventflow.projections import CursorRow, RunRow
from eventflow.sensors.runs import RunEnded
from eventflow.triggers import mistakes_in
from tests.engine.world import World, turns, until_true
from tests.sensors.outside import Book, Crashed, outside, watch

HOUR = 3600.0


@task
async def double(number: int) -> int:
    if number < 0:
        raise ValueError(f"{number} is negative")
    return 2 * number


@task
async def never() -> None:
    await anyio.sleep_forever()


@task
async def size(path: Path) -> dict[str, Path]:
    return {"path": path}


@task
async def long_text() -> str:
    return "x" * 100_000


@pipeline
def doubling(number: int) -> int:
    return double(number)


@pipeline
def waiting() -> None:
    never()


@pipeline
def paths(path: Path) -> dict[str, Path]:
    return size(path)


@pipeline
def texts() -> str:
    return long_text()


ALL = (doubling, waiting, paths, texts)


def enough(count: int) -> Callable[[Book], bool]:
    return lambda book: len(book.events) >= count


def beats(count: int = 1) -> Callable[[Book], bool]:
    return lambda book: len(book.observations) >= count


async def begun(sensor: RunSensor, world: World) -> Book:
    """Let a sensor look for the first time ever."""
    book = Book()
    await watch(sensor, book, seen_from(sensor, world), beats())
    assert book.events == []
    return book


def seen_from(sensor: RunSensor, world: World) -> Any:
    return outside(sensor.name, clock=world.clock, journal=world.journal)


async def ended(engine: Engine, world: World, *numbers: int) -> list[str]:
    """Run `doubling` with these numbers, one after the other, and give the ids of the runs."""
    made: list[str] = []
    for number in numbers:
        made.append((await engine.submit(doubling.bind(number))).id)
        await world.until(facts.RunSucceeded, facts.RunFailed, count=len(await world.facts(facts.RunSucceeded, facts.RunFailed)) + 1)
    return made


async def cancelled(engine: Engine, world: World) -> str:
    run = await engine.submit(waiting.bind())
    await world.until(facts.AttemptStarted)
    await run.cancel()
    await world.until(facts.RunCancelled)
    return run.id


# Which runs fire


@pytest.mark.parametrize(
    ("on", "expected"), [("succeeded", ["good"]), ("failed", ["bad"]), ("cancelled", ["stopped"]), ("ended", ["good", "bad", "stopped"])]
)
async def test_it_fires_for_the_ends_that_it_is_about(on: Any, expected: list[str]) -> None:
    world, sensor = World(), RunSensor("ends", of=[doubling, "waiting"], on=on)
    book = await begun(sensor, world)
    async with world.engine(*ALL) as engine:
        good, bad = await ended(engine, world, 4, -1)
        stopped = await cancelled(engine, world)
    await watch(sensor, book, seen_from(sensor, world), enough(len(expected)))
    named = {good: "good", bad: "bad", stopped: "stopped"}
    assert [named[event.id] for event in book.events] == expected


async def test_what_an_event_carries_of_a_run_that_succeeded() -> None:
    world, sensor = World(), RunSensor("ends", of=doubling)
    book = await begun(sensor, world)
    async with world.engine(*ALL) as engine:
        (run,) = await ended(engine, world, 4)
    await watch(sensor, book, seen_from(sensor, world), enough(1))
    row = await world.run(run)
    assert book.events[0].data == RunEnded(
        run=run,
        pipeline="doubling",
        state="succeeded",
        arguments={"number": 4},
        result=8,
        error=None,
        node=None,
        created_at=row.created_at,
        ended_at=row.ended_at,
        event=None,
        trigger=None,
    )
    assert (book.events[0].type, book.events[0].subject, book.events[0].time) == ("run.succeeded", run, row.ended_at)


async def test_a_failure_tells_its_error_and_its_node_and_a_cancel_its_state() -> None:
    world, sensor = World(), RunSensor("ends", of=[doubling, waiting], on="ended")
    book = await begun(sensor, world)
    async with world.engine(*ALL) as engine:
        await ended(engine, world, -3)
        await cancelled(engine, world)
    await watch(sensor, book, seen_from(sensor, world), enough(2))
    failed, stopped = (event.data for event in book.events)
    assert failed.error.startswith("ValueError: -3 is negative")
    assert (failed.state, failed.node, failed.result) == ("failed", "double", None)
    assert (stopped.state, stopped.error, stopped.node) == ("cancelled", None, None)


async def test_paths_come_as_text_and_a_large_result_not_at_all() -> None:
    world, sensor = World(), RunSensor("ends", of=[paths, texts])
    book = await begun(sensor, world)
    async with world.engine(*ALL) as engine:
        await (await engine.submit(paths.bind(Path("a/b.csv")))).result()
        await (await engine.submit(texts.bind())).result()
    await watch(sensor, book, seen_from(sensor, world), enough(2))
    assert [(event.data.arguments, event.data.result) for event in book.events] == [
        ({"path": "a/b.csv"}, {"path": "a/b.csv"}),
        ({}, None),
    ]


async def test_runs_that_ended_before_the_first_look_ever_fire_nothing() -> None:
    world, sensor = World(), RunSensor("ends", of=doubling)
    async with world.engine(*ALL) as engine:
        await ended(engine, world, 1, 2)
        book = await begun(sensor, world)
        (after,) = await ended(engine, world, 3)
    await watch(sensor, book, seen_from(sensor, world), enough(1))
    assert book.ids == [after]


async def test_runs_of_other_pipelines_move_it_on_without_an_event() -> None:
    world, sensor = World(), RunSensor("ends", of="waiting", on="ended")
    book = await begun(sensor, world)
    async with world.engine(*ALL) as engine:
        (run,) = await ended(engine, world, 1)
    await watch(sensor, book, seen_from(sensor, world), beats(2))
    row = await world.run(run)
    assert book.cursor == {"ended": row.result_seq}
    assert book.events == []


async def test_many_runs_come_in_pages_and_in_the_order_in_which_they_ended() -> None:
    world, sensor = World(), RunSensor("ends", of=doubling, on="ended")
    book = await begun(sensor, world)
    async with world.engine(*ALL) as engine:
        for number in range(450):
            await engine.submit(doubling.bind(number))
        await world.until(facts.RunSucceeded, count=450)
    await watch(sensor, book, seen_from(sensor, world), enough(450))
    assert book.ids == [fact.run for fact in await world.facts(facts.RunSucceeded)]
    assert [len(one.events) for one in book.observations if one.events] == [200, 200, 50]


# While it runs, and over crashes


async def test_it_hears_of_an_end_as_soon_as_it_is_committed() -> None:
    world, sensor, book = World(), RunSensor("ends", of=doubling), Book()
    async with world.engine(*ALL) as engine, asyncio.TaskGroup() as tasks:
        looking = tasks.create_task(watch(sensor, book, seen_from(sensor, world), enough(1)))
        await turns()
        run = await engine.submit(doubling.bind(1))
        await run.result()
        await world.clock.advance(0.2)  # far less than a heartbeat
        await looking
    assert book.ids == [run.id]


async def test_a_flood_of_other_facts_does_not_make_it_look_each_time() -> None:
    world, sensor, book = World(), RunSensor("ends", of="nothing"), Book()
    counted = Counted(world.journal)
    async with world.engine(*ALL) as engine, asyncio.TaskGroup() as tasks:
        looking = tasks.create_task(watch(sensor, book, outside("ends", clock=world.clock, journal=counted), beats(3)))
        await turns()
        for number in range(200):
            await engine.submit(doubling.bind(number))
        await world.until(facts.RunSucceeded, count=200)
        assert counted.looks < 5
        looking.cancel()


class Counted:
    """A journal that counts the questions put to it."""

    def __init__(self, journal: Any) -> None:
        self._journal = journal
        self.looks = 0

    async def select(self, *args: Any, **kwargs: Any) -> Any:
        self.looks += 1
        return await self._journal.select(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)


@pytest.mark.parametrize("commits", range(4))
async def test_after_a_crash_at_any_commit_each_end_is_there_exactly_once(commits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventflow.sensors.runs._PAGE", 1)
    world, sensor = World(), RunSensor("ends", of=doubling, on="ended")
    book = await begun(sensor, world)
    async with world.engine(*ALL) as engine:
        made = await ended(engine, world, 1, -2, 3)
    book.commits_left = commits
    for _ in range(2):
        with contextlib.suppress(Crashed):
            await watch(sensor, book, seen_from(sensor, world), enough(3))
        book.commits_left = None
    assert book.ids == made
    assert book.repeated == []


async def test_identities_behind_the_cursor_are_given_up() -> None:
    world, sensor = World(), RunSensor("ends", of=doubling)
    book = await begun(sensor, world)
    async with world.engine(*ALL) as engine:
        await ended(engine, world, 1, 2)
    await watch(sensor, book, seen_from(sensor, world), enough(2))
    assert [gone is not None for gone in book.taken.values()] == [True, True]


async def looked(journal: Journal) -> bool:
    return bool(await journal.select(CursorRow, source="doubled"))


async def test_pipelines_chain_through_the_engine_over_a_restart(tmp_path: Path) -> None:
    done: list[int] = []

    @task
    async def note(number: int) -> None:
        done.append(number)

    @pipeline
    def following(number: int) -> None:
        note(number)

    sensor = RunSensor("doubled", of=doubling)
    trigger = Trigger("follow", on=sensor, run=following, params=lambda event: {"number": event.data.result})
    for number in (1, 2):
        async with open_engine(tmp_path, pipelines=[doubling, following], sensors=[sensor], triggers=[trigger]) as engine:
            journal = engine.ports.journal
            await until_true(partial(looked, journal), journal)
            await (await engine.submit(doubling.bind(number))).result()
            while len(done) < number:
                await journal.changed(journal.seq)
    assert done == [2, 4]


# Late


async def test_a_run_that_is_open_at_its_deadline_fires_once() -> None:
    world, sensor = World(), RunSensor("late", of=waiting, on="late", deadline="1h")
    book = await begun(sensor, world)
    async with world.engine(*ALL) as engine, asyncio.TaskGroup() as tasks:
        run = await engine.submit(waiting.bind())
        looking = tasks.create_task(watch(sensor, book, seen_from(sensor, world), lambda book: len(book.observations) > 70))
        await world.clock.advance(HOUR - 61)
        assert book.events == []
        await world.clock.advance(120)
        assert [(event.id, event.type, event.data.state, event.data.ended_at) for event in book.events] == [
            (f"{run.id}.late", "run.late", "running", None)
        ]
        assert book.events[0].time == (await world.run(run.id)).created_at + 3600 * 10**6
        await world.clock.advance(HOUR)
        await looking
    assert len(book.events) == 1


async def test_it_fires_at_the_deadline_and_not_at_the_next_heartbeat() -> None:
    world, sensor = World(), RunSensor("late", of=waiting, on="late", deadline="90s")
    book = await begun(sensor, world)
    async with world.engine(*ALL) as engine, asyncio.TaskGroup() as tasks:
        looking = tasks.create_task(watch(sensor, book, seen_from(sensor, world), enough(1)))
        await world.clock.advance(50)
        await engine.submit(waiting.bind())
        await world.clock.advance(89)
        assert book.events == []
        await world.clock.advance(2)
        await looking


async def test_a_run_that_ended_in_time_is_not_late() -> None:
    world, sensor = World(), RunSensor("late", of=doubling, on="late", deadline="1h")
    book = await begun(sensor, world)
    async with world.engine(*ALL) as engine:
        await ended(engine, world, 1)
    await world.clock.advance(2 * HOUR)
    await watch(sensor, book, seen_from(sensor, world), beats(2))
    assert book.events == []
    assert book.cursor != {"submitted": 0}


async def test_a_run_that_ended_after_its_deadline_while_nobody_looked_is_late_all_the_same() -> None:
    world, sensor = World(), RunSensor("late", of=waiting, on="late", deadline="1h")
    book = await begun(sensor, world)
    async with world.engine(*ALL) as engine:
        run = await engine.submit(waiting.bind())
        await world.until(facts.AttemptStarted)
        await world.clock.advance(2 * HOUR)
        await run.cancel()
        await world.until(facts.RunCancelled)
    await watch(sensor, book, seen_from(sensor, world), enough(1))
    assert [(event.id, event.data.state) for event in book.events] == [(f"{run.id}.late", "cancelled")]


async def test_at_the_first_look_ever_runs_that_are_late_already_are_passed_over_and_younger_ones_are_not() -> None:
    world, sensor, book = World(), RunSensor("late", of=[waiting, doubling], on="late", deadline="1h"), Book()
    async with world.engine(*ALL) as engine:
        await engine.submit(waiting.bind())
        await world.clock.advance(HOUR)
        young = [await engine.submit(waiting.bind()) for _ in range(3)]
        for number in range(250):
            await engine.submit(doubling.bind(number))
        await world.until(facts.RunSucceeded, count=250)
        await watch(sensor, book, seen_from(sensor, world), beats())
        await world.clock.advance(HOUR)
        await watch(sensor, book, seen_from(sensor, world), enough(3))
    assert book.ids == [f"{run.id}.late" for run in young]


@pytest.mark.parametrize("commits", range(4))
async def test_after_a_crash_at_any_commit_each_late_run_is_there_exactly_once(commits: int) -> None:
    world, sensor = World(), RunSensor("late", of=waiting, on="late", deadline="1h")
    book = await begun(sensor, world)
    async with world.engine(*ALL) as engine:
        first = await engine.submit(waiting.bind())
        await world.clock.advance(HOUR / 2)
        second = await engine.submit(waiting.bind())
        await world.clock.advance(HOUR / 2)
        book.commits_left = commits
        try:
            await watch(sensor, book, seen_from(sensor, world), enough(1))
            await world.clock.advance(HOUR / 2)
            await watch(sensor, book, seen_from(sensor, world), enough(2))
        except Crashed:
            await world.clock.advance(HOUR / 2)
        book.commits_left = None
        await watch(sensor, book, seen_from(sensor, world), enough(2))
    assert book.ids == [f"{first.id}.late", f"{second.id}.late"]
    assert book.repeated == []


async def test_runs_of_other_pipelines_keep_no_late_one_waiting() -> None:
    world, sensor = World(), RunSensor("late", of="other", on="late", deadline="1h")
    book = await begun(sensor, world)
    async with world.engine(*ALL) as engine:
        run = await engine.submit(waiting.bind())
        await watch(sensor, book, seen_from(sensor, world), beats(2))
    assert book.cursor == {"submitted": (await world.run(run.id)).seq}


async def test_many_late_runs_come_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventflow.sensors.runs._PAGE", 2)
    world, sensor = World(), RunSensor("late", of=waiting, on="late", deadline="1h")
    book = await begun(sensor, world)
    async with world.engine(*ALL) as engine:
        made = [(await engine.submit(waiting.bind())).id for _ in range(5)]
        await world.clock.advance(HOUR)
        await watch(sensor, book, seen_from(sensor, world), enough(5))
    assert book.ids == [f"{run}.late" for run in made]
    assert [len(one.events) for one in book.observations if one.events] == [2, 2, 1]


# What it is


def test_its_events_carry_ended_runs() -> None:
    assert data_of(RunSensor("ends", of=doubling)) is RunEnded


def test_it_says_where_it_stands() -> None:
    sensor = RunSensor("ends", of=[doubling, "other"])
    assert sensor.in_words(None) == "has not looked yet"
    assert sensor.in_words({"ended": 17}) == "knows every run that ended up to fact 17"
    assert (
        RunSensor("late", of=doubling, on="late", deadline=60).in_words({"submitted": 9})
        == "knows every run that was submitted up to fact 9"
    )
    assert repr(sensor) == "<RunSensor 'ends': doubling, other succeeded>"
    assert not [*mistakes_in(sensor)]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: RunSensor("Bad Name", of=doubling), "can't name a sensor"),
        (lambda: RunSensor("x", of="No Name"), "of='No Name': 'No Name' can't name a pipeline"),
        (lambda: RunSensor("x", of=[]), "of=[] is no pipeline"),
        (lambda: RunSensor("x", of=[doubling, double]), "<task double> can't name a pipeline"),
        (lambda: RunSensor("x", of=5), "of=5: 5 can't name a pipeline"),
        (lambda: RunSensor("x", of=doubling, on="done"), "on='done' is unknown: use 'succeeded', 'failed', 'cancelled', 'ended' or 'late'"),
        (lambda: RunSensor("x", of=doubling, on="late"), "on='late' needs a deadline: give one"),
        (lambda: RunSensor("x", of=doubling, deadline="1h"), "on='succeeded' has no use for a deadline"),
        (lambda: RunSensor("x", of=doubling, on="late", deadline="soon"), "'soon' is not a duration"),
        (lambda: RunSensor("x", of=doubling, on="late", deadline=0), "deadline=0 is too short"),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_line(make: Callable[[], object], said: str) -> None:
    with pytest.raises(DefinitionError) as raised:
        make()
    assert said in raised.value.message
    assert str(raised.value.where).startswith(f"{__file__}:")


@pytest.mark.parametrize("order", ["result_seq", "seq"])
def test_its_questions_find_an_index(tmp_path: Path, order: str) -> None:
    make(tmp_path / "journal.db", lambda _: None)
    asked = question(RunRow, {order: Above(5)}, order=order, limit=200)
    with contextlib.closing(connect(tmp_path / "journal.db")) as schema:
        (plan,) = [detail for *_, detail in schema.execute("EXPLAIN QUERY PLAN " + asked.text, asked.parameters) if "SEARCH" in detail]
    assert f"INDEX runs_by_{'result' if order == 'result_seq' else 'seq'} ({order}>?)" in plan


def test_it_tells_which_pipelines_it_was_given() -> None:
    sensor = RunSensor("done", of=[doubling, "elsewhere"])
    assert isinstance(sensor, Referring)
    assert sensor.refers_to == References(pipelines=frozenset({"doubling", "elsewhere"}))


class Unreadable(MemoryJournal):
    """A journal that can't be read."""

    async def select(self, *_: Any, **__: Any) -> Any:
        raise JournalDamaged("it is damaged")


async def test_it_could_look_where_the_journal_can_be_read() -> None:
    sensor = RunSensor("done", of=doubling)
    assert isinstance(sensor, Checkable)
    await sensor.check(outside("done"))
    with pytest.raises(JournalDamaged):
        await sensor.check(outside("done", journal=Unreadable()))
