"""From a node's bindings to the arguments of its body. Every value is decoded anew, so nobody can change what another one gets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from eventflow import codec
from eventflow.definition.annotations import is_tuple, part
from eventflow.definition.bodies import Body
from eventflow.definition.graph import Attribute, Binding, DictOf, Item, ListOf, Literal, Node, Output, Parameter, Step

POSITIONAL, NAMED = "*", "**"

Read = Callable[[str], Awaitable[object]]
"""Gives a fresh copy of a parameter's value or of a node's result, by name."""


async def arguments(node: Node, body: Body, parameter: Read, output: Read) -> tuple[list[object], dict[str, object]]:
    """Give what a node's body is called with: positional and named arguments."""
    named: dict[str, object] = {}
    rest: list[object] = []
    for name, binding in node.inputs.items():
        value = await resolve(binding, body.inputs.get(name, Any), parameter, output)
        if name == POSITIONAL:
            rest = list(cast("list[object]", value))
        elif name == NAMED:
            named.update(cast("dict[str, object]", value))
        else:
            named[name] = value
    return _in_order(body, named, rest) if rest else ([], named)


async def resolve(binding: Binding, annotation: object, parameter: Read, output: Read) -> object:
    """Give the value of a binding; `annotation` is for literals, which have no other type than that of where they go."""
    match binding:
        case Literal(json=json):
            return codec.decode(json, annotation)
        case Parameter(name=name, steps=steps):
            return project(await parameter(name), steps)
        case Output(node=node, steps=steps):
            return project(await output(node), steps)
        case ListOf(items=items):
            parts = [await resolve(item, part(annotation, Item(index)), parameter, output) for index, item in enumerate(items)]
            return tuple(parts) if is_tuple(annotation) else parts
        case DictOf(items=named):
            return {key: await resolve(item, part(annotation, Item(key)), parameter, output) for key, item in named.items()}


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
