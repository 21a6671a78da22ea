from __future__ import annotations

import asyncio

from eventflow import states
from eventflow.engine.gate import Gate, Outcome
from tests.engine.world import turns


class Ear:
    def __init__(self) -> None:
        self.heard: list[Outcome | None] = []

    def __call__(self, cause: Outcome | None) -> None:
        self.heard.append(cause)


def futures(count: int) -> list[asyncio.Future[Outcome]]:
    loop = asyncio.get_running_loop()
    return [loop.create_future() for _ in range(count)]


def good(node: str) -> Outcome:
    return Outcome(states.SUCCEEDED, node)


def bad(node: str) -> Outcome:
    return Outcome(states.FAILED, node)


async def test_with_nothing_upstream_the_gate_opens_at_once() -> None:
    ear = Ear()
    Gate(ear).listen([])
    assert ear.heard == [None]


async def test_the_gate_opens_only_after_the_last_upstream_has_succeeded() -> None:
    ear, (first, second) = Ear(), futures(2)
    Gate(ear).listen([first, second])
    second.set_result(good("second"))
    await turns(3)
    assert ear.heard == []
    first.set_result(good("first"))
    await turns(3)
    assert ear.heard == [None]


async def test_the_gate_closes_at_the_first_failure_and_decides_once() -> None:
    ear, (first, second, third) = Ear(), futures(3)
    Gate(ear).listen([first, second, third])
    second.set_result(bad("second"))
    await turns(3)
    assert ear.heard == [bad("second")]
    first.set_result(bad("first"))
    third.set_result(good("third"))
    await turns(3)
    assert ear.heard == [bad("second")]


async def test_outcomes_that_are_there_already_count() -> None:
    ear, (first, second) = Ear(), futures(2)
    first.set_result(good("first"))
    second.set_result(good("second"))
    Gate(ear).listen([first, second])
    await turns(3)
    assert ear.heard == [None]


async def test_any_state_but_succeeded_closes_the_gate() -> None:
    for state in sorted(states.ENDED_NODE - {states.SUCCEEDED}):
        ear, (only,) = Ear(), futures(1)
        Gate(ear).listen([only])
        only.set_result(Outcome(state, "only"))
        await turns(3)
        assert [cause and cause.state for cause in ear.heard] == [state]
