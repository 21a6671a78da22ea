"""The graph of a pipeline as plain data: what is stored with every run, drawn, checked and compared. It holds no function.

A node's inputs are bindings: a literal, a parameter of the pipeline, another node's output, or lists and dicts of these. The steps
behind a parameter or an output are a projection into its value: `data.train["x"]` is `(Attribute("train"), Item("x"))`.

Most nodes call a task's function. What the others do is said by `does`: decide on a branch, map a graph over a list, wait, or start a
run. A node in a group is named `group.node`, an item of a map `train[3]`, a node inside such an item `prepare[3].load`; the *path* of a
node is its name with every item left open, `prepare[].load`: that is where its code is found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from typing import NamedTuple

import msgspec

from eventflow import codec
from eventflow.errors import DefinitionError


class Attribute(msgspec.Struct, frozen=True, tag="attribute"):
    """One step into a value: its attribute of this name."""

    name: str


class Item(msgspec.Struct, frozen=True, tag="item"):
    """One step into a value: its item at this key."""

    key: str | int


Step = Attribute | Item


class Literal(msgspec.Struct, frozen=True, tag="literal"):
    """A value that was written in the pipeline's body, as canonical JSON."""

    json: msgspec.Raw


class Parameter(msgspec.Struct, frozen=True, tag="parameter"):
    """A parameter of the pipeline, or a part of it."""

    name: str
    steps: tuple[Step, ...] = ()


class Output(msgspec.Struct, frozen=True, tag="output"):
    """The result of another node, or a part of it."""

    node: str
    steps: tuple[Step, ...] = ()


class ListOf(msgspec.Struct, frozen=True, tag="list"):
    """A list in which at least one item is no literal."""

    items: tuple[Binding, ...]


class DictOf(msgspec.Struct, frozen=True, tag="dict"):
    """A dict in which at least one value is no literal."""

    items: dict[str, Binding]


class OneOf(msgspec.Struct, frozen=True, tag="one_of"):
    """The first of these that has a value: how a graph leaves its branches."""

    items: tuple[Binding, ...]
    steps: tuple[Step, ...] = ()


class Maybe(msgspec.Struct, frozen=True, tag="maybe"):
    """The value of this, or None where it has none because its node didn't run to a good end."""

    item: Binding


class Ending(msgspec.Struct, frozen=True, tag="ending"):
    """How a node ended, or, where none is named, the run: what a hook is told."""

    node: str | None = None


Binding = Literal | Parameter | Output | ListOf | DictOf | OneOf | Maybe | Ending


class Branch(msgspec.Struct, frozen=True, tag="branch"):
    """Decide whether the nodes of a `when` block run: by the node's input `value`, once.

    It does where the value equals one of `matches` (JSON values) or, being a list, holds one; without matches, where it is truthy.
    An `otherwise` block has no value: it runs where none of the branches named in `otherwise` does.
    """

    matches: list[object] | None = None
    otherwise: tuple[str, ...] = ()


class Map(msgspec.Struct, frozen=True, tag="map"):
    """Run a graph of its own once per item of lists that are known only when the run gets there.

    `axes` tells which of the node's inputs are such lists: those of one number are taken in step, those of different numbers in all
    combinations, the first number changing slowest. `nodes` and `result` are the graph of one item, in which the node's inputs are the
    parameters; a single task is one node whose name is empty. `keyed` says that items are named by a function instead of by number.
    """

    axes: dict[str, int]
    nodes: tuple[Node, ...]
    result: Binding | None
    keyed: bool = False


class Wait(msgspec.Struct, frozen=True, tag="wait"):
    """Wait, holding nothing, for an `event`, an `answer` of a person, or a `time`."""

    kind: str


class Child(msgspec.Struct, frozen=True, tag="child"):
    """Have another pipeline run, with the node's inputs as its arguments, and wait for its end, or not."""

    pipeline: str
    wait: bool = True


Work = Branch | Map | Wait | Child

TASK, TEARDOWN, FINALLY, HOOK = "task", "teardown", "finally", "hook"
"""The roles of nodes. All but the first are *closing*: they run on a cancel too, before the run ends."""

DEFAULT_RULE = "all_success"
"""The trigger rule of a node that is given none: it runs once all that it depends on has succeeded, so whatever it takes is there."""


class Node(msgspec.Struct, frozen=True, omit_defaults=True):
    """One use of a task, or an operation of the engine's own (`does`).

    `inputs` are by parameter name of the task's function; what it takes as `*args` is a `ListOf` or `Literal` under `"*"`, as
    `**kwargs` a `DictOf` or `Literal` under `"**"`. `after` names nodes that count for its rule without handing on anything; a closing
    node only waits for these. `within` is the branch in whose block it was written. `rule` is the trigger rule, `predicate` where that is a
    function. `passes` says that a skipped node hands on its first input. `on` is what a hook is for, `success`, `failure` or `cancel`, and
    `of` whose, a node's or, without a name, the run's. A teardown `closes` nodes, and waits for all that use these.
    """

    name: str
    task: str
    inputs: dict[str, Binding] = {}
    after: tuple[str, ...] = ()
    fingerprint: str = ""
    does: Work | None = None
    within: str | None = None
    rule: str = DEFAULT_RULE
    role: str = TASK
    passes: bool = False
    on: str | None = None
    of: str | None = None
    closes: tuple[str, ...] = ()


class Graph(msgspec.Struct, frozen=True):
    """The nodes of a pipeline, each behind those that it depends on, and the binding of the pipeline's own result."""

    pipeline: str
    nodes: tuple[Node, ...]
    result: Binding | None = None


class Dependency(NamedTuple):
    """What counts as one upstream outcome: that of a node, or, of several alternatives, that of the first which isn't skipped.

    `optional` says that a default rule takes its being skipped for success; `counts` that it counts for the rule at all, otherwise the
    node only waits for it.
    """

    nodes: tuple[str, ...]
    optional: bool = False
    counts: bool = True


def dependencies(node: Node) -> tuple[Dependency, ...]:
    """Give what a node's gate listens to, each once, data edges first, without the branch around it."""
    found = dict.fromkeys(one for binding in node.inputs.values() for one in needed(binding))
    strict = {one.nodes[0] for one in found if len(one.nodes) == 1 and not one.optional}
    waits = [Dependency((name,), counts=node.role == TASK) for name in node.after if name not in strict]
    if isinstance(node.does, Branch):
        waits += [Dependency((name,), counts=False) for name in node.does.otherwise]
    return tuple(found | dict.fromkeys(waits))


def needed(binding: Binding, *, optional: bool = False) -> Iterator[Dependency]:
    """Give the dependencies that a binding makes."""
    match binding:
        case Output(node=node):
            yield Dependency((node,), optional)
        case OneOf(items=items):
            names = [tuple(outputs(item)) for item in items]
            # What is no node's output is there in any case.
            if all_names := tuple(dict.fromkeys(chain.from_iterable(names))):
                yield Dependency(all_names, optional or not all(names))
        case Maybe(item=item):
            yield from needed(item, optional=True)
        case Ending(node=str(node)):
            yield Dependency((node,), counts=False)
        case _:
            for item in parts(binding):
                yield from needed(item, optional=optional)


def upstream(node: Node) -> tuple[str, ...]:
    """Name the nodes that a node depends on, each once: its branch, those whose values it takes, those that it waits for."""
    names = dict.fromkeys((node.within,) if node.within else ())
    names |= dict.fromkeys(name for binding in node.inputs.values() for name in outputs(binding))
    if isinstance(node.does, Branch):
        names |= dict.fromkeys(node.does.otherwise)
    return tuple(names | dict.fromkeys(node.after))


def outputs(binding: Binding) -> Iterator[str]:
    """Name the nodes whose outputs or endings a binding reads."""
    for leaf in leaves(binding):
        if isinstance(leaf, Output | Ending) and leaf.node is not None:
            yield leaf.node


def joined(scope: str, name: str) -> str:
    """Give the name (or the path) of a node inside an item: `prepare[3]` and `load` make `prepare[3].load`."""
    return f"{scope}.{name}" if scope and name else scope or name


def path_of(name: str) -> str:
    """Give the path of a node from its name in a run: `prepare[].load` for `prepare[3].load`."""
    return re.sub(r"\[[^\]]*\]", "[]", name)


def item_of(name: str, key: str) -> str:
    """Give the name of an item of a map: `prepare[3]`."""
    return f"{name}[{key}]"


def scope_of(name: str) -> str:
    """Give the item of a map that a node of a run is in, from its name: `prepare[3]` for `prepare[3].load`, nothing outside of maps."""
    return name[: name.rfind("]") + 1]


def map_of(scope: str) -> str:
    """Give the name of the map that an item belongs to: `prepare` for `prepare[3]`."""
    return scope[: scope.rfind("[")]


def key_of(scope: str) -> str:
    """Give the key that an item of a map is named by: `3` for `prepare[3]`."""
    return scope[scope.rfind("[") + 1 : -1]


def walk(nodes: Iterable[Node], scope: str = "") -> Iterator[tuple[str, Node]]:
    """Give every node with its path, those inside maps too, each map before what is inside it."""
    for node in nodes:
        path = joined(scope, node.name)
        yield path, node
        if isinstance(node.does, Map):
            yield from walk(node.does.nodes, f"{path}[]")


def leaves(binding: Binding) -> Iterator[Literal | Parameter | Output | Ending]:
    """Give what a binding is made of, without the lists, dicts and choices around it."""
    match binding:
        case Maybe(item=item):
            yield from leaves(item)
        case OneOf() | ListOf() | DictOf():
            for item in binding.items if isinstance(binding, OneOf) else parts(binding):
                yield from leaves(item)
        case _:
            yield binding


def parts(binding: Binding) -> tuple[Binding, ...]:
    """Give what a list or a dict holds; nothing of any other binding."""
    match binding:
        case ListOf(items=items):
            return items
        case DictOf(items=named):
            return tuple(named.values())
        case _:
            return ()


def ordered(graph: Graph) -> Graph:
    """Give the graph with each node behind those that it depends on, otherwise in the order as written.

    Raises `DefinitionError` for a name used twice, a dependency that isn't there, or a cycle, which it prints as a path.
    """
    by_name: dict[str, Node] = {}
    for node in graph.nodes:
        if node.name in by_name:
            raise DefinitionError(f"pipeline {graph.pipeline!r} has two nodes named {node.name!r}")
        by_name[node.name] = node
    if _is_ordered(graph):
        return graph
    edges = {node.name: upstream(node) for node in graph.nodes}
    for name, sources in edges.items():
        for source in sources:
            if source not in by_name:
                raise DefinitionError(f"node {name!r} of pipeline {graph.pipeline!r} depends on {source!r}, which isn't in it")
    try:
        order = tuple(TopologicalSorter(edges).static_order())
    except CycleError as error:
        path = " -> ".join(error.args[1])
        raise DefinitionError(f"pipeline {graph.pipeline!r} has a cycle: {path}") from error
    return msgspec.structs.replace(graph, nodes=tuple(by_name[name] for name in order))


def encode(graph: Graph) -> bytes:
    """Give a graph's canonical JSON. Its digest is the graph's version."""
    return codec.canonical(graph)


def decode(raw: bytes | msgspec.Raw) -> Graph:
    """Give the graph that `encode` wrote."""
    return _decoder.decode(raw)


def _is_ordered(graph: Graph) -> bool:
    placed: set[str] = set()
    for node in graph.nodes:
        if not placed.issuperset(upstream(node)):
            return False
        placed.add(node.name)
    return True


_decoder = msgspec.json.Decoder(Graph)
