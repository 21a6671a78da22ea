"""Which class executes which kind of node."""

from __future__ import annotations

from eventflow.definition.bodies import Body, BranchBody, ChildBody, MapBody, WaitBody
from eventflow.definition.graph import Branch, Child, Map, Node, Wait, joined
from eventflow.definition.options import TaskOptions
from eventflow.engine.branch import BranchExecution
from eventflow.engine.child import ChildExecution
from eventflow.engine.frame import NEW, Frame
from eventflow.engine.map import MapExecution
from eventflow.engine.node import NodeExecution, Placed
from eventflow.engine.scope import Scope
from eventflow.engine.task import TaskExecution
from eventflow.engine.wait import WaitExecution


def execution(frame: Frame, scope: Scope, node: Node) -> NodeExecution:
    """Give what executes a node of a scope."""
    name, path = joined(scope.name, node.name), joined(scope.path, node.name)
    placed = Placed(frame, scope, node, name, path, frame.past.get(name, NEW))
    match node.does, frame.bodies.get(path):
        case None, Body() as body:
            return TaskExecution(placed, body)
        case Branch() as branch, BranchBody() as body:
            return BranchExecution(placed, branch, body)
        case Map() as map_, MapBody() as body:
            return MapExecution(placed, map_, body)
        case Wait() as wait, WaitBody() as body:
            return WaitExecution(placed, wait, body)
        case Child() as child, ChildBody() as body:
            return ChildExecution(placed, child, body)
        case _:
            # The node has ended and is no longer in the code: it is never begun.
            return TaskExecution(placed, _GONE)


def _vanished() -> None:
    """Stands for the body of a node that has ended and is no longer in the code."""


_GONE = Body(_vanished, TaskOptions(), {}, object)
