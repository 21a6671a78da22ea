from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from eventflow import approval, each, facts, pipeline, run_pipeline, task, when
from eventflow.errors import EngineClosed, InvalidRequest, NotFound, ParameterError, RunCancelled, RunFailed
from tests.engine.again import Calls, assert_sound, told
from tests.engine.world import Hurdle, World, holding, turns


def staged(calls: Calls, body: Callable[..., Any] | None, *, on_code_change: Any = "adopt", parameter: Any = int) -> Any:
    """Give a pipeline of which the second node hangs, or has another `body`; with None that node isn't there any more."""

    @task
    async def load(start: Any) -> int:
        calls("load")
        return int(start)

    @task
    async def clean() -> None:
        calls("clean")

    second = None if body is None else task(name="work")(body)
    more = {"more": 3} if body is works_with_more else {}

    @pipeline(on_code_change=on_code_change, finally_=[clean])
    def staged(start: Any) -> int:
        return second(load(start), **more) if second is not None else load(start)

    staged.fn.__annotations__["start"] = parameter
    return staged


async def hangs(value: int) -> int:
    return await anyio.sleep_forever() or value


async def works(value: int) -> int:
    return value + 1


async def works_with_more(value: int, more: int) -> int:
    return value + more


async def left(world: World, pipe: Any, *args: Any) -> str:
    """Leave a run of which one node has ended and another one was running when the process died."""
    async with world.doomed(pipe) as engine:
        run = await engine.submit(pipe.bind(*args))
        await world.until(facts.AttemptStarted, count=2)
    return run.id


async def state(world: World, run: str) -> tuple[str, str | None]:
    row = await world.run(run)
    return row.state, row.reason


# Holding


async def test_a_run_whose_author_said_so_is_held_where_its_code_has_changed() -> None:
    world, calls = World(), Calls()
    run = await left(world, staged(calls, hangs, on_code_change="hold"), 1)
    async with world.engine(staged(calls, works, on_code_change="hold")):
        await turns()
    assert await state(world, run) == ("held", "its pipeline holds runs whose code has changed: work")
    assert calls.taken() == ["load"]
    await assert_sound(world)


async def test_a_run_that_is_to_be_held_goes_on_where_its_code_is_the_same() -> None:
    world, calls = World(), Calls()
    stuck = True

    async def waits(value: int) -> int:
        while stuck:
            await turns(1)
        return value

    run = await left(world, staged(calls, waits, on_code_change="hold"), 1)
    stuck = False
    async with world.engine(staged(calls, waits, on_code_change="hold")) as engine:
        assert await engine.result(run) == 1


async def test_new_code_of_what_has_ended_holds_nothing() -> None:
    world, calls = World(), Calls()
    stuck = True

    def piped(first: Any) -> Any:
        @pipeline(name="piped", on_code_change="hold")
        def piped() -> int:
            return task(last)(task(name="first")(first)())

        return piped

    async def last(value: int) -> int:
        calls("last")
        while stuck:
            await turns(1)
        return value

    async def old() -> int:
        return 1

    async def new() -> int:
        return 2

    async with world.doomed(pipe := piped(old)) as engine:
        run = await engine.submit(pipe.bind())
        await world.until(facts.AttemptStarted, count=2)
    stuck = False
    async with world.engine(piped(new)) as engine:
        assert await engine.result(run.id) == 1
    assert calls.seen == ["last", "last"]


async def test_a_held_run_goes_on_by_itself_once_the_code_fits_again() -> None:
    world, calls = World(), Calls()
    run = await left(world, staged(calls, hangs), 1)
    async with world.engine(staged(calls, None)):
        await turns()
    assert (await state(world, run))[0] == "held"
    async with world.engine(staged(calls, works)) as engine:
        assert await engine.result(run) == 2
    assert calls.taken() == ["clean", "load"]
    assert len(await world.facts(facts.RunReleased)) == 1
    await assert_sound(world)


async def test_a_run_that_its_author_holds_goes_on_once_the_code_is_the_old_one_again() -> None:
    world, calls = World(), Calls()
    stuck = True

    async def waits(value: int) -> int:
        while stuck:
            await turns(1)
        return value

    run = await left(world, staged(calls, waits, on_code_change="hold"), 1)
    async with world.engine(staged(calls, works, on_code_change="hold")):
        await turns()
    assert (await state(world, run))[0] == "held"
    stuck = False
    async with world.engine(staged(calls, waits, on_code_change="hold")) as engine:
        assert await engine.result(run) == 1


async def test_a_value_that_is_passed_on_is_read_though_its_parameter_has_a_new_name() -> None:
    world = World()

    async def old(value: int) -> int:
        return value

    async def new(number: int) -> int:
        return number

    def piped(first: Any, second: Any) -> Any:
        @pipeline(name="piped")
        def piped(wanted: bool) -> int:
            with when(wanted):
                cleaned = task(name="clean", skip="pass-through")(first)(5)
            return task(name="work")(second)(cleaned)

        return piped

    async with world.doomed(pipe := piped(old, hangs)) as engine:
        run = await engine.submit(pipe.bind(False))
        await world.until(facts.AttemptStarted)
    async with world.engine(piped(new, works)) as engine:
        assert await engine.result(run.id) == 6
    assert (await world.nodes(run.id))["clean"] == "skipped"


# Resuming


async def test_a_resumed_run_goes_on_with_the_new_code() -> None:
    world, calls = World(), Calls()
    run = await left(world, staged(calls, hangs, on_code_change="hold"), 1)
    async with world.engine(staged(calls, works, on_code_change="hold")) as engine:
        await turns()
        waiting = await engine.find(run)
        assert (await engine.resolve(run, "resume")).id == run
        assert await waiting.result() == 2
    assert calls.taken() == ["clean", "load"]
    assert [fact.nodes for fact in await world.facts(facts.CodeChanged)] == [("work",)]
    await assert_sound(world)


async def test_a_resumed_run_is_not_held_again_for_the_same_code() -> None:
    world, calls = World(), Calls()

    async def hangs_too(value: int) -> int:
        await anyio.sleep_forever()
        return value

    run = await left(world, staged(calls, hangs, on_code_change="hold"), 1)
    async with world.doomed(staged(calls, hangs_too, on_code_change="hold")) as engine:
        await engine.resolve(run, "resume")
        await world.until(facts.AttemptStarted, count=3)
    async with world.engine(staged(calls, hangs_too, on_code_change="hold")):
        await turns()
        assert (await state(world, run))[0] == "running"


async def test_a_run_that_still_does_not_fit_is_not_resumed() -> None:
    world, calls = World(), Calls()
    run = await left(world, staged(calls, hangs), 1)
    async with world.engine(staged(calls, works_with_more)) as engine:
        with pytest.raises(
            InvalidRequest, match=r"can't go on: what the run hands to node 'work' no longer fits .*'more'.* restart or fail"
        ):
            await engine.resolve(run, "resume")
    assert (await state(world, run))[0] == "held"


async def test_a_run_of_a_pipeline_that_is_gone_is_not_resumed_or_restarted() -> None:
    world, calls = World(), Calls()
    run = await left(world, staged(calls, hangs), 1)
    async with world.engine() as engine:
        with pytest.raises(InvalidRequest, match="no pipeline 'staged' in the code any more"):
            await engine.resolve(run, "resume")
        with pytest.raises(NotFound, match="no pipeline 'staged' in the code any more"):
            await engine.resolve(run, "restart")
        await engine.resolve(run, "fail")
    assert (await state(world, run))[0] == "failed"


async def test_an_answer_that_came_while_the_run_was_held_counts() -> None:
    world, calls = World(), Calls()

    def piped(body: Any) -> Any:
        @pipeline(name="asking", on_code_change="hold")
        def asking() -> int:
            return task(name="work")(body)(approval("How many?", form=int))

        return asking

    async with world.engine(pipe := piped(hangs)) as engine:
        run = await engine.submit(pipe.bind())
        await world.until(facts.RunSuspended)
    async with world.engine(piped(works)) as engine:
        assert (await state(world, run.id))[0] == "held"
        await engine.answer(run.id, "approval", 5, "ada")
        await turns()
        assert (await state(world, run.id))[0] == "held"
        await engine.resolve(run.id, "resume")
        assert await engine.result(run.id) == 6
    assert calls.seen == []
    await assert_sound(world)


async def test_a_run_that_waits_is_resumed_and_waits_on() -> None:
    world = World()

    def piped(body: Any) -> Any:
        @pipeline(name="asking", on_code_change="hold")
        def asking() -> int:
            return task(name="work")(body)(approval("How many?", form=int))

        return asking

    async with world.engine(pipe := piped(hangs)) as engine:
        run = await engine.submit(pipe.bind())
        await world.until(facts.RunSuspended)
    async with world.engine(piped(works)) as engine:
        await engine.resolve(run.id, "resume")
        await world.until(facts.RunSuspended, count=2)
        await engine.answer(run.id, "approval", 5, "ada")
        assert await engine.result(run.id) == 6
    await assert_sound(world)


# Restarting


async def test_a_restarted_run_is_a_new_one_with_the_same_arguments() -> None:
    world, calls = World(), Calls()
    run = await left(world, staged(calls, hangs), 7)
    async with world.engine(staged(calls, None)) as engine:
        old = await engine.find(run)
        calls.taken()
        new = await engine.resolve(run, "restart")
        assert await new.result() == 7
        with pytest.raises(RunCancelled):
            await old.result()
    assert calls.taken() == ["clean", "load"]
    assert await state(world, run) == ("cancelled", f"begun anew as run {new.id}")
    assert (await world.run(new.id)).rerun_of == run
    assert await world.nodes(run) == {"load": "succeeded", "work": "cancelled", "clean": "cancelled"}
    await assert_sound(world)


async def test_the_end_of_the_old_run_and_the_new_one_are_one_unit() -> None:
    world, calls = World(), Calls()
    run = await left(world, staged(calls, hangs), 7)
    async with world.engine(staged(calls, None)) as engine:
        new = await engine.resolve(run, "restart")
        await new.wait()
    at = {type(record.fact): record.seq for record in await world.records() if getattr(record.fact, "run", "") in (run, new.id)}
    records = [record for record in await world.records() if record.seq >= at[facts.CancelRequested]]
    assert [type(record.fact).__name__ for record in records[:3]] == ["CancelRequested", "RunCancelled", "GraphRecorded"]
    assert len({record.at for record in records[:4]}) == 1
    assert isinstance(records[3].fact, facts.RunSubmitted)


async def test_a_restart_whose_arguments_no_longer_fit_leaves_the_run_held() -> None:
    world, calls = World(), Calls()
    run = await left(world, staged(calls, hangs), 7)
    async with world.engine(staged(calls, works, parameter=list)) as engine:
        with pytest.raises(ParameterError, match="'start': expected list"):
            await engine.resolve(run, "restart")
    assert (await state(world, run))[0] == "held"


# Failing


async def test_a_run_that_is_made_to_fail_says_who_decided_so() -> None:
    world, calls = World(), Calls()
    run = await left(world, staged(calls, hangs), 7)
    async with world.engine(staged(calls, None)) as engine:
        waiting = await engine.find(run)
        calls.taken()
        await engine.resolve(run, "fail")
        with pytest.raises(RunFailed, match=r"a person ended it .* it was held because node 'work', which hasn't ended"):
            await waiting.result()
        assert await world.nodes(run) == {"load": "succeeded", "work": "cancelled", "clean": "cancelled"}
        assert calls.taken() == []
        plan = told(await engine.plan_rerun(run))
        assert plan["load"].startswith("reuse")
        assert await (await engine.rerun(run)).result() == 7
    assert calls.taken() == ["clean"]
    await assert_sound(world)


async def test_children_are_cancelled_with_a_held_run_that_is_ended() -> None:
    world, calls = World(), Calls()

    @task
    async def endless() -> int:
        calls("endless")
        return await anyio.sleep_forever() or 1

    @pipeline
    def child() -> int:
        return endless()

    def piped(body: Any) -> Any:
        @pipeline(name="parent")
        def parent() -> int:
            more = {"more": 3} if body is works_with_more else {}
            return task(name="work")(body)(run_pipeline(child)(), **more)

        return parent

    for choice, wanted in (("fail", "failed"), ("restart", "cancelled")):
        async with world.engine(pipe := piped(works)) as engine:
            run = await engine.submit(pipe.bind())
            await world.until(facts.RunSuspended, count=1 if choice == "fail" else 2)
        async with world.engine(piped(works_with_more)) as engine:
            inner = next(one.run for one in await world.facts(facts.RunSubmitted) if one.parent == run.id)
            await turns()
            assert (await state(world, inner))[0] == "running"
            if choice == "restart":
                await engine.pause_pipeline("parent")
            await engine.resolve(run.id, choice)
            row = await engine.wait(inner)
            assert (row.state, row.cancel_requested, row.reason) == ("cancelled", True, "its parent was ended")
        assert (await state(world, run.id))[0] == wanted
    await assert_sound(world)


# What can't be


async def test_only_a_held_run_is_resolved() -> None:
    world, calls = World(), Calls()
    async with world.engine(pipe := staged(calls, works)) as engine:
        run = await engine.submit(pipe.bind(1))
        await run.wait()
        for choice in ("resume", "restart", "fail"):
            with pytest.raises(InvalidRequest, match="is succeeded: only a held run is resolved"):
                await engine.resolve(run.id, choice)
        with pytest.raises(NotFound):
            await engine.resolve("0" * 32, "fail")


async def test_an_unknown_choice_is_answered_with_those_that_there_are() -> None:
    world, calls = World(), Calls()
    run = await left(world, staged(calls, hangs), 1)
    async with world.engine(staged(calls, None)) as engine:
        with pytest.raises(InvalidRequest, match=r"'retry' is no way .* resume, restart and fail"):
            await engine.resolve(run, "retry")


async def test_of_two_decisions_the_first_one_counts() -> None:
    world, calls = World(), Calls()
    run = await left(world, staged(calls, hangs, on_code_change="hold"), 1)
    outcomes: list[str] = []

    async with world.engine(staged(calls, works, on_code_change="hold")) as engine:

        async def decide(choice: str) -> None:
            try:
                await engine.resolve(run, choice)
                outcomes.append("done")
            except InvalidRequest:
                outcomes.append("refused")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(decide, "fail")
            tasks.start_soon(decide, "restart")
    assert sorted(outcomes) == ["done", "refused"]
    await assert_sound(world)


async def test_a_decision_that_another_one_overtakes_is_refused() -> None:
    world, calls = World(), Calls()
    run = await left(world, staged(calls, hangs, on_code_change="hold"), 1)
    world.journal = hurdle = Hurdle(world.journal, "commit", holding(facts.RunFailed))
    refused: list[InvalidRequest] = []

    async with world.engine(staged(calls, works, on_code_change="hold")) as engine:

        async def fail() -> None:
            with pytest.raises(InvalidRequest, match=r"is (queued|running|succeeded): only a held run is resolved") as raised:
                await engine.resolve(run, "fail")
            refused.append(raised.value)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fail)
            await hurdle.reached.wait()
            await engine.resolve(run, "resume")
            hurdle.open.set()
        assert await engine.result(run) == 2
    assert len(refused) == 1
    await assert_sound(world)


async def test_a_held_run_that_is_being_cancelled_is_not_resolved() -> None:
    world, calls = World(), Calls()
    run = await left(world, staged(calls, hangs, on_code_change="hold"), 1)
    world.journal = hurdle = Hurdle(world.journal, "commit", holding(facts.RunCancelled))
    async with world.engine(staged(calls, None, on_code_change="hold")) as engine, anyio.create_task_group() as tasks:
        tasks.start_soon(engine.cancel, run)
        await hurdle.reached.wait()
        for choice in ("resume", "restart", "fail"):
            with pytest.raises(InvalidRequest, match="is about to be cancelled: only a held run is resolved"):
                await engine.resolve(run, choice)
        hurdle.open.set()
    assert (await state(world, run))[0] == "cancelled"


async def test_a_stopped_engine_resolves_nothing() -> None:
    world, calls = World(), Calls()
    run = await left(world, staged(calls, hangs, on_code_change="hold"), 1)
    async with world.engine(staged(calls, works, on_code_change="hold")) as engine:
        await turns()
    with pytest.raises(EngineClosed):
        await engine.resolve(run, "resume")


async def test_items_that_old_code_made_are_made_anew_by_a_rerun() -> None:
    world, calls = World(), Calls()

    def piped(body: Any) -> Any:
        @pipeline(name="changing")
        def changing() -> list[int]:
            return task(name="item")(body).map(each([1, 2]))

        return changing

    async def old(number: int) -> int:
        return await anyio.sleep_forever() or 0 if number == 2 else number

    async def new(number: int) -> int:
        calls(str(number))
        return -number

    async with world.doomed(pipe := piped(old)) as engine:
        run = await engine.submit(pipe.bind())
        await world.until(facts.AttemptSucceeded)
        await world.until(facts.AttemptStarted, count=2)
    async with world.engine(piped(new)) as engine:
        assert await engine.result(run.id) == [1, -2]
        assert calls.taken() == ["2"]
        plan = told(await engine.plan_rerun(run.id))
        assert plan["item[0]"] == "rerun: its code has changed"
        assert plan["item[1]"].startswith("reuse")
        assert await (await engine.rerun(run.id)).result() == [-1, -2]
    assert calls.taken() == ["1"]
    await assert_sound(world)
