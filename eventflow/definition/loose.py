"""A task that is called outside of any pipeline's body: nothing runs, and no node is made before `DAG([...])` gathers the call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from eventflow.errors import DefinitionError


@dataclass(frozen=True, slots=True, eq=False)
class Loose:
    """Such a call: of which task, where, and with what. `add` makes a node of it in a trace, given that, its arguments and what it awaits.

    `told` says to people what is wrong with it anywhere else.
    """

    task: str
    where: str | None
    told: str
    args: tuple[object, ...]
    kwargs: Mapping[str, object]
    after: tuple[object, ...]
    add: Callable[[Any, tuple[object, ...], Mapping[str, object], tuple[Any, ...]], object]

    def mistake(self, message: str) -> DefinitionError:
        """Give the error that names the line of the call."""
        return DefinitionError(message, self.where)

    def check(self, reference: object, what: str) -> None:
        """Take any reference: what it stands for is asked when the calls are gathered."""

    def order(self, earlier: object, later: object) -> NoReturn:  # noqa: ARG002  # what it is doesn't matter
        """Raise a `DefinitionError`: only nodes have an order."""
        raise self.mistake(f"{self.told}. For order without values write .after(...) when calling the later one")
