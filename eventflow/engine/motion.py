"""The nodes of one run in motion: made scope by scope, started when their gates open, held back while the run is paused.

It also knows when nothing moves any more: when all that is left waits for the world, and when no attempt runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

import anyio
from anyio.abc import TaskGroup

from eventflow import states
from eventflow.definition.graph import dependencies
from eventflow.durations import SECOND
from eventflow.engine.frame import Frame, Spawned
from eventflow.engine.gate import Gate
from eventflow.engine.kinds import execution
from eventflow.engine.map import MapExecution
from eventflow.engine.node import NodeExecution
from eventflow.engine.outcome import Outcome
from eventflow.engine.rules import Verdict
from eventflow.engine.scope import Scope
from eventflow.facts import Fact
from eventflow.ports import Timer


class Motion:
    """Moves the nodes of a run, whose frame is `frame`, in two groups of coroutines: `main`, and `closing`, which a cancel leaves alone.

    `is_called_for` is asked whether a closing node's time has come, once its gate has opened; `closes` is told of each closing node of an
    item; `came_to_rest` is called when everything that is left waits for the world.
    """

    def __init__(
        self,
        is_called_for: Callable[[NodeExecution], bool],
        closes: Callable[[NodeExecution], None],
        came_to_rest: Callable[[], None],
    ) -> None:
        self.frame: Frame
        self.main: TaskGroup | None = None
        self.closing: TaskGroup | None = None
        self.nodes: dict[str, NodeExecution] = {}
        self.waiting = 0
        self._is_called_for = is_called_for
        self._closes = closes
        self._came_to_rest = came_to_rest
        self._busy = 0
        self._timers: set[Timer] = set()
        self._held_back: list[NodeExecution] | None = None
        self._quiet = asyncio.Event()

    # What nodes ask for

    def spawn(self, function: Spawned, *, closing: bool = False) -> None:
        group = self.closing if closing else self.main
        if group is not None:
            self._busy += 1
            group.start_soon(self._watched, function)

    def open(self, scope: Scope) -> None:
        fresh: list[NodeExecution] = []
        for described in scope.graph:
            node = execution(self.frame, scope, described)
            fresh.append(node)
            self.nodes[node.name] = node
            scope.add(node)
            if node.is_closing and scope.name:
                self._closes(node)
        for node in fresh:
            if node.outcome.done():
                continue
            if node.suspended:
                self._note_suspended(node)
            elif node.has_row:
                self._start_in_time(node)
            else:
                self._listen(scope, node)

    # What people ask for

    def pause(self) -> None:
        """Start nothing more, until `unpause`; what runs goes on."""
        if self._held_back is None:
            self._held_back = []

    def unpause(self) -> None:
        """Start what was held back."""
        held_back, self._held_back = self._held_back, None
        for node in held_back or ():
            self._start(node)

    def tell(self, node: NodeExecution, outcome: Outcome) -> None:
        """Tell the durable end of a suspended node."""
        node.tell(outcome)
        self._keep_awake()

    async def cancel_node(self, name: str) -> bool:
        """End one node, and tell whether there is one of that name that hasn't ended."""
        node = self.nodes.get(name)
        if node is None or node.outcome.done():
            return False
        self._busy += 1
        try:
            await node.cancel()
        finally:
            asyncio.get_running_loop().call_soon(self._heard)
        return True

    def ask_to_stop(self, *, closing: bool) -> None:
        """Ask the bodies that run to save and stop, those of `closing` nodes too or not."""
        for node in self.frame.attempting:
            if node.stop is not None and (closing or not node.is_closing):
                node.stop.asked = True

    def note_quiet(self) -> None:
        """Look whether the last attempt has ended, now that no more begin."""
        if self.frame.shutdown and not self.frame.attempting:
            self._quiet.set()

    async def quiet(self) -> None:
        """Return once no attempt runs any more, after a shutdown has begun."""
        await self._quiet.wait()

    def end(self) -> None:
        """Start nothing more."""
        self.main = self.closing = None
        for timer in self._timers:
            timer.cancel()

    # How they move

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

    def _start(self, node: NodeExecution) -> None:
        if node.wish is not None or node.outcome.done():
            return
        if self._held_back is not None and not node.is_closing:
            self._held_back.append(node)
            return
        group = self.closing if node.is_closing else self.main
        if group is not None:
            self._busy += 1
            node.under_way = group.create_task(self._run_node(node))

    def _start_in_time(self, node: NodeExecution) -> None:
        clock = self.frame.ports.clock
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
            self.note_quiet()
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

    # How they rest

    def _note_suspended(self, node: NodeExecution) -> None:
        self.waiting += 1
        node.outcome.add_done_callback(self._hear_answered)
        self._look_soon()

    def _hear_answered(self, _: asyncio.Future[Outcome]) -> None:
        self.waiting -= 1

    def _look_soon(self) -> None:
        # Behind the callbacks of what has just been told, which may start more.
        if self.waiting and not self._busy:
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
        if self.waiting and not (self._busy or self._held_back or self._timers):
            self._came_to_rest()

    # Their end, when the run ends before its time

    async def reopen(self, nodes: Mapping[str, NodeExecution] | None = None) -> None:
        """Have the items of maps closed that an earlier process began, of all maps or of those among some nodes."""
        known = set(self.nodes)
        for node in tuple((self.nodes if nodes is None else nodes).values()):
            if isinstance(node, MapExecution):
                await node.reopen()
        if found := {name: node for name, node in self.nodes.items() if name not in known}:
            await self.reopen(found)

    async def cancel_rest(self) -> None:
        """Cancel what hasn't ended, but for closing nodes."""
        rest = [node for node in self.nodes.values() if not node.outcome.done() and not node.is_closing]
        with anyio.CancelScope(shield=True):
            for node in rest:
                await node.abandon()
            # Without those that somebody has cancelled in the meantime, whose end is on its way.
            rest = [node for node in rest if not node.outcome.done() and not node.settling]
            for node in rest:
                node.settling = True
            if rest and not await self._cancelled(*rest):
                for node in rest:
                    await self._cancelled(node)

    async def _cancelled(self, *nodes: NodeExecution) -> bool:
        """Cancel some nodes, unless what one of them waits for has come in the meantime: whoever brings that tells the node."""
        if not await self.frame.accepted(*(fact for node in nodes for fact in node.cancelled())):
            return False
        for node in nodes:
            node.tell(Outcome(states.CANCELLED, node.name))
        return True

    def cancelled(self) -> list[Fact]:
        """Give the facts by which what hasn't ended is cancelled."""
        left = [node for node in self.nodes.values() if not node.outcome.done() and not node.settling]
        return [fact for node in left for fact in node.cancelled()]
