"""A node that decides whether the nodes of a `when` block run. It decides once, and that is recorded before anything follows from it."""

from __future__ import annotations

from typing import cast

from eventflow import codec, facts, states
from eventflow.definition.bodies import BranchBody
from eventflow.definition.graph import Branch
from eventflow.engine.inputs import resolve
from eventflow.engine.node import NodeExecution, Placed, user_code
from eventflow.engine.outcome import Outcome
from eventflow.escapes import line

_SHOWN = 200
"""Characters of the value that are recorded, for people."""


class BranchExecution(NodeExecution):
    """A branch. It ends `succeeded` where it is taken and `skipped`, by itself, where not."""

    __slots__ = ("_body", "_branch")

    def __init__(self, placed: Placed, branch: Branch, body: BranchBody) -> None:
        super().__init__(placed)
        self._branch = branch
        self._body = body

    async def work(self) -> None:
        if self._branch.otherwise:
            await self._decide_otherwise()
            return
        with user_code(states.INPUT):
            value = await resolve(self.node.inputs["value"], self._body.value, self.reader)
            taken, shown = _is_taken(value, self._branch.matches), _shown(value)
        await self._decide(taken=taken, value=shown)

    def passing(self, outcome: Outcome) -> Outcome:
        # Whether it was taken is a value, too, and there either way.
        return outcome._replace(passes=outcome.by == self.name)

    async def value(self) -> object:
        return self.outcome.result().state == states.SUCCEEDED

    async def _decide_otherwise(self) -> None:
        others = [self.reader.outcome(name) for name in self._branch.otherwise]
        failed = next((one for one in others if one.state not in (states.SUCCEEDED, states.SKIPPED)), None)
        around = next((one for one in others if one.state == states.SKIPPED and one.by != one.node), None)
        if failed is not None:
            await self.fail_upstream(failed)
        elif around is not None:
            await self.skip(around)
        else:
            await self._decide(taken=all(one.state == states.SKIPPED for one in others))

    async def _decide(self, *, taken: bool, value: str | None = None) -> None:
        outcome = Outcome(states.SUCCEEDED if taken else states.SKIPPED, self.name, by=None if taken else self.name)
        await self.settle(outcome, facts.BranchDecided(self.frame.run, self.name, taken, value))
        self.frame.ports.instrument.reached("engine.branch.decided")


def _is_taken(value: object, matches: list[object] | None) -> bool:
    """Compare as data: what a class of the user's calls equal would be asked again by nobody."""
    if matches is None:
        return bool(value)
    wanted = {_compared(match) for match in matches}
    several = isinstance(value, list | tuple | set | frozenset)
    return any(_compared(one) in wanted for one in (cast("list[object]", value) if several else [value]))


def _compared(value: object) -> bytes:
    # 1.0 equals 1 to everybody but JSON. True doesn't, here.
    whole = isinstance(value, float) and value.is_integer()
    return codec.canonical(int(cast("float", value)) if whole else value)


def _shown(value: object) -> str:
    try:
        return line(repr(value))[:_SHOWN]
    except Exception:  # noqa: BLE001 - it is the user's class that says how it is shown, and nothing depends on it
        return type(value).__name__
