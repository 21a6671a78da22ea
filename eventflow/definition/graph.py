"""The graph of a pipeline as plain data: what is stored with every run, drawn, checked and compared. It holds no function.

A node's inputs are bindings: a literal, a parameter of the pipeline, another node's output, or lists and dicts of these. The steps
behind a parameter or an output are a projection into its value: `data.train["x"]` is `(Attribute("train"), Item("x"))`.
"""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

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


Binding = Literal | Parameter | Output | ListOf | DictOf


class Node(msgspec.Struct, frozen=True):
    """One use of a task.

    `inputs` are by parameter name of the task's function; what it takes as `*args` is a `ListOf` or `Literal` under `"*"`, as
    `**kwargs` a `DictOf` or `Literal` under `"**"`. `after` names nodes that must have succeeded before, without handing on anything.
    """

    name: str
    task: str
    inputs: dict[str, Binding] = {}
    after: tuple[str, ...] = ()
    fingerprint: str = ""


class Graph(msgspec.Struct, frozen=True):
    """The nodes of a pipeline, each behind those that it depends on, and the binding of the pipeline's own result."""

    pipeline: str
    nodes: tuple[Node, ...]
    result: Binding | None = None


def upstream(node: Node) -> tuple[str, ...]:
    """Name the nodes that a node depends on, each once, data edges first."""
    names = dict.fromkeys(name for binding in node.inputs.values() for name in outputs(binding))
    return tuple(names | dict.fromkeys(node.after))


def outputs(binding: Binding) -> Iterator[str]:
    """Name the nodes whose outputs a binding reads."""
    return (leaf.node for leaf in leaves(binding) if isinstance(leaf, Output))


def leaves(binding: Binding) -> Iterator[Literal | Parameter | Output]:
    """Give what a binding is made of, without the lists and dicts around it."""
    match binding:
        case ListOf(items=items):
            for item in items:
                yield from leaves(item)
        case DictOf(items=named):
            for item in named.values():
                yield from leaves(item)
        case _:
            yield binding


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
