"""Where the names of a graph mean something: the run itself, or one item of a map. It holds the nodes, and reads values for them."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol

from eventflow import states
from eventflow.context import Ended
from eventflow.definition.graph import HOOK, Binding, Node, joined
from eventflow.engine.inputs import available
from eventflow.engine.outcome import Outcome

Read = Callable[[str], Awaitable[object]]
"""Gives a fresh copy of a parameter's value."""


class Member(Protocol):
    """A node as its scope knows it."""

    node: Node
    outcome: Future[Outcome]

    async def value(self) -> object:
        """Give what it hands on."""
        ...


class Scope:
    """The nodes of a run, or of the item `name` of a map, whose path is `path`; `read` gives its parameters.

    It tells `hear` the role and the outcome of each that has ended. `ended` tells how a node, by its whole name, or the run has ended.
    """

    __slots__ = ("_ended", "_hear", "_read", "graph", "members", "name", "path")

    def __init__(
        self,
        graph: Sequence[Node],
        read: Read,
        hear: Callable[[str, Outcome], None],
        ended: Callable[[str | None], Ended],
        *,
        name: str = "",
        path: str = "",
    ) -> None:
        self.graph = graph
        self.name = name
        self.path = path
        self.members: dict[str, Member] = {}
        self._read = read
        self._hear = hear
        self._ended = ended

    def add(self, member: Member) -> None:
        """Take one of the scope's nodes, and hear of its end."""
        self.members[member.node.name] = member
        hear, role = self._hear, member.node.role
        member.outcome.add_done_callback(lambda future: hear(role, future.result()))

    def parameter(self, name: str) -> Awaitable[object]:
        return self._read(name)

    def output(self, node: str) -> Awaitable[object]:
        return self.members[node].value()

    def outcome(self, node: str) -> Outcome:
        return self.members[node].outcome.result()

    def ended(self, node: str | None) -> Ended:
        return self._ended(None if node is None else joined(self.name, node))

    def ending(self, result: Binding | None) -> Outcome:
        """Give how the whole has ended: with the first node that failed, or skipped where its result has no value, or well."""
        for outcome in self._outcomes():
            if outcome.state not in (states.SUCCEEDED, states.SKIPPED):
                return outcome
        if result is not None and not available(result, self):
            return Outcome(states.SKIPPED, self.name)
        return Outcome(states.SUCCEEDED, self.name)

    def _outcomes(self) -> Iterable[Outcome]:
        return (member.outcome.result() for member in self.members.values() if member.node.role != HOOK)
