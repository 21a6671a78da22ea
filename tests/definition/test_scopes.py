"""Random bodies of blocks in blocks, against a model of where each node stands and which values are there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventflow.definition.branches import maybe, otherwise, when
from eventflow.definition.graph import Node
from eventflow.definition.grouping import group
from eventflow.definition.pipelines import Pipeline
from eventflow.definition.tasks import task
from eventflow.errors import DefinitionError


@task
def make(values: list[Any]) -> int:
    raise NotImplementedError


@dataclass(frozen=True)
class Block:
    kind: str
    inside: tuple[Written, ...]


@dataclass(frozen=True)
class Make:
    """A task that takes earlier values, picked by number among those there are."""

    takes: tuple[int, ...]
    is_careful: bool


Written = Block | Make

makes = st.builds(Make, st.lists(st.integers(0, 9), max_size=2).map(tuple), st.booleans())
bodies = st.recursive(
    st.lists(makes, min_size=1, max_size=3).map(tuple),
    lambda inner: st.lists(makes | st.builds(Block, st.sampled_from(["when", "otherwise", "group"]), inner), min_size=1, max_size=4).map(
        tuple
    ),
    max_leaves=8,
)


@dataclass
class Model:
    """What a body makes: for each value the branches around it, numbered in the order in which they were opened."""

    flag: Any
    values: list[tuple[Any, tuple[int, ...]]] = field(default_factory=list[tuple[Any, tuple[int, ...]]])
    expected: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    opened: int = 0

    def write(self, body: Sequence[Written], around: tuple[int, ...], group_name: str) -> None:
        follows_when = False
        for one in body:
            if isinstance(one, Make):
                self._make(one, around, group_name)
            else:
                self._block(one, around, group_name, is_otherwise=one.kind == "otherwise" and follows_when)
            follows_when = isinstance(one, Block) and one.kind != "group" and not (one.kind == "otherwise" and follows_when)

    def _make(self, one: Make, around: tuple[int, ...], group_name: str) -> None:
        picked = [self.values[number % len(self.values)] for number in one.takes if self.values]
        is_there = all(around[: len(branches)] == branches for _, branches in picked)
        values = [value for value, _ in picked]
        if not is_there:
            with pytest.raises(DefinitionError, match="which may not run: take one_of"):
                make(values)
        if is_there or one.is_careful:
            taken = values if is_there else [maybe(value) for value in values]
            self.values.append((make(taken), around))
            self.expected.append((len(around), group_name))

    def _block(self, one: Block, around: tuple[int, ...], group_name: str, *, is_otherwise: bool) -> None:
        self.opened += 1
        number, name = self.opened, f"g{self.opened}"
        block: AbstractContextManager[object] = group(name) if one.kind == "group" else otherwise() if is_otherwise else when(self.flag)
        with block:
            if one.kind == "group":
                self.write(one.inside, around, f"{group_name}{name}.")
            else:
                self.write(one.inside, (*around, number), group_name)


def depth(nodes: dict[str, Node], node: Node) -> int:
    return 0 if node.within is None else 1 + depth(nodes, nodes[node.within])


@given(bodies)
def test_every_node_stands_where_it_was_written_and_takes_only_what_is_there(body: tuple[Written, ...]) -> None:
    models: list[Model] = []

    def trace(flag: bool) -> None:
        models.append(Model(flag))
        models[0].write(body, (), "")
        make([])

    nodes = {node.name: node for node in Pipeline("p", trace).definition.graph.nodes}
    made = [node for node in nodes.values() if node.does is None][:-1]
    assert [(depth(nodes, node), node.name[: node.name.rindex("make")]) for node in made] == models[0].expected
