from __future__ import annotations

import asyncio

import anyio
import pytest

from eventflow import facts, pipeline, task
from eventflow.definition.options import OVERLAPS
from eventflow.durations import SECOND
from eventflow.engine.admission import Admission
from eventflow.engine.engine import Engine
from eventflow.errors import DefinitionError, EngineClosed, InvalidRequest, JournalFull, NotFound
from eventflow.journal.memory import MemoryJournal
from tests.engine.world import Hurdle, World, holding, turns

START = 1_700_000_000 * SECOND


class Queues(Admission):
    """Admission, with what a test doesn't care about left out: each run comes a second after the one before."""

    def __init__(self) -> None:
        super().__init__()
        self.seq = 0

    def add(self, *runs: str, pipeline: str = "p", key: str | None = None, priority: int = 0) -> None:
        for run in runs:
            self.seq += 1
            self.queue(pipeline, run, priority=priority, created_at=START + self.seq * SECOND, seq=self.seq, key=key)


def test_without_a_limit_every_run_is_admitted() -> None:
    queues = Queues()
    queues.add("a", "b", "c")
    assert queues.admit("p", None) == ["a", "b", "c"]
    assert queues.admit("p", None) == []


def test_higher_priority_first_and_then_as_submitted() -> None:
    queues = Queues()
    queues.add("low", priority=-1)
    queues.add("a", "b")
    queues.add("high", priority=5)
    order: list[str] = []
    while found := queues.admit("p", 1):
        order += found
        queues.leave(found[0])
    assert order == ["high", "a", "b", "low"]


def test_a_run_of_low_priority_is_overtaken_only_by_what_came_shortly_after_it() -> None:
    queues = Queues()
    for run, priority, minutes in (("old", 0, 0), ("soon", 5, 4), ("late", 5, 6)):
        queues.queue("p", run, priority=priority, created_at=START + minutes * 60 * SECOND, seq=minutes + 1)
    assert queues.admit("p", None) == ["soon", "old", "late"]


def test_a_clock_that_is_set_back_doesnt_change_the_order() -> None:
    queues = Queues()
    for seq, created_at in enumerate([START, START - 3600 * SECOND, START - 1800 * SECOND], 1):
        queues.queue("p", f"run {seq}", priority=0, created_at=created_at, seq=seq)
    assert queues.admit("p", None) == ["run 1", "run 2", "run 3"]


def test_a_run_that_was_woken_is_as_old_as_it_was() -> None:
    queues = Queues()
    queues.add("first", "second")
    assert queues.admit("p", 1) == ["first"]
    queues.leave("first")
    queues.queue("p", "first", priority=0, created_at=START, seq=1)
    assert queues.admit("p", 1) == ["first"]


def test_a_run_that_runs_already_takes_a_place_and_one_withdrawn_takes_none() -> None:
    queues = Queues()
    queues.enter("p", "running")
    queues.add("a", "b", "c")
    queues.withdraw("a")
    queues.withdraw("unknown")
    assert queues.admit("p", 2) == ["b"]
    assert queues.admit("p", 2) == []
    queues.leave("running")
    assert queues.admit("p", 2) == ["c"]


def test_a_run_leaves_only_once() -> None:
    queues = Queues()
    queues.add("a", "b", "c")
    assert queues.admit("p", 1) == ["a"]
    queues.leave("a")
    queues.leave("a")
    queues.leave("unknown")
    assert queues.admit("p", 1) == ["b"]


def test_pipelines_dont_share_their_places() -> None:
    queues = Queues()
    queues.add("p1", "p2")
    queues.add("q1", pipeline="q")
    assert queues.admit("p", 1) == ["p1"]
    assert queues.admit("q", 1) == ["q1"]
    assert queues.admit("unknown", 1) == []


def test_the_limit_counts_per_concurrency_key() -> None:
    queues = Queues()
    queues.add("a1", "a2", key="a")
    queues.add("b1", key="b")
    queues.add("none1", "none2")
    assert queues.admit("p", 1) == ["a1", "b1", "none1"]
    queues.leave("a1")
    assert queues.admit("p", 1) == ["a2"]


def test_a_paused_pipeline_admits_nothing_until_it_goes_on() -> None:
    queues = Queues()
    queues.add("a")
    queues.add("q1", pipeline="q")
    queues.pause("p")
    assert queues.is_paused("p")
    assert (queues.admit("p", None), queues.admit("q", None)) == ([], ["q1"])
    queues.add("b")
    queues.unpause("p")
    assert not queues.is_paused("p")
    assert queues.admit("p", None) == ["a", "b"]


class Overlap(Queues):
    """One run active, one queued, both of the key `k`; and another of each that isn't concerned."""

    def __init__(self) -> None:
        super().__init__()
        self.add("active", "queued", key="k")
        self.add("other active", "other queued", key="other")
        assert self.admit("p", 1) == ["active", "other active"]

    def then(self, policy: str, *, limit: int | None = 1) -> tuple[str, ...]:
        self.add("new", key="k")
        return self.overlapping("p", "new", limit, policy)


@pytest.mark.parametrize(
    ("policy", "cancelled"),
    [("queue", ()), ("skip", ("new",)), ("replace_queued", ("queued",)), ("cancel_running", ("queued", "active"))],
)
def test_a_policy_says_which_runs_of_the_same_key_give_way(policy: str, cancelled: tuple[str, ...]) -> None:
    assert Overlap().then(policy) == cancelled


@pytest.mark.parametrize("policy", OVERLAPS)
@pytest.mark.parametrize("limit", [None, 3])
def test_below_the_limit_nothing_gives_way(policy: str, limit: int | None) -> None:
    assert Overlap().then(policy, limit=limit) == ()


def test_queued_runs_count_for_an_overlap_even_if_nothing_is_active() -> None:
    queues = Queues()
    queues.pause("p")
    queues.add("a")
    assert queues.overlapping("p", "a", 1, "skip") == ()
    queues.add("b")
    assert queues.overlapping("p", "b", 1, "skip") == ("b",)


def test_a_suspended_run_overlaps_with_nothing() -> None:
    queues = Queues()
    queues.add("a")
    queues.admit("p", 1)
    queues.leave("a")
    queues.add("b")
    assert queues.overlapping("p", "b", 1, "cancel_running") == ()


# In the engine


@task
async def note(number: int) -> int:
    return number


@pipeline(max_active_runs=1)
def single(number: int) -> int:
    return note(number)


class Line:
    """A pipeline of which one run may run at a time, each until the test lets it go on; `order` is that of their bodies."""

    def __init__(self) -> None:
        self.go = anyio.Event()
        self.order: list[int] = []

        @task
        async def stand(number: int) -> int:
            self.order.append(number)
            await self.go.wait()
            return number

        @pipeline(max_active_runs=1)
        def in_line(number: int) -> int:
            return stand(number)

        self.pipeline = in_line

    async def submit(self, engine: Engine) -> list[str]:
        priorities = [0, 0, 9, 0, 3]
        return [(await engine.submit(self.pipeline.bind(number), priority=priority)).id for number, priority in enumerate(priorities)]


async def test_runs_beyond_the_limit_wait_for_their_turn() -> None:
    line, world = Line(), World()
    async with world.engine() as engine:
        runs = await line.submit(engine)
        await world.until(facts.AttemptStarted)
        await turns()
        assert [(await world.run(run)).state for run in runs] == ["running", *["queued"] * 4]
        line.go.set()
        assert [await engine.result(run) for run in runs] == [0, 1, 2, 3, 4]
    assert line.order == [0, 2, 4, 1, 3]
    active = 0
    for fact in await world.facts(facts.RunStarted, facts.RunSucceeded):
        active += 1 if isinstance(fact, facts.RunStarted) else -1
        assert active <= 1


async def test_the_queue_and_its_order_survive_a_crash() -> None:
    line, world = Line(), World()
    async with world.doomed(line.pipeline) as engine:
        runs = await line.submit(engine)
        await world.until(facts.AttemptStarted)
    line.order.clear()
    line.go.set()
    async with world.engine(line.pipeline) as engine:
        assert [await engine.result(run) for run in runs] == [0, 1, 2, 3, 4]
    assert line.order == [0, 2, 4, 1, 3]


async def test_a_key_gives_the_first_run_again() -> None:
    world = World()

    @pipeline
    def other(number: int) -> int:
        return note(number)

    async with world.engine() as engine:
        first = await engine.submit(single.bind(1), key="k")
        second = await engine.submit(single.bind(2), key="k")
        assert second.id == first.id
        assert await second.result() == 1
        assert (await engine.submit(other.bind(3), key="k")).id != first.id
        assert (await engine.submit(single.bind(3), key="other")).id != first.id
    async with world.engine(single) as engine:
        again = await engine.submit(single.bind(4), key="k")
        assert again.id == first.id
        assert await again.result() == 1


async def test_a_key_that_is_submitted_many_times_at_once_gives_one_run() -> None:
    world = World()
    async with world.engine() as engine:
        runs = await asyncio.gather(*(engine.submit(single.bind(number), key="k") for number in range(10)))
        assert len({run.id for run in runs}) == 1
        assert len(await world.facts(facts.RunSubmitted)) == 1


async def test_a_submission_is_finished_even_if_its_caller_is_gone() -> None:
    world = World()
    hurdle = Hurdle(world.journal, "commit", holding(facts.RunSubmitted))
    world.journal = hurdle
    async with world.engine() as engine:
        caller = asyncio.create_task(engine.submit(single.bind(1)))
        await hurdle.reached.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        hurdle.open.set()
        await world.until(facts.RunSucceeded)


async def test_a_submission_that_is_committed_while_the_engine_stops_is_kept_for_the_next() -> None:
    world = World()
    inner = world.journal
    hurdle = Hurdle(inner, "commit", holding(facts.RunSubmitted))
    world.journal = hurdle
    waited: list[type[BaseException]] = []

    async def submit() -> None:
        run = await engine.submit(single.bind(1))
        try:
            await run.wait()
        except EngineClosed as closed:
            waited.append(type(closed))

    async with anyio.create_task_group() as tasks, world.engine() as engine:
        tasks.start_soon(submit)
        await hurdle.reached.wait()
        tasks.start_soon(_open_later, hurdle)
    assert waited == [EngineClosed]
    world.journal = inner
    async with world.engine(single):
        await world.until(facts.RunSucceeded)


async def _open_later(hurdle: Hurdle) -> None:
    await turns()
    hurdle.open.set()


async def test_before_and_after_its_life_the_engine_takes_nothing() -> None:
    world = World()
    engine = world.make()
    with pytest.raises(EngineClosed, match="takes no new runs"):
        await engine.submit(single.bind(1))
    async with engine.running():
        run = await engine.submit(single.bind(1))
        await run.result()
    with pytest.raises(EngineClosed):
        await engine.submit(single.bind(1))
    assert await run.result() == 1  # what is recorded can still be read


class Full(MemoryJournal):
    full = True


async def test_with_a_full_disk_nothing_new_is_taken() -> None:
    world = World(journal=Full())
    async with world.engine() as engine:
        with pytest.raises(JournalFull, match="nothing new is taken"):
            await engine.submit(single.bind(1))
    assert world.journal.seq == 0


async def test_two_pipelines_of_one_name_are_refused() -> None:
    @pipeline(name="single")
    def impostor() -> int:
        return note(1)

    async with World().engine(single) as engine:
        with pytest.raises(DefinitionError, match="two pipelines are named 'single'"):
            await engine.submit(impostor.bind())
        assert engine.pipelines == (single,)


async def test_an_unknown_run_is_not_found() -> None:
    async with World().engine() as engine:
        for ask in (engine.find, engine.state, engine.wait, engine.result, engine.cancel):
            with pytest.raises(NotFound, match="there is no run"):
                await ask("f" * 32)


@pytest.mark.parametrize("key", [5, b"x", "", "\ud800", "x" * 1001, ["a"]])
async def test_what_is_no_key_is_refused_before_it_reaches_the_journal(key: object) -> None:
    @task
    def one() -> int:
        return 1

    @pipeline
    def keyed() -> int:
        return one()

    world = World()
    async with world.engine(keyed) as engine:
        with pytest.raises(InvalidRequest, match="is no key: give a text of 1 to 1000 characters"):
            await engine.submit(keyed.bind(), key=key)  # type: ignore[arg-type]
        assert await world.records() == []


@pytest.mark.parametrize("priority", ["high", 1.5, None, True, 2**31, -(2**40)])
async def test_what_is_no_priority_is_refused_before_it_reaches_the_journal(priority: object) -> None:
    @task
    def one() -> int:
        return 1

    @pipeline
    def early() -> int:
        return one()

    world = World()
    async with world.engine(early) as engine:
        with pytest.raises(InvalidRequest, match="is no priority: give a whole number"):
            await engine.submit(early.bind(), priority=priority)  # type: ignore[arg-type]
        assert await world.records() == []


async def test_a_pipeline_without_its_arguments_is_told_to_bind_them() -> None:
    @task
    def one() -> int:
        return 1

    @pipeline
    def unbound() -> int:
        return one()

    async with World().engine(unbound) as engine:
        with pytest.raises(InvalidRequest, match=r"give unbound\.bind\(\.\.\.\)"):
            await engine.submit(unbound)  # type: ignore[arg-type]
        with pytest.raises(InvalidRequest, match="'unbound' can't be submitted: give a pipeline with its arguments"):
            await engine.submit("unbound")  # type: ignore[arg-type]
