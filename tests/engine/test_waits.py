"""People, events and instants: what a node waits for, holding nothing, and how such a wait ends."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import anyio
import msgspec
import pytest

from eventflow import (
    Event,
    Observation,
    RunCancelled,
    RunFailed,
    approval,
    current,
    each,
    facts,
    maybe,
    pipeline,
    run_pipeline,
    sleep_until,
    task,
    wait_for,
    when,
)
from eventflow.durations import SECOND
from eventflow.engine.engine import Engine
from eventflow.engine.frame import Wish
from eventflow.engine.wanted import EventWanted
from eventflow.errors import InvalidRequest, NotFound
from eventflow.facts import Unit
from eventflow.ports import Instrument
from eventflow.projections import EventRow, WaitRow
from tests.engine.sources import dispatch, event
from tests.engine.world import Hurdle, Late, World, holding, turns


class Decision(msgspec.Struct):
    verdict: Literal["ship", "hold"]
    share: float = 1.0


@task
async def show(value: object) -> object:
    return value


@task
async def order(number: int) -> dict[str, int]:
    return {"id": number}


@task
async def deploy(answer: bool) -> str:
    return "deployed" if answer else "kept"


@pipeline(max_active_runs=1)
def asks() -> str:
    return deploy(approval("Deploy?"))


@pipeline
def decides() -> Decision:
    return approval("Which?", form=Decision, who=["ann", "ben"], show=show({"accuracy": 0.9}), deadline="2d", default=Decision("hold"))


@pipeline
def strict() -> bool:
    return approval("Really?", deadline="1h")


@pipeline
def pays(number: int) -> object:
    return show(wait_for("bank", type="paid", subject="acme", match={"order.id": order(number)["id"]}, timeout="30d"))


@pipeline
def hears() -> object:
    return show(wait_for("bank"))


async def suspended(world: World, count: int = 1) -> None:
    await world.until(facts.RunSuspended, count=count)
    await turns()


async def tell(engine: Engine, *names: str, source: str = "bank", data: Any = None, **fields: Any) -> None:
    """Have events come in."""
    events = tuple(event(name, {} if data is None else data, source=source, **fields) for name in names)
    await dispatch(engine).accept(source, Observation(events=events), b"null")
    await turns()


async def recorded(world: World, name: str, **fields: Any) -> None:
    """Have an event be durable of which no process could tell anybody any more."""
    data = msgspec.Raw(msgspec.json.encode(fields.pop("data", {})))
    happened = facts.EventRecorded(f"event-{name}", "bank", name, fields.pop("type", "test"), 5, data, fields.pop("subject", None))
    await world.journal.commit(Unit(world.clock.now(), (happened,)))


def hours(count: float) -> float:
    return count * 3600


# An answer


async def test_a_run_that_asks_is_suspended_and_goes_on_with_the_answer() -> None:
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(asks.bind())
        await suspended(world)
        assert (await run.state(), await world.nodes(run.id)) == ("suspended", {"approval": "suspended"})
        assert [(row.node, row.kind, row.due) for row in await world.journal.select(WaitRow)] == [("approval", "answer", None)]
        await engine.answer(run.id, "approval", True, "ann")
        assert await run.result() == "deployed"
        assert await world.journal.select(WaitRow) == []
    assert (await world.node(run.id, "approval")).reason == "ann"
    assert [type(fact).__name__ for fact in await world.facts(facts.RunSuspended, facts.NodeAnswered, facts.RunWoken)] == [
        "RunSuspended",
        "NodeAnswered",
        "RunWoken",
    ]


async def test_a_run_that_waits_leaves_its_place_and_holds_no_thread() -> None:
    world = World()
    async with world.engine() as engine:
        before = threading.active_count()
        runs = [await engine.submit(asks.bind()) for _ in range(3)]  # of which one may run at a time
        await suspended(world, count=3)
        assert [await run.state() for run in runs] == ["suspended"] * 3
        assert threading.active_count() == before
        for run in reversed(runs):
            await engine.answer(run.id, "approval", False)
            assert await run.result() == "kept"


async def test_while_one_node_asks_the_others_of_its_run_go_on() -> None:
    @pipeline
    def both() -> list[object]:
        return [approval("Sure?"), show(show(1))]

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(both.bind())
        await suspended(world)
        assert await world.nodes(run.id) == {"approval": "suspended", "show": "succeeded", "show_2": "succeeded"}
        await engine.answer(run.id, "approval", True)
        assert await run.result() == [True, 1]
    assert [fact.attempt for fact in await world.facts(facts.AttemptStarted)] == [1, 1]  # nothing was done again


async def test_an_answer_while_other_nodes_run_is_taken_at_once() -> None:
    go = anyio.Event()

    @task
    async def slow() -> int:
        await go.wait()
        return 2

    @pipeline
    def beside() -> list[object]:
        return [deploy(approval("Sure?")), slow()]

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(beside.bind())
        await world.until(facts.NodeSuspended)
        await turns()
        await engine.answer(run.id, "approval", True)
        await world.until(facts.AttemptSucceeded)
        go.set()
        assert await run.result() == ["deployed", 2]
        assert not await world.holds(facts.RunSuspended)


async def test_what_is_asked_can_be_seen() -> None:
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(decides.bind())
        await suspended(world)
        (asked,) = engine.waiting()
        assert (asked.run, asked.pipeline, asked.node, asked.kind) == (run.id, "decides", "approval", "answer")
        assert (asked.question, asked.who, asked.shown) == ("Which?", ("ann", "ben"), {"accuracy": 0.9})
        assert asked.due is not None
        assert asked.due - asked.since == hours(48) * SECOND
        assert '"ship"' in msgspec.json.encode(asked.form).decode()
        await engine.answer(run.id, "approval", {"verdict": "ship"}, "ben")
        assert await run.result() == Decision("ship")
        assert engine.waiting() == []


@pytest.mark.parametrize(("value", "said"), [("x" * 20_000, "20002 bytes of json"), (complex(1, 2), "bytes of pickle")])
async def test_what_is_too_big_or_no_data_is_asked_about_all_the_same(value: Any, said: str) -> None:
    @task
    async def makes() -> Any:
        return value

    @pipeline
    def showing() -> bool:
        return approval("Sure?", show=makes())

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(showing.bind())
        await suspended(world)
        assert said in str(engine.waiting()[0].shown)
        assert len(str(engine.waiting()[0].shown)) < 100
        await engine.answer(run.id, "approval", True)
        assert await run.result() is True


@pytest.mark.parametrize(("answer", "by"), [({"verdict": "maybe"}, "ann"), ({}, "ann"), ("ship", "ann"), (None, "ann"), (object(), "ann")])
async def test_an_answer_that_doesnt_fit_the_form_is_refused_and_the_question_stays(answer: object, by: str) -> None:
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(decides.bind())
        await suspended(world)
        with pytest.raises(InvalidRequest, match="the answer doesn't fit its form"):
            await engine.answer(run.id, "approval", answer, by)
        assert await run.state() == "suspended"
        await engine.answer(run.id, "approval", {"verdict": "ship", "share": 0.5}, by)
        assert await run.result() == Decision("ship", 0.5)


@pytest.mark.parametrize("by", ["eve", None, ""])
async def test_only_those_who_are_named_may_answer(by: str | None) -> None:
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(decides.bind())
        await suspended(world)
        with pytest.raises(InvalidRequest, match="may not answer this: ann, ben may"):
            await engine.answer(run.id, "approval", {"verdict": "ship"}, by)
        assert await run.state() == "suspended"


async def test_a_second_answer_is_refused_and_names_the_first() -> None:
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(asks.bind())
        await suspended(world)
        await engine.answer(run.id, "approval", True, "ann")
        with pytest.raises(InvalidRequest, match="has been answered already, by ann"):
            await engine.answer(run.id, "approval", False, "ben")
        assert await run.result() == "deployed"
        with pytest.raises(InvalidRequest, match="has been answered already, by ann"):
            await engine.answer(run.id, "approval", False, "ben")


async def test_of_two_answers_at_once_one_counts() -> None:
    world = World()
    world.journal = hurdle = Hurdle(world.journal, "commit", holding(facts.NodeAnswered))
    refused: list[Exception] = []

    async def answer(run: str, value: bool) -> None:
        try:
            await engine.answer(run, "approval", value, str(value))
        except InvalidRequest as error:
            refused.append(error)

    async with world.engine() as engine:
        run = await engine.submit(asks.bind())
        await suspended(world)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(answer, run.id, True)
            await hurdle.reached.wait()
            tasks.start_soon(answer, run.id, False)
            await turns()
            hurdle.open.set()
        assert await run.result() == "deployed"
    assert [str(error) for error in refused] == [f"{run.id[-8:]}/approval has been answered already, by True"]


async def test_what_asks_nothing_cant_be_answered() -> None:
    @pipeline
    def mixed() -> list[object]:
        with when(show(True)):
            sleep_until(datetime(2100, 1, 1, tzinfo=UTC))
        return [show(1)]

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(mixed.bind())
        await suspended(world)
        for node, said in [
            ("nowhere", "nothing is asked at"),
            ("show", "it doesn't wait for an answer"),
            ("when_show", "it doesn't wait for an answer"),
            ("sleep_until", "it doesn't wait for an answer"),
        ]:
            with pytest.raises((InvalidRequest, NotFound), match=said):
                await engine.answer(run.id, node, True)
        with pytest.raises(NotFound):
            await engine.answer("0" * 32, "approval", True)


# A deadline


async def test_at_the_deadline_the_default_is_taken() -> None:
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(decides.bind())
        await suspended(world)
        await world.clock.advance(hours(48) - 1)
        assert await run.state() == "suspended"
        await world.clock.advance(1)
        assert await run.result() == Decision("hold")
        (answered,) = await world.facts(facts.NodeAnswered)
        assert (answered.by, answered.timed_out) == (None, True)
        assert (await world.node(run.id, "approval")).reason == "deadline"
        with pytest.raises(InvalidRequest, match="has been answered already, by its deadline"):
            await engine.answer(run.id, "approval", {"verdict": "ship"}, "ann")


async def test_a_default_may_be_none_or_false() -> None:
    @pipeline
    def defaults() -> list[object]:
        return [approval("Sure?", deadline=5, default=False), maybe(wait_for("bank", timeout=5, default=None))]

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(defaults.bind())
        await suspended(world)
        await world.clock.advance(5)
        assert await run.result() == [False, None]


async def test_without_a_default_the_node_fails_at_its_deadline() -> None:
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(strict.bind())
        await suspended(world)
        await world.clock.advance(hours(1))
        with pytest.raises(RunFailed, match="what approval waits for didn't come in time"):
            await run.result()
    node = await world.node(run.id, "approval")
    assert (node.state, node.reason) == ("failed", "deadline")
    assert world.clock.waiting == 0


async def test_a_person_is_taken_for_no_deadline_whatever_the_name() -> None:
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(asks.bind())
        await suspended(world)
        await engine.answer(run.id, "approval", True, "deadline")
        with pytest.raises(InvalidRequest, match="has been answered already, by deadline"):
            await engine.answer(run.id, "approval", True, "ann")


async def test_what_is_answered_before_its_deadline_lets_its_timer_go() -> None:
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(strict.bind())
        await suspended(world)
        await engine.answer(run.id, "approval", True)
        assert await run.result() is True
        assert world.clock.waiting == 0


async def test_a_clock_that_is_set_doesnt_make_a_deadline_come_early_or_never() -> None:
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(decides.bind())
        await suspended(world)
        world.clock.jump(-hours(10))
        await world.clock.advance(hours(50))
        assert await run.state() == "suspended"
        world.clock.jump(hours(24))
        await world.clock.advance(hours(1))  # it looks at the clock at least that often
        assert await run.result() == Decision("hold")


# A time


async def test_a_run_sleeps_until_an_instant_that_it_has_computed() -> None:
    world = World()
    start = datetime.fromtimestamp(world.clock.now() / SECOND, UTC)

    @task
    async def tomorrow() -> datetime:
        return start + timedelta(days=1)

    @pipeline
    def sleeps() -> object:
        return show.after(sleep_until(tomorrow()))(1)

    async with world.engine() as engine:
        run = await engine.submit(sleeps.bind())
        await suspended(world)
        assert [wait.kind for wait in engine.waiting()] == ["time"]
        await world.clock.advance(hours(24) - 1)
        assert await run.state() == "suspended"
        await world.clock.advance(1)
        assert await run.result() == 1
    assert (await world.node(run.id, "show")).started_at == world.clock.now()


async def test_an_instant_in_the_past_is_no_wait() -> None:
    @pipeline
    def late() -> object:
        return show.after(sleep_until(datetime(1990, 1, 1, tzinfo=UTC)))(1)

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(late.bind())
        await world.until(facts.NodeSuspended)
        await world.clock.advance(0)
        assert await run.result() == 1


@pytest.mark.parametrize(
    "instant", ["datetime(2030, 1, 1)", "'soon'", "None", "datetime.max.replace(tzinfo=timezone(timedelta(hours=-5)))"]
)
async def test_what_is_no_instant_fails_the_node_that_waits_for_it(instant: str) -> None:
    from datetime import timezone

    @task
    async def wrong() -> Any:
        return eval(instant, {"datetime": datetime, "timezone": timezone, "timedelta": timedelta})

    @pipeline
    def sleeps() -> None:
        sleep_until(wrong())

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(sleeps.bind())
        with pytest.raises(RunFailed, match="sleep_until"):
            await run.result()
    assert await world.nodes(run.id) == {"wrong": "succeeded", "sleep_until": "failed"}


# Events


async def test_an_event_that_meets_all_that_is_wanted_ends_the_wait() -> None:
    world = World()
    async with world.engine() as engine:
        run, other = await engine.submit(pays.bind(7)), await engine.submit(pays.bind(8))
        await suspended(world, count=2)
        paid: dict[str, Any] = {"type": "paid", "subject": "acme", "data": {"order": {"id": 7}}}
        for number, wrong in enumerate(
            [
                {"type": "open"},
                {"subject": None},
                {"subject": "acme.org"},
                {"data": {"order": {"id": 9}}},
                {"data": {"order": 7}},
                {"data": [7]},
            ]
        ):
            await tell(engine, f"wrong{number}", **{**paid, **wrong})
        await tell(engine, "elsewhere", source="till", **paid)
        assert await run.state() == "suspended"
        await tell(engine, "right", **paid)
        got: Any = await run.result()
        assert (got.id, got.data, got.subject) == ("right", {"order": {"id": 7}}, "acme")
        assert await other.state() == "suspended"
    (recorded,) = [fact for fact in await world.facts(facts.EventRecorded) if fact.id == "right"]
    assert (await world.node(run.id, "wait_for")).reason == recorded.event


class Payment(msgspec.Struct):
    amount: int


class Bank:
    name = "bank"

    async def observe(self, cursor: object, seen: object, sight: object) -> AsyncGenerator[Observation[Payment], None]:
        raise NotImplementedError(cursor, seen, sight)
        yield Observation()


async def test_the_data_of_a_sensors_event_comes_as_what_the_sensor_says_that_it_is() -> None:
    @pipeline
    def counts() -> object:
        return show(wait_for(Bank()).data.amount)

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(counts.bind())
        await suspended(world)
        await tell(engine, "paid", data=Payment(5))
        assert await run.result() == 5


@pytest.mark.parametrize(
    ("wanted", "data", "is_met"),
    [
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": True}, {"a": 1}, False),
        ({"a": None}, {"a": None}, True),
        ({"a": None}, {}, False),
        ({"a.b.c": "x"}, {"a": {"b": {"c": "x"}}}, True),
        ({"a.b": {"c": "x"}}, {"a": {"b": {"c": "x"}}}, True),
        ({"a": [1, 2]}, {"a": [1, 2]}, True),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({"a": 1, "b": 2}, {"a": 1}, False),
        ({"a.b": 1}, {"a.b": 1}, False),
        ({"a": 1}, None, False),
        ({"a": 1}, "a", False),
    ],
)
async def test_data_is_compared_as_json(wanted: dict[str, object], data: object, is_met: bool) -> None:
    @pipeline
    def matching() -> object:
        return show(wait_for("bank", match=wanted))

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(matching.bind())
        await suspended(world)
        await dispatch(engine).accept("bank", Observation(events=(Event(id="e", source="bank", type="t", data=data, time=1),)), b"null")
        await turns()
        assert await run.state() == ("succeeded" if is_met else "suspended")


async def test_all_that_is_wanted_may_be_a_reference() -> None:
    @task
    async def wanted() -> dict[str, Any]:
        return {"source": "bank", "type": "paid", "subject": "acme", "match": {"n": 1}}

    @pipeline
    def refers() -> object:
        said = wanted()
        return show(wait_for(said["source"], type=said["type"], subject=said["subject"], match=said["match"]))

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(refers.bind())
        await suspended(world)
        await tell(engine, "wrong", type="paid", subject="acme", data={"n": 2})
        await tell(engine, "right", type="paid", subject="acme", data={"n": 1})
        assert (await run.result()).id == "right"


@pytest.mark.parametrize("wanted", [{"type": 7}, {"match": "text"}, {"match": {"n": float("nan")}}, {"source": None}])
async def test_what_cant_be_wanted_fails_the_node(wanted: dict[str, object]) -> None:
    @task
    async def says() -> Any:
        return Rich({"source": "bank", "type": None, "match": None, **wanted})

    @pipeline
    def refers() -> object:
        said = says().said
        return show(wait_for(said["source"], type=said["type"], match=said["match"]))

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(refers.bind())
        with pytest.raises(RunFailed):
            await run.result()
    assert (await world.node(run.id, "wait_for")).reason == "input"


class Rich:
    """Something that only a pickle carries."""

    def __init__(self, said: dict[str, object]) -> None:
        self.said = said


async def test_an_event_that_came_after_the_submission_counts_though_the_wait_began_later() -> None:
    go = anyio.Event()

    @task
    async def prepare() -> int:
        await go.wait()
        return 1

    @pipeline
    def prepares() -> object:
        return show(wait_for("bank", after=[prepare()]))

    world = World()
    async with world.engine() as engine:
        await tell(engine, "before")
        run = await engine.submit(prepares.bind())
        await tell(engine, "first", "second")
        go.set()
        assert (await run.result()).id == "first"


async def test_events_from_before_the_submission_dont_count() -> None:
    world = World()
    async with world.engine() as engine:
        await tell(engine, *(f"before{number}" for number in range(5)))
        run = await engine.submit(hears.bind())
        await suspended(world)
        assert await run.state() == "suspended"
        await tell(engine, "after")
        assert (await run.result()).id == "after"


async def test_many_events_are_looked_through_for_the_first_that_fits() -> None:
    go = anyio.Event()

    @task
    async def prepare() -> int:
        await go.wait()
        return 1

    @pipeline
    def finds() -> object:
        return show(wait_for("bank", match={"n": 7}, after=[prepare()]))

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(finds.bind())
        for number in range(300):
            await dispatch(engine).accept(
                "bank", Observation(events=(event(f"a{number}", {"n": 7 if number in (250, 290) else 0}, source="bank"),)), b"null"
            )
        await tell(engine, *(f"b{number}" for number in range(300)), data={"n": 0})
        go.set()
        assert (await run.result()).id == "a250"


async def test_looking_back_keeps_to_all_that_is_wanted() -> None:
    go = anyio.Event()

    @task
    async def prepare() -> int:
        await go.wait()
        return 1

    @pipeline
    def picky() -> object:
        return show(wait_for("bank", type="paid", subject="acme", match={"n": 1}, after=[prepare()]))

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(picky.bind())
        paid: dict[str, Any] = {"type": "paid", "subject": "acme", "data": {"n": 1}}
        for number, wrong in enumerate([{"type": "open"}, {"subject": "other"}, {"subject": None}, {"data": {"n": 2}}, {"source": "till"}]):
            await tell(engine, f"wrong{number}", **{**paid, **wrong})
        await tell(engine, "right", **paid)
        go.set()
        assert (await run.result()).id == "right"


def test_an_event_of_another_source_is_never_the_one() -> None:
    happened = facts.EventRecorded("e", "bank", "1", "paid", 1, msgspec.Raw(b"{}"))
    assert EventWanted("bank").is_met_by(happened)
    assert not EventWanted("till").is_met_by(happened)


async def test_an_event_is_taken_by_one_node_of_a_run_and_by_every_run() -> None:
    @pipeline
    def twice() -> list[object]:
        return [show(wait_for("bank", name="one")), show(wait_for("bank", name="two"))]

    world = World()
    async with world.engine() as engine:
        runs = [await engine.submit(twice.bind()) for _ in range(2)]
        await suspended(world, count=2)
        await tell(engine, "e1")
        for run in runs:
            assert [state for name, state in (await world.nodes(run.id)).items() if name in ("one", "two")] == ["succeeded", "suspended"]
        await tell(engine, "e2")
        assert [[one.id for one in await run.result()] for run in runs] == [["e1", "e2"]] * 2
        assert engine._waits._listening._taken == {}  # nothing is remembered of runs that have ended
        assert engine._waits._listening._waits == {}


async def test_waits_in_a_row_take_one_event_after_the_other() -> None:
    @pipeline
    def row() -> list[object]:
        first = show(wait_for("bank", name="one"))
        return [first, show(wait_for("bank", name="two", after=[first]))]

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(row.bind())
        await tell(engine, "e1")
        await turns(200)
        assert (await world.nodes(run.id))["two"] == "suspended"
        await tell(engine, "e2")
        assert [one.id for one in await run.result()] == ["e1", "e2"]


async def test_two_waits_that_look_back_take_an_event_each() -> None:
    go = anyio.Event()

    @task
    async def prepare() -> int:
        await go.wait()
        return 1

    @pipeline
    def twice() -> list[object]:
        ready = prepare()
        return [show(wait_for("bank", name="one", after=[ready])), show(wait_for("bank", name="two", after=[ready]))]

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(twice.bind())
        await tell(engine, "e1", "e2")
        go.set()
        got: Any = await run.result()
        assert [one.id for one in got] == ["e1", "e2"]


async def test_an_event_that_one_node_could_not_take_after_all_is_left_to_the_next() -> None:
    @pipeline
    def twice() -> list[object]:
        return [show(wait_for("bank", name="one")), show(wait_for("bank", name="two"))]

    world = World()
    world.journal = hurdle = Hurdle(world.journal, "commit", holding(facts.NodeAnswered))
    async with world.engine() as engine:
        run = await engine.submit(twice.bind())
        await suspended(world)
        await tell(engine, "e1")
        await hurdle.reached.wait()  # the event is about to be given to `one`
        await engine.cancel(run.id, "one")
        hurdle.open.set()
        await turns()
        assert await world.nodes(run.id) == {"one": "cancelled", "show": "upstream_failed", "two": "succeeded", "show_2": "succeeded"}


async def test_an_event_too_big_for_a_fact_is_handed_on_whole() -> None:
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(hears.bind())
        await suspended(world)
        await tell(engine, "big", data={"text": "x" * 50_000})
        assert (await run.result()).data == {"text": "x" * 50_000}


async def test_an_event_that_cant_be_kept_fails_the_node_and_nothing_else() -> None:
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(hears.bind())
        await suspended(world)

        async def full(data: bytes) -> str:
            raise OSError("no space left")

        world.artifacts.put = full
        await tell(engine, "big", data={"text": "x" * 50_000})
        with pytest.raises(RunFailed, match="no space left"):
            await run.result()
        del world.artifacts.put
        assert await (await engine.submit(asks.bind())).state() in ("queued", "running")


async def test_an_event_that_is_being_taken_is_not_overtaken_by_the_deadline() -> None:
    @pipeline
    def defaults() -> object:
        return show(wait_for("bank", timeout=5, default=None))

    def is_by_event(unit: Any) -> bool:
        return any(isinstance(fact, facts.NodeAnswered) and not fact.timed_out for fact in unit.facts)

    world = World()
    world.journal = hurdle = Hurdle(world.journal, "commit", is_by_event)
    async with world.engine() as engine:
        run = await engine.submit(defaults.bind())
        await suspended(world)
        await tell(engine, "e1")
        await hurdle.reached.wait()
        await world.clock.advance(10)
        hurdle.open.set()
        assert (await run.result()).id == "e1"


async def test_no_event_in_time_fails_the_node() -> None:
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(pays.bind(7))
        await suspended(world)
        await world.clock.advance(hours(24 * 30))
        with pytest.raises(RunFailed, match="didn't come in time"):
            await run.result()


# In maps and branches


@task
async def about(item: str) -> str:
    return item


@pipeline
def one(item: str) -> list[object]:
    return [about(item), approval("This one?", show=item)]


@pipeline
def each_asked(items: list[str]) -> Any:
    return one.map(item=each(items))


async def test_each_item_of_a_map_asks_for_itself() -> None:
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(each_asked.bind(["a", "b", "c"]))
        await suspended(world)
        assert [(asked.node, asked.shown) for asked in engine.waiting()] == [(f"one[{n}].approval", item) for n, item in enumerate("abc")]
        for number in (2, 0, 1):
            await engine.answer(run.id, f"one[{number}].approval", number == 2)
            await turns()
        assert await run.result() == [["a", False], ["b", False], ["c", True]]
    assert len(await world.facts(facts.MapExpanded)) == 1


async def test_a_map_with_few_items_at_a_time_asks_the_next_one_when_one_is_answered() -> None:
    @pipeline
    def few(items: list[str]) -> Any:
        return one.options(max_active_items=2).map(item=each(items))

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(few.bind(list("abcd")))
        for number in (1, 0, 2, 3):
            await suspended(world)
            await turns()
            assert f"one[{number}].approval" in [asked.node for asked in engine.waiting()]
            assert len(engine.waiting()) <= 2
            await engine.answer(run.id, f"one[{number}].approval", True)
            await turns(100)
        assert await run.result() == [[item, True] for item in "abcd"]


async def test_items_named_by_keys_are_answered_by_their_names() -> None:
    @pipeline
    def keyed(items: list[str]) -> Any:
        return one.map(item=each(items, key=str.upper))

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(keyed.bind(["a.b", "c"]))
        await suspended(world)
        assert [asked.node for asked in engine.waiting()] == ["one[A.B].approval", "one[C].approval"]
        await engine.answer(run.id, "one[A.B].approval", True)
        await engine.answer(run.id, "one[C].approval", False)
        assert await run.result() == [["a.b", True], ["c", False]]


@pytest.mark.parametrize(("value", "states", "result"), [(True, "suspended", "deployed"), (False, "skipped", None)])
async def test_a_question_in_a_branch_is_asked_only_where_that_is_taken(value: bool, states: str, result: str | None) -> None:
    @pipeline
    def careful(value: bool) -> str | None:
        with when(value):
            done = deploy(approval("Deploy?"))
        return maybe(done)

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(careful.bind(value))
        await turns(100)
        assert (await world.nodes(run.id))["approval"] == states
        if value:
            await engine.answer(run.id, "approval", True)
        assert await run.result() == result


async def test_a_branch_may_be_decided_by_an_answer() -> None:
    @pipeline
    def gated() -> str | None:
        with when(approval("Deploy?")):
            done = deploy(True)
        return maybe(done)

    world = World()
    async with world.engine() as engine:
        for answer, result in [(True, "deployed"), (False, None)]:
            run = await engine.submit(gated.bind())
            await world.until(facts.RunSuspended, count=1 if answer else 2)
            await engine.answer(run.id, "approval", answer)
            assert await run.result() == result


# While no process is there


async def test_a_question_outlives_its_process() -> None:
    world = World()
    async with world.doomed() as engine:
        run = (await engine.submit(decides.bind())).id
        await suspended(world)
    async with world.engine(decides) as engine:
        (asked,) = engine.waiting()
        assert (asked.run, asked.question, asked.shown) == (run, "Which?", {"accuracy": 0.9})
        await engine.answer(run, "approval", {"verdict": "ship"}, "ann")
        assert await engine.result(run) == Decision("ship")
    assert len(await world.facts(facts.NodeSuspended)) == 1


@pytest.mark.parametrize("stop", ["crash", "order"])
async def test_a_deadline_that_passed_while_no_process_was_there_is_kept_at_the_next_start(stop: str) -> None:
    world = World()
    async with world.doomed() if stop == "crash" else world.engine() as engine:
        run = (await engine.submit(decides.bind())).id
        late = (await engine.submit(strict.bind())).id
        await suspended(world, count=2)
    await world.clock.advance(hours(100))
    async with world.engine(decides, strict) as engine:
        await world.clock.advance(0)
        assert await engine.result(run) == Decision("hold")
        with pytest.raises(RunFailed, match="in time"):
            await engine.result(late)


async def test_a_deadline_is_not_set_anew_by_a_restart() -> None:
    world = World()
    async with world.doomed() as engine:
        run = (await engine.submit(decides.bind())).id
        await suspended(world)
        await world.clock.advance(hours(40))
    async with world.engine(decides) as engine:
        await world.clock.advance(hours(8) - 1)
        assert (await engine.state(run)).state == "suspended"
        await world.clock.advance(1)
        assert await engine.result(run) == Decision("hold")


async def test_an_event_that_came_just_before_the_process_died_is_found() -> None:
    world = World()
    async with world.doomed() as engine:
        run = (await engine.submit(pays.bind(7))).id
        await suspended(world)
    await recorded(world, "e1", type="paid", subject="acme", data={"order": {"id": 7}})
    async with world.engine(pays) as engine:
        assert (await engine.result(run)).id == "e1"


async def test_an_event_ends_the_wait_of_a_run_that_is_held() -> None:
    world = World()
    async with world.doomed() as engine:
        run = (await engine.submit(hears.bind())).id
        await suspended(world)
    async with world.engine() as engine:  # which doesn't know the pipeline
        assert (await engine.state(run)).state == "held"
        await tell(engine, "e1")
        assert await world.nodes(run) == {"wait_for": "succeeded"}
    async with world.engine(hears) as engine:
        await tell(engine, "e2")
        assert (await engine.result(run)).id == "e1"


async def test_an_event_that_came_in_time_beats_a_deadline_that_has_passed_since() -> None:
    world = World()
    async with world.doomed() as engine:
        run = (await engine.submit(pays.bind(7))).id
        await suspended(world)
    await recorded(world, "e1", type="paid", subject="acme", data={"order": {"id": 7}})
    await world.clock.advance(hours(24 * 31))
    world.journal = hurdle = Hurdle(world.journal, "select", lambda table: table is EventRow)
    async with world.engine(pays) as engine:
        await hurdle.reached.wait()  # looking back takes its time
        await world.clock.advance(1)
        hurdle.open.set()
        assert (await engine.result(run)).id == "e1"


async def test_a_stop_while_a_wait_looks_back_leaves_no_timer() -> None:
    world = World()
    world.journal = hurdle = Hurdle(world.journal, "select", lambda table: table is EventRow)
    async with world.engine() as engine:
        await engine.submit(pays.bind(7))
        await hurdle.reached.wait()
        engine._waits.stop()
        hurdle.open.set()
        await turns()
        assert world.clock.waiting == 0


async def test_a_wait_that_begins_while_those_before_are_taken_up_is_taken_once() -> None:
    world = World()
    async with world.doomed() as engine:
        run = (await engine.submit(strict.bind())).id
    assert not await world.holds(facts.NodeSuspended)

    async def slowly(table: Any, **conditions: Any) -> Any:
        if table is WaitRow:
            await turns()
        return await select(table, **conditions)

    select, world.journal.select = world.journal.select, slowly
    async with world.engine(strict) as engine:
        await suspended(world)
        assert len(engine.waiting()) == 1
        await engine.answer(run, "approval", True)
        assert await engine.result(run) is True
        assert world.clock.waiting == 0


async def test_after_a_restart_the_wait_that_began_first_takes_the_first_event() -> None:
    @pipeline
    def row() -> list[object]:
        first = wait_for("bank", name="z")
        return [show(first), show(wait_for("bank", name="a", after=[show(1)]))]

    world = World()
    async with world.doomed() as engine:
        run = (await engine.submit(row.bind())).id
        await suspended(world)
    await recorded(world, "e1")
    async with world.engine(row) as engine:
        await turns(200)
        nodes = await world.nodes(run)
        assert (nodes["z"], nodes["a"]) == ("succeeded", "suspended")


async def test_after_a_restart_an_event_is_still_taken_by_one_node_alone() -> None:
    @pipeline
    def twice() -> list[object]:
        return [show(wait_for("bank", name="one")), show(wait_for("bank", name="two"))]

    world = World()
    async with world.doomed() as engine:
        run = (await engine.submit(twice.bind())).id
        await suspended(world)
    await recorded(world, "e1")
    async with world.engine(twice) as engine:
        await turns(200)
        assert sorted((await world.nodes(run)).items()) == [("one", "succeeded"), ("show", "succeeded"), ("two", "suspended")]
        await tell(engine, "e2")
        assert [one.id for one in await engine.result(run)] == ["e1", "e2"]


async def test_an_answer_is_enough_though_the_process_dies_with_it() -> None:
    class Dying(Instrument):
        def reached(self, point: str) -> None:
            if point == "engine.wait.after":
                world.journal.die()

    world = World(instrument=Dying())
    async with world.doomed() as engine:
        run = (await engine.submit(asks.bind())).id
        await suspended(world)
        await engine.answer(run, "approval", True)
    assert (await world.run(run)).state == "suspended"
    async with world.engine(asks) as engine:
        assert await engine.result(run) == "deployed"


# Cancelled, held


async def test_a_suspended_run_is_cancelled_with_its_question() -> None:
    world = World()
    async with world.engine() as engine:
        run = await engine.submit(decides.bind())
        await suspended(world)
        await run.cancel()
        with pytest.raises(RunCancelled):
            await run.result()
        assert engine.waiting() == []
        assert world.clock.waiting == 0
        with pytest.raises(InvalidRequest, match="is cancelled: it doesn't wait for an answer"):
            await engine.answer(run.id, "approval", {"verdict": "ship"}, "ann")
    assert (await world.nodes(run.id))["approval"] == "cancelled"
    assert await world.journal.select(WaitRow) == []


async def test_a_waiting_node_is_cancelled_and_its_run_goes_on() -> None:
    @task(rule="all_done")
    async def anyway() -> str:
        return current().node

    @pipeline
    def goes_on() -> object:
        return anyway.after(approval("Sure?"))()

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(goes_on.bind())
        await suspended(world)
        await engine.cancel(run.id, "approval")
        assert (await world.nodes(run.id))["approval"] == "cancelled"
        with pytest.raises(InvalidRequest, match="is cancelled"):
            await engine.answer(run.id, "approval", True)
        assert (await engine.wait(run.id)).state == "failed"
        assert engine.waiting() == []
    assert await world.nodes(run.id) == {"approval": "cancelled", "anyway": "succeeded"}


@pytest.mark.parametrize("slow", [False, True])
async def test_a_node_that_is_cancelled_while_it_begins_to_wait_leaves_nothing_open(slow: bool) -> None:
    go = anyio.Event()

    @task
    async def stay() -> None:
        await go.wait()

    @pipeline
    def beside() -> list[object]:
        return [stay(), approval("Sure?", deadline=100)]

    world = World(journal=Late() if slow else None)
    world.journal = hurdle = Hurdle(world.journal, "commit", holding(facts.NodeSuspended))
    async with world.engine() as engine, anyio.create_task_group() as tasks:
        run = await engine.submit(beside.bind())
        await hurdle.reached.wait()
        tasks.start_soon(engine.cancel, run.id, "approval")
        await turns()
        hurdle.open.set()
        while (await world.nodes(run.id)).get("approval") != "cancelled":
            await turns(1)
        await turns()
        assert await run.state() == "running"
        assert engine.waiting() == []
        assert world.clock.waiting == 0
        go.set()
        assert (await run.wait()).state == "failed"


async def test_a_run_that_is_out_of_time_while_a_node_begins_to_wait_ends() -> None:
    class OutOfTime(Late):
        def _commit(self, unit: Unit) -> int:
            seq = super()._commit(unit)
            if any(isinstance(fact, facts.NodeSuspended) for fact in unit.facts):
                engine._runs.find(run.id).execution._end_early(Wish.TIMEOUT)  # type: ignore[union-attr]
            return seq

    @pipeline(timeout=10)
    def limited() -> object:
        return show(approval("Sure?", deadline=100))

    world = World(journal=OutOfTime())
    async with world.engine() as engine:
        run = await engine.submit(limited.bind())
        with anyio.fail_after(5):
            assert (await run.wait()).state == "failed"
        assert await world.nodes(run.id) == {"approval": "cancelled", "show": "cancelled"}
        assert engine.waiting() == []
        assert world.clock.waiting == 0


@pytest.mark.parametrize("cancelled", ["one[1].approval", "one"])
@pytest.mark.parametrize("busy", [False, True])
async def test_of_an_answer_and_a_cancel_at_the_same_time_one_stands(busy: bool, cancelled: str) -> None:
    @task
    async def stay() -> None:
        if busy:
            await go.wait()

    @pipeline
    def all_of(items: list[str]) -> Any:
        return [one.map(item=each(items)), stay()]

    for turn in range(16):
        for first in ("answer", "cancel"):
            go, world = anyio.Event(), World(journal=Late())
            async with world.engine() as engine:
                run = await engine.submit(all_of.bind(["a", "b"]))
                await world.until(facts.NodeSuspended, count=2)
                await turns(60)

                async def answer(engine: Engine = engine, run: str = run.id) -> None:
                    with contextlib.suppress(InvalidRequest):
                        await engine.answer(run, "one[1].approval", True)

                async def cancel(engine: Engine = engine, run: str = run.id) -> None:
                    with contextlib.suppress(InvalidRequest, NotFound):
                        await engine.cancel(run, cancelled)

                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(answer if first == "answer" else cancel)
                    await turns(turn)
                    tasks.start_soon(cancel if first == "answer" else answer)
                go.set()
                await turns(60)
                with contextlib.suppress(InvalidRequest):
                    await engine.answer(run.id, "one[0].approval", True)
                with anyio.fail_after(5):
                    state = (await run.wait()).state
                nodes = await world.nodes(run.id)
                assert nodes["one[1].approval"] in ("succeeded", "cancelled")
                assert state == ("succeeded" if {nodes["one"], nodes["one[1].approval"]} == {"succeeded"} else "failed")
                assert engine.waiting() == []


async def test_an_answer_to_a_held_run_is_kept_until_it_fits_again() -> None:
    @task
    async def ready(value: int) -> int:
        return value

    @pipeline(name="held")
    def before() -> object:
        return [deploy(approval("Deploy?")), ready.after(approval("And that?", name="second"))(1)]

    @pipeline(name="held")
    def misfit() -> object:
        return [deploy(approval("Deploy?"))]

    world = World()
    async with world.doomed() as engine:
        run = (await engine.submit(before.bind())).id
        await suspended(world)
    async with world.engine(misfit) as engine:
        assert (await engine.state(run)).state == "held"
        await engine.answer(run, "approval", True)
        with pytest.raises(InvalidRequest, match="no longer in the code"):
            await engine.answer(run, "second", True)
        await turns()
        assert (await engine.state(run)).state == "held"
    async with world.engine(before) as engine:
        await suspended(world, count=2)
        assert await world.nodes(run) == {"approval": "succeeded", "deploy": "succeeded", "second": "suspended"}
        await engine.answer(run, "second", True)
        assert await engine.result(run) == ["deployed", 1]


@pytest.mark.parametrize("kind", ["an instant", "an event", "a child", "a task"])
async def test_a_run_is_held_whose_question_has_become_something_else(kind: str) -> None:
    @pipeline
    def inner() -> object:
        return show(1)

    def instead() -> Any:
        match kind:
            case "an instant":
                return sleep_until(datetime(2100, 1, 1, tzinfo=UTC), name="approval")
            case "an event":
                return wait_for("bank", name="approval")
            case "a child":
                return run_pipeline(inner, name="approval")()
            case _:
                return show.options(name="approval")(1)

    @pipeline(name="asks")
    def other() -> str:
        return deploy.after(instead())(True)

    world = World()
    async with world.doomed() as engine:
        run = (await engine.submit(asks.bind())).id
        await turns(1) if kind == "a task" else await suspended(world)
    async with world.engine(other) as engine:
        row = await engine.state(run)
        assert (row.state, row.reason) == (
            "held",
            "what the run hands to node 'approval' no longer fits its task: it is no longer the same kind of node",
        )


async def test_a_deadline_of_a_held_run_is_kept() -> None:
    world = World()
    async with world.doomed() as engine:
        run = (await engine.submit(decides.bind())).id
        await suspended(world)
    async with world.engine() as engine:
        assert (await engine.state(run)).state == "held"
        await world.clock.advance(hours(49))
        assert (await world.nodes(run))["approval"] == "succeeded"
        assert (await engine.state(run)).state == "held"
    async with world.engine(decides) as engine:
        assert await engine.result(run) == Decision("hold")


async def test_the_open_waits_are_shown_oldest_first() -> None:
    @task
    async def rest(value: int) -> int:
        await world.clock.sleep(value)
        return value

    @pipeline
    def staggered() -> list[bool]:
        return [approval("Two?", name="a", after=[rest(2)]), approval("One?", name="b", after=[rest(1)])]

    world = World()
    async with world.engine() as engine:
        first = await engine.submit(staggered.bind())
        await world.clock.until_waiting(2)
        await world.clock.advance(3)
        second = await engine.submit(asks.bind())
        await suspended(world, count=2)
        assert [(asked.run, asked.node) for asked in engine.waiting()] == [(first.id, "b"), (first.id, "a"), (second.id, "approval")]
