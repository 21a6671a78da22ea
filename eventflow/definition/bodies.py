"""What a graph, which is plain data, can't hold: the functions and annotations behind each of its nodes, by the node's path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from eventflow.definition.options import MapOptions, TaskOptions


@dataclass(frozen=True, slots=True)
class Body:
    """A node's function and options at run time, with the annotations by which its inputs and its result are read.

    `fallback` is called with the same inputs where the function has failed for good.
    """

    fn: Callable[..., object]
    options: TaskOptions
    inputs: Mapping[str, object]
    result: object
    fallback: Body | None = None

    @property
    def path(self) -> str:
        """Where Python finds the function: `module:qualname`."""
        return f"{self.fn.__module__}:{self.fn.__qualname__}"


@dataclass(frozen=True, slots=True)
class BranchBody:
    """The annotation by which the value that a branch decides on is read."""

    value: object


@dataclass(frozen=True, slots=True)
class MapBody:
    """The annotations of an item's inputs and of its result, and how items are named where a function says so.

    `key` is given the item of the input `keyed`.
    """

    inputs: Mapping[str, object]
    result: object
    options: MapOptions = field(default_factory=MapOptions)
    keyed: str | None = None
    key: Callable[[Any], object] | None = None


@dataclass(frozen=True, slots=True)
class WaitBody:
    """How a wait ends: the annotation of what it gives, after how long (`timeout`, seconds) it ends by itself, and with what default.

    `question` and `who` belong to an answer: what is asked, and who may answer; nobody named means anybody.
    """

    result: object
    inputs: Mapping[str, object] = field(default_factory=dict[str, object])
    timeout: float | None = None
    default: bytes | None = None
    question: str = ""
    who: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChildBody:
    """The pipeline that a node runs (a `Pipeline`, which is defined above this), and how the key of its run is made, if it has one."""

    pipeline: Any
    result: object
    key: str | Callable[[Mapping[str, Any]], str] | None = None


AnyBody: TypeAlias = Body | BranchBody | MapBody | WaitBody | ChildBody
