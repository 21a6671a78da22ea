"""What the nodes of a run turn to when they need more than the run: the engine's waits, and its intake."""

from __future__ import annotations

from typing import Any

from eventflow import facts
from eventflow.definition.pipelines import Call, Pipeline
from eventflow.engine.intake import Intake
from eventflow.engine.waits import Waits
from eventflow.engine.wanted import OpenWait
from eventflow.facts import Fact
from eventflow.ports import Journal
from eventflow.projections import KeyRow


class Surroundings:
    """The waits and the intake of an engine, as its nodes know them."""

    def __init__(self, journal: Journal, waits: Waits, intake: Intake) -> None:
        self._journal = journal
        self._waits = waits
        self._intake = intake

    def suspend(self, wait: OpenWait) -> None:
        self._waits.add(wait)

    def drop(self, run: str, node: str) -> None:
        self._waits.drop(run, node)

    def submission(self, call: Call[Any], key: str | None, *, parent: str, node: str) -> facts.RunSubmitted:
        return self._intake.submission(call, key=key, parent=parent, parent_node=node)

    def graph_facts(self, pipeline: Pipeline[..., Any]) -> tuple[Fact, ...]:
        return self._intake.graph_facts(pipeline)

    def submitted(self, submission: facts.RunSubmitted, seq: int) -> None:
        self._intake.submitted(submission, seq)

    async def keyed(self, pipeline: str, key: str) -> str:
        return (await self._journal.select(KeyRow, pipeline=pipeline, key=key))[0].run
