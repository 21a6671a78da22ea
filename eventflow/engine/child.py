"""A node that has another pipeline run, and waits for its end or not. The child and the node's wait for it are one unit."""

from __future__ import annotations

from typing import Any

import anyio
import msgspec

from eventflow import codec, facts, ids, states
from eventflow.definition.bodies import ChildBody
from eventflow.definition.graph import Child
from eventflow.definition.pipelines import Call
from eventflow.engine import wanted as wants
from eventflow.engine.frame import Wish
from eventflow.engine.gate import Outcome
from eventflow.engine.inputs import resolve
from eventflow.engine.node import Placed
from eventflow.engine.wait import SuspendedExecution
from eventflow.engine.wanted import ChildWanted
from eventflow.errors import InvalidRequest, Refused
from eventflow.facts import Fact, Inline


class ChildExecution(SuspendedExecution):
    """A node that runs a pipeline."""

    __slots__ = ("_body", "_child")

    def __init__(self, placed: Placed, child: Child, body: ChildBody) -> None:
        super().__init__(placed)
        self._child = child
        self._body = body

    async def work(self) -> None:
        frame = self.frame
        try:
            submission = frame.outside.submission(*await self._called(), parent=frame.run, node=self.name)
        except Exception as error:  # noqa: BLE001 - arguments and key are the user's: what they raise, or don't fit, is this node's failure
            await self.fail(states.INPUT, error)
            return
        frame.ports.instrument.reached("engine.child.before")
        with anyio.CancelScope(shield=True):
            await self._begin(submission)
            if self.is_cancelled or frame.ending is Wish.CANCEL:
                # It was asked for while the child came to be, which nobody can have known of.
                await self.abandon()
        frame.ports.instrument.reached("engine.child.after")

    async def abandon(self) -> None:
        await super().abandon()
        await self.frame.outside.cancel_children(self.frame.run, self.name)

    async def value(self) -> object:
        result = self.outcome.result().result
        return None if result is None else await self.frame.values.open(result, self._body.result)

    async def _called(self) -> tuple[Call[Any], str | None]:
        parameters = self._body.pipeline.parameters
        annotated = parameters.annotations
        values = {name: await resolve(binding, annotated.get(name, Any), self.reader) for name, binding in self.node.inputs.items()}
        key = self._body.key
        return Call(self._body.pipeline, parameters.encode(values)), str(key(values)) if callable(key) else key

    async def _begin(self, submission: facts.RunSubmitted) -> None:
        """Commit the child with the node's wait for it, or, where its key is taken, the wait for the run that has it."""
        outside = self.frame.outside
        try:
            seq = await self._commit(submission.run, *outside.graph_facts(self._body.pipeline), submission)
        except Refused as refused:
            if refused.table != "keys" or submission.key is None:
                raise
            await self._join(await outside.keyed(submission.pipeline, submission.key))
            return
        outside.submitted(submission, seq)
        self._wait_for(submission.run)

    async def _join(self, run: str) -> None:
        frame = self.frame
        if self._child.wait and (run == frame.run or frame.outside.waits_for(run, frame.run)):
            named = "it is this run itself" if run == frame.run else "it waits for this run"
            await self.fail(states.INPUT, InvalidRequest(f"the run that has the key, {ids.short(run)}, would never end: {named}"))
            return
        await self._commit(run)
        self._wait_for(run)

    def _wait_for(self, run: str) -> None:
        if self._child.wait:
            self.suspend(ChildWanted(run), self.frame.ports.clock.now(), None)

    async def _commit(self, run: str, *submitted: Fact) -> int:
        frame = self.frame
        waits = facts.NodeSuspended(frame.run, self.name, states.CHILD, wants.encode(ChildWanted(run)))
        if self._child.wait:
            return await frame.ports.journal.commit(frame.unit(*submitted, waits))
        result = Inline(msgspec.Raw(codec.canonical(run)))
        answered = facts.NodeAnswered(frame.run, self.name, result, run)
        seq = await frame.ports.journal.commit(frame.unit(*submitted, waits, answered))
        self.tell(Outcome(states.SUCCEEDED, self.name, result))
        return seq
