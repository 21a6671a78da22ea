from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import anyio
import msgspec
import pytest

from eventflow import Retry, current, facts, pipeline, task
from eventflow.definition import graph as graphs
from eventflow.engine.engine import Engine
from eventflow.errors import RunCancelled, RunFailed
from tests.engine.world import Hurdle, Journaled, World, holding, turns


async def crash(world: World, pipe: Any, *, when: type[facts.Fact] = facts.AttemptStarted, count: int = 1) -> str:
    """Submit a run and let the process die once there are so many of some facts."""
    async with world.doomed(pipe) as engine:
        run = await engine.submit(pipe.bind())
        await world.until(when, count=count)
    return run.id


async def finish(world: World, pipe: Any, run: str) -> Any:
    async with world.engine(pipe) as engine:
        return await engine.result(run)


GONE: list[str] = []


@dataclass
class Spec:
    name: str

    def __post_init__(self) -> None:
        if self.name in GONE:
            raise FileNotFoundError(self.name)


class Body:
    """A body that waits for ever as long as it is `stuck`, and counts how often it was begun."""

    def __init__(self) -> None:
        self.stuck = True
        self.begun = 0

    async def __call__(self) -> int:
        self.begun += 1
        if self.stuck:
            await anyio.sleep_forever()
        return self.begun


def piped(body: Body, **options: Any) -> Any:
    async def body_of() -> int:
        return await body()

    made = task(name="body", **options)(body_of)

    @pipeline
    def piped() -> int:
        return made()

    return piped


async def test_an_attempt_that_ran_is_lost_and_the_node_tried_again() -> None:
    world, body = World(), Body()
    pipe = piped(body)
    run = await crash(world, pipe)
    body.stuck = False
    assert await finish(world, pipe, run) == 2
    assert await world.attempts(run, "body") == [("lost", "crash"), ("succeeded", None)]
    assert (await world.node(run, "body")).crashes == 1


async def test_a_node_that_has_ended_never_runs_again() -> None:
    world, body, ended = World(), Body(), []

    @task
    async def before() -> list[int]:
        ended.append(True)
        return [1, 2]

    @task
    async def fails() -> int:
        ended.append(False)
        raise ValueError

    async def after_of(values: list[int]) -> int:
        return await body() + sum(values)

    after = task(name="after")(after_of)

    @pipeline
    def half() -> int:
        fails()
        return after(before())

    run = await crash(world, half, count=3)
    body.stuck = False
    with pytest.raises(RunFailed, match="node 'fails' failed: ValueError"):
        await finish(world, half, run)
    assert sorted(ended) == [False, True]
    assert await world.nodes(run) == {"before": "succeeded", "fails": "failed", "after": "succeeded"}


async def test_the_first_failure_is_still_named_after_a_crash() -> None:
    world, body, early = World(), Body(), anyio.Event()

    @task
    async def z_first() -> None:
        early.set()
        raise ValueError("first")

    @task
    async def a_second() -> None:
        await early.wait()
        await turns()
        await world.clock.advance(1)
        raise ValueError("second")

    async def waits() -> int:
        return await body()

    last = task(waits)

    @pipeline
    def two_failures() -> None:
        a_second()
        z_first()
        last()

    run = await crash(world, two_failures, when=facts.NodeFailed, count=2)
    body.stuck = False
    with pytest.raises(RunFailed, match="z_first"):
        await finish(world, two_failures, run)


async def test_a_node_under_which_the_process_dies_too_often_is_poisoned() -> None:
    world, body = World(), Body()
    pipe = piped(body, max_crashes=2)
    run = await crash(world, pipe)
    async with world.doomed(pipe):
        await world.until(facts.AttemptStarted, count=2)
    with pytest.raises(RunFailed, match="the process died under this node as often as its max_crashes allows"):
        await finish(world, pipe, run)
    assert body.begun == 2
    assert await world.attempts(run, "body") == [("lost", "crash")] * 2
    assert (await world.node(run, "body")).reason == "poisoned"


async def test_of_several_suspects_each_gets_its_last_chance_alone() -> None:
    world, begun = World(), list[str]()

    @task(max_crashes=2)
    async def suspect(name: str) -> str:
        begun.append(name)
        return await anyio.sleep_forever() or name if innocent != name else name

    @pipeline
    def case(name: str) -> str:
        return suspect(name)

    innocent = ""
    async with world.doomed(case) as engine:
        runs = [(await engine.submit(case.bind(name))).id for name in ("a", "b", "c")]
        await world.until(facts.AttemptStarted, count=3)
    async with world.doomed(case):
        await world.until(facts.AttemptStarted, count=4)
        await turns()
        assert len(await world.facts(facts.AttemptStarted)) == 4
    guilty = begun[3]
    innocent = next(name for name in ("a", "b", "c") if name != guilty)
    async with world.engine(case) as engine:
        assert await (await engine.find(runs["abc".index(innocent)])).result() == innocent
        with pytest.raises(RunFailed, match="the process died under this node"):
            await (await engine.find(runs["abc".index(guilty)])).result()


async def test_an_at_most_once_node_is_unknown_after_a_crash() -> None:
    world, body = World(), Body()
    pipe = piped(body, at_most_once=True)
    run = await crash(world, pipe)
    with pytest.raises(RunFailed, match="nobody knows whether it did its work"):
        await finish(world, pipe, run)
    assert body.begun == 1
    assert (await world.node(run, "body")).reason == "unknown"


async def test_the_start_of_an_at_most_once_node_is_durable_before_its_body() -> None:
    await _start_is_durable_before_the_body(World(), at_most_once=True)


async def _start_is_durable_before_the_body(world: World, **options: Any) -> None:
    body = Body()
    body.stuck = False
    pipe = piped(body, **options)
    hurdle = Hurdle(world.journal, "commit", holding(facts.AttemptStarted))
    world.journal = hurdle
    async with world.engine() as engine:
        run = await engine.submit(pipe.bind())
        await hurdle.reached.wait()
        await turns()
        assert body.begun == 0
        hurdle.open.set()
        assert await run.result() == 1


@pytest.mark.parametrize("submitted_only", [False, True])
async def test_the_starts_of_a_recovered_run_are_durable_before_its_bodies(submitted_only: bool) -> None:
    world, body = World(), Body()
    pipe = piped(body)
    if submitted_only:
        run = await _submit_and_die(world, pipe)
    else:
        run = await crash(world, pipe)
    before, body.stuck = body.begun, False
    hurdle = Hurdle(world.journal, "commit", holding(facts.AttemptStarted))
    world.journal = hurdle
    async with world.engine(pipe) as engine:
        await hurdle.reached.wait()
        await turns()
        assert body.begun == before
        hurdle.open.set()
        await engine.result(run)


async def _submit_and_die(world: World, pipe: Any) -> str:
    """Leave a run that is submitted and nothing more: its start was on its way when the process died."""
    definition = pipe.definition
    submitted = facts.RunSubmitted("a" * 32, pipe.name, definition.version, msgspec.Raw(b"{}"))
    recorded = facts.GraphRecorded(definition.version, msgspec.Raw(graphs.encode(definition.graph)))
    await world.journal.commit(facts.Unit(world.clock.now(), (recorded, submitted)))
    return submitted.run


async def test_a_body_that_isnt_begun_when_the_cancel_comes_isnt_begun_at_all() -> None:
    world, body = World(), Body()
    pipe = piped(body, at_most_once=True)
    hurdle = Hurdle(world.journal, "commit", holding(facts.AttemptStarted))
    world.journal = hurdle
    async with world.engine() as engine:
        run = await engine.submit(pipe.bind())
        await hurdle.reached.wait()
        await run.cancel()
        hurdle.open.set()
        with pytest.raises(RunCancelled):
            await run.result()
    assert body.begun == 0
    assert await world.attempts(run.id, "body") == [("cancelled", "cancelled")]


async def test_a_body_that_isnt_begun_when_the_shutdown_comes_begins_at_the_next_start() -> None:
    world, body = World(), Body()
    body.stuck = False
    pipe = piped(body, at_most_once=True)
    inner = world.journal
    hurdle = Hurdle(inner, "commit", holding(facts.AttemptStarted))
    world.journal = hurdle
    async with anyio.create_task_group() as tasks, world.engine(drain=30) as engine:
        run = await engine.submit(pipe.bind())
        await hurdle.reached.wait()
        tasks.start_soon(_open_once_draining, world, hurdle)
    assert body.begun == 0
    world.journal = inner
    assert await finish(world, pipe, run.id) == 1
    assert await world.attempts(run.id, "body") == [("lost", "shutdown"), ("succeeded", None)]


async def _open_once_draining(world: World, hurdle: Hurdle) -> None:
    await world.clock.until_waiting()
    hurdle.open.set()


async def test_the_key_and_number_of_an_attempt_go_on_after_a_crash() -> None:
    world, seen, stuck = World(), [], [True]

    @task(retry=Retry(attempts=2, delay=0))
    async def keyed() -> None:
        seen.append((current().idempotency_key, current().attempt))
        if stuck:
            await anyio.sleep_forever()

    @pipeline
    def keys() -> None:
        keyed()

    run = await crash(world, keys)
    stuck.clear()
    await finish(world, keys, run)
    assert seen == [(f"{run}-keyed", 1), (f"{run}-keyed", 2)]


async def test_crashes_dont_use_up_attempts_nor_attempts_crashes() -> None:
    world, begun = World(), []

    @task(retry=Retry(attempts=2, delay=0), max_crashes=2)
    async def body() -> None:
        begun.append(True)
        if len(begun) == 1:
            await anyio.sleep_forever()
        raise OSError

    @pipeline
    def both() -> None:
        body()

    run = await crash(world, both)
    with pytest.raises(RunFailed, match="OSError"):
        await finish(world, both, run)
    assert await world.attempts(run, "body") == [("lost", "crash"), ("failed", "error"), ("failed", "error")]


async def test_a_crash_while_recovering_changes_nothing() -> None:
    world, body = World(), Body()
    pipe = piped(body, max_crashes=2)
    run = await crash(world, pipe)
    for _ in range(5):  # the recovery itself is journaled, but no body begins before the process dies again
        async with world.doomed(pipe):
            pass
    body.stuck = False
    assert await finish(world, pipe, run) == 2
    assert (await world.node(run, "body")).crashes == 1


async def test_recovered_runs_take_the_places_of_their_pipeline() -> None:
    world, body = World(), Body()

    async def waits() -> int:
        return await body()

    made = task(waits)

    @pipeline(max_active_runs=1)
    def single() -> int:
        return made()

    async with world.doomed(single) as engine:
        runs = [await engine.submit(single.bind()) for _ in range(3)]
        await world.until(facts.AttemptStarted)
    body.stuck = False
    async with world.engine(single) as engine:
        assert [await engine.result(run.id) for run in runs] == [2, 3, 4]
    active = 0
    for fact in await world.facts(facts.RunStarted, facts.RunSucceeded):
        active += 1 if isinstance(fact, facts.RunStarted) else -1
        assert active <= 1


# Code that has changed


def versions(body: Body, other: Any = None, *, name: str = "body", wiring: Any = None, **options: Any) -> Any:
    """Give the pipeline `changing` as some version of the code has it."""

    async def before_of() -> int:
        return 10

    async def body_of(value: int) -> int:
        return await body() + value

    before, made = task(name="before")(before_of), task(name=name, **options)(other or body_of)

    @pipeline(name="changing")
    def changing() -> int:
        return made(before())

    @pipeline(name="changing")
    def rewired() -> int:
        return wiring(made, before)

    return rewired if wiring else changing


async def state(world: World, run: str) -> tuple[str, str | None]:
    row = await world.run(run)
    return row.state, row.reason


async def held(world: World, run: str, *pipelines: Any) -> str:
    async with world.engine(*pipelines):
        await turns()
        now, reason = await state(world, run)
        assert now == "held", now
        assert reason
        return reason


async def test_a_run_whose_pipeline_is_gone_is_held_until_it_is_back() -> None:
    world, body = World(), Body()
    run = await crash(world, versions(body), count=2)
    body.stuck = False
    assert "there is no pipeline 'changing' in the code any more" in await held(world, run)
    seq = world.journal.seq
    await held(world, run)
    assert world.journal.seq == seq  # it is held already
    assert await finish(world, versions(body), run) == 12
    assert [type(fact) for fact in await world.facts(facts.RunHeld, facts.RunReleased)] == [facts.RunHeld, facts.RunReleased]
    assert await world.attempts(run, "body") == [("lost", "crash"), ("succeeded", None)]


async def test_a_run_whose_node_has_vanished_is_held() -> None:
    world, body = World(), Body()
    run = await crash(world, versions(body), count=2)
    body.stuck = False
    assert "node 'body', which hasn't ended, is no longer in pipeline 'changing'" in await held(world, run, versions(body, name="renamed"))
    assert await finish(world, versions(body), run) == 12


async def new_name(amount: int) -> int:
    return amount


async def one_more(value: int, more: int) -> int:
    return value + more


async def no_input() -> int:
    return 1


@pytest.mark.parametrize(
    ("other", "wiring"),
    [(new_name, None), (one_more, lambda made, before: made(before(), 1)), (no_input, lambda made, before: (before(), made())[1])],
)
async def test_a_run_whose_inputs_no_longer_fit_is_held(other: Any, wiring: Any) -> None:
    world, body = World(), Body()
    run = await crash(world, versions(body), count=2)
    body.stuck = False
    assert "what the run hands to node 'body' no longer fits its task" in await held(world, run, versions(body, other, wiring=wiring))
    assert await finish(world, versions(body), run) == 12


async def test_a_run_that_needs_the_result_of_a_vanished_node_is_held() -> None:
    world, body = World(), Body()

    def without_before(made: Any, before: Any) -> Any:
        return made(1)

    run = await crash(world, versions(body), count=2)
    assert "the result of node 'before' is still needed" in await held(world, run, versions(body, wiring=without_before))


async def test_a_run_whose_arguments_no_longer_fit_is_held() -> None:
    world, body = World(), Body()

    async def body_of(value: int) -> int:
        return await body() + value

    made = task(name="body")(body_of)

    @pipeline(name="taking")
    def before(size: int) -> int:
        return made(size)

    @pipeline(name="taking")
    def after(size: int, unit: str) -> int:
        return made(size)

    async with world.doomed(before) as engine:
        run = await engine.submit(before.bind(5))
        await world.until(facts.AttemptStarted)
    assert "parameter 'unit' is missing" in await held(world, run.id, after)


async def test_rests_that_are_no_longer_taken_hold_the_run() -> None:
    world, body = World(), Body()

    async def rest_of(*values: int) -> int:
        return await body() + sum(values)

    async def named_of(values: int = 0) -> int:
        return values

    with_rest, without = task(name="body")(rest_of), task(name="body")(named_of)

    @pipeline(name="resting")
    def before() -> int:
        return with_rest(1, 2)

    @pipeline(name="resting")
    def after() -> int:
        return without(1)

    run = await crash(world, before)
    assert "it no longer takes *" in await held(world, run, after)


async def test_an_at_most_once_node_isnt_begun_again_after_a_hold() -> None:
    world, body = World(), Body()
    run = await crash(world, versions(body, at_most_once=True), count=2)
    await held(world, run)
    with pytest.raises(RunFailed, match="nobody knows"):
        await finish(world, versions(body, at_most_once=True), run)
    assert body.begun == 1


async def test_a_held_run_can_be_cancelled() -> None:
    world, body = World(), Body()
    run = await crash(world, versions(body), count=2)
    async with world.engine() as engine:
        assert (await state(world, run))[0] == "held"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_expect_cancelled, engine, run)
            await turns()
            await engine.cancel(run)
    assert await world.nodes(run) == {"before": "succeeded", "body": "cancelled"}


async def _expect_cancelled(engine: Engine, run: str) -> None:
    with pytest.raises(RunCancelled):
        await engine.result(run)


async def test_a_held_run_takes_no_place() -> None:
    world, body = World(), Body()

    async def waits() -> int:
        return await body()

    made, renamed = task(name="old")(waits), task(name="new")(waits)

    @pipeline(name="single", max_active_runs=1)
    def old() -> int:
        return made()

    @pipeline(name="single", max_active_runs=1)
    def new() -> int:
        return renamed()

    run = await crash(world, old)
    body.stuck = False
    async with world.engine(new) as engine:
        assert (await state(world, run))[0] == "held"
        assert await (await engine.submit(new.bind())).result() == 2


async def test_an_unfinished_node_takes_the_new_code_and_the_run_notes_it() -> None:
    world, body = World(), Body()
    old = versions(body)
    run = await crash(world, old, count=2)

    async def changed(value: int) -> int:
        return value * 100

    new = versions(body, changed)
    assert await finish(world, new, run) == 1000
    (noted,) = await world.facts(facts.CodeChanged)
    assert noted.nodes == ("body",)
    row = await world.run(run)
    assert row.graph == noted.graph != old.definition.version
    assert noted.graph in {fact.digest for fact in await world.facts(facts.GraphRecorded)}


async def test_code_of_finished_nodes_and_unchanged_code_are_no_change() -> None:
    world, body = World(), Body()
    run = await crash(world, versions(body), count=2)
    body.stuck = False
    assert await finish(world, versions(body), run) == 12
    assert not await world.holds(facts.CodeChanged)


async def test_the_instrument_hears_of_the_recovery() -> None:
    class Points(Journaled):
        def reached(self, point: str) -> None:
            self.note(point)

    points = Points()
    async with World(instrument=points).engine():
        pass
    assert points.seen[:2] == ["engine.recovery.before", "engine.recovery.after"]


async def test_a_run_whose_arguments_can_no_longer_be_read_is_held_and_harms_no_other() -> None:
    world, body = World(), Body()

    async def waits(spec: Spec) -> int:
        return await body()

    wait = task(waits)

    @pipeline
    def specified(spec: Spec) -> int:
        return wait(spec)

    async with world.doomed(specified) as engine:
        run = (await engine.submit(specified.bind(Spec("here")))).id
        await world.until(facts.AttemptStarted)
    GONE.append("here")
    async with world.engine(specified) as engine:
        row = await engine.state(run)
        assert (row.state, row.reason) == (
            "held",
            "its arguments no longer fit: pipeline 'specified': parameter 'spec': expected Spec: FileNotFoundError: here",
        )
    GONE.clear()
    body.stuck = False
    assert await finish(world, specified, run) == 2
