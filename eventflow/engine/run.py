"""One run in memory: its nodes' outcomes as futures, a gate before each, and a coroutine for each node whose gate has opened.

Until its gate opens, a node costs a future and a gate. What a node's dependents hear is durable already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import anyio
from anyio.abc import TaskGroup

from eventflow import facts, states
from eventflow.definition.bodies import Body
from eventflow.definition.graph import Graph, upstream
from eventflow.definition.options import TaskOptions
from eventflow.definition.pipelines import Definition
from eventflow.engine.failures import failure
from eventflow.engine.gate import Gate, Outcome
from eventflow.engine.inputs import resolve
from eventflow.engine.node import Frame, NodeExecution, Past, Wish
from eventflow.engine.values import Values
from eventflow.errors import Refused
from eventflow.facts import Fact, Failure, Value
from eventflow.ports import Ports, Timer


class RunExecution:
    """Executes one run of a pipeline whose arguments are `given` (canonical JSON).

    `graph` is the run's own; `definition` is what the code says today, and lends the bodies and annotations. `past` is given for a run
    that is taken up again. `alone` is the engine's: it keeps nodes on their last chance apart.
    """

    def __init__(
        self,
        run: str,
        graph: Graph,
        definition: Definition,
        given: bytes,
        *,
        ports: Ports,
        values: Values,
        alone: asyncio.Lock,
        past: Mapping[str, Past] | None = None,
    ) -> None:
        self.run = run
        self._graph = graph
        self._definition = definition
        self._given = given
        self._frame = Frame(
            run,
            graph.pipeline,
            ports,
            values,
            careful=past is not None,
            parameter=self._parameter,
            output=self._output,
            start=self._start_soon,
            alone=alone,
        )
        known = past or {}
        self._nodes = {
            node.name: NodeExecution(self._frame, node, definition.bodies.get(node.name, _GONE), known.get(node.name, _NEW))
            for node in graph.nodes
        }
        self._left = len(self._nodes)
        self._failed = next((node.outcome for node in known.values() if node.outcome and node.outcome.state == states.FAILED), None)
        self._timers: set[Timer] = set()
        self._over = asyncio.Event()
        self._quiet = asyncio.Event()
        self._tasks: TaskGroup | None = None

    async def execute(self) -> None:
        """Bring the run to its end and record that. Asked to shut down, leave it open, for the next process to take up."""
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                if self._frame.wish is None:
                    self._begin()
                    await self._over.wait()
        finally:
            self._tasks = None
            for timer in self._timers:
                timer.cancel()
        with anyio.CancelScope(shield=True):
            await self._conclude()

    def cancel(self) -> None:
        """Stop everything, and end the run as cancelled."""
        self._stop(Wish.CANCEL)

    def drain(self) -> None:
        """Start nothing more and ask what runs to save and stop."""
        self._frame.wish = self._frame.wish or Wish.SHUTDOWN
        for node in self._nodes.values():
            if node.stop is not None:
                node.stop.asked = True
        self._note_quiet()

    async def drained(self) -> None:
        """Return once no attempt runs any more."""
        await self._quiet.wait()

    def shut(self) -> None:
        """Stop what still runs: those attempts are lost to the shutdown, and count against nothing."""
        self._stop(Wish.SHUTDOWN)

    # Nodes

    def _begin(self) -> None:
        for node in self._nodes.values():
            node.outcome.add_done_callback(self._hear)
            if node.outcome.done():
                continue
            if node.attempt:
                self._start_in_time(node)
            else:
                self._gate(node).listen([self._nodes[name].outcome for name in upstream(node.node)])

    def _gate(self, node: NodeExecution) -> Gate:
        def decided(cause: Outcome | None) -> None:
            if cause is None:
                self._start(node)
            elif self._frame.wish is None and self._tasks is not None:
                # A task of the run, so that a journal that fails here ends the run too.
                self._tasks.start_soon(node.fail_upstream, cause)

        return Gate(decided)

    def _start(self, node: NodeExecution) -> None:
        if self._frame.wish is None and self._tasks is not None:
            self._tasks.start_soon(self._run_node, node)

    def _start_in_time(self, node: NodeExecution) -> None:
        wait = node.wait
        if wait <= 0:
            self._start(node)
            return

        def due() -> None:
            self._timers.discard(timer)
            self._start(node)

        timer = self._frame.ports.clock.call_later(wait, due)
        self._timers.add(timer)

    async def _run_node(self, node: NodeExecution) -> None:
        try:
            await node.run()
        finally:
            self._note_quiet()
        if not node.outcome.done():
            self._start_in_time(node)

    def _hear(self, future: asyncio.Future[Outcome]) -> None:
        outcome = future.result()
        if outcome.state == states.FAILED and self._failed is None:
            self._failed = outcome
        self._left -= 1
        if self._left == 0:
            self._over.set()

    def _note_quiet(self) -> None:
        if self._frame.wish is not None and self._frame.active == 0:
            self._quiet.set()

    def _stop(self, wish: Wish) -> None:
        if self._frame.wish is not Wish.CANCEL:
            self._frame.wish = wish
        self.drain()
        self._over.set()
        if self._tasks is not None:
            self._tasks.cancel_scope.cancel()

    def _start_soon(self, function: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if self._tasks is not None:
            self._tasks.start_soon(function)

    # Values

    async def _parameter(self, name: str) -> object:
        return self._definition.parameters.value(self._given, name)

    async def _output(self, name: str) -> object:
        node = self._nodes[name]
        return await self._frame.values.open(_result(node), self._definition.bodies[name].result)

    # Its end

    async def _conclude(self) -> None:
        if self._frame.wish is Wish.SHUTDOWN and self._left:
            return
        if self._frame.wish is Wish.CANCEL or not await self._end():
            await self._frame.ports.journal.commit(self._frame.unit(*self._cancelled(), facts.RunCancelled(self.run)))
        self._frame.ports.instrument.reached("engine.run.ended")

    async def _end(self) -> bool:
        ending = await self._ending()
        try:
            await self._frame.ports.journal.commit(self._frame.unit(ending))
        except Refused:
            # A cancel has become durable in the meantime, and stands.
            return False
        return True

    async def _ending(self) -> facts.RunSucceeded | facts.RunFailed:
        if self._failed is not None:
            return facts.RunFailed(self.run, self._failed.failure or Failure("failed", ""), self._failed.node)
        try:
            return facts.RunSucceeded(self.run, await self._result())
        except BaseException as error:  # noqa: BLE001 - the result is made of user values: one may raise, be damaged, or be refused
            return facts.RunFailed(self.run, failure(error))

    async def _result(self) -> Value:
        values, binding = self._frame.values, self._graph.result
        result = None if binding is None else await resolve(binding, self._definition.result, self._parameter, self._output)
        return await values.keep(values.snapshot(result, self._definition.result))

    def _cancelled(self) -> list[Fact]:
        unended = [node for node in self._nodes.values() if not node.outcome.done()]
        return [facts.NodeCancelled(self.run, node.node.name, node.attempt) for node in unended]


def _result(node: NodeExecution) -> Value:
    result = node.outcome.result().result
    if result is None:
        raise AssertionError(f"{node.node.name} is read before it has succeeded")
    return result


def _vanished() -> None:
    """Stands for the body of a node that has ended and is no longer in the code: it is never called."""


_NEW = Past()
_GONE = Body(_vanished, TaskOptions(), {}, object)
