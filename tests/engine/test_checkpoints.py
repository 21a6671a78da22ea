from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest

from eventflow import Retry, current, facts, pipeline, task
from eventflow.artifacts.memory import MemoryArtifacts
from eventflow.context import Checkpoint
from eventflow.engine.values import INLINE
from eventflow.errors import EventflowError, RunFailed
from eventflow.facts import Inline, Stored
from tests.engine.world import Halt, Hurdle, Journaled, World, turns


def piped(body: Any, **options: Any) -> Any:
    made = task(name="body", **options)(body)

    @pipeline
    def piped() -> Any:
        return made()

    return piped


def shown(saved: facts.CheckpointSaved) -> tuple[int, bytes | None]:
    assert not isinstance(saved.state, Stored)
    return saved.position, bytes(saved.state.json) if isinstance(saved.state, Inline) else None


@pytest.mark.parametrize("kind", ["coroutine", "thread"])
async def test_state_and_position_of_an_iteration_are_one_record(kind: str) -> None:  # noqa: C901 - one body of each kind
    world, attempts = World(), []
    recorded = anyio.Event()
    loop, halt = asyncio.get_running_loop(), Halt()

    def step(epoch: int, state: dict[str, list[int]]) -> None:
        state["losses"].append(epoch)
        current().checkpoint.save(state)
        state["losses"].append(-1)  # after the save: doesn't matter
        state["losses"].pop()

    def begin() -> dict[str, list[int]]:
        attempts.append(current().attempt)
        state = current().checkpoint.load({"losses": []})
        assert isinstance(state, dict)
        return state

    async def coroutine() -> list[int]:
        state = begin()
        for epoch in current().resume(range(5)):
            if epoch == 3 and len(attempts) == 1:
                recorded.set()
                await anyio.sleep_forever()
            step(epoch, state)
            await anyio.lowlevel.checkpoint()
        return state["losses"]

    def function() -> list[int]:
        state = begin()
        for epoch in current().resume(range(5)):
            if epoch == 3 and len(attempts) == 1:
                loop.call_soon_threadsafe(recorded.set)
                halt.here()
            step(epoch, state)
        return state["losses"]

    pipe = piped(coroutine if kind == "coroutine" else function)
    async with world.doomed(pipe) as engine:
        run = await engine.submit(pipe.bind())
        await recorded.wait()
        await world.until(facts.CheckpointSaved)
        await turns()
    saved = (await world.facts(facts.CheckpointSaved))[-1]
    assert shown(saved) == (3, b'{"losses":[0,1,2]}')
    async with world.engine(pipe) as engine:
        assert await engine.result(run.id) == [0, 1, 2, 3, 4]
    halt.go()
    assert attempts == [1, 2]


async def test_a_save_outside_a_loop_is_recorded_soon_and_loaded_by_the_next_attempt() -> None:
    world, loaded = World(), []

    async def body() -> Any:
        checkpoint = current().checkpoint
        loaded.append(checkpoint.load("nothing"))
        if len(loaded) == 1:
            checkpoint.save([1])
            assert checkpoint.load() == [1]
            await world.until(facts.CheckpointSaved)
            raise OSError
        return checkpoint.load()

    pipe = piped(body, retry=Retry(attempts=2, delay=0))
    async with world.engine() as engine:
        assert await (await engine.submit(pipe.bind())).result() == [1]
    assert loaded == ["nothing", [1]]


async def test_what_was_saved_just_before_a_failure_isnt_lost() -> None:
    loaded: list[Any] = []

    async def body() -> None:
        loaded.append(current().checkpoint.load())
        current().checkpoint.save(len(loaded))
        if len(loaded) < 3:
            raise OSError

    pipe = piped(body, retry=Retry(attempts=3, delay=0))
    async with World().engine() as engine:
        await (await engine.submit(pipe.bind())).result()
    assert loaded == [None, 1, 2]


async def test_a_saved_none_isnt_nothing_saved() -> None:
    loaded: list[Any] = []

    def body() -> None:
        loaded.append(current().checkpoint.load("default"))
        current().checkpoint.save(None)
        if len(loaded) == 1:
            raise OSError

    pipe = piped(body, retry=Retry(attempts=2, delay=0))
    async with World().engine() as engine:
        await (await engine.submit(pipe.bind())).result()
    assert loaded == ["default", None]


async def test_each_load_gives_a_fresh_copy() -> None:
    async def body() -> Any:
        checkpoint = current().checkpoint
        checkpoint.save([1])
        first: Any = checkpoint.load()
        first.append(2)
        return checkpoint.load()

    async with World().engine() as engine:
        assert await (await engine.submit(piped(body).bind())).result() == [1]


async def test_the_newest_state_replaces_what_waits() -> None:
    world = World()

    async def body() -> None:
        for number in range(100):  # without giving way: nothing can be recorded in between
            current().checkpoint.save(number)
        await world.until(facts.CheckpointSaved)

    async with world.engine() as engine:
        await (await engine.submit(piped(body).bind())).result()
    assert [shown(saved) for saved in await world.facts(facts.CheckpointSaved)] == [(0, b"99")]


async def test_big_and_rich_states_are_artifacts() -> None:
    world, loaded = World(), []

    def body() -> None:
        loaded.append(current().checkpoint.load())
        if len(loaded) == 1:
            current().checkpoint.save({"weights": "x" * (2 * INLINE)})
            raise OSError
        if len(loaded) == 2:
            current().checkpoint.save({"rich": Rich()})
            raise OSError

    pipe = piped(body, retry=Retry(attempts=3, delay=0))
    async with world.engine() as engine:
        await (await engine.submit(pipe.bind())).result()
    assert loaded[1] == {"weights": "x" * (2 * INLINE)}
    assert isinstance(loaded[2]["rich"], Rich)
    assert [saved.state.codec for saved in await world.facts(facts.CheckpointSaved)] == ["json", "pickle"]


class Rich:
    """Json can't carry it."""


async def test_a_state_that_cant_be_stored_raises_in_the_body() -> None:
    async def body() -> None:
        current().checkpoint.save(lambda: None)

    async with World().engine() as engine:
        with pytest.raises(RunFailed, match="ValueNotStorable"):
            await (await engine.submit(piped(body).bind())).result()


async def test_what_an_abandoned_body_saves_is_dropped() -> None:
    world, halt, over = World(), Halt(), anyio.Event()
    loop = asyncio.get_running_loop()

    def body() -> None:
        halt.here()
        current().checkpoint.save("late")
        loop.call_soon_threadsafe(over.set)

    async with world.engine() as engine:
        run = await engine.submit(piped(body, timeout=5).bind())
        await halt.reached.wait()
        await world.clock.until_waiting()
        await world.clock.advance(5)
        await run.wait()
        halt.go()
        await over.wait()
        await turns()
    assert not await world.holds(facts.CheckpointSaved)


async def test_a_record_under_way_when_the_body_returns_is_dropped_with_its_attempt() -> None:
    world = World()
    inner = world.artifacts
    hurdle = Hurdle(inner, "put")
    world.artifacts = hurdle

    async def body() -> str:
        current().checkpoint.save("x" * (2 * INLINE))
        await hurdle.reached.wait()
        return "done"

    async with world.engine() as engine:
        run = await engine.submit(piped(body).bind())
        await hurdle.reached.wait()
        await world.until(facts.AttemptSucceeded)
        hurdle.open.set()
        assert await run.result() == "done"
    assert not await world.holds(facts.CheckpointSaved)


class FullDisk(MemoryArtifacts):
    async def put(self, data: bytes) -> str:  # noqa: ARG002 - the port's
        raise OSError(28, "No space left on device")


async def test_a_state_for_which_there_is_no_room_is_told_and_the_body_goes_on() -> None:
    seen = Journaled()
    world = World(artifacts=FullDisk(), instrument=seen)

    async def body() -> str:
        current().checkpoint.save("x" * (2 * INLINE))
        while not seen.troubles:
            await anyio.lowlevel.checkpoint()
        return "done"

    async with world.engine() as engine:
        assert await (await engine.submit(piped(body).bind())).result() == "done"
    assert [place for place, _ in seen.troubles] == ["engine.checkpoint"]


async def test_a_recorded_state_that_is_gone_fails_the_node_and_not_the_engine() -> None:
    world, begun = World(), []

    async def body() -> None:
        begun.append(True)
        current().checkpoint.save("x" * (2 * INLINE))
        await anyio.sleep_forever()

    pipe = piped(body)
    async with world.doomed(pipe) as engine:
        run = await engine.submit(pipe.bind())
        await world.until(facts.CheckpointSaved)
    world.artifacts = MemoryArtifacts()
    async with world.engine(pipe) as engine:
        with pytest.raises(RunFailed, match="there is no artifact"):
            await engine.result(run.id)
    assert begun == [True]
    assert await world.attempts(run.id, "body") == [("lost", "crash"), ("failed", "input")]


async def test_a_second_resume_loop_is_refused() -> None:
    async def body() -> None:
        for _ in current().resume(range(1)):
            pass
        for _ in current().resume(range(1)):
            pass

    async with World().engine() as engine:
        with pytest.raises(RunFailed, match=r"a task has one resume\(\) loop"):
            await (await engine.submit(piped(body).bind())).result()


async def test_a_loop_without_a_state_goes_on_at_its_position() -> None:
    done: list[int] = []

    async def body() -> None:
        for number in current().resume(range(10, 20, 2)):
            if number == 14 and done == [10, 12]:
                done.append(-1)
                raise OSError
            done.append(number)

    pipe = piped(body, retry=Retry(attempts=2, delay=0))
    async with World().engine() as engine:
        await (await engine.submit(pipe.bind())).result()
    assert done == [10, 12, -1, 14, 16, 18]


async def test_a_loop_that_became_shorter_is_over() -> None:
    sizes, done = iter([5, 2]), []

    async def body() -> str:
        for number in current().resume(range(next(sizes))):
            done.append(number)
            if number == 4:
                raise OSError
        return "over"

    pipe = piped(body, retry=Retry(attempts=2, delay=0))
    async with World().engine() as engine:
        assert await (await engine.submit(pipe.bind())).result() == "over"
    assert done == [0, 1, 2, 3, 4]


def test_the_context_offers_the_port() -> None:
    assert {"begin", "load", "save", "advance"} <= set(dir(Checkpoint))


def test_current_needs_a_running_task() -> None:
    with pytest.raises(EventflowError, match="outside a running task"):
        current()
