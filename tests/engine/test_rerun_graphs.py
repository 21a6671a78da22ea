from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from eventflow import approval, each, facts, group, maybe, one_of, otherwise, pipeline, run_pipeline, skip, task, when
from eventflow.errors import InvalidRequest
from tests.engine.again import Calls, assert_sound, ended, told, whats
from tests.engine.world import World

# Branches and skips


ASKED: list[str] = []


@dataclass
class Verdict:
    name: str

    def __bool__(self) -> bool:
        ASKED.append(self.name)
        return self.name == "good"


def judged(calls: Calls) -> Any:
    @task
    async def judge(name: str) -> Verdict:
        calls("judge")
        return Verdict(name)

    @task
    async def deploy() -> str:
        calls("deploy")
        return "deployed"

    @task
    async def keep() -> str:
        calls("keep")
        return "kept"

    @task
    async def tell(what: str, also: str | None) -> str:
        calls("tell")
        return f"{what} {also}"

    @pipeline
    def judged(name: str) -> str:
        verdict = judge(name)
        with when(verdict):
            new = deploy()
        with otherwise():
            old = keep()
        return tell(one_of(new, old), maybe(new))

    return judged


@pytest.mark.parametrize(("name", "result"), [("good", "deployed deployed"), ("bad", "kept None")])
async def test_a_branch_stands_with_what_it_decided_on(name: str, result: str) -> None:
    world, calls = World(), Calls("tell")
    async with world.engine(pipe := judged(calls)) as engine:
        run = await ended(engine, pipe.bind(name))
        calls.mend()
        ASKED.clear()
        plan = await engine.plan_rerun(run.id)
        assert whats(plan, "rerun") == ["tell"]
        again = await engine.rerun(run.id)
        assert await again.result() == result
    assert (calls.taken(), ASKED) == (["tell"], [])
    first, second = [await world.nodes(one) for one in (run.id, again.id)]
    assert {**first, "tell": ""} == {**second, "tell": ""}
    decided = await world.facts(facts.BranchDecided)
    assert [(one.node, one.taken, one.value) for one in decided[:2]] == [(one.node, one.taken, one.value) for one in decided[2:]]
    await assert_sound(world)


async def test_where_the_decision_is_made_anew_the_other_branch_may_run() -> None:
    world, calls = World(), Calls()
    async with world.engine(pipe := judged(calls)) as engine:
        run = await ended(engine, pipe.bind("bad"))
        calls.taken()
        plan = told(await engine.plan_rerun(run.id, arguments={"name": "good"}))
        assert plan["when_judge"] == "rerun: its input 'value' comes from judge, which is rerun"
        assert plan["deploy"] == "rerun: its branch when_judge is decided anew"
        again = await engine.rerun(run.id, arguments={"name": "good"})
        assert await again.result() == "deployed deployed"
    assert calls.taken() == ["deploy", "judge", "tell"]
    await assert_sound(world)


async def test_a_body_that_asked_to_be_skipped_is_asked_again() -> None:
    world, calls = World(), Calls()
    is_there = False

    @task
    async def look() -> int:
        calls("look")
        if not is_there:
            skip("nothing there")
        return 7

    @task
    async def use(value: int) -> int:
        calls("use")
        return value

    @task(skip="pass-through")
    async def polish(value: int) -> int:
        calls("polish")
        return skip("fine as it is")

    @pipeline
    def looking() -> Any:
        return maybe(polish(use(look())))

    async with world.engine(looking) as engine:
        run = await ended(engine, looking.bind())
        assert await run.result() is None
        is_there = True
        calls.taken()
        assert told(await engine.plan_rerun(run.id))["look"] == "rerun: it asked to be skipped, and is asked again"
        again = await engine.rerun(run.id)
        assert await again.result() == 7
        assert calls.taken() == ["look", "polish", "use"]
        assert whats(await engine.plan_rerun(again.id), "rerun") == ["polish"]
    await assert_sound(world)


async def test_what_ran_because_something_failed_is_done_again_with_it() -> None:
    world, calls = World(), Calls("work")

    @task
    async def work() -> int:
        calls("work")
        return 1

    @task(rule="one_failed")
    async def mend() -> None:
        calls("mend")

    @pipeline
    def mending() -> int:
        done = work()
        mend.after(done)()
        return done

    async with world.engine(mending) as engine:
        run = await ended(engine, mending.bind())
        calls.mend()
        again = await engine.rerun(run.id)
        assert await again.result() == 1
        assert calls.taken() == ["work"]
        assert (await world.nodes(again.id))["mend"] == "skipped"
        assert whats(await engine.plan_rerun(again.id), "rerun") == []
    await assert_sound(world)


# Waits and children


async def test_an_answer_is_not_asked_for_again() -> None:
    world, calls = World(), Calls("deploy")

    @task
    async def deploy(may: bool) -> bool:
        calls("deploy")
        return may

    @pipeline
    def careful() -> bool:
        return deploy(approval("Deploy?"))

    async with world.engine(careful) as engine:
        run = await engine.submit(careful.bind())
        await world.until(facts.NodeSuspended)
        await engine.answer(run.id, "approval", True, "ada")
        await run.wait()
        calls.mend()
        again = await engine.rerun(run.id)
        assert await again.result() is True
        asked = await engine.rerun(run.id, "approval")
        await world.until(facts.NodeSuspended, count=2)
        assert [wait.run for wait in engine.waiting()] == [asked.id]
        await engine.answer(asked.id, "approval", False, "bob")
        assert await asked.result() is False
    await assert_sound(world)


async def test_a_child_is_run_again_where_its_own_code_has_changed() -> None:
    world, calls = World(), Calls("last")

    def piped(score: Any) -> Any:
        scored = task(name="score")(score)

        @pipeline(name="child")
        def child(value: int) -> int:
            return scored(value)

        @task
        async def last(value: int) -> int:
            calls("last")
            return value

        @pipeline(name="parent")
        def parent() -> int:
            return last(run_pipeline(child)(3))

        return parent

    async def score(value: int) -> int:
        calls("score")
        return value

    async def other(value: int) -> int:
        calls("other")
        return -value

    async with world.engine(pipe := piped(score)) as engine:
        first = await ended(engine, pipe.bind())
        calls.mend()
        second = await engine.rerun(first.id)
        assert await second.result() == 3
        assert whats(await engine.plan_rerun(second.id), "rerun") == []
    assert calls.taken() == ["last"]
    async with world.engine(piped(other)) as engine:
        plan = told(await engine.plan_rerun(second.id))
        assert plan["child"] == "rerun: the code of the pipeline that it runs has changed"
        third = await engine.rerun(second.id)
        assert await third.result() == -3
        assert whats(await engine.plan_rerun(third.id), "rerun") == []
    assert calls.taken() == ["last", "other"]
    await assert_sound(world)


@pytest.mark.parametrize("settings", [{"wait": False}, {"key": "the one"}])
async def test_a_child_that_nobody_waits_for_and_the_one_with_a_key_are_not_run_again(settings: dict[str, Any]) -> None:
    world = World()

    def piped(score: Any) -> Any:
        @pipeline(name="child")
        def child() -> int:
            return task(name="score")(score)()

        @pipeline(name="parent")
        def parent() -> Any:
            start: Any = run_pipeline
            return start(child, **settings)()

        return parent

    async def score() -> int:
        return 1

    async def other() -> int:
        return 2

    async with world.engine(pipe := piped(score)) as engine:
        run = await ended(engine, pipe.bind())
    async with world.engine(piped(other)) as engine:
        assert whats(await engine.plan_rerun(run.id), "rerun") == []


# What closes


async def test_what_was_closed_is_opened_again_where_somebody_needs_it() -> None:
    world, calls = World(), Calls("train")

    @task
    async def start(number: int) -> str:
        calls("start")
        return f"cluster {number}"

    @task
    async def stop(cluster: str) -> None:
        calls("stop")

    @task
    async def load() -> int:
        calls("load")
        return 1

    @task
    async def train(cluster: str, data: int) -> int:
        calls("train")
        return data

    @task
    async def report(model: int) -> int:
        calls("report")
        return model

    @pipeline
    def one(number: int) -> int:
        cluster = start(number)
        stop.teardown(cluster)
        return train(cluster, load())

    @pipeline
    def cluster() -> int:
        with group("only"):
            value = one(1)
        report.map(each(one.map(each([2]))))
        return report(value)

    async with world.engine(cluster) as engine:
        run = await ended(engine, cluster.bind())
        calls.mend()
        plan = told(await engine.plan_rerun(run.id))
        assert plan["only.one.start"] == "rerun: only.one.stop has closed what it opened, and only.one.train needs it"
        assert plan["one[0].start"] == "rerun: stop has closed what it opened, and train needs it"
        assert plan["only.one.load"].startswith("reuse")
        assert plan["one[0].load"].startswith("reuse")
        again = await engine.rerun(run.id)
        assert await again.result() == 1
        assert calls.taken() == ["report", "report", "start", "start", "stop", "stop", "train", "train"]
        assert await (await engine.rerun(again.id, "report")).result() == 1
        assert calls.taken() == ["report"]
        assert await (await engine.rerun(again.id, "report_2")).result() == 1
        assert calls.taken() == ["report", "start", "stop", "train"]
    await assert_sound(world)


async def test_what_a_teardown_was_only_told_to_wait_for_is_opened_again_too() -> None:
    world, calls = World(), Calls("train")

    @task
    async def start() -> None:
        calls("start")

    @task
    async def stop() -> None:
        calls("stop")

    @task
    async def train() -> int:
        calls("train")
        return 1

    @pipeline
    def remote() -> int:
        started = start()
        stop.after(started).teardown()
        return train.after(started)()

    async with world.engine(remote) as engine:
        run = await ended(engine, remote.bind())
        calls.mend()
        plan = told(await engine.plan_rerun(run.id))
        assert plan["start"] == "rerun: stop has closed what it opened, and train needs it"
        assert await (await engine.rerun(run.id)).result() == 1
        assert calls.taken() == ["start", "stop", "train"]
    await assert_sound(world)


async def test_the_end_of_a_run_is_another_one_each_time() -> None:
    world, calls = World(), Calls("double")

    @task
    async def clean() -> None:
        calls("clean")

    @task
    async def tell_all() -> None:
        calls("tell_all")

    @task
    async def tell_one() -> None:
        calls("tell_one")

    @task(on_success=[tell_one])
    async def load() -> int:
        calls("load")
        return 1

    @task
    async def double(value: int) -> int:
        calls("double")
        return value * 2

    @pipeline(finally_=[clean], on_success=[tell_all])
    def closing() -> int:
        return double(load())

    async with world.engine(closing) as engine:
        run = await ended(engine, closing.bind())
        assert calls.taken() == ["clean", "double", "load", "tell_one"]
        calls.mend()
        again = await engine.rerun(run.id)
        assert await again.result() == 2
        assert calls.taken() == ["clean", "double", "tell_all"]
        with pytest.raises(InvalidRequest, match="has succeeded"):
            await engine.rerun(again.id)
        assert whats(await engine.plan_rerun(again.id), "rerun") == ["clean", "tell_all"]
        assert told(await engine.plan_rerun(again.id))["clean"] == "rerun: it belongs to the end of the run, and this is another run"
    await assert_sound(world)
