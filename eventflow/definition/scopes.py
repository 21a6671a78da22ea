"""The blocks of a body: which branch and which group a line stands in, and what may be used there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from eventflow.definition.functions import Function
from eventflow.definition.graph import TASK, Binding, Branch, Node, Output, parts


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """One block. `branches` are the nodes of all branches around it, the innermost last, and `group` is what its nodes' names begin with.

    `inlined` are the pipelines whose bodies it stands in, `defaults` the options of tasks that don't say otherwise. `decided` are the
    `when` blocks in it that an `otherwise` would follow.
    """

    branches: tuple[str, ...] = ()
    group: str = ""
    inlined: tuple[Function[object], ...] = ()
    defaults: Mapping[str, object] = field(default_factory=dict[str, object])
    decided: list[Decided] = field(default_factory=list["Decided"])

    @property
    def branch(self) -> str | None:
        """The innermost branch around it."""
        return self.branches[-1] if self.branches else None

    def within(self, branch: str) -> Scope:
        """Give the scope of a branch's block."""
        return Scope((*self.branches, branch), self.group, self.inlined, self.defaults)

    def grouped(self, group: str) -> Scope:
        """Give the scope of a group's block."""
        return Scope(self.branches, group, self.inlined, self.defaults)

    def inlining(self, pipeline: Function[object], defaults: Mapping[str, object]) -> Scope:
        """Give the scope of a pipeline's body in this block. Its tasks have its defaults, and where it has none, those from around it."""
        return Scope(self.branches, self.group, (*self.inlined, pipeline), {**self.defaults, **defaults})

    def outside(self, nodes: Mapping[str, Node], binding: Binding) -> str | None:
        """Name a branch that has to run for a binding to have its value here, and may not. None where there is no such branch.

        A node that passes its first input on has a value wherever that has one. Choices (`one_of`, `maybe`) leave their branches.
        """
        match binding:
            case Output(node=name):
                node = nodes[name]
                if node.within is None or node.within in self.branches:
                    return None
                return self.outside(nodes, next(iter(node.inputs.values()))) if node.passes else node.within
            case _:
                return next(filter(None, (self.outside(nodes, part) for part in parts(binding))), None)


@dataclass(frozen=True, slots=True)
class Decided:
    """A `when` block that has ended: its node, and what it decided on."""

    branch: str
    value: Binding


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """A group of nodes, to be waited for with `after(...)`. Made by `with group("features") as features:`."""

    trace: object
    name: str

    def nodes(self, nodes: Mapping[str, Node]) -> Iterator[str]:
        """Name what is in it, apart from the decisions of branches and from what closes something else."""
        for name, node in nodes.items():
            if name.startswith(f"{self.name}.") and node.role == TASK and not isinstance(node.does, Branch):
                yield name

    def __repr__(self) -> str:
        return f"<group {self.name}>"
