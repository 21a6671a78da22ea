"""What runs when something has ended: teardowns of what a task opened, a pipeline's `finally_` tasks, and hooks of tasks and pipelines.

These are closing nodes: they wait for others to end, however that may be, and run on a cancel too, before the run ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

import msgspec

from eventflow.context import Ended
from eventflow.definition import annotations
from eventflow.definition.functions import COLLECTS
from eventflow.definition.graph import FINALLY, HOOK, TASK, TEARDOWN, Binding, Ending, Node, Output, outputs, upstream
from eventflow.definition.references import Reference
from eventflow.definition.tracing import Trace
from eventflow.definition.uses import Use


def teardown(trace: Trace, use: Use, args: tuple[object, ...], kwargs: Mapping[str, object]) -> None:
    """Add a node that closes what the nodes behind its inputs opened. `close` says later what else it waits for."""
    reference = with_hooks(trace, use, trace.add(use, args, kwargs))
    name = cast("Output", reference.__source__.binding).node
    node = trace.nodes[name]
    if not _opened(node):
        instead = "for what is to run at the end of the run write @pipeline(finally_=[...])"
        raise trace.mistake(f"teardown of task {use.name!r} takes nothing that another node gave, so there is nothing to close: {instead}")
    trace.nodes[name] = msgspec.structs.replace(node, role=TEARDOWN)


def with_hooks(trace: Trace, use: Use, reference: Reference) -> Reference:
    """Add the hooks of a node that was just added for a task, and give the reference to it as it is."""
    if use.hooks:
        name = cast("Output", reference.__source__.binding).node
        for on, hook in use.hooks:
            _add_hook(trace, on, hook, name, (name,))
    return reference


def close(trace: Trace, finally_: Iterable[Use], hooks: Iterable[tuple[str, Use]]) -> None:
    """Add the closing nodes of a whole pipeline, and have every teardown wait for all that use what it closes."""
    _widen(trace)
    waited = tuple(node.name for node in trace.nodes.values() if node.role in (TASK, TEARDOWN))
    for use in finally_:
        with_hooks(trace, use, trace.put(use.name, _node(use, FINALLY, waited), use.body, use.function.result, is_fixed=use.is_fixed))
    waited = tuple(node.name for node in trace.nodes.values() if node.role != HOOK)
    for on, hook in hooks:
        _add_hook(trace, on, hook, None, waited)


def _add_hook(trace: Trace, on: str, hook: Use, of: str | None, after: tuple[str, ...]) -> None:
    function = hook.function
    first = next((name for name, one in function.signature.parameters.items() if one.kind not in COLLECTS), None)
    if first is not None and annotations.clash(Ended, function.inputs[first]):
        wanted = annotations.text(function.inputs[first])
        raise trace.mistake(f"hook {hook.name!r} is told how it ended, an eventflow.Ended, but its {first!r} is {wanted}: annotate it so")
    inputs: dict[str, Binding] = {} if first is None else {first: Ending(of)}
    node = msgspec.structs.replace(_node(hook, HOOK, after), inputs=inputs, on=on, of=of)
    trace.put(hook.name, node, hook.body, function.result, is_fixed=hook.is_fixed)


def _node(use: Use, role: str, after: tuple[str, ...]) -> Node:
    return Node("", use.function.path, after=after, fingerprint=use.fingerprint, role=role)


def _widen(trace: Trace) -> None:
    """Set what the teardowns wait for: the nodes that depend, directly or not, on the nodes which they close."""
    teardowns = [node for node in trace.nodes.values() if node.role == TEARDOWN]
    if not teardowns:
        return
    plain = [node for node in trace.nodes.values() if node.role == TASK]
    above = {node.name: upstream(node) for node in plain}
    for node in teardowns:
        closes = _opened(node)
        after = tuple(dict.fromkeys((*node.after, *_users(closes, above))))
        trace.nodes[node.name] = msgspec.structs.replace(node, after=after, closes=closes)


def _opened(node: Node) -> tuple[str, ...]:
    """Name the nodes whose end a teardown is about: those behind its inputs, and those that it was told to wait for."""
    return tuple(dict.fromkeys((*(name for binding in node.inputs.values() for name in outputs(binding)), *node.after)))


def _users(of: Iterable[str], above: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Name the nodes that depend on some nodes, in the order as written."""
    below: dict[str, list[str]] = {}
    for name, sources in above.items():
        for source in sources:
            below.setdefault(source, []).append(name)
    closed, found, ahead = set(of), set[str](), list(of)
    while ahead:
        for name in below.get(ahead.pop(), ()):
            if name not in found and name not in closed:
                found.add(name)
                ahead.append(name)
    return [name for name in above if name in found]
