"""Runs in which everything waits: they leave, hold nothing, and go on through the queue when something has come."""

from __future__ import annotations

import contextlib
import gc
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest

from eventflow import Ended, Observation, Retry, RunFailed, approval, each, facts, maybe, pipeline, sleep_until, task, wait_for, when
from eventflow.durations import SECOND
from eventflow.engine.engine import Engine
from eventflow.engine.frame import Wish
from eventflow.engine.run import RunExecution
from eventflow.errors import InvalidRequest, NotFound
from eventflow.facts import Unit
from eventflow.journal.memory import MemoryJournal
from eventflow.journal.sqlite import open_sqlite
from eventflow.ports import Instrument
from eventflow.projections import NodeRow, RunRow
from eventflow.system import SystemClock
from tests.engine.sources import dispatch, event, runs
from tests.engine.world import Hurdle, Late, World, holding, turns


@task
async def show(value: object) -> object:
    return value


@task
async def forever() -> int:
    await anyio.sleep_forever()
    return 1


@pipeline
def asks(number: int = 0) -> object:
    return show(approval("Sure?"))


@pipeline
def asks_twice() -> list[object]:
    return [show(approval("One?", name="one")), show(approval("Two?", name="two"))]


async def suspended(world: World, count: int = 1) -> None:
    await world.until(facts.RunSuspended, count=count)
    await turns()


def executions() -> int:
    return sum(isinstance(one, RunExecution) for one in gc.get_objects())


# Only if everything waits


async def test_a_run_is_suspended_only_when_nothing_else_is_left_to_do() -> None:
    go = anyio.Event()

    @task
    async def slow() -> int:
        await go.wait()
        return 1

    @task(retry=Retry(attempts=2, delay=100))
    async def tried_again() -> int:
        raise OSError

    @pipeline
    def several() -> list[object]:
        return [approval("Sure?"), show(slow()), tried_again()]

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(several.bind())
        await world.until(facts.AttemptFailed)
        await turns()
        assert await run.state() == "running"  # `slow` runs, and `tried_again` is to be tried again
        go.set()
        await turns()
        assert (await world.nodes(run.id))["show"] == "succeeded"
        assert await run.state() == "running"
        await world.clock.advance(100)
        await turns()
        assert await run.state() == "suspended"
        assert len(await world.facts(facts.RunSuspended)) == 1


async def test_a_run_that_waits_for_a_limit_isnt_suspended() -> None:
    @task(uses={"gpu": 1})
    async def train() -> int:
        return 1

    @task(uses={"gpu": 1})
    async def holds() -> int:
        await anyio.sleep_forever()
        return 1

    @pipeline
    def busy() -> int:
        return holds()

    @pipeline
    def both() -> list[object]:
        return [approval("Sure?"), train()]

    world = World(resources={"gpu": 1})
    async with world.engine() as engine:
        first = await engine.submit(busy.bind())
        await world.until(facts.AttemptStarted)
        run = await engine.submit(both.bind())
        await turns()
        assert await world.nodes(run.id) == {"approval": "suspended", "train": "queued"}
        assert await run.state() == "running"
        await first.cancel()
        await suspended(world)
        assert await run.state() == "suspended"


async def test_a_paused_run_with_something_held_back_is_not_suspended_and_goes_on_when_unpaused() -> None:
    go = anyio.Event()

    @task
    async def slow() -> int:
        await go.wait()
        return 1

    @pipeline
    def several() -> list[object]:
        return [approval("Sure?"), show(slow())]

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(several.bind())
        await world.until(facts.NodeSuspended)
        await turns()
        await engine.pause(run.id)
        go.set()
        await turns()
        assert "show" not in await world.nodes(run.id)
        await engine.unpause(run.id)
        await suspended(world)
        assert (await world.nodes(run.id))["show"] == "succeeded"


async def test_a_paused_suspended_run_takes_its_answer_and_starts_nothing() -> None:
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(asks.bind())
        await suspended(world)
        await engine.pause(run.id)
        await engine.answer(run.id, "approval", True)
        await turns()
        assert await world.nodes(run.id) == {"approval": "succeeded"}
        await engine.unpause(run.id)
        assert await run.result() is True


async def test_a_map_of_waits_is_suspended_when_all_its_items_wait() -> None:
    @pipeline
    def one(item: int) -> object:
        return show(approval("Sure?"))

    @pipeline
    def many(items: list[int]) -> Any:
        return one.map(item=each(items))

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(many.bind([1, 2, 3]))
        await suspended(world)
        assert (await world.facts(facts.RunSuspended))[0].waiting == 3
        assert (await world.run(run.id)).waiting == 3


# Woken


async def test_a_run_is_woken_through_the_queue() -> None:
    world = World()

    @task
    async def choose(number: int) -> int:
        if number:
            await anyio.sleep_forever()
        return number

    @pipeline(max_active_runs=1)
    def either(number: int) -> object:
        return show(approval("Sure?", after=[choose(number)]))

    async with world.engine() as engine:
        first = await engine.submit(either.bind(0))
        await suspended(world)
        second = await engine.submit(either.bind(1))
        await world.until(facts.AttemptStarted, count=2)
        await engine.answer(first.id, "approval", True)
        await turns()
        assert [row.state for row in await runs(world)] == ["queued", "running"]  # answered, and waiting for its turn
        await second.cancel()
        assert await first.result() is True
    assert [
        type(fact).__name__ for fact in await world.facts(facts.RunStarted, facts.RunSuspended, facts.RunWoken) if fact.run == first.id
    ] == [
        "RunStarted",
        "RunSuspended",
        "RunWoken",
        "RunStarted",
    ]


async def test_a_woken_run_comes_before_those_submitted_later() -> None:
    started: list[int] = []

    @task
    async def begin(number: int) -> int:
        started.append(number)
        if number == 1:
            await go.wait()
        return number

    go = anyio.Event()

    @task
    async def ask_if(number: int) -> bool:
        return number == 0

    @pipeline(max_active_runs=1)
    def mixed(number: int) -> object:
        with when(ask_if(number)):
            yes = approval("Sure?")
        return begin.after(show(maybe(yes)))(number)

    world = World()
    async with world.engine() as engine:
        first = await engine.submit(mixed.bind(0))
        await suspended(world)
        await world.clock.advance(1)
        others = [await engine.submit(mixed.bind(number)) for number in (1, 2)]
        await turns()
        await engine.answer(first.id, "approval", True)
        await turns()
        go.set()
        for run in (first, *others):
            await run.wait()
    assert started == [1, 0, 2]


async def test_an_answer_while_the_run_is_being_suspended_wakes_it() -> None:
    world = World()
    world.journal = hurdle = Hurdle(world.journal, "commit", holding(facts.RunSuspended))
    async with world.engine() as engine:
        run = await engine.submit(asks.bind())
        await hurdle.reached.wait()
        await engine.answer(run.id, "approval", True)
        assert not await world.holds(facts.RunSuspended)
        hurdle.open.set()
        assert await run.result() is True
    assert len(await world.facts(facts.RunWoken)) == 1


async def test_an_answer_while_a_woken_run_reads_its_past_is_not_lost() -> None:
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(asks_twice.bind())
        await suspended(world)
        select, reading, go = world.journal.select, anyio.Event(), anyio.Event()

        async def slowly(table: Any, **conditions: Any) -> Any:
            found = await select(table, **conditions)
            if conditions.get("order") == "ended_at" and not reading.is_set():
                reading.set()
                await go.wait()
            return found

        world.journal.select = slowly
        await engine.answer(run.id, "one", True)
        await reading.wait()
        await engine.answer(run.id, "two", False)
        go.set()
        assert await run.result() == [True, False]


@pytest.mark.parametrize("journal", [MemoryJournal, Late])
async def test_answers_at_any_moment_end_the_run(journal: type[MemoryJournal]) -> None:
    for turn in range(40):
        world = World(journal=journal())
        async with world.engine() as engine:
            run = await engine.submit(asks_twice.bind())
            for node in ("one", "two"):
                await turns(turn)
                while node not in [wait.node for wait in engine.waiting()]:
                    await turns(1)
                await engine.answer(run.id, node, True)
            with anyio.fail_after(5):
                assert await run.result() == [True, True]
            woken = await world.facts(facts.RunWoken)
            assert len(woken) == len(await world.facts(facts.RunSuspended)) <= 2, turn


async def test_an_answer_while_a_woken_run_reads_its_past_doesnt_keep_it_from_being_cancelled() -> None:
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(asks_twice.bind())
        await suspended(world)
        select, reading, go = world.journal.select, anyio.Event(), anyio.Event()

        async def slowly(table: Any, **conditions: Any) -> Any:
            found = await select(table, **conditions)
            if conditions.get("order") == "ended_at" and not reading.is_set():
                reading.set()
                await go.wait()
            return found

        world.journal.select = slowly
        await engine.answer(run.id, "one", True)
        await reading.wait()
        await engine.answer(run.id, "two", False)
        await run.cancel()
        go.set()
        with anyio.fail_after(5):
            assert (await run.wait()).state == "cancelled"


@pytest.mark.parametrize("turn", range(8))
async def test_an_answer_to_an_item_that_goes_on_in_a_moment_is_not_lost(turn: int) -> None:
    @pipeline
    def one(item: int) -> object:
        return show(approval("Sure?"))

    @pipeline
    def few(items: list[int]) -> Any:
        return one.options(max_active_items=2).map(item=each(items))

    world = World()
    async with world.engine() as engine, anyio.create_task_group() as tasks:
        run = await engine.submit(few.bind([0, 1, 2]))
        await suspended(world)
        await engine.answer(run.id, "one[0].approval", True)
        await suspended(world, count=2)
        made = engine._runs._from_past

        async def answer_later() -> None:
            await turns(turn)
            await engine.answer(run.id, "one[2].approval", True)

        async def answer_the_other(opened: Any) -> Any:
            engine._runs._from_past = made
            execution = await made(opened)
            tasks.start_soon(answer_later)
            return execution

        engine._runs._from_past = answer_the_other
        await engine.answer(run.id, "one[1].approval", True)
        with anyio.fail_after(5):
            assert await run.result() == [True, True, True]
        woken = len(await world.facts(facts.RunWoken))
        assert woken == len(await world.facts(facts.RunSuspended)) <= 2 + (turn > 2)


async def test_a_second_answer_to_a_run_in_the_queue_wakes_it_once() -> None:
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(asks_twice.bind())
        await suspended(world)
        await engine.pause_pipeline("asks_twice")
        await engine.answer(run.id, "one", True)
        await engine.answer(run.id, "two", True)
        assert await run.state() == "queued"
        await engine.unpause_pipeline("asks_twice")
        assert await run.result() == [True, True]
    assert len(await world.facts(facts.RunWoken)) == len(await world.facts(facts.RunSuspended)) == 1


async def test_answers_that_come_in_the_queue_dont_wake_a_run_again_later() -> None:
    @pipeline
    def asks_thrice() -> list[object]:
        return [approval("One?", name="one"), approval("Two?", name="two"), approval("Three?", name="three")]

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(asks_thrice.bind())
        await suspended(world)
        await engine.pause_pipeline("asks_thrice")
        await engine.answer(run.id, "one", True)
        await engine.answer(run.id, "two", True)
        await engine.unpause_pipeline("asks_thrice")
        await suspended(world, count=2)
        assert len(await world.facts(facts.RunWoken)) == 1
        await engine.answer(run.id, "three", True)
        assert await run.result() == [True, True, True]


async def test_one_of_several_answers_wakes_and_the_rest_is_waited_for_again() -> None:
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(asks_twice.bind())
        await suspended(world)
        await engine.answer(run.id, "two", True)
        await suspended(world, count=2)
        assert await world.nodes(run.id) == {"one": "suspended", "two": "succeeded", "show_2": "succeeded"}
        assert [fact.waiting for fact in await world.facts(facts.RunSuspended)] == [2, 1]
        await engine.answer(run.id, "one", False)
        assert await run.result() == [False, True]


# Its time


async def test_suspended_time_is_not_run_time() -> None:
    @task
    async def works() -> int:
        await world.clock.sleep(4)
        return 1

    @pipeline(timeout=10)
    def limited() -> object:
        return works.options(name="then").after(approval("Sure?", after=[works()]))()

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(limited.bind())
        await world.clock.until_waiting(2)
        await world.clock.advance(4)
        await suspended(world)
        assert (await world.run(run.id)).ran == 4 * SECOND
        await world.clock.advance(100_000)
        assert await run.state() == "suspended"
        await engine.answer(run.id, "approval", True)
        await world.clock.until_waiting(2)
        await world.clock.advance(4)
        assert await run.result() == 1


async def test_own_time_is_added_up_and_bounded_over_suspensions() -> None:
    @task
    async def works() -> int:
        await world.clock.sleep(6)
        return 1

    @pipeline(timeout=10)
    def limited() -> object:
        return works.options(name="then").after(approval("Sure?", after=[works()]))()

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(limited.bind())
        await world.clock.until_waiting(2)
        await world.clock.advance(6)
        await suspended(world)
        await world.clock.advance(1000)
        await engine.answer(run.id, "approval", True)
        await world.clock.until_waiting(2)
        await world.clock.advance(3.9)
        assert await run.state() == "running"
        await world.clock.advance(0.2)
        with pytest.raises(RunFailed, match="longer than its 10 s"):
            await run.result()
    assert await world.nodes(run.id) == {"works": "succeeded", "approval": "succeeded", "then": "cancelled"}


async def test_own_time_is_kept_over_a_restart() -> None:
    @task
    async def works() -> int:
        await world.clock.sleep(6)
        return 1

    @pipeline(timeout=10)
    def limited() -> object:
        return works.options(name="then").after(approval("Sure?", after=[works()]))()

    world = World()
    async with world.doomed() as engine:
        run = (await engine.submit(limited.bind())).id
        await world.clock.until_waiting(2)
        await world.clock.advance(6)
        await suspended(world)
        await world.clock.advance(1000)
    async with world.engine(limited) as engine:
        await world.clock.advance(1000)
        await engine.answer(run, "approval", True)
        await world.clock.until_waiting(2)
        await world.clock.advance(3.9)
        assert (await engine.state(run)).state == "running"
        await world.clock.advance(0.2)
        with pytest.raises(RunFailed, match="longer than its 10 s"):
            await engine.result(run)


async def test_a_timeout_at_the_very_moment_of_the_suspension_doesnt_end_the_run_or_lose_it() -> None:
    @pipeline(timeout=10)
    def limited() -> object:
        return show(approval("Sure?"))

    world = World()
    world.journal = hurdle = Hurdle(world.journal, "commit", holding(facts.RunSuspended))
    async with world.engine() as engine:
        run = await engine.submit(limited.bind())
        await hurdle.reached.wait()
        await world.clock.advance(11)
        hurdle.open.set()
        await turns()
        assert await run.state() == "suspended"
        await engine.answer(run.id, "approval", True)
        assert await run.result() is True
        assert (await world.run(run.id)).ran == 0


async def test_the_time_in_which_no_process_was_there_is_not_run_time() -> None:
    @pipeline(timeout=10)
    def limited() -> object:
        return forever()

    world = World()
    async with world.doomed() as engine:
        run = (await engine.submit(limited.bind())).id
        await world.until(facts.AttemptStarted)
        await turns()
    await world.clock.advance(1000)
    async with world.engine(limited) as engine:
        await world.until(facts.AttemptStarted, count=2)
        await world.clock.advance(9)
        assert (await engine.state(run)).state == "running"
        await world.clock.advance(1)
        with pytest.raises(RunFailed, match="longer than its 10 s"):
            await engine.result(run)


async def test_a_timeout_in_the_turn_in_which_the_run_comes_to_rest_changes_nothing() -> None:
    @pipeline(timeout=10)
    def limited() -> object:
        return show(approval("Sure?", after=[show(1)]))

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(limited.bind())
        await turns(1)
        execution: Any = engine._runs.find(run.id).execution  # type: ignore[union-attr]
        rest = execution._motion._came_to_rest

        def rest_and_time_out() -> None:
            rest()
            execution._end_early(Wish.TIMEOUT)

        execution._motion._came_to_rest = rest_and_time_out
        await suspended(world)
        assert (await run.state(), (await world.nodes(run.id))["approval"]) == ("suspended", "suspended")
        await engine.answer(run.id, "approval", True)
        assert await run.result() is True


# What it holds


async def test_a_thousand_suspended_runs_hold_no_execution_and_little_else() -> None:
    gc.collect()
    before = executions()
    world = World()
    async with world.engine() as engine:
        some = [await engine.submit(asks.bind(number)) for number in range(1000)]
        await suspended(world, count=1000)
        gc.collect()
        assert executions() == before
        assert world.clock.waiting == 0
        await engine.answer(some[500].id, "approval", True)
        assert await some[500].result() is True
        assert len(engine.waiting()) == 999


async def test_at_a_start_suspended_runs_are_not_executed() -> None:
    world = World()
    async with world.doomed() as engine:
        for number in range(20):
            await engine.submit(asks.bind(number))
        await suspended(world, count=20)
    gc.collect()
    before = executions()
    async with world.engine(asks) as engine:
        assert executions() == before
        assert len(engine.waiting()) == 20
        assert not await world.holds(facts.RunWoken)
        run = engine.waiting()[3].run
        await engine.answer(run, "approval", True)
        assert await engine.result(run) is True


# Crashes


async def test_a_run_whose_wait_ended_but_whose_waking_was_lost_is_woken_at_the_next_start() -> None:
    class Dying(Instrument):
        def reached(self, point: str) -> None:
            if point == "engine.wait.after":
                world.journal.die()

    world = World(instrument=Dying())
    async with world.doomed() as engine:
        run = (await engine.submit(asks_twice.bind())).id
        await suspended(world)
        await engine.answer(run, "one", True)
        await turns()
    assert ((await world.run(run)).state, (await world.run(run)).waiting) == ("suspended", 2)
    world.instrument = Instrument()
    async with world.engine(asks_twice) as engine:
        await suspended(world, count=2)
        assert await world.nodes(run) == {"one": "succeeded", "show": "succeeded", "two": "suspended"}
        await engine.answer(run, "two", True)
        assert await engine.result(run) == [True, True]


async def test_from_every_prefix_of_a_history_with_waits_the_end_is_the_same() -> None:
    class Recording(MemoryJournal):
        def _commit(self, unit: Unit) -> int:
            seq = super()._commit(unit)
            units.append(unit)
            return seq

    units: list[Unit] = []
    world = World(journal=Recording())
    async with world.engine() as engine:
        run = await engine.submit(asks_twice.bind())
        await suspended(world)
        await engine.answer(run.id, "two", True)
        await suspended(world, count=2)
        await engine.answer(run.id, "one", True)
        await run.result()
    for length in range(1, len(units) + 1):
        again = World()
        for unit in units[:length]:
            await again.journal.commit(unit)
        async with again.engine(asks_twice) as engine:
            await turns(100)
            for wait in engine.waiting():
                await engine.answer(wait.run, wait.node, True)
            assert await engine.result(run.id) == [True, True]
        assert len(await again.facts(facts.NodeSuspended)) == len(await again.facts(facts.NodeAnswered)) == 2
        assert len(await again.facts(facts.AttemptSucceeded)) == 2


async def test_an_orderly_stop_leaves_suspended_runs_as_they_are() -> None:
    world = World()
    async with world.engine() as engine:
        run = (await engine.submit(asks.bind())).id
        await suspended(world)
        seq = world.journal.seq
    assert world.journal.seq == seq
    async with world.engine(asks) as engine:
        await engine.answer(run, "approval", True)
        assert await engine.result(run) is True


async def test_a_stop_while_a_run_is_being_suspended_loses_nothing() -> None:
    world = World(journal=Late())
    for turn in range(0, 30, 2):
        async with world.engine(asks) as engine:
            await engine.submit(asks.bind())
            await turns(turn)
    async with world.engine(asks) as engine:
        await turns(200)
        assert len(engine.waiting()) == 15
        for wait in engine.waiting():
            await engine.answer(wait.run, "approval", True)
        for row in await runs(world):
            assert await engine.result(row.run) is True


# Cancelled


@pytest.mark.parametrize("journal", [MemoryJournal, Late])
async def test_at_whatever_moment_a_run_that_waits_is_cancelled_it_ends(journal: type[MemoryJournal]) -> None:
    for turn in range(45):
        world = World(journal=journal())
        async with world.engine() as engine:
            run = await engine.submit(asks_twice.bind())
            await turns(turn)
            await run.cancel()
            with anyio.fail_after(5):
                assert (await run.wait()).state == "cancelled", turn
            assert engine.waiting() == []
        assert await world.journal.select(RunRow, state="cancelled")


@pytest.mark.parametrize("journal", [MemoryJournal, Late])
@pytest.mark.parametrize("closes", [False, True])
async def test_an_answer_and_a_cancel_at_the_same_time_end_the_run(journal: type[MemoryJournal], closes: bool) -> None:
    @task
    async def close() -> None:
        closed.append(1)

    @pipeline
    def opens() -> object:
        return show(approval("Sure?"))

    @pipeline(name="opens", finally_=[close])
    def closing() -> object:
        return show(approval("Sure?"))

    closed: list[int] = []
    for turn in range(40):
        for first in ("answer", "cancel"):
            closed.clear()
            world = World(journal=journal())
            async with world.engine() as engine:
                run = await engine.submit((closing if closes else opens).bind())
                await suspended(world)

                async def answer(engine: Any = engine, run: str = run.id) -> None:
                    try:
                        await engine.answer(run, "approval", True)
                    except InvalidRequest:
                        return

                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(answer if first == "answer" else run.cancel)
                    await turns(turn)
                    tasks.start_soon(run.cancel if first == "answer" else answer)
                with anyio.fail_after(5):
                    ended = await run.wait()
                assert ended.state == "cancelled" or (first == "answer" and ended.state == "succeeded"), (turn, first)
                assert engine.waiting() == []
            assert len(closed) == closes


KINDS = ["answer one", "answer two", "cancel two", "cancel show", "cancel the run", "pause"]


async def ask(engine: Engine, run: str, what: str) -> None:
    verb, _, node = what.partition(" ")
    with contextlib.suppress(InvalidRequest, NotFound):
        if verb == "answer":
            await engine.answer(run, node, True)
        elif verb == "cancel":
            await engine.cancel(run, None if node == "the run" else node)
        else:
            await engine.pause(run)
            await engine.unpause(run)


async def assert_ends(world: World, engine: Engine, run: str, asked: list[str]) -> None:
    """See that a run ends of which some things were asked, once its questions are answered."""
    while (await world.run(run)).ended_at is None and (open_ := [wait.node for wait in engine.waiting() if wait.run == run]):
        for node in open_:
            await ask(engine, run, f"answer {node}")
    with anyio.fail_after(5):
        await engine.wait(run)
    assert [wait for wait in engine.waiting() if wait.run == run] == [], asked
    assert await world.journal.select(NodeRow, run=run, state="suspended") == [], asked


async def test_whatever_is_asked_of_a_run_at_rest_at_the_same_time_it_ends() -> None:
    """Answers, cancels of nodes and of the run itself, a pause: in all orders, a few turns apart, with a journal that takes its time."""
    chance = Random(7)
    for _ in range(120):
        world, asked = World(journal=Late()), chance.sample(KINDS, chance.randint(2, 5))
        async with world.engine() as engine:
            run = await engine.submit(asks_twice.bind())
            await suspended(world)
            async with anyio.create_task_group() as tasks:
                for what in asked:
                    tasks.start_soon(ask, engine, run.id, what)
                    await turns(chance.randint(0, 16))
            await assert_ends(world, engine, run.id, asked)


async def test_whatever_is_asked_at_the_same_time_it_ends_on_disk_too(tmp_path: Path) -> None:
    chance = Random(7)
    async with open_sqlite(tmp_path, clock=SystemClock()) as journal:
        world = World(journal=journal)
        async with world.engine() as engine:
            for number in range(25):
                run, asked = await engine.submit(asks_twice.bind()), chance.sample(KINDS, chance.randint(2, 5))
                await world.until(facts.NodeSuspended, count=2 * number + 2)
                async with anyio.create_task_group() as tasks:
                    for what in asked:
                        tasks.start_soon(ask, engine, run.id, what)
                        await anyio.sleep(chance.random() / 500)
                await assert_ends(world, engine, run.id, asked)


async def test_a_suspended_run_is_closed_when_it_is_cancelled() -> None:
    closed: list[str] = []

    @task
    async def start() -> str:
        return "cluster"

    @task
    async def stop(cluster: str) -> None:
        closed.append(cluster)

    @task
    async def tell(ended: Ended) -> None:
        closed.append(ended.state)

    @pipeline(max_active_runs=1, on_cancel=[tell], on_failure=[tell])
    def opens() -> object:
        cluster = start()
        done = show(approval("Sure?", show=cluster))
        stop.teardown(cluster)
        return done

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(opens.bind())
        await suspended(world)
        await run.cancel()
        assert engine.waiting() == []
        assert (await run.wait()).state == "cancelled"
        assert sorted(closed) == ["cancelled", "cluster"]
    nodes = await world.nodes(run.id)
    assert [nodes[name] for name in ("start", "approval", "show", "stop")] == ["succeeded", "cancelled", "cancelled", "succeeded"]


async def test_events_and_instants_wake_as_answers_do() -> None:
    world = World()
    noon = datetime.fromtimestamp(world.clock.now() / SECOND + 3600, UTC)

    @pipeline
    def both() -> object:
        return show.after(sleep_until(noon))(wait_for("bank").id)

    async with world.engine() as engine:
        run = await engine.submit(both.bind())
        await suspended(world)
        await dispatch(engine).accept("bank", Observation(events=(event("e1", source="bank"),)), b"null")
        await suspended(world, count=2)
        await world.clock.advance(3600)
        assert await run.result() == "e1"
    assert len(await world.facts(facts.RunWoken)) == 2
