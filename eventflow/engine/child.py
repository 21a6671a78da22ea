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
from eventflow.engine.inputs import resolve
from eventflow.engine.node import Placed, user_code
from eventflow.engine.outcome import Outcome
from eventflow.engine.wait import SuspendedExecution
from eventflow.engine.wanted import ChildWanted
from eventflow.errors import InvalidRequest
from eventflow.facts import Fact, Inline


class ChildExecution(SuspendedExecution):
    """A node that runs a pipeline."""

    __slots__ = ("_body", "_child")

    def __init__(self, placed: Placed, child: Child, body: ChildBody) -> None:
        super().__init__(placed, body.result)
        self._child = child
        self._body = body

    async def work(self) -> None:
        frame = self.frame
        with user_code(states.INPUT):
            submission = frame.outside.submission(*await self._called(), parent=frame.run, node=self.name)
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

    async def _called(self) -> tuple[Call[Any], str | None]:
        parameters = self._body.pipeline.parameters
        annotated = parameters.annotations
        values = {name: await resolve(binding, annotated.get(name, Any), self.reader) for name, binding in self.node.inputs.items()}
        key = self._body.key
        return Call(self._body.pipeline, parameters.encode(values)), str(key(values)) if callable(key) else key

    async def _begin(self, submission: facts.RunSubmitted) -> None:
        """Commit the child with the node's wait for it, or, where its key is taken, the wait for the run that has it."""
        run, is_new = await self.frame.outside.commit(submission, *self._waiting(submission.run))
        if is_new:
            self._go_on(run)
        else:
            await self._join(run)

    async def _join(self, run: str) -> None:
        frame = self.frame
        if self._child.wait and (run == frame.run or frame.outside.waits_for(run, frame.run)):
            named = "it is this run itself" if run == frame.run else "it waits for this run"
            await self.fail(states.INPUT, InvalidRequest(f"the run that has the key, {ids.short(run)}, would never end: {named}"))
            return
        await frame.commit(*self._waiting(run))
        self._go_on(run)

    def _waiting(self, run: str) -> tuple[Fact, ...]:
        """Give the facts of the wait for a run: with its answer, the run's id, where the node doesn't wait for its end."""
        waits = facts.NodeSuspended(self.frame.run, self.name, states.CHILD, wants.encode(ChildWanted(run)))
        return (waits,) if self._child.wait else (waits, facts.NodeAnswered(self.frame.run, self.name, _as_result(run), run))

    def _go_on(self, run: str) -> None:
        """Have the node wait, or end, as is durable now."""
        if self._child.wait:
            self.suspend(ChildWanted(run), self.frame.ports.clock.now(), None)
        else:
            self.tell(Outcome(states.SUCCEEDED, self.name, _as_result(run)))


def _as_result(run: str) -> Inline:
    return Inline(msgspec.Raw(codec.canonical(run)))
