from __future__ import annotations

from typing import Any

import anyio

from eventflow import approval, each, facts, pipeline, run_pipeline, task
from eventflow.engine.deploys import DeployEntry, deploy_plan
from tests.engine.world import World


async def hangs(number: int) -> int:
    return await anyio.sleep_forever() or number


async def works(number: int) -> int:
    return number


async def takes_more(number: int, more: int) -> int:
    return number + more


def piped(body: Any, name: str = "piped", **settings: Any) -> Any:
    more = {"more": 3} if body is takes_more else {}

    @pipeline(name=name, **settings)
    def piped(numbers: list[int]) -> list[int]:
        return task(name="item")(body).map(each(numbers), **more)

    return piped


async def planned(world: World, *pipelines: Any) -> list[tuple[str, tuple[str, ...], str | None]]:
    before = len(await world.records())
    entries = await deploy_plan(world.journal, pipelines)
    assert len(await world.records()) == before
    return [(entry.what, entry.nodes, entry.reason) for entry in entries]


async def opened(world: World, pipe: Any, count: int = 2) -> str:
    """Leave an open run of so many attempts."""
    started = len(await world.facts(facts.AttemptStarted))
    async with world.doomed(pipe) as engine:
        run = await engine.submit(pipe.bind([1, 2]))
        await world.until(facts.AttemptStarted, count=started + count)
    return run.id


async def test_an_empty_journal_has_no_plan() -> None:
    assert await planned(World(), piped(works)) == []


async def test_each_open_run_is_told_with_what_would_become_of_it() -> None:
    world = World()
    run = await opened(world, piped(hangs))
    entries = await deploy_plan(world.journal, [piped(hangs)])
    assert entries == [DeployEntry(run, "piped", "running", "unchanged")]


async def test_runs_that_have_ended_are_left_out() -> None:
    world = World()
    async with world.engine(pipe := piped(works)) as engine:
        await (await engine.submit(pipe.bind([1]))).wait()
    assert await planned(world, piped(hangs)) == []


async def test_new_code_is_named_by_the_paths_of_its_nodes() -> None:
    world = World()
    await opened(world, piped(hangs))
    assert await planned(world, piped(works)) == [("new_code", ("item", "item[]"), None)]


async def test_a_run_that_would_be_held_says_why() -> None:
    world = World()
    await opened(world, piped(hangs))
    (gone,) = await planned(world)
    assert gone == ("held", (), "there is no pipeline 'piped' in the code any more")
    (misfit,) = await planned(world, piped(takes_more))
    assert misfit[0] == "held"
    assert "no longer fits its task" in str(misfit[2])


async def test_an_author_who_holds_runs_is_heeded() -> None:
    world = World()
    await opened(world, piped(hangs, on_code_change="hold"))
    (held,) = await planned(world, piped(works, on_code_change="hold"))
    assert held[0] == "held"
    assert "holds runs whose code has changed" in str(held[2])
    assert await planned(world, piped(works)) == [("new_code", ("item", "item[]"), None)]
    assert await planned(world, piped(hangs, on_code_change="hold")) == [("unchanged", (), None)]


async def test_a_held_run_that_would_go_on_again_says_so() -> None:
    world = World()
    run = await opened(world, piped(hangs))
    async with world.engine():
        pass
    assert (await world.run(run)).state == "held"
    assert await planned(world, piped(hangs)) == [("unchanged", (), None)]
    (still,) = await planned(world)
    assert still[0] == "held"


async def test_a_run_whose_cancel_was_asked_for_would_be_cancelled() -> None:
    world = World()
    run = await opened(world, piped(hangs))
    await world.journal.commit(facts.Unit(world.clock.now(), (facts.CancelRequested(run),)))
    assert await planned(world, piped(works)) == [("cancelled", (), None)]


async def test_the_plan_is_what_the_restart_does() -> None:
    world = World()
    fine = await opened(world, piped(hangs, "fine"))
    changed = await opened(world, piped(hangs, "changed"))
    gone = await opened(world, piped(hangs, "gone"))
    pipelines = [piped(hangs, "fine"), piped(works, "changed")]
    plan = {entry.run: entry.what for entry in await deploy_plan(world.journal, pipelines)}
    assert plan == {fine: "unchanged", changed: "new_code", gone: "held"}
    async with world.engine(*pipelines) as engine:
        assert await engine.result(changed) == [1, 2]
    assert [fact.run for fact in await world.facts(facts.CodeChanged)] == [changed]
    assert (await world.run(gone)).state == "held"
    assert (await world.run(fine)).state == "running"


async def test_pipelines_that_others_run_are_known_too() -> None:
    world = World()

    @pipeline
    def inner() -> bool:
        return approval("Go on?")

    @pipeline
    def outer() -> bool:
        return run_pipeline(inner)()

    async with world.engine(outer) as engine:
        await engine.submit(outer.bind())
        await world.until(facts.RunSuspended, count=2)
    assert await planned(world, outer) == [("unchanged", (), None)] * 2
