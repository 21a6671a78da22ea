"""What a picture says at a node besides its name."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from eventflow import escapes
from eventflow.definition.graph import DEFAULT_RULE, HOOK, TASK, Branch, Child, Map, Node, Wait

AT_THE_END = "at the end"
"""The title of what runs when all else has ended."""

_TIMES = " \u00d7 "
_WAITS = {"event": "waits for an event", "answer": "waits for an answer", "time": "waits for a time"}


def notes(node: Node) -> tuple[str, ...]:
    """Give what there is to say of a node, in a few words each: what it is for, what it does, when it runs if not as usual."""
    return (*map(escapes.line, _notes(node)), *((rule(node),) if rule(node) else ()))


def rule(node: Node) -> str:
    """Give a node's trigger rule, or nothing where it is the usual one."""
    return "" if node.rule == DEFAULT_RULE or node.role != TASK else node.rule


def matches(branch: Branch) -> str:
    """Say for which values a branch is taken: `improved | better`; `yes` for whatever is truthy."""
    if branch.matches is None:
        return "yes"
    return " | ".join(escapes.line(_plain(value)) for value in branch.matches)


def each(does: Map) -> str:
    """Say over what a map goes: `each rate`; `each data, rate` for two in step, `each rate x seed` for all combinations."""
    axes = [", ".join(name for name, axis in does.axes.items() if axis == number) for number in sorted(set(does.axes.values()))]
    return f"each {_TIMES.join(axes)}"


def is_single(does: Map) -> bool:
    """Tell whether an item of a map is one node and no more, so that there is nothing to be drawn inside."""
    return len(does.nodes) == 1 and not isinstance(does.nodes[0].does, Map)


def _notes(node: Node) -> Iterator[str]:
    if node.role != TASK:
        yield f"on {node.on}" if node.role == HOOK else node.role
    match node.does:
        case Map() as does:
            yield each(does)
        case Wait(kind=kind):
            yield _WAITS.get(kind, f"waits for {kind}")
        case Child(pipeline=pipeline, wait=wait):
            yield f"{'runs' if wait else 'starts'} {pipeline}"
        case Branch():
            pass
        case None:
            yield from _task(node)
    if node.passes:
        yield "passes on if skipped"


def _task(node: Node) -> Iterator[str]:
    task = node.task.rpartition(":")[2].rpartition(".")[2]
    name, _, number = node.name.rpartition(".")[2].rpartition("_")
    if task and task not in (node.name.rpartition(".")[2], name if number.isdigit() else ""):
        yield task


def _plain(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
