"""What a graph, which is plain data, can't hold: the function behind each of its nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from eventflow.definition.options import TaskOptions


@dataclass(frozen=True, slots=True)
class Body:
    """A node's function and options at run time, with the annotations by which its inputs and its result are read."""

    fn: Callable[..., object]
    options: TaskOptions
    inputs: Mapping[str, object]
    result: object
