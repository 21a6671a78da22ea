"""`@sensor`: async generator functions as sensors."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from eventflow import DefinitionError, Event, Observation, Seen, Trigger, World, facts, pipeline, sensor, task
from eventflow.definition.waits import data_of
from eventflow.errors import EventflowError
from eventflow.project.contents import contents
from eventflow.projections import SensorRow
from eventflow.triggers import check, mistakes_in
from tests.engine.sources import decisions, healths, supervised
from tests.engine.world import World as Inside
from tests.sensors.outside import Book, Crashed, outside, watch

LETTERS = [chr(place) for place in range(ord("a"), ord("a") + 7)]


@sensor
async def letters(world: World) -> AsyncIterator[Event[str]]:
    for letter in LETTERS:
        yield world.event(letter, letter.upper())
    await anyio.sleep_forever()


@sensor(name="numbers", interval="10m")
async def counted(cursor: object, world: World) -> AsyncIterator[Observation[int]]:
    at = cursor if isinstance(cursor, int) else 0
    while True:
        events = tuple(world.event(str(number), number) for number in range(at, at + 3))
        at += 3
        yield Observation(events=events, cursor=at)


def enough(count: int) -> Callable[[Book], bool]:
    return lambda book: len(book.events) >= count


def observed(count: int) -> Callable[[Book], bool]:
    return lambda book: len(book.observations) >= count


# What comes out of it


async def test_an_event_that_is_yielded_is_an_observation_of_that_event() -> None:
    book = Book()
    await watch(letters, book, outside("letters"), enough(7))
    assert [event.data for event in book.events] == [letter.upper() for letter in LETTERS]
    assert [(event.source, event.type) for event in book.events][:1] == [("letters", "letters")]


async def test_a_yielded_event_leaves_the_cursor_as_it_is() -> None:
    @sensor
    async def mixed(cursor: object, world: World) -> AsyncIterator[Event[int] | Observation[int] | list[Event[int]]]:
        yield world.event(f"start {cursor}", 0)
        yield Observation(cursor=5)
        yield world.event("one", 1)
        yield [world.event("two", 2), world.event("three", 3)]
        yield []

    book = Book()
    book.cursor = 4
    await watch(mixed, book, outside("mixed"), observed(5))
    assert [observation.cursor for observation in book.observations] == [4, 5, 5, 5, 5]
    assert book.ids == ["start 4", "one", "two", "three"]


async def test_an_empty_list_is_a_sign_of_life() -> None:
    @sensor
    async def quiet() -> AsyncIterator[list[Event[int]]]:
        yield []

    book = Book()
    book.cursor = {"kept": True}
    await watch(quiet, book, outside("quiet"), observed(1))
    assert book.observations == [Observation(cursor={"kept": True})]


async def test_a_long_list_becomes_observations_of_which_each_is_a_bearable_transaction() -> None:
    @sensor
    async def many(world: World) -> AsyncIterator[list[Event[int]]]:
        yield [world.event(str(number), number) for number in range(1201)]

    book = Book()
    await watch(many, book, outside("many"), enough(1201))
    assert [len(observation.events) for observation in book.observations] == [500, 500, 201]


async def test_what_an_observation_says_beside_events_gets_through() -> None:
    @sensor
    async def telling(world: World) -> AsyncIterator[Observation[int]]:
        yield Observation(known=("a", "b"), cursor=1)
        yield Observation(forget=("a",), missed=(world.event("late", 1),), lagging="it is slow", cursor=2)

    book = Book()
    await watch(telling, book, outside("telling"), observed(2))
    assert book.observations[1].forget == ("a",)
    assert [event.id for event in book.missed] == ["late"]
    assert book.observations[1].lagging == "it is slow"


async def test_a_function_gets_what_it_asks_for_by_name() -> None:
    got: list[object] = []

    @sensor
    async def asking(*, seen: Seen, cursor: object) -> AsyncIterator[list[Event[int]]]:
        got.extend([seen, cursor])
        yield []

    book = Book()
    book.cursor = [7]
    await watch(asking, book, outside("asking"), observed(1))
    assert got == [book, [7]]


@pytest.mark.parametrize("commits", range(8))
async def test_after_a_crash_at_any_commit_each_event_is_there_exactly_once(commits: int) -> None:
    book = Book()
    book.commits_left = commits
    if commits < 7:
        with pytest.raises(Crashed):
            await watch(letters, book, outside("letters"), enough(7))
    book.commits_left = None
    await watch(letters, book, outside("letters"), lambda book: len(book.events) + len(book.repeated) >= 7 and len(book.events) == 7)
    assert book.ids == LETTERS


async def test_the_functions_own_end_runs_when_the_sensor_is_closed() -> None:
    closed: list[str] = []

    @sensor
    async def careful(world: World) -> AsyncIterator[Event[int]]:
        try:
            while True:
                yield world.event("one", 1)
        finally:
            closed.append("closed")

    await watch(careful, Book(), outside("careful"), observed(1))
    assert closed == ["closed"]


# What it is


async def test_fn_is_the_function_itself() -> None:
    assert [event.data async for event in _some(letters.fn(world=outside("letters")), 2)] == ["A", "B"]


def test_it_has_the_functions_name_or_the_one_given() -> None:
    assert (letters.name, letters.interval) == ("letters", None)
    assert (counted.name, counted.interval) == ("numbers", 600.0)
    assert not [*mistakes_in(letters), *mistakes_in(counted)]


def test_it_says_what_and_where_it_is() -> None:
    assert repr(letters) == f"<sensor 'letters': {letters.place}>"
    assert str(letters.place).startswith(__file__)


def test_a_project_finds_it_among_a_modules_globals() -> None:
    import sys

    found = contents([sys.modules[__name__]])
    assert [one.value for one in found.sensors] == [letters, counted]
    assert [one.place for one in found.sensors] == [letters.place, counted.place]


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(DefinitionError, match="two sensors are named 'letters'"):
        check([letters, letters], [])


def test_the_type_of_its_data_is_that_of_its_return_annotation() -> None:
    @sensor
    async def either() -> AsyncGenerator[Event[int] | list[Event[int]] | Observation[int], None]:
        yield []

    @sensor
    async def both() -> AsyncIterator[Event[int] | Observation[str]]:
        yield Observation()

    @sensor
    async def silent():  # type: ignore[no-untyped-def]
        yield Observation()

    @sensor
    async def vague() -> AsyncIterator[Event[Any]]:
        yield Event(id="1", source="vague", type="", data=None, time=0)

    assert [data_of(one) for one in (letters, counted, either, both, silent, vague)] == [str, int, int, int | str, Any, Any]


# Mistakes that show at decoration


async def _coroutine(world: World) -> int:
    return 1


def _generator():
    yield 1


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: sensor(_coroutine), "written as `async def` with `yield` in it, and _coroutine isn't one"),
        (lambda: sensor(_generator), "_generator isn't one"),
        (lambda: sensor(name="x")(5), "and 5 isn't one"),
        (lambda: sensor(Book), "Book isn't one"),
        (lambda: sensor(interval="often")(letters.fn), "'often' is not a duration"),
        (lambda: sensor(interval=-1)(letters.fn), "-1 is not a duration"),
        (lambda: sensor(interval=0)(letters.fn), "interval=0: give the longest time between two of its observations"),
        (lambda: sensor(name="Big Name")(letters.fn), "'Big Name' can't name a sensor: use a-z"),
        (lambda: sensor(name=5)(letters.fn), "5 can't name a sensor"),
    ],
)
def test_a_mistake_is_told_at_decoration_with_its_line(make: Callable[[], object], said: str) -> None:
    with pytest.raises(DefinitionError) as raised:
        make()
    assert said in raised.value.message
    assert str(raised.value.where).startswith(f"{__file__}:")


def test_a_function_whose_name_is_none_for_a_sensor_is_told_how_to_get_one() -> None:
    async def CamelCase() -> AsyncIterator[list[Event[int]]]:
        yield []

    with pytest.raises(DefinitionError, match=r"'CamelCase' can't name a sensor: .*; give it one with sensor\(name=...\)"):
        sensor(CamelCase)


def test_a_parameter_that_nobody_fills_is_a_mistake() -> None:
    async def own(world: World, folder: Path) -> AsyncIterator[list[Event[int]]]:
        yield []

    async def all_of_them(**anything: object) -> AsyncIterator[list[Event[int]]]:
        yield []

    async def placed(world: World, /) -> AsyncIterator[list[Event[int]]]:
        yield []

    for fn, named in ((own, "folder: 'Path'"), (all_of_them, r"\*\*anything: 'object'"), (placed, "world: 'World'")):
        with pytest.raises(DefinitionError, match=f"takes {named}, but a sensor is given cursor, seen and world, by these names"):
            sensor(fn)


# Mistakes that show at run time


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (None, "yielded nothing: yield an event, made by world.event"),
        ("text", "yielded str: yield an event"),
        ({"id": "1"}, "yielded dict: yield an event"),
        ([Event(id="1", source="wrong", type="t", data=1, time=1), 5], "yielded int"),
        (Event(id="", source="wrong", type="t", data=1, time=1), "yielded an event without an id"),
        (Event(id=5, source="wrong", type="t", data=1, time=1), "yielded an event without an id"),
        (Event(id="1", source="other", type="t", data=1, time=1), "yielded an event of source 'other'"),
        (Observation(events=(Event(id="", source="wrong", type="t", data=1, time=1),)), "yielded an event without an id"),
        (Observation(missed=(Event(id="1", source="o", type="t", data=1, time=1),)), "yielded an event of source 'o'"),
    ],
)
async def test_what_is_no_event_of_this_sensor_is_refused_at_once(wrong: Any, said: str) -> None:
    @sensor(name="wrong")
    async def yields() -> AsyncIterator[Any]:
        yield wrong

    book = Book()
    with pytest.raises(EventflowError) as raised:
        await watch(yields, book, outside("wrong"), observed(1))
    assert said in str(raised.value)
    assert f"sensor 'wrong' ({yields.place}) " in str(raised.value)
    assert book.observations == []


async def test_one_that_ends_is_degraded_with_a_reason_that_names_its_line() -> None:
    @sensor
    async def short(world: World) -> AsyncIterator[Event[int]]:
        yield world.event("one", 1)

    inside = Inside()
    async with inside.engine() as engine, supervised(engine, [short]):
        await inside.clock.until_waiting()
        (row,) = await inside.journal.select(SensorRow)
    assert row.state == "degraded"
    assert row.reason == f"sensor 'short' ({short.place}) ended: a sensor must go on for ever, as with `while True:`"


async def test_one_that_hangs_is_started_anew() -> None:
    starts: list[int] = []

    @sensor(interval="10s")
    async def stuck(world: World) -> AsyncIterator[Event[int]]:
        starts.append(1)
        await anyio.sleep_forever()
        yield world.event("never", 1)

    inside = Inside()
    async with inside.engine() as engine, supervised(engine, [stuck]):
        await inside.clock.until_waiting()
        await inside.clock.advance(60)
        assert len(starts) > 1
    assert any("hangs" in str(reason) for _, reason in await healths(inside, "stuck"))


# At work


@task
async def keep(letter: str) -> str:
    return letter


@pipeline
def keeps(letter: str) -> str:
    return keep(letter)


async def test_its_events_fire_a_run_each_over_two_starts() -> None:
    inside, keeping = Inside(), Trigger("keeping", on=letters, run=keeps, params=lambda event: {"letter": event.data})
    for _ in range(2):
        async with inside.engine() as engine, supervised(engine, [letters], [keeping]):
            await inside.until(facts.RunSucceeded, count=7)
    assert await decisions(inside) == [("keeping", "fired")] * 7


async def _some(events: AsyncIterator[Event[str]], count: int) -> AsyncGenerator[Event[str], None]:
    for _ in range(count):
        yield await anext(events)
