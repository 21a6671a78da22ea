"""What an engine really does with a graph that says everything at once breaks no invariant, whichever way it goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from eventflow import Ended, Retry, approval, each, group, one_of, otherwise, pipeline, run_pipeline, skip, task, when
from eventflow import facts as told
from eventflow.testing import Ledger, check
from eventflow.testing.ledger import SUBMIT
from tests.engine.world import World


@task
def judge(number: int) -> str:
    return "even" if number % 2 == 0 else "odd"


@task(retry=Retry(attempts=2, delay=0))
def halve(number: int) -> int:
    if number < 0:
        raise ValueError("negative")
    return number // 2


@task
def drop(number: int) -> int:
    if number == 4:
        skip("four")
    return number


@task(fallback=0)
def fragile(number: int) -> int:
    raise OSError("always")


@task
def total(numbers: list[int], more: int) -> int:
    return sum(numbers) + more


@task(rule="all_done")
def report(ended: bool = True) -> bool:
    return ended


@task
def tidy() -> None: ...


@task
def noted(ended: Ended) -> None: ...


@pipeline
def small(number: int) -> int:
    return halve(number)


@pipeline
def item(number: int) -> int:
    return halve(drop(number))


@pipeline(finally_=[tidy], on_failure=[noted], on_cancel=[noted])
def everything(numbers: list[int], number: int) -> int:
    verdict = judge(number)
    with when(verdict, "even"):
        halves = halve.options(min_success=0.5).map(number=each(numbers))
        taken = total(halves, run_pipeline(small)(number))
    with otherwise():
        nested = item.map(number=each(numbers))
        agreed = approval("Go on?", after=[nested])
        kept = total.after(agreed)(nested, fragile(number))
    with group("last"):
        end = halve(one_of(taken, kept))
    report.after(verdict)()
    return end


async def violations(world: World, folder: Path) -> list[str]:
    ledger = Ledger(folder / "ledger")
    ledger.sent(SUBMIT, "k")
    try:
        return await check(world.journal, ledger, pipelines=[everything, small])
    finally:
        ledger.close()


@pytest.mark.parametrize(
    ("numbers", "number", "state"),
    [([2, 4, 6], 8, "succeeded"), ([2, -4], 8, "succeeded"), ([-2, -4], 8, "failed"), ([2, 4], -8, "failed"), ([], 8, "succeeded")],
)
async def test_a_taken_branch_with_its_map_and_child_is_sound(tmp_path: Path, numbers: list[int], number: int, state: str) -> None:
    world = World()
    async with world.engine(everything, small) as engine:
        run = await engine.submit(everything.bind(numbers=numbers, number=number), key="k")
        assert (await engine.wait(run.id)).state == state
    assert {row.node for row in await world.facts(told.NodeSkipped)} >= {"item", "approval", "fragile"}
    assert await violations(world, tmp_path) == []


async def asked(world: World, engine) -> str:
    run = await engine.submit(everything.bind(numbers=[2, 4, 7], number=1), key="k")
    await world.until(told.RunSuspended)
    return run.id


async def test_an_answer_a_fallback_and_skipped_items_are_sound(tmp_path: Path) -> None:
    world = World()
    async with world.engine(everything, small) as engine:
        run = await asked(world, engine)
        await engine.answer(run, "approval", answer=True, by="ada")
        assert (await engine.wait(run)).state == "succeeded"
    assert [fact.node for fact in await world.facts(told.NodeFellBack)] == ["fragile"]
    assert [fact.node for fact in await world.facts(told.AttemptSkipped)] == ["item[1].drop"]
    assert await violations(world, tmp_path) == []


async def test_a_suspended_run_that_is_cancelled_is_sound(tmp_path: Path) -> None:
    world = World()
    async with world.engine(everything, small) as engine:
        run = await asked(world, engine)
        await engine.cancel(run)
        assert (await engine.wait(run)).state == "cancelled"
    assert await violations(world, tmp_path) == []


async def test_a_run_that_goes_on_after_a_crash_is_sound(tmp_path: Path) -> None:
    world = World()
    async with world.doomed(everything, small) as engine:
        run = await asked(world, engine)
    async with world.engine(everything, small) as engine:
        await engine.answer(run, "approval", answer=False, by="bob")
        assert (await engine.wait(run)).state == "succeeded"
    assert await violations(world, tmp_path) == []


async def test_a_rerun_is_sound(tmp_path: Path) -> None:
    world = World()
    async with world.engine(everything, small) as engine:
        first = await engine.submit(everything.bind(numbers=[2, -4, -6], number=8), key="k")
        assert (await engine.wait(first.id)).state == "failed"
        again = await engine.rerun(first.id)
        assert (await engine.wait(again.id)).state == "failed"
    assert await world.facts(told.NodeReused)
    assert await violations(world, tmp_path) == []
