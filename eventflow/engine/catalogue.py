"""The pipelines that an engine knows, and which of their graphs are in the journal already."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from eventflow import facts
from eventflow.definition import graph as graphs
from eventflow.definition.bodies import ChildBody
from eventflow.definition.pipelines import Definition, Pipeline
from eventflow.engine.limits import Limits
from eventflow.errors import DefinitionError
from eventflow.facts import Fact


class Catalogue:
    """Pipelines by name. `limits` says what their tasks can ask for."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._pipelines: dict[str, Pipeline[..., Any]] = {}
        self._recorded: set[str] = set()

    def __iter__(self) -> Iterator[Pipeline[..., Any]]:
        return iter(tuple(self._pipelines.values()))

    def __getitem__(self, name: str) -> Pipeline[..., Any]:
        return self._pipelines[name]

    def add(self, pipeline: Pipeline[..., Any]) -> None:
        """Make a pipeline known with those that it runs, and check it.

        Raises `DefinitionError` where it is wrong, where it asks for what the engine's limits never give, or where another has its name.
        """
        if not isinstance(pipeline, Pipeline):  # pyright: ignore[reportUnnecessaryIsInstance] - not everybody has a type checker
            raise DefinitionError(f"{pipeline!r} is no pipeline: give what @pipeline or Pipeline(...) has made")
        known = self._pipelines.get(pipeline.name)
        if known is pipeline:
            return
        if known is not None:
            raise DefinitionError(f"two pipelines are named {pipeline.name!r}: the other one is at {known.where}", pipeline.where)
        bodies = pipeline.definition.bodies
        self._limits.check(bodies, pipeline.where)
        self._pipelines[pipeline.name] = pipeline
        for body in bodies.values():
            if isinstance(body, ChildBody) and body.pipeline is not pipeline:
                self.add(body.pipeline)

    def find(self, name: str) -> Pipeline[..., Any] | None:
        """Give the pipeline of that name, or None where none is known by it."""
        return self._pipelines.get(name)

    def definition(self, name: str) -> Definition | None:
        """Give what a pipeline is made of, or None where none is known by that name."""
        pipeline = self.find(name)
        return None if pipeline is None else pipeline.definition

    def graph_facts(self, pipeline: Pipeline[..., Any]) -> tuple[Fact, ...]:
        """Give the fact that records a pipeline's graph, if it isn't recorded yet: it belongs before the first submission."""
        definition = pipeline.definition
        if definition.version in self._recorded:
            return ()
        return (facts.GraphRecorded(definition.version, msgspec.Raw(graphs.encode(definition.graph))),)

    def note_recorded(self, *versions: str) -> None:
        """Note that the journal has these graphs."""
        self._recorded.update(versions)
