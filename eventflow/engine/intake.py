"""How runs come in: the fact that asks for one, to be committed by whoever has a reason, and what follows once it is."""

from __future__ import annotations

from typing import Any

import msgspec

from eventflow import facts, ids
from eventflow.definition.pipelines import Call, Pipeline
from eventflow.engine.admission import check_wishes
from eventflow.engine.catalogue import Catalogue
from eventflow.engine.opened import Opened, OpenRuns
from eventflow.errors import EngineClosed, JournalFull
from eventflow.facts import Fact
from eventflow.ports import Ports


class Intake:
    """Makes submissions, and queues their runs when they are durable."""

    def __init__(self, ports: Ports, catalogue: Catalogue, runs: OpenRuns) -> None:
        self._ports = ports
        self._catalogue = catalogue
        self._runs = runs

    def add(self, pipeline: Pipeline[..., Any]) -> None:
        """Make a pipeline known. Raises `DefinitionError`, as `Catalogue.add` does."""
        self._catalogue.add(pipeline)

    def submission(
        self, call: Call[Any], *, key: str | None = None, priority: int = 0, event: str | None = None, trigger: str | None = None
    ) -> facts.RunSubmitted:
        """Give the fact that asks for a run, with a new id; whoever commits it hands it to `submitted` afterwards.

        Raises `EngineClosed` where the engine isn't at work, `JournalFull` where the disk is full, `InvalidRequest` for a key or a
        priority that can't be meant.
        """
        self._check_open()
        check_wishes(key, priority)
        return facts.RunSubmitted(
            run=self.new_id(),
            pipeline=call.pipeline.name,
            graph=call.pipeline.definition.version,
            arguments=msgspec.Raw(call.arguments),
            key=key,
            priority=priority,
            event=event,
            trigger=trigger,
        )

    def graph_facts(self, pipeline: Pipeline[..., Any]) -> tuple[Fact, ...]:
        """Give the fact that records a pipeline's graph, if it isn't recorded yet: it belongs before the first submission."""
        return self._catalogue.graph_facts(pipeline)

    def submitted(self, submission: facts.RunSubmitted, seq: int) -> None:
        """Take a committed submission into the queue of its pipeline; `seq` is its place, or any behind it in its unit."""
        definition = self._catalogue.definition(submission.pipeline)
        if definition is None or self._runs.stopping:
            # The engine has begun to stop while this was committed: the next one takes it up.
            return
        self._catalogue.note_recorded(submission.graph)
        opened = Opened(submission.run, submission.pipeline, definition.graph, bytes(submission.arguments))
        self._runs.queue(opened, submission.priority, seq)
        self._runs.admit(submission.pipeline)

    def new_id(self) -> str:
        """Give a new id."""
        return ids.uuid7(self._ports.clock.now(), self._ports.random.bits(74))

    def _check_open(self) -> None:
        if not self._runs.working:
            raise EngineClosed("the engine is stopping or has stopped: it takes no new runs")
        if self._ports.journal.full:
            raise JournalFull("no space is left on the journal's disk: nothing new is taken until there is")
