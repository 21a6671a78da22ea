"""What runs at the end: teardowns, `finally_` tasks and hooks, whatever happened, also on a cancel and over crashes, before the run ends."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from eventflow import Ended, Retry, each, facts, maybe, pipeline, skip, task, when
from eventflow.facts import Fact
from tests.engine.world import World, of_run, turns


@task
async def start() -> str:
    return "cluster"


@task
async def use(cluster: str) -> str:
    return cluster


@task
async def fail(cluster: str = "") -> str:
    raise ValueError("no luck")


@task
async def leave() -> str:
    skip("nothing to do")


@task
async def forever(cluster: str = "") -> str:
    await anyio.sleep_forever()
    return cluster


@task
async def stop(cluster: str) -> None:
    return


@task
async def tidy() -> None:
    return


async def ended(call: Any, world: World | None = None) -> dict[str, str]:
    """Give the state of each node at the end, the run's own under an empty name."""
    world = world or World()
    async with world.engine() as engine:
        run = await engine.submit(call)
        row = await run.wait()
    return {**await world.nodes(run.id), "": row.state}


async def order(world: World) -> list[str]:
    """Give the nodes in the order in which they ended."""
    ends = (
        facts.AttemptSucceeded,
        facts.NodeFailed,
        facts.NodeSkipped,
        facts.NodeUpstreamFailed,
        facts.AttemptCancelled,
        facts.NodeCancelled,
    )
    return [fact.node for fact in await world.facts(*ends)]


# Teardowns


@pytest.mark.parametrize(("user", "state", "run"), [(use, "succeeded", "succeeded"), (fail, "failed", "failed")])
async def test_a_teardown_runs_after_all_that_use_what_it_closes_however_they_end(user: Any, state: str, run: str) -> None:
    @pipeline
    def clustered() -> str:
        cluster = start()
        stop.teardown(cluster)
        return use.options(name="last")(user.options(name="user")(cluster))

    world = World()
    states = await ended(clustered.bind(), world)
    assert states == {
        "start": "succeeded",
        "user": state,
        "last": "upstream_failed" if run == "failed" else state,
        "stop": "succeeded",
        "": run,
    }
    assert (await order(world))[-1] == "stop"


async def test_a_teardown_has_nothing_to_close_where_the_opening_failed_or_was_skipped() -> None:
    @pipeline
    def failing() -> str:
        cluster = fail()
        stop.teardown(cluster)
        return use(cluster)

    @pipeline
    def left() -> str:
        cluster = leave()
        stop.teardown(cluster)
        return use(cluster)

    assert await ended(failing.bind()) == {"fail": "failed", "use": "upstream_failed", "stop": "upstream_failed", "": "failed"}
    assert await ended(left.bind()) == {"leave": "skipped", "use": "skipped", "stop": "skipped", "": "succeeded"}


async def test_a_teardown_that_fails_fails_the_run_but_not_what_used_the_thing() -> None:
    @pipeline
    def clustered() -> str:
        cluster = start()
        fail.options(name="stop").teardown(cluster)
        return use(cluster)

    world = World()
    assert await ended(clustered.bind(), world) == {"start": "succeeded", "use": "succeeded", "stop": "failed", "": "failed"}
    assert [fact.node for fact in await world.facts(facts.RunFailed)] == ["stop"]


async def test_on_a_cancel_a_teardown_runs_before_the_run_ends() -> None:
    @pipeline
    def clustered() -> str:
        cluster = start()
        stop.teardown(cluster)
        return use(forever(cluster))

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(clustered.bind())
        await world.until(facts.AttemptStarted, count=2)
        await run.cancel()
        await run.wait()
    assert await world.nodes(run.id) == {"start": "succeeded", "forever": "cancelled", "use": "cancelled", "stop": "succeeded"}
    assert isinstance(of_run(await world.records(), run.id)[-1], facts.RunCancelled)


async def test_a_cancel_before_anything_was_opened_cancels_the_rest_and_closes_nothing() -> None:
    @pipeline
    def clustered() -> str:
        cluster = forever()
        stop.teardown(cluster)
        return use(cluster)

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(clustered.bind())
        await world.until(facts.AttemptStarted)
        await run.cancel()
        await run.wait()
    assert await world.nodes(run.id) == {"forever": "cancelled", "use": "cancelled", "stop": "upstream_failed"}


async def test_a_teardown_is_retried_as_its_task_says_also_on_a_cancel() -> None:
    tries = 0

    @task(retry=Retry(attempts=3, delay=30))
    async def close(cluster: str) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise OSError

    @pipeline
    def clustered() -> str:
        cluster = start()
        close.teardown(cluster)
        return forever(cluster)

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(clustered.bind())
        await world.until(facts.AttemptStarted, count=2)
        await run.cancel()
        await world.clock.advance(1000)
        assert (await run.wait()).state == "cancelled"
    assert (await world.nodes(run.id))["close"] == "succeeded"


async def test_items_have_teardowns_of_their_own_which_run_on_a_cancel_too() -> None:
    closed: list[str] = []

    @task
    async def open_it(name: str) -> str:
        return name

    @task(retry=Retry(attempts=2, delay=5))
    async def close_it(name: str) -> None:
        closed.append(name)
        if closed.count(name) == 1:
            raise OSError

    @pipeline
    def item(name: str) -> str:
        opened = open_it(name)
        close_it.teardown(opened)
        return forever(opened)

    @pipeline
    def mapped() -> list[str]:
        return item.map(name=each(["a", "b"]))

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(mapped.bind())
        await world.until(facts.AttemptStarted, count=4)
        await run.cancel()
        await world.clock.advance(100)
        assert (await run.wait()).state == "cancelled"
    assert sorted(closed) == ["a", "a", "b", "b"]
    states = await world.nodes(run.id)
    assert states["item[0].close_it"] == states["item[1].close_it"] == "succeeded"
    assert states["item"] == states["item[0].forever"] == "cancelled"


# Finally


@pytest.mark.parametrize(("body", "state"), [(start, "succeeded"), (fail, "failed"), (leave, "succeeded")])
async def test_what_stands_in_finally_runs_after_everything_whatever_happened(body: Any, state: str) -> None:
    @pipeline(finally_=[tidy])
    def tidied() -> str:
        return use(body())

    world = World()
    states = await ended(tidied.bind(), world)
    assert (states["tidy"], states[""]) == ("succeeded", state)
    assert (await order(world))[-1] == "tidy"


async def test_a_failure_in_finally_fails_the_run() -> None:
    @pipeline(finally_=[fail])
    def failing() -> str:
        return start()

    assert await ended(failing.bind()) == {"start": "succeeded", "fail": "failed", "": "failed"}


async def test_finally_runs_on_a_cancel_and_after_the_teardowns() -> None:
    @pipeline(finally_=[tidy])
    def tidied() -> str:
        cluster = start()
        stop.teardown(cluster)
        return forever(cluster)

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(tidied.bind())
        await world.until(facts.AttemptStarted, count=2)
        await run.cancel()
        assert (await run.wait()).state == "cancelled"
    assert await order(world) == ["start", "forever", "stop", "tidy"]


async def test_a_second_cancel_changes_nothing_while_the_run_is_being_closed() -> None:
    go = anyio.Event()

    @task
    async def slowly() -> None:
        await go.wait()

    @pipeline(finally_=[slowly])
    def closing() -> str:
        return forever()

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(closing.bind())
        await world.until(facts.AttemptStarted)
        await run.cancel()
        await world.until(facts.AttemptStarted, count=2)
        await run.cancel()
        await turns()
        assert await run.state() == "running"
        go.set()
        assert (await run.wait()).state == "cancelled"
    assert (await world.nodes(run.id))["slowly"] == "succeeded"


async def test_a_run_out_of_time_is_closed_and_has_failed() -> None:
    @pipeline(timeout=60, finally_=[tidy])
    def late() -> str:
        return use(forever())

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(late.bind())
        await world.until(facts.AttemptStarted)
        await world.clock.advance(61)
        assert (await run.wait()).state == "failed"
    assert await world.nodes(run.id) == {"forever": "cancelled", "use": "cancelled", "tidy": "succeeded"}


# Hooks


class Heard:
    """Hooks that remember what they were told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str | None, str, str | None]] = []
        heard = self

        @task
        async def told(ending: Ended) -> None:
            heard.told.append((ending.pipeline, ending.node, ending.state, ending.failure and ending.failure.partition(" (")[0]))

        self.hook = told


@pytest.mark.parametrize(("body", "state", "hook"), [(start, "succeeded", "on_success"), (fail, "failed", "on_failure")])
async def test_a_tasks_hook_is_told_how_its_node_ended_where_that_is_what_it_is_for(body: Any, state: str, hook: str) -> None:
    heard = Heard()
    hooks = {name: heard.hook.options(name=name) for name in ("on_success", "on_failure", "on_cancel")}

    @pipeline
    def hooked() -> str:
        return body.options(name="body", **hooks)()

    states = await ended(hooked.bind())
    assert heard.told == [("hooked", "body", state, "ValueError: no luck" if state == "failed" else None)]
    assert {name: state for name, state in states.items() if name.startswith("on_")} == {
        **dict.fromkeys(hooks, "skipped"),
        hook: "succeeded",
    }


async def test_on_cancel_is_called_for_a_cancelled_node_and_run() -> None:
    heard, whole = Heard(), Heard()

    @pipeline(on_cancel=[whole.hook.options(name="run_told")], on_failure=[whole.hook.options(name="never")])
    def hooked() -> str:
        return forever.options(on_cancel=heard.hook)()

    world = World()
    async with world.engine() as engine:
        run = await engine.submit(hooked.bind())
        await world.until(facts.AttemptStarted)
        await run.cancel()
        await run.wait()
    assert heard.told == [("hooked", "forever", "cancelled", None)]
    assert whole.told == [("hooked", None, "cancelled", None)]


@pytest.mark.parametrize(("body", "state"), [(start, "succeeded"), (fail, "failed"), (leave, "succeeded")])
async def test_a_pipelines_hook_is_told_how_the_run_ends_by_its_last_node_too(body: Any, state: str) -> None:
    heard = Heard()

    @pipeline(on_success=[heard.hook.options(name="good")], on_failure=[heard.hook.options(name="bad")])
    def hooked() -> str:
        return body()

    states = await ended(hooked.bind())
    assert heard.told == [("hooked", None, state, "ValueError: no luck" if state == "failed" else None)]
    assert sorted([states["good"], states["bad"]]) == ["skipped", "succeeded"]


async def test_a_hook_that_fails_changes_nothing() -> None:
    @task
    async def broken(ending: Ended) -> None:
        raise ValueError(ending.state)

    @pipeline(on_success=broken)
    def hooked() -> str:
        return start.options(on_success=broken.options(name="of_node"))()

    states = await ended(hooked.bind())
    assert (states["broken"], states["of_node"], states[""]) == ("failed", "failed", "succeeded")


async def test_items_of_a_mapped_pipeline_have_hooks_of_their_own_nodes() -> None:
    heard = Heard()

    @pipeline
    def item(name: str) -> str:
        return fail.options(on_failure=heard.hook)(name)

    @pipeline
    def mapped() -> Any:
        return maybe(item.options(min_success=0.0).map(name=each(["a", "b"])))

    states = await ended(mapped.bind())
    assert sorted(node or "" for _, node, _, _ in heard.told) == ["item[0].fail", "item[1].fail"]
    assert states["item"] == "succeeded"


async def test_a_hook_on_a_mapped_task_is_for_the_whole_map() -> None:
    heard = Heard()

    @pipeline
    def mapped() -> Any:
        return use.options(on_success=heard.hook).map(each(["a", "b"]))

    await ended(mapped.bind())
    assert heard.told == [("mapped", "use", "succeeded", None)]


async def test_a_closing_node_in_a_branch_that_is_not_taken_is_skipped() -> None:
    heard = Heard()

    @pipeline
    def branched(value: int) -> None:
        with when(value):
            cluster = start.options(on_success=heard.hook)()
            stop.teardown(cluster)

    assert await ended(branched.bind(0)) == {
        "when_value": "skipped",
        "start": "skipped",
        "told": "skipped",
        "stop": "skipped",
        "": "succeeded",
    }
    assert heard.told == []


# Crashes


async def test_a_cancel_that_was_asked_for_is_carried_out_with_its_closing_after_a_crash_at_any_fact() -> None:
    closed: list[str] = []

    @task
    async def close(cluster: str) -> None:
        closed.append(cluster)

    @pipeline(finally_=[tidy], on_cancel=[tidy])
    def clustered() -> str:
        cluster = start()
        close.teardown(cluster)
        return use(forever(cluster))

    first = World()
    async with first.engine() as engine:
        run = await engine.submit(clustered.bind())
        await first.until(facts.AttemptStarted, count=2)
        await run.cancel()
        await run.wait()
        whole = await first.nodes(run.id)
        happened = [record.fact for record in await first.records()]
    asked = next(number for number, fact in enumerate(happened, 1) if isinstance(fact, facts.CancelRequested))
    for length in range(asked, len(happened) + 1):
        closed.clear()
        world = await continued(happened[:length])
        async with world.engine(clustered) as engine:
            assert (await engine.wait(run.id)).state == "cancelled"
        assert await world.nodes(run.id) == whole, length
        ended_before = any(isinstance(fact, facts.AttemptSucceeded) and fact.node == "close" for fact in happened[:length])
        assert closed == ([] if ended_before else ["cluster"]), length


@pytest.mark.parametrize("nested", [False, True])
async def test_the_teardown_of_an_item_is_not_forgotten_by_a_crash_in_the_middle_of_a_cancel(nested: bool) -> None:
    closed: list[str] = []

    @task
    async def open_it(name: str) -> str:
        return name

    @task
    async def close_it(name: str) -> None:
        closed.append(name)

    @pipeline
    def item(name: str) -> str:
        opened = open_it(name)
        close_it.teardown(opened)
        return forever(opened)

    @pipeline
    def around(name: str) -> list[str]:
        return item.map(name=each([name, "b"]))

    @pipeline
    def mapped() -> Any:
        return around.map(name=each(["a", "c"])) if nested else item.map(name=each(["a", "b"]))

    first = World()
    async with first.engine() as engine:
        run = await engine.submit(mapped.bind())
        await first.until(facts.AttemptStarted, count=8 if nested else 4)
        await run.cancel()
        await run.wait()
        whole = await first.nodes(run.id)
        happened = [record.fact for record in await first.records()]
    assert set(whole.values()) == {"succeeded", "cancelled"}
    asked = next(number for number, fact in enumerate(happened, 1) if isinstance(fact, facts.CancelRequested))
    for length in range(asked, len(happened) + 1):
        closed.clear()
        world = await continued(happened[:length])
        async with world.engine(mapped) as engine:
            assert (await engine.wait(run.id)).state == "cancelled"
        assert await world.nodes(run.id) == whole, length


async def continued(happened: list[Fact]) -> World:
    """Give a world whose journal holds these facts."""
    world = World()
    for fact in happened:
        await world.journal.commit(facts.Unit(world.clock.now(), (fact,)))
    return world
