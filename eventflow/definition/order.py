"""Order without values: `earlier >> later` and `chain(a, [b, c], d)`, which add to what nodes wait for."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from itertools import pairwise
from typing import Protocol, cast, runtime_checkable

import msgspec

from eventflow.definition.graph import Node
from eventflow.definition.references import Reference
from eventflow.definition.scopes import Scope
from eventflow.errors import DefinitionError


class Home(Protocol):
    """The trace whose nodes are put in order. `mentioned` are the nodes of tasks that were written without a call."""

    nodes: dict[str, Node]
    mentioned: dict[object, object]

    def waited(self, references: Iterable[object], what: str, *, rule: str = ...) -> tuple[str, ...]:
        """Name the nodes behind references and groups, to be waited for under a trigger rule."""
        ...

    def entered(self, scope: Scope) -> AbstractContextManager[None]:
        """Have what is written in the block stand in a scope of its own."""
        ...

    def mistake(self, message: str) -> DefinitionError:
        """Give the error that names the user's line."""
        ...


@runtime_checkable
class Mentionable(Protocol):
    """A task, which can be written without a call where it needs no inputs."""

    def mention(self) -> object:
        """Add a node without inputs, and give a reference to it."""
        ...


def order(home: Home, earlier: object, later: object) -> object:
    """Have what is later wait for what is earlier: each a reference, a task that needs no inputs, or a list of these.

    Gives what is later, as references. A task that is mentioned again is the same node.
    """
    before, behind = _references(home, earlier), _references(home, later)
    for reference in behind:
        for name in home.waited([reference], "the later side of an order", rule=_ANY):
            _wait(home, name, before)
    return behind if isinstance(later, list | tuple) else behind[0]


def chain(home: Home, links: Iterable[object]) -> None:
    """Put links in order, each behind all of the one before."""
    written = [_references(home, link) for link in links]
    if len(written) < 2:
        raise home.mistake("chain(...) takes what comes first, and what comes then, as in chain(load, [clean, check], train)")
    for earlier, later in pairwise(written):
        order(home, earlier, later)


def _references(home: Home, link: object) -> list[object]:
    links = cast("list[object]", link) if isinstance(link, list | tuple) else [link]
    if not links:
        raise home.mistake("an empty list has no place in an order: leave it away")
    return [_mentioned(home, one) for one in links]


def _mentioned(home: Home, link: object) -> object:
    if isinstance(link, Reference) or not isinstance(link, Mentionable):  # of a reference anything is an attribute
        return link
    if link not in home.mentioned:
        home.mentioned[link] = link.mention()
    return home.mentioned[link]


def _wait(home: Home, name: str, before: list[object]) -> None:
    node = home.nodes[name]
    with home.entered(_scope(home, node)):
        waited = home.waited(before, f"order of {name!r}", rule=node.rule)
    if name in waited:
        raise home.mistake(f"{name!r} would wait for itself: a second node of the task is made by calling it")
    home.nodes[name] = msgspec.structs.replace(node, after=tuple(dict.fromkeys((*node.after, *waited))))


def _scope(home: Home, node: Node) -> Scope:
    branches: list[str] = []
    branch = node.within
    while branch is not None:
        branches.append(branch)
        branch = home.nodes[branch].within
    return Scope(tuple(reversed(branches)), node.name.rpartition(".")[0])


_ANY = "always"
"""A rule under which anything may be named."""
