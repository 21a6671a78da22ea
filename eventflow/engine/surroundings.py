"""What the nodes of a run turn to when they need more than the run: the engine's waits, and its intake."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from eventflow import facts
from eventflow.definition.pipelines import Call
from eventflow.engine.intake import Intake
from eventflow.engine.waits import Waits
from eventflow.engine.wanted import OpenWait
from eventflow.facts import Fact


class Surroundings:
    """The waits and the intake of an engine, as its nodes know them; `cancel_children` has the runs cancelled that a node has begun."""

    def __init__(self, waits: Waits, intake: Intake, cancel_children: Callable[[str, str], Awaitable[None]]) -> None:
        self._waits = waits
        self._intake = intake
        self._cancel_children = cancel_children

    def suspend(self, wait: OpenWait) -> None:
        self._waits.add(wait)

    def drop(self, run: str, node: str) -> None:
        self._waits.drop(run, node)

    def submission(self, call: Call[Any], key: str | None, *, parent: str, node: str) -> facts.RunSubmitted:
        return self._intake.submission(call, key=key, parent=parent, parent_node=node)

    async def commit(self, submission: facts.RunSubmitted, *along: Fact) -> tuple[str, bool]:
        return await self._intake.commit(submission, *along)

    def waits_for(self, run: str, other: str) -> bool:
        return self._waits.waits_for(run, other)

    async def cancel_children(self, run: str, node: str) -> None:
        await self._cancel_children(run, node)
