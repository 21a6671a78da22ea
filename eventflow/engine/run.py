"""One run in memory: its nodes' outcomes as futures, a gate before each, and a coroutine for each node whose gate has opened.

Until its gate opens, a node costs a future and a gate. What a node's dependents hear is durable already. Two groups own the coroutines: a
cancel or the run's timeout stops the one, while closing nodes (teardowns, `finally_`, hooks) go on in the other. A run in which everything
waits for the world ends here as well, suspended: it is executed anew when something has come.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial

import anyio

from eventflow import facts, states
from eventflow.context import Ended
from eventflow.definition.graph import HOOK, TASK, Graph
from eventflow.definition.pipelines import Definition
from eventflow.durations import SECOND
from eventflow.engine.failures import failure
from eventflow.engine.frame import Frame, Outside, Past, Wish
from eventflow.engine.inputs import available, resolve
from eventflow.engine.limits import Limits
from eventflow.engine.motion import Motion
from eventflow.engine.node import NodeExecution
from eventflow.engine.outcome import Outcome
from eventflow.engine.scope import Scope
from eventflow.engine.values import Values
from eventflow.facts import Failure, Value
from eventflow.ports import Ports, Timer


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run had come: what was recorded of its nodes, when it was last admitted, and for how long it had run before.

    Instants and spans are microseconds. A `careful` run was left by a process that may have died of it. `ending` is why it is to end.
    """

    nodes: dict[str, Past]
    began: int
    ran: int = 0
    careful: bool = False
    ending: Wish | None = None


class RunExecution:
    """Executes one run of a pipeline whose arguments are `given` (canonical JSON).

    `graph` is the run's own; `definition` is what the code says today, and lends the bodies and annotations. `timeout` (seconds) bounds the
    run's own time. `alone`, `limits` and `outside` are the engine's: the first keeps nodes on their last chance apart, `order` is the
    run's place among those that wait for the second. Once it `is_suspended`, `ran` is its own time so far, in microseconds.
    """

    def __init__(
        self,
        run: str,
        graph: Graph,
        definition: Definition,
        given: bytes,
        progress: Progress,
        *,
        ports: Ports,
        values: Values,
        alone: asyncio.Lock,
        limits: Limits,
        outside: Outside,
        order: int = 0,
        timeout: float | None = None,
    ) -> None:
        self.run = run
        self.is_suspended = False
        self.ran = progress.ran
        self._graph = graph
        self._definition = definition
        self._given = given
        self._progress = progress
        self._timeout = timeout
        self._motion = Motion(self._is_called_for, self._hear_of_closing, self._come_to_rest)
        self._frame = self._motion.frame = Frame(
            run,
            graph.pipeline,
            ports,
            values,
            definition.bodies,
            progress.nodes,
            careful=progress.careful,
            alone=alone,
            limits=limits,
            outside=outside,
            owner=self._motion,
            ended=self.ended,
            order=order,
            ending=progress.ending,
        )
        self._scope = Scope(graph.nodes, self._parameter, self._hear, self.ended)
        self._left = len(graph.nodes)
        self._main = sum(node.role == TASK for node in graph.nodes)
        self._failed: Outcome | None = None
        self._timer: Timer | None = None
        self._stopped, self._over = asyncio.Event(), asyncio.Event()

    async def execute(self) -> None:
        """Bring the run to its end and record that. Asked to shut down, leave it open, for the next process to take up."""
        motion = self._motion
        try:
            async with anyio.create_task_group() as motion.closing:
                async with anyio.create_task_group() as motion.main:
                    self._begin()
                    await self._stopped.wait()
                motion.main = None
                if self._frame.ending is not None:
                    await self._end_the_rest()
                if not self._frame.shutdown and not self.is_suspended:
                    await self._over.wait()
        finally:
            motion.end()
            if self._timer is not None:
                self._timer.cancel()
        with anyio.CancelScope(shield=True):
            await self._conclude()

    def cancel(self) -> None:
        """Stop everything but what closes the run, and end it as cancelled."""
        self._end_early(Wish.CANCEL)

    async def cancel_node(self, name: str) -> bool:
        """End one node, and tell whether there is one of that name that hasn't ended."""
        return await self._motion.cancel_node(name)

    def pause(self) -> None:
        """Start nothing more, until `unpause`; what runs goes on."""
        self._motion.pause()

    def unpause(self) -> None:
        """Start what was held back."""
        self._motion.unpause()

    def tell(self, name: str, outcome: Outcome) -> bool:
        """Tell the durable end of a suspended node. Gives whether anybody listens: a run that has been suspended does no more."""
        if self.is_suspended:
            return False
        node = self._motion.nodes.get(name)
        if node is None:
            # It is in an item of a map that goes on in a moment.
            self._progress.nodes[name] = Past(outcome.state, outcome=outcome)
        else:
            self._motion.tell(node, outcome)
        return True

    def drain(self) -> None:
        """Start nothing more and ask what runs to save and stop."""
        self._frame.shutdown = True
        self._motion.ask_to_stop(closing=True)
        self._motion.note_quiet()

    async def drained(self) -> None:
        """Return once no attempt runs any more."""
        await self._motion.quiet()

    def shut(self) -> None:
        """Stop what still runs: those attempts are lost to the shutdown, and count against nothing."""
        self.drain()
        self._stopped.set()
        self._over.set()
        for group in (self._motion.main, self._motion.closing):
            if group is not None:
                group.cancel_scope.cancel()

    def ended(self, node: str | None) -> Ended:
        """Tell how a node of the run, or so far the run, has ended."""
        frame = self._frame
        if node is None:
            what, state = self._failure, self._state()
        else:
            outcome = self._motion.nodes[node].outcome.result()
            what, state = outcome.failure, outcome.state
        return Ended(frame.pipeline, frame.run, node, state, None if what is None else str(what))

    # Its beginning

    def _begin(self) -> None:
        if self._frame.shutdown:
            self._stopped.set()
            return
        self._failed = self._first_failure()
        self._limit_time()
        self._motion.open(self._scope)
        if self._frame.ending is not None or not self._main:
            self._stopped.set()

    def _limit_time(self) -> None:
        frame = self._frame
        if self._timeout is None or frame.ending is not None:
            return
        left = self._timeout - self._own_time / SECOND
        if left > 0:
            self._timer = frame.ports.clock.call_later(left, partial(self._end_early, Wish.TIMEOUT))
        else:
            frame.ending = Wish.TIMEOUT

    def _is_called_for(self, node: NodeExecution) -> bool:
        """Tell whether a hook's time has come; other nodes' has."""
        if node.node.role != HOOK:
            return True
        state = self._state() if node.node.of is None else node.reader.outcome(node.node.of).state
        return state == _HOOKED[node.node.on or ""]

    # Its end

    def _first_failure(self) -> Outcome | None:
        """Give the first failure that was recorded before."""
        names = {node.name for node in self._graph.nodes if node.role != HOOK}
        outcomes = (past.outcome for name, past in self._progress.nodes.items() if name in names and past.outcome is not None)
        return next((outcome for outcome in outcomes if self._is_failure(outcome)), None)

    def _is_failure(self, outcome: Outcome) -> bool:
        return outcome.state == states.FAILED or (outcome.state == states.CANCELLED and self._frame.ending is None)

    def _hear(self, role: str, outcome: Outcome) -> None:
        if self._failed is None and role != HOOK and self._is_failure(outcome):
            self._failed = outcome
        if role == TASK:
            self._main -= 1
            if self._main == 0:
                self._stopped.set()
        self._count_down()

    def _count_down(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._over.set()

    def _state(self) -> str:
        if self._frame.ending is Wish.CANCEL:
            return states.CANCELLED
        return states.FAILED if self._failed is not None or self._frame.ending is not None else states.SUCCEEDED

    @property
    def _failure(self) -> Failure | None:
        """What went wrong with the run, so far."""
        if self._frame.ending is Wish.TIMEOUT:
            return Failure("TimeoutError", f"the run took longer than its {self._timeout:g} s")
        return None if self._failed is None else self._failed.failure or Failure(self._failed.state, "")

    def _end_early(self, wish: Wish) -> None:
        if self.is_suspended:
            # It has come to its rest already: who cancels the run sees to that when it is woken, and a timeout begins to count again.
            return
        if self._frame.ending is None or wish is Wish.CANCEL:
            self._frame.ending = wish
        self._motion.ask_to_stop(closing=False)
        self._stopped.set()
        if self._motion.main is not None:
            self._motion.main.cancel_scope.cancel()

    async def _end_the_rest(self) -> None:
        await self._motion.reopen()
        if self._left:
            self._over = asyncio.Event()  # what closes items has only now been found
        await self._motion.cancel_rest()

    def _hear_of_closing(self, node: NodeExecution) -> None:
        # The run doesn't end before what closes an item has.
        self._left += 1
        node.outcome.add_done_callback(lambda _: self._count_down())

    def _come_to_rest(self) -> None:
        if not self._stopped.is_set() and not self._frame.shutdown:
            self.is_suspended, self.ran = True, self._own_time
            self._stopped.set()

    @property
    def _own_time(self) -> int:
        return self._progress.ran + max(0, self._frame.ports.clock.now() - self._progress.began)

    async def _conclude(self) -> None:
        frame = self._frame
        if self.is_suspended:
            await frame.commit(facts.RunSuspended(self.run, self._motion.waiting, self.ran))
            frame.ports.instrument.reached("engine.run.suspended")
            return
        if self._left:
            return
        if frame.ending is Wish.CANCEL or not await self._record_end():
            await frame.commit(*self._motion.cancelled(), facts.RunCancelled(self.run))
        frame.ports.instrument.reached("engine.run.ended")

    async def _record_end(self) -> bool:
        # Refused where a cancel has become durable in the meantime, which stands.
        return await self._frame.accepted(await self._end())

    async def _end(self) -> facts.RunSucceeded | facts.RunFailed:
        if (what := self._failure) is not None:
            return facts.RunFailed(self.run, what, None if self._failed is None else self._failed.node)
        try:
            return facts.RunSucceeded(self.run, await self._result())
        except BaseException as error:  # noqa: BLE001 - the result is made of user values: one may raise, be damaged, or be refused
            return facts.RunFailed(self.run, failure(error))

    # Values

    async def _parameter(self, name: str) -> object:
        return self._definition.parameters.value(self._given, name)

    async def _result(self) -> Value:
        values, binding, wanted = self._frame.values, self._graph.result, self._definition.result
        is_there = binding is not None and available(binding, self._scope)
        result = await resolve(binding, wanted, self._scope) if binding is not None and is_there else None
        return await values.keep(values.snapshot(result, wanted if is_there else None))


_HOOKED = {"success": states.SUCCEEDED, "failure": states.FAILED, "cancel": states.CANCELLED}
