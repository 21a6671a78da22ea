"""Graphs to be drawn, with every structure that there is."""

from __future__ import annotations

from eventflow.definition.graph import (
    FINALLY,
    HOOK,
    TEARDOWN,
    Binding,
    Branch,
    Child,
    Ending,
    Graph,
    Map,
    Maybe,
    Node,
    OneOf,
    Output,
    Wait,
)


def node(name: str, *inputs: str | Binding, **fields) -> Node:
    """Give a node that takes the outputs of others, or other bindings."""
    bindings = {f"i{number}": Output(one) if isinstance(one, str) else one for number, one in enumerate(inputs)}
    return Node(name, f"module:{name.rpartition('.')[2]}", bindings, **fields)


def each(name: str, *inputs: str | Binding, inside: tuple[Node, ...] = (), axes: dict[str, int] | None = None) -> Node:
    """Give a map, of the task of its own name where nothing is said of its inside."""
    return node(name, *inputs, does=Map(axes or {"i0": 0}, inside or (Node("", f"module:{name}"),), None))


ITEM = (node("read"), node("check", "read"), each("count", "check"))

EVERYTHING = Graph(
    "everything",
    (
        node("load"),
        node("features.text", "load"),
        node("features.image.scale", "load"),
        node("features.image.cut", "features.image.scale"),
        node("join", "features.text", "features.image.cut"),
        each("train", "join", axes={"rate": 0, "pace": 0, "seed": 1}),
        each("prepare", "load", inside=(*ITEM, node("clear", after=("read", "check", "count"), role=FINALLY))),
        node("judge", "train", "prepare"),
        node("when_judge", "judge", does=Branch(["better", 2])),
        node("deploy", "train", within="when_judge"),
        node("tell", "deploy", within="when_judge"),
        node("otherwise", does=Branch(None, ("when_judge",))),
        node("approval", "judge", does=Wait("answer"), within="otherwise"),
        node("when_approval", "approval", does=Branch(), within="otherwise"),
        node("wait_for", does=Wait("event"), within="when_approval"),
        node("sleep_until", does=Wait("time"), after=("wait_for",), within="when_approval"),
        node("rollout", "train", does=Child("rollout"), after=("sleep_until",), within="when_approval"),
        node("audit", "judge", does=Child("auditing", wait=False)),
        node("report", OneOf((Output("deploy"), Output("rollout"))), Maybe(Output("tell")), rule="all_done"),
        node("mend", after=("report",), rule="one_failed", passes=True),
        node("free", "load", after=("train", "judge", "deploy"), role=TEARDOWN),
        node("alert", Ending("judge"), after=("judge",), role=HOOK, on="failure", of="judge"),
    ),
    OneOf((Output("report"), Output("mend"))),
)
"""One graph with all of them, up to what runs at its end."""


def ended(graph: Graph) -> Graph:
    """Give a graph with a task that runs at its end, one that runs when it has failed, and one for the failure of the first."""
    tasks = tuple(one.name for one in graph.nodes if one.role not in (FINALLY, HOOK))
    clean = node("clean_up", after=tasks, role=FINALLY)
    failed = node("run_failed", Ending(None), after=(*tasks, "clean_up"), role=HOOK, on="failure")
    unclean = node("unclean", Ending("clean_up"), after=("clean_up",), role=HOOK, on="failure", of="clean_up")
    return Graph(graph.pipeline, (*graph.nodes, clean, unclean, failed), graph.result)
