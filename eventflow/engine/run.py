"""One run in memory: its nodes' outcomes as futures, a gate before each, and a coroutine for each node whose gate has opened.

Until its gate opens, a node costs a future and a gate. What a node's dependents hear is durable already. Two groups own the coroutines: a
cancel or the run's timeout stops the one, while closing nodes (teardowns, `finally_`, hooks) go on in the other. A run in which everything
waits for the world ends here as well, suspended: it is executed anew when something has come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import anyio
from anyio.abc import TaskGroup

from eventflow import facts, states
from eventflow.context import Ended
from eventflow.definition.graph import HOOK, TASK, Graph, dependencies
from eventflow.definition.pipelines import Definition
from eventflow.durations import SECOND
from eventflow.engine.failures import failure
from eventflow.engine.frame import Frame, Outside, Past, Spawned, Wish
from eventflow.engine.gate import Gate, Outcome
from eventflow.engine.inputs import available, resolve
from eventflow.engine.kinds import execution
from eventflow.engine.limits import Limits
from eventflow.engine.map import MapExecution
from eventflow.engine.node import NodeExecution
from eventflow.engine.rules import Verdict
from eventflow.engine.scope import Scope
from eventflow.engine.values import Values
from eventflow.errors import Refused
from eventflow.facts import Fact, Failure, Value
from eventflow.ports import Ports, Timer


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run had come: what was recorded of its nodes, when it was last admitted, and for how long it had run before.

    Instants and spans are microseconds. A `careful` run was left by a process that may have died of it. `ending` is why it is to end.
    """

    nodes: Mapping[str, Past]
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
        self._frame = Frame(
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
            owner=self,
            order=order,
            ending=progress.ending,
        )
        self._nodes: dict[str, NodeExecution] = {}
        self._scope = Scope(graph.nodes, self._parameter, self._hear, self.ended)
        self._left = len(graph.nodes)
        self._main = sum(node.role == TASK for node in graph.nodes)
        self._failed: Outcome | None = None
        self._busy = self._waiting = 0
        self._timers: set[Timer] = set()
        self._held_back: list[NodeExecution] | None = None
        self._stopped, self._over, self._quiet = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._tasks: TaskGroup | None = None
        self._closing: TaskGroup | None = None

    async def execute(self) -> None:
        """Bring the run to its end and record that. Asked to shut down, leave it open, for the next process to take up."""
        try:
            async with anyio.create_task_group() as self._closing:
                async with anyio.create_task_group() as self._tasks:
                    self._begin()
                    await self._stopped.wait()
                self._tasks = None
                if self._frame.ending is not None:
                    await self._reopen(self._nodes)
                    await self._cancel_rest()
                if not self._frame.shutdown and not self.is_suspended:
                    await self._over.wait()
        finally:
            self._tasks = self._closing = None
            for timer in self._timers:
                timer.cancel()
        with anyio.CancelScope(shield=True):
            await self._conclude()

    def cancel(self) -> None:
        """Stop everything but what closes the run, and end it as cancelled."""
        self._end_early(Wish.CANCEL)

    async def cancel_node(self, name: str) -> bool:
        """End one node, and tell whether there is one of that name that hasn't ended."""
        node = self._nodes.get(name)
        if node is None or node.outcome.done():
            return False
        self._busy += 1
        try:
            await node.cancel()
        finally:
            asyncio.get_running_loop().call_soon(self._heard)
        return True

    def pause(self) -> None:
        """Start nothing more, until `unpause`; what runs goes on."""
        if self._held_back is None:
            self._held_back = []

    def unpause(self) -> None:
        """Start what was held back."""
        held_back, self._held_back = self._held_back, None
        for node in held_back or ():
            self._start(node)

    def tell(self, name: str, outcome: Outcome) -> bool:
        """Tell the durable end of a suspended node. Gives whether anybody listens: a run that has been suspended does no more."""
        node = self._nodes.get(name)
        if self.is_suspended or node is None:
            return False
        node.tell(outcome)
        self._keep_awake()
        return True

    def drain(self) -> None:
        """Start nothing more and ask what runs to save and stop."""
        self._frame.shutdown = True
        self._ask_to_stop(closing=True)
        self._note_quiet()

    async def drained(self) -> None:
        """Return once no attempt runs any more."""
        await self._quiet.wait()

    def shut(self) -> None:
        """Stop what still runs: those attempts are lost to the shutdown, and count against nothing."""
        self.drain()
        self._stopped.set()
        self._over.set()
        for group in (self._tasks, self._closing):
            if group is not None:
                group.cancel_scope.cancel()

    # What nodes ask for

    def spawn(self, function: Spawned, *, closing: bool = False) -> None:
        group = self._closing if closing else self._tasks
        if group is not None:
            self._busy += 1
            group.start_soon(self._watched, function)

    def open(self, scope: Scope) -> None:
        fresh: list[NodeExecution] = []
        for described in scope.graph:
            node = execution(self._frame, scope, described)
            fresh.append(node)
            self._nodes[node.name] = node
            scope.add(node)
            if node.is_closing and scope is not self._scope:
                # The run doesn't end before what closes an item has.
                self._left += 1
                node.outcome.add_done_callback(self._hear_inner)
        for node in fresh:
            if node.outcome.done():
                continue
            if node.suspended:
                self._note_suspended(node)
            elif node.has_row:
                self._start_in_time(node)
            else:
                self._listen(scope, node)

    def ended(self, node: str | None) -> Ended:
        frame = self._frame
        if node is None:
            what, state = self._failure, self._state()
        else:
            outcome = self._nodes[node].outcome.result()
            what, state = outcome.failure, outcome.state
        return Ended(frame.pipeline, frame.run, node, state, None if what is None else str(what))

    # Nodes

    def _begin(self) -> None:
        if self._frame.shutdown:
            self._stopped.set()
            return
        self._failed = self._first_failure()
        self._limit_time()
        self.open(self._scope)
        if self._frame.ending is not None or not self._main:
            self._stopped.set()

    def _limit_time(self) -> None:
        frame = self._frame
        if self._timeout is None or frame.ending is not None:
            return
        left = self._timeout - self._own_time / SECOND
        if left > 0:
            self._timers.add(frame.ports.clock.call_later(left, partial(self._end_early, Wish.TIMEOUT)))
        else:
            frame.ending = Wish.TIMEOUT

    def _listen(self, scope: Scope, node: NodeExecution) -> None:
        members = scope.members
        upstream = [(one, [members[name].outcome for name in one.nodes]) for one in dependencies(node.node)]
        around = None if node.node.within is None else members[node.node.within].outcome
        Gate(node.node, partial(self._decided, node)).listen(around, upstream)

    def _decided(self, node: NodeExecution, verdict: Verdict, cause: Outcome | None) -> None:
        if node.wish is not None or node.outcome.done():
            return
        if verdict is Verdict.RUN and self._is_called_for(node):
            self._start(node)
        elif verdict is Verdict.ASK:
            self.spawn(partial(self._ask, node), closing=node.is_closing)
        elif verdict is Verdict.FAIL:
            self.spawn(partial(node.fail_upstream, cause), closing=node.is_closing)
        else:
            self.spawn(partial(node.skip, cause), closing=node.is_closing)

    def _is_called_for(self, node: NodeExecution) -> bool:
        """Tell whether a hook's time has come; other nodes' has."""
        if node.node.role != HOOK:
            return True
        state = self._state() if node.node.of is None else node.reader.outcome(node.node.of).state
        return state == _HOOKED[node.node.on or ""]

    def _start(self, node: NodeExecution) -> None:
        if node.wish is not None or node.outcome.done():
            return
        if self._held_back is not None and not node.is_closing:
            self._held_back.append(node)
            return
        group = self._closing if node.is_closing else self._tasks
        if group is not None:
            self._busy += 1
            node.under_way = group.create_task(self._run_node(node))

    def _start_in_time(self, node: NodeExecution) -> None:
        clock = self._frame.ports.clock
        wait = 0.0 if node.due is None else (node.due - clock.now()) / SECOND
        if wait <= 0:
            self._start(node)
            return

        def due() -> None:
            self._timers.discard(timer)
            self._start(node)

        def over(_: asyncio.Future[Outcome]) -> None:
            timer.cancel()
            self._timers.discard(timer)

        timer = clock.call_later(wait, due)
        self._timers.add(timer)
        node.outcome.add_done_callback(over)

    async def _run_node(self, node: NodeExecution) -> None:
        try:
            await node.begin()
        finally:
            node.under_way = None
            self._busy -= 1
            self._note_quiet()
            self._look_soon()
        if node.past.is_unwanted:
            await self.cancel_node(node.name)
        elif node.suspended:
            self._note_suspended(node)
        elif node.due is not None and not node.outcome.done():
            self._start_in_time(node)

    async def _ask(self, node: NodeExecution) -> None:
        """Ask a predicate. That it said yes is durable before the node begins."""
        if await node.asked():
            self._start(node)

    async def _watched(self, function: Spawned) -> None:
        try:
            await function()
        finally:
            self._busy -= 1
            self._look_soon()

    # Endings

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

    def _hear_inner(self, _: asyncio.Future[Outcome]) -> None:
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
        self._ask_to_stop(closing=False)
        self._stopped.set()
        if self._tasks is not None:
            self._tasks.cancel_scope.cancel()

    def _ask_to_stop(self, *, closing: bool) -> None:
        for node in self._frame.attempting:
            if node.stop is not None and (closing or not node.is_closing):
                node.stop.asked = True

    def _note_quiet(self) -> None:
        if self._frame.shutdown and not self._frame.attempting:
            self._quiet.set()

    def _note_suspended(self, node: NodeExecution) -> None:
        self._waiting += 1
        node.outcome.add_done_callback(self._hear_answered)
        self._look_soon()

    def _hear_answered(self, _: asyncio.Future[Outcome]) -> None:
        self._waiting -= 1

    def _look_soon(self) -> None:
        # Behind the callbacks of what has just been told, which may start more.
        if self._waiting and not self._busy:
            asyncio.get_running_loop().call_soon(self._look)

    def _keep_awake(self) -> None:
        """Let those who listen hear what has just been told, before anybody looks whether everything waits."""
        self._busy += 1
        asyncio.get_running_loop().call_soon(self._heard)

    def _heard(self) -> None:
        self._busy -= 1
        self._look_soon()

    def _look(self) -> None:
        """Look whether everything waits for the world."""
        is_idle = not self._busy and not self._held_back and len(self._timers) == (self._timeout is not None)
        if is_idle and self._waiting and not self._stopped.is_set() and not self._frame.shutdown:
            self.is_suspended, self.ran = True, self._own_time
            self._stopped.set()

    async def _reopen(self, nodes: Mapping[str, NodeExecution]) -> None:
        """Have the items of maps closed that an earlier process began."""
        known = set(self._nodes)
        for node in tuple(nodes.values()):
            if isinstance(node, MapExecution):
                await node.reopen()
        if found := {name: node for name, node in self._nodes.items() if name not in known}:
            await self._reopen(found)
        if self._left:
            self._over = asyncio.Event()

    async def _cancel_rest(self) -> None:
        rest = [node for node in self._nodes.values() if not node.outcome.done() and not node.is_closing]
        with anyio.CancelScope(shield=True):
            for node in rest:
                await node.abandon()
            if rest and not await self._cancelled(*rest):
                for node in rest:
                    await self._cancelled(node)

    async def _cancelled(self, *nodes: NodeExecution) -> bool:
        """Cancel some nodes, unless what one of them waits for has come in the meantime: whoever brings that tells the node."""
        try:
            await self._frame.commit(*(fact for node in nodes for fact in node.cancelled()))
        except Refused:
            return False
        for node in nodes:
            node.tell(Outcome(states.CANCELLED, node.name))
        return True

    @property
    def _own_time(self) -> int:
        return self._progress.ran + max(0, self._frame.ports.clock.now() - self._progress.began)

    async def _conclude(self) -> None:
        frame = self._frame
        if self.is_suspended:
            await frame.commit(facts.RunSuspended(self.run, self._waiting, self.ran))
            frame.ports.instrument.reached("engine.run.suspended")
            return
        if self._left:
            return
        if frame.ending is Wish.CANCEL or not await self._record_end():
            await frame.commit(*self._cancelled_late(), facts.RunCancelled(self.run))
        frame.ports.instrument.reached("engine.run.ended")

    async def _record_end(self) -> bool:
        ending = await self._end()
        try:
            await self._frame.commit(ending)
        except Refused:
            # A cancel has become durable in the meantime, and stands.
            return False
        return True

    def _cancelled_late(self) -> list[Fact]:
        return [fact for node in self._nodes.values() if not node.outcome.done() for fact in node.cancelled()]

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
