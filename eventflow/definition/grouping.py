"""Groups: nodes under one name."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType

from eventflow import ids
from eventflow.definition import places, tracing
from eventflow.definition.scopes import Group
from eventflow.errors import DefinitionError


class GroupBlock:
    """The block of a group: the nodes made in it bear its name before their own, `features.load`. Made by `group(...)`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._stack = ExitStack()

    def __enter__(self) -> Group:
        """Open the block. Gives what `task.after(...)` takes to wait for all of it."""
        trace = tracing.expected("group(...)")
        scope = trace.open_group(self._name, is_fixed=True)
        self._stack.enter_context(trace.entered(scope))
        return Group(trace, scope.group)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()


def group(name: str) -> GroupBlock:
    """Open a block whose nodes belong together. Groups can stand in groups.

    with group("features") as features:
        clean(data)
    report.after(features)(data)

    Raises `DefinitionError` for a name that is taken or can't be one.
    """
    if mistake := ids.misnamed(name, "group"):
        raise DefinitionError(mistake, places.user_place())
    return GroupBlock(name)
