"""A node that runs a graph of its own once per item of some lists.

The lists are read once, and recorded item by item before any item begins; each item is a scope with nodes of its own. What the map hands
on is the list of what its items made, which is stored with them and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, cast

from eventflow import facts, states
from eventflow.definition.bodies import Body, MapBody
from eventflow.definition.graph import TASK, Map, item_of, walk
from eventflow.definition.options import Predicate
from eventflow.engine.axes import MOST_ITEMS, Axes
from eventflow.engine.inputs import resolve
from eventflow.engine.items import Items, items_from
from eventflow.engine.node import NodeExecution, Placed, user_code
from eventflow.engine.outcome import Outcome
from eventflow.engine.scope import Scope
from eventflow.facts import Failure, Value


class MapExecution(NodeExecution):
    """A map's node. It begins when its lists are known, and ends when its last item has."""

    __slots__ = ("_axes", "_body", "_items", "_left", "_map", "_path", "_scopes")

    def __init__(self, placed: Placed, map_: Map, body: MapBody) -> None:
        super().__init__(placed)
        self._map = map_
        self._body = body
        self._path = f"{placed.path}[]"
        self._items = Items({})
        self._axes = Axes(map_.axes, {})
        self._scopes: list[Scope] = []
        self._left = 0

    @property
    def has_row(self) -> bool:
        return super().has_row or bool(self._items.values)

    @property
    def predicate(self) -> str | Predicate:
        body = self.frame.bodies.get(self._path)
        return body.options.rule if isinstance(body, Body) else self.node.rule

    async def work(self) -> None:
        """Read the lists, unless that was done before, and open the first items."""
        if self.past.items is None:
            with user_code(states.ITEMS):
                values, keys = await self._read_lists()
            await self._record(values, keys)
        else:
            await self._remember(self.past.items)
        self._left = self._axes.count
        if not self._left:
            await self._end()
        for _ in range(min(self._left, self._body.options.max_active_items or self._left)):
            self._open_next()

    async def value(self) -> object:
        """Give the results of the items that succeeded, in order."""
        if self.outcome.result().passes:
            return await self.passed(Any)
        if self.past.items is not None and not self._scopes:
            await self._remember(self.past.items)
            # Of several that came to this, one is the first.
            for _ in range(0 if self._scopes else self._axes.count):
                self._open_next()
        return [await self._result(scope) for scope in self._scopes if scope.ending(self._map.result).state == states.SUCCEEDED]

    async def reopen(self) -> None:
        """Open the items that had begun before this process, so that what closes them can run, though the map itself goes no further."""
        if self._scopes or self.past.items is None or all(node.role == TASK for _, node in walk(self._map.nodes)):
            return
        await self._remember(self.past.items)
        inside = f"{self.name}["
        begun = {name.removeprefix(inside).partition("]")[0] for name in self.frame.past if name.startswith(inside)}
        for index in range(self._axes.count):
            if self._items.key(index) in begun:
                self._open(index)

    # Its lists

    async def _read_lists(self) -> tuple[dict[str, list[Value]], list[str] | None]:
        lists = {name: await self._read_list(name) for name in self._map.axes}
        axes = Axes(self._map.axes, {name: len(items) for name, items in lists.items()})
        keys = self._keys(axes, lists)
        values: dict[str, list[Value]] = {}
        for name, items in lists.items():
            wanted = self._body.inputs.get(name, Any)
            values[name] = [await self.frame.values.keep(self.frame.values.snapshot(item, wanted)) for item in items]
        return values, keys

    async def _read_list(self, name: str) -> list[object]:
        wanted: Any = self._body.inputs.get(name, Any)
        return _listed(name, await resolve(self.node.inputs[name], list[wanted], self.reader))

    def _keys(self, axes: Axes, lists: Mapping[str, Sequence[object]]) -> list[str] | None:
        key, named = self._body.key, self._body.keyed
        if key is None or named is None:
            return None
        return axes.keys([key(lists[named][axes.place(named, index)]) for index in range(axes.count)])

    async def _record(self, values: dict[str, list[Value]], keys: list[str] | None) -> None:
        frame, items = self.frame, Items(values, keys)
        kept = await frame.values.keep(frame.values.data(items))
        # From here on the map has a row: nothing may come between.
        self._take(items)
        await frame.commit(facts.MapExpanded(frame.run, self.name, self._axes.count, kept, queued=self.queued))
        frame.ports.instrument.reached("engine.map.expanded")

    async def _remember(self, kept: Value) -> None:
        snapshot = await self.frame.values.read(kept)
        self._take(items_from(snapshot.data))

    def _take(self, items: Items) -> None:
        self._items = items
        self._axes = Axes(self._map.axes, {name: len(values) for name, values in items.values.items()})

    # Its items

    def _open_next(self) -> None:
        self._open(len(self._scopes))

    def _open(self, index: int) -> None:
        scope = Scope(
            self._map.nodes,
            partial(self._parameter, index),
            self._heard(),
            self.frame.ended,
            name=item_of(self.name, self._items.key(index)),
            path=self._path,
        )
        self._scopes.append(scope)
        self.frame.owner.open(scope)

    async def _parameter(self, index: int, name: str) -> object:
        wanted = self._body.inputs.get(name, Any)
        if name in self._map.axes:
            return await self.frame.values.open(self._items.values[name][self._axes.place(name, index)], wanted)
        return await resolve(self.node.inputs[name], wanted, self.reader)

    async def _result(self, scope: Scope) -> object:
        return None if self._map.result is None else await resolve(self._map.result, self._body.result, scope)

    def _heard(self) -> Callable[[str, Outcome], None]:
        """Give what hears of the ends of one item's nodes, and so of its own."""
        unended = len(self._map.nodes)

        def hear(_role: str, _outcome: Outcome) -> None:
            nonlocal unended
            unended -= 1
            if unended == 0:
                self._hear()

        return hear

    def _hear(self) -> None:
        self._left -= 1
        if self.outcome.done() or self.wish is not None:
            return
        if len(self._scopes) < self._axes.count:
            self._open_next()
        elif self._left == 0:
            self.frame.owner.spawn(self._end, closing=self.is_closing)

    # Its end

    async def _end(self) -> None:
        endings = [scope.ending(self._map.result) for scope in self._scopes]
        succeeded = sum(1 for one in endings if one.state == states.SUCCEEDED)
        failed = next((one for one in endings if one.state not in (states.SUCCEEDED, states.SKIPPED)), None)
        needed = math.ceil(self._body.options.min_success * sum(1 for one in endings if one.state != states.SKIPPED) - _ROUNDING)
        frame = self.frame
        if failed is None or succeeded >= needed:
            await self.settle(Outcome(states.SUCCEEDED, self.name), facts.MapEnded(frame.run, self.name, succeeded))
        else:
            what = _too_few(failed, succeeded, needed)
            await self.settle(Outcome(states.FAILED, self.name, failure=what), facts.MapEnded(frame.run, self.name, succeeded, what))
        frame.ports.instrument.reached("engine.map.ended")

    async def cancel(self) -> None:
        """End the map with all its items; what closes an item still runs."""
        self.is_cancelled = True
        for scope in self._scopes:
            for member in scope.members.values():
                if not member.outcome.done() and member.node.role == TASK:
                    await cast("NodeExecution", member).cancel()
        await super().cancel()


def _listed(name: str, value: object) -> list[object]:
    if isinstance(value, _NO_LISTS) or not isinstance(value, Iterable):
        raise TypeError(f"{name!r} is mapped over, but it is no list of items: it is {type(value).__name__}")
    items = list(islice(cast("Iterable[object]", value), MOST_ITEMS + 1))
    if len(items) > MOST_ITEMS:
        raise ValueError(f"{name!r} has more than {MOST_ITEMS:,} items, which is the most that a map takes")
    return items


def _too_few(failed: Outcome, succeeded: int, needed: int) -> Failure:
    well, wanted = "1 item" if succeeded == 1 else f"{succeeded} items", "1 is" if needed == 1 else f"{needed} are"
    said = f"{well} succeeded, {wanted} needed; the first that failed is {failed.node}"
    return Failure("ItemsFailed", f"{said}: {failed.failure}" if failed.failure else said)


_NO_LISTS: tuple[type, ...] = (str, bytes, Mapping)
"""What could be gone over item by item, but is never meant so."""

_ROUNDING = 1e-9
"""0.9 of ten items are nine, though ten times 0.9 is a little more than that in binary."""
