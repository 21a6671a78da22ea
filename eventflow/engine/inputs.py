"""From a node's bindings to the arguments of its body. Every value is decoded anew, so nobody can change what another one gets."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol, cast

from eventflow import codec, context
from eventflow.definition.annotations import is_tuple, part
from eventflow.definition.bodies import Body
from eventflow.definition.graph import (
    Attribute,
    Binding,
    DictOf,
    Ending,
    Item,
    ListOf,
    Literal,
    Maybe,
    Node,
    OneOf,
    Output,
    Parameter,
    Step,
)
from eventflow.engine.outcome import Outcome

POSITIONAL, NAMED = "*", "**"


class Reader(Protocol):
    """Where a binding's names mean something: the values of a run, or of one item of a map, each a fresh copy."""

    def parameter(self, name: str) -> Awaitable[object]:
        """Give the value of a parameter."""
        ...

    def output(self, node: str) -> Awaitable[object]:
        """Give what a node handed on."""
        ...

    def outcome(self, node: str) -> Outcome:
        """Tell how a node has ended."""
        ...

    def ended(self, node: str | None) -> context.Ended:
        """Tell how a node, or the run, has ended."""
        ...


async def arguments(node: Node, body: Body, reader: Reader) -> tuple[list[object], dict[str, object]]:
    """Give what a node's body is called with: positional and named arguments. A fallback is given no more than it takes."""
    named: dict[str, object] = {}
    rest: list[object] = []
    for name, binding in node.inputs.items():
        value = await resolve(binding, body.inputs.get(name, Any), reader)
        if name == POSITIONAL:
            rest = list(cast("list[object]", value)) if name in body.inputs else []
        elif name == NAMED:
            named.update(cast("dict[str, object]", value))
        else:
            named[name] = value
    if NAMED not in body.inputs:
        named = {name: value for name, value in named.items() if name in body.inputs}
    return _in_order(body, named, rest) if rest else ([], named)


async def resolve(binding: Binding, annotation: object, reader: Reader) -> object:
    """Give the value of a binding; `annotation` is for literals, which have no other type than that of where they go."""
    match binding:
        case Literal(json=json):
            return codec.decode(json, annotation)
        case Parameter(name=name, steps=steps):
            return project(await reader.parameter(name), steps)
        case Output(node=node, steps=steps):
            return project(await reader.output(node), steps)
        case ListOf() | DictOf():
            return await _gathered(binding, annotation, reader)
        case _:
            return await _chosen(binding, annotation, reader)


async def _gathered(binding: ListOf | DictOf, annotation: object, reader: Reader) -> object:
    if isinstance(binding, DictOf):
        return {key: await resolve(item, _part(item, annotation, key), reader) for key, item in binding.items.items()}
    parts = [await resolve(item, _part(item, annotation, index), reader) for index, item in enumerate(binding.items)]
    return tuple(parts) if is_tuple(annotation) else parts


def _part(binding: Binding, annotation: object, key: str | int) -> object:
    # Nodes' results and parameters have types of their own, and there may be a million of them.
    return Any if isinstance(binding, Output | Parameter) else part(annotation, Item(key))


async def _chosen(binding: OneOf | Maybe | Ending, annotation: object, reader: Reader) -> object:
    match binding:
        case OneOf(items=items, steps=steps):
            chosen = next(item for item in items if available(item, reader))
            return project(await resolve(chosen, annotation, reader), steps)
        case Maybe(item=item):
            return await resolve(item, annotation, reader) if available(item, reader) else None
        case Ending(node=node):
            return reader.ended(node)


def available(binding: Binding, reader: Reader) -> bool:
    """Tell whether a binding has a value, now that all nodes that it reads have ended."""
    match binding:
        case Output(node=node):
            return reader.outcome(node).has_value
        case ListOf(items=items):
            return all(available(item, reader) for item in items)
        case DictOf(items=named):
            return all(available(item, reader) for item in named.values())
        case OneOf(items=items):
            return any(available(item, reader) for item in items)
        case _:
            return True


def project(value: object, steps: tuple[Step, ...]) -> object:
    """Follow a projection into a value. Raises what the value raises where it has no such part."""
    for step in steps:
        value = getattr(value, step.name) if isinstance(step, Attribute) else cast("Any", value)[step.key]
    return value


def _in_order(body: Body, named: dict[str, object], rest: list[object]) -> tuple[list[object], dict[str, object]]:
    # What stands before *args must be positional once *args is given.
    before: list[object] = []
    for name in body.inputs:
        if name == POSITIONAL:
            break
        if name in named:
            before.append(named.pop(name))
    return before + rest, named
