"""How runs come in: the fact that asks for one, to be committed by whoever has a reason, and what follows once it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from eventflow import facts, ids
from eventflow.definition.pipelines import Call, Pipeline
from eventflow.engine.admission import LONGEST_KEY, check_wishes
from eventflow.engine.catalogue import Catalogue
from eventflow.engine.opened import Opened
from eventflow.engine.openruns import OpenRuns
from eventflow.errors import EngineClosed, InvalidRequest, JournalFull, Refused
from eventflow.facts import Fact, Unit
from eventflow.ports import Ports
from eventflow.projections import KeyRow


class Intake:
    """Makes submissions, and queues their runs when they are durable. `on_events` is called with events that have just become so."""

    def __init__(self, ports: Ports, catalogue: Catalogue, runs: OpenRuns) -> None:
        self._ports = ports
        self._catalogue = catalogue
        self._runs = runs
        self.on_events: Callable[[Sequence[facts.EventRecorded]], None] = _nobody

    def add(self, pipeline: Pipeline[..., Any]) -> None:
        """Make a pipeline known. Raises `DefinitionError`, as `Catalogue.add` does."""
        self._catalogue.add(pipeline)

    def submission(
        self,
        call: Call[Any],
        *,
        key: str | None = None,
        priority: int = 0,
        event: str | None = None,
        trigger: str | None = None,
        parent: str | None = None,
        parent_node: str | None = None,
        rerun_of: str | None = None,
    ) -> facts.RunSubmitted:
        """Give the fact that asks for a run, with a new id, for `commit`; who commits it otherwise hands it to `submitted` afterwards.

        Raises `EngineClosed` where the engine isn't at work, `JournalFull` where the disk is full, `InvalidRequest` for a key or a
        priority that can't be meant, and for arguments of which the pipeline makes no concurrency key. A child is a part of what is under
        way, which waits for space.
        """
        if parent is None:
            self.check_open()
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
            parent=parent,
            parent_node=parent_node,
            rerun_of=rerun_of,
            concurrency_key=_concurrency_key(call),
        )

    def graph_facts(self, pipeline: Pipeline[..., Any]) -> tuple[Fact, ...]:
        """Give the fact that records a pipeline's graph, if it isn't recorded yet: it belongs before the first submission."""
        return self._catalogue.graph_facts(pipeline)

    async def commit(self, submission: facts.RunSubmitted, *along: Fact, has_past: bool = False) -> tuple[str, bool]:
        """Commit a submission with its graph, and what is to become durable `along` with it, then queue it. Gives its run, and True.

        Where its key is taken nothing is committed: gives the run that has it, and False. `has_past` is as in `submitted`.
        """
        graph = self.graph_facts(self._catalogue[submission.pipeline])
        try:
            seq = await self._ports.journal.commit(Unit(self._ports.clock.now(), (*graph, submission, *along)))
        except Refused as refused:
            if refused.table != "keys" or submission.key is None:
                raise
            return (await self._ports.journal.select(KeyRow, pipeline=submission.pipeline, key=submission.key))[0].run, False
        self.submitted(submission, seq, has_past=has_past)
        return submission.run, True

    def submitted(self, submission: facts.RunSubmitted, seq: int, *, has_past: bool = False) -> None:
        """Take a committed submission into the queue of its pipeline; `seq` is its place, or any behind it in its unit.

        A rerun that reuses results `has_past`.
        """
        definition = self._catalogue.definition(submission.pipeline)
        if definition is None or self._runs.stopping:
            # The engine has begun to stop while this was committed: the next one takes it up.
            return
        self._catalogue.note_recorded(submission.graph)
        opened = Opened(
            submission.run,
            submission.pipeline,
            definition.graph,
            bytes(submission.arguments),
            priority=submission.priority,
            created_at=self._ports.clock.now(),
            seq=seq,
            key=submission.concurrency_key,
            has_past=has_past,
        )
        self._runs.queue(opened)
        self._runs.admit(submission.pipeline)

    def new_id(self) -> str:
        """Give a new id."""
        return ids.uuid7(self._ports.clock.now(), self._ports.random.bits(74))

    def check_open(self) -> None:
        """Raise `EngineClosed` where the engine isn't at work, `JournalFull` where the disk is full."""
        if not self._runs.working:
            raise EngineClosed("the engine is stopping or has stopped: it takes no new runs")
        if self._ports.journal.full:
            raise JournalFull("no space is left on the journal's disk: nothing new is taken until there is")


def _concurrency_key(call: Call[Any]) -> str | None:
    """Ask a pipeline's function, once: what it says is recorded with the run."""
    key = call.pipeline.settings.concurrency_key
    if key is None:
        return None
    try:
        said = key(call.pipeline.parameters.decode(call.arguments))
    except BaseException as error:  # it is the user's: whatever it raises, SystemExit too, refuses this submission alone
        raise InvalidRequest(f"the concurrency_key of pipeline {call.pipeline.name!r} raised {type(error).__name__}: {error}") from error
    name = str(said) if isinstance(said, str | int) and not isinstance(said, bool) else ""
    if not 0 < len(name) <= LONGEST_KEY or not name.isprintable():
        raise InvalidRequest(f"the concurrency_key of pipeline {call.pipeline.name!r} gave {said!r}: it is a text or a whole number")
    return name


def _nobody(_: Sequence[facts.EventRecorded]) -> None:
    """Nobody has asked to be told."""
