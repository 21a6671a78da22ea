"""A pipeline inside the body of another: called there, its nodes become a group of that one; mapped, its graph runs once per item."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import BoundArguments
from typing import Any, Generic, ParamSpec, Protocol, TypedDict, TypeVar, Unpack, cast

from eventflow import ids
from eventflow.definition import calls, checks, maps, places, tracing
from eventflow.definition.bodies import AnyBody
from eventflow.definition.functions import Function
from eventflow.definition.graph import Graph, Node
from eventflow.definition.maps import Mapped
from eventflow.definition.options import MapOptions, PipelineOptions
from eventflow.definition.parameters import Parameters, as_annotated
from eventflow.definition.references import Reference, Source
from eventflow.definition.tracing import Trace
from eventflow.errors import DefinitionError

P = ParamSpec("P")
R = TypeVar("R")


class NestedSettings(TypedDict, total=False):
    """What can be said about a pipeline inside another: its name there, and how it is mapped."""

    name: str | None
    min_success: float
    max_active_items: int | None


class Traced(Protocol):
    """What tracing a pipeline has given."""

    @property
    def graph(self) -> Graph: ...
    @property
    def bodies(self) -> Mapping[str, AnyBody]: ...


class Nestable(Protocol):
    """A pipeline, as far as another one needs to know it."""

    @property
    def name(self) -> str: ...
    @property
    def settings(self) -> PipelineOptions: ...
    @property
    def parameters(self) -> Parameters: ...
    @property
    def definition(self) -> Traced: ...


@dataclass(frozen=True, eq=False)
class Nested(Generic[P, R]):
    """A pipeline as it stands in the body of another, where it can be called and mapped like a task. Made by `pipeline.options(...)`."""

    pipeline: Nestable
    function: Function[Any]
    own_name: str | None = None
    items: MapOptions = dataclasses.field(default_factory=MapOptions)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Add all nodes of the pipeline as a group of the one whose body is being traced. Raises `DefinitionError` anywhere else."""
        trace = self._trace("called", f"use {self.pipeline.name}.run(...), or submit {self.pipeline.name}.bind(...)")
        written = calls.arguments(trace, self.function.signature, args, kwargs, self._what, filled=True)
        given = OrderedDict((name, _given(trace, value, self.function.inputs[name], name, self._what)) for name, value in written.items())
        scope = trace.open_group(self._name, is_fixed=self.own_name is not None)
        with trace.entered(scope.inlining(self.function, self.pipeline.settings.defaults)):
            bound = BoundArguments(self.function.signature, cast("OrderedDict[str, Any]", given))
            returned = self.function.call(*bound.args, **bound.kwargs)
        if returned is not None:
            trace.bind(returned, self.function.result, f"the result of {self._what}")
        return cast("R", returned)

    def map(self, *args: P.args, **kwargs: P.kwargs) -> list[R]:
        """Run the pipeline's graph once per item of what is marked with `each(...)` or `across(...)`. Gives the list of the results."""
        what = f"map() of {self._what}"
        trace = self._trace("mapped", "do it in a @pipeline function")
        graph, bodies = self.pipeline.definition.graph, self.pipeline.definition.bodies
        inputs, gives = self.pipeline.parameters.annotations, self.function.result
        mapped = Mapped(what, self.function.signature, inputs, gives, graph.nodes, graph.result, bodies, self.items, has_defaults=True)
        node = Node("", self.function.path)
        return cast("list[R]", maps.put(trace, self._name, node, mapped, args=args, kwargs=kwargs, is_fixed=self.own_name is not None))

    def options(self, **settings: Unpack[NestedSettings]) -> Nested[P, R]:
        """Give the pipeline with other options, for one use."""
        name = settings.pop("name", self.own_name)
        if name is not None and (mistake := ids.misnamed(name, "pipeline")):
            raise DefinitionError(mistake, places.user_place())
        with places.naming_the_line():
            checks.names("option of a pipeline inside another", settings, NestedSettings.__annotations__)
            items = dataclasses.replace(self.items, **cast("dict[str, Any]", settings))
        return dataclasses.replace(self, own_name=name, items=items)

    @property
    def _name(self) -> str:
        return self.own_name or self.pipeline.name

    @property
    def _what(self) -> str:
        return f"pipeline {self.pipeline.name!r}"

    def _trace(self, done: str, instead: str) -> Trace:
        trace = tracing.current()
        if trace is None:
            raise DefinitionError(f"{self._what} is {done} outside a pipeline's body: {instead}", places.user_place())
        if trace.traces(self.function):
            raise trace.mistake(f"{self._what} is {done} inside itself, which would never end")
        settings = self.pipeline.settings
        if settings.finally_ or settings.on_success or settings.on_failure or settings.on_cancel:
            raise trace.mistake(
                f"{self._what} has tasks for the end of a run of its own (finally_, on_success, on_failure, on_cancel): "
                f"have it run by itself, with run_pipeline({self.pipeline.name})(...)"
            )
        _ = self.pipeline.parameters  # which asks whether it takes what a pipeline can
        return trace


def _given(trace: Trace, value: object, annotation: object, name: str, what: str) -> object:
    trace.bind(value, annotation, f"argument {name!r} of {what}")
    if not isinstance(value, Reference):
        return as_annotated(value, annotation)
    source = value.__source__
    return value if annotation is Any else Reference(Source(source.trace, source.binding, annotation))
