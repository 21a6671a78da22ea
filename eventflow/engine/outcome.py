"""How a node ended, as the others in its run hear of it."""

from __future__ import annotations

from typing import NamedTuple

from eventflow import states
from eventflow.facts import Failure, Value


class Outcome(NamedTuple):
    """How a node ended: the state, its name, its result where it succeeded, what went wrong where it failed, who skipped it (`by`).

    A skipped node that `passes` hands its first input on: for those that need it, it is as good as a success.
    """

    state: str
    node: str
    result: Value | None = None
    failure: Failure | None = None
    by: str | None = None
    passes: bool = False

    @property
    def has_value(self) -> bool:
        """Whether others can take a value of it."""
        return self.state == states.SUCCEEDED or self.passes
