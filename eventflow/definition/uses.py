"""A task as it stands in a body, ready to be called there or mapped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from eventflow.definition import annotations, fallbacks, fingerprints
from eventflow.definition.bindings import Place
from eventflow.definition.bodies import Body
from eventflow.definition.functions import Function
from eventflow.definition.options import PREDICATE, MapOptions, TaskOptions
from eventflow.definition.references import Reference
from eventflow.definition.scopes import Group


@dataclass(frozen=True, eq=False)
class Use:
    """A task as it is used: its function, its options, how it is mapped, and what it only waits for.

    `is_fixed` says that its name was chosen for one use, so that a second one is a mistake and gets no suffix. `fallback` is the task that
    takes the place of its failure, `hooks` are those that run when it has ended, each with what it is for (`success`, `failure`, `cancel`).
    """

    function: Function[Any]
    name: str
    options: TaskOptions
    is_fixed: bool = False
    after: tuple[Reference | Group, ...] = ()
    items: MapOptions = field(default_factory=MapOptions)
    fallback: Use | None = None
    hooks: tuple[tuple[str, Use], ...] = ()

    @cached_property
    def body(self) -> Body:
        """What the engine needs to run it. Raises `DefinitionError` for a fallback that can't take its place."""
        function, fallback = self.function, self.fallback
        fallbacks.check(self.name, function, fallback.function if fallback else self.options.fallback)
        return Body(function.call, self.options, function.inputs, function.result, fallback.body if fallback else None)

    @cached_property
    def fingerprint(self) -> str:
        """What changes when its code or its options change."""
        return fingerprints.with_options(self.function.fingerprint, self.options, self.items)

    @cached_property
    def item_fingerprint(self) -> str:
        """What changes for one item of a map: how the map as a whole is run is nothing to it."""
        return fingerprints.with_options(self.function.fingerprint, self.options)

    @property
    def rule(self) -> str:
        """The trigger rule, as a graph writes it."""
        return self.options.rule if isinstance(self.options.rule, str) else PREDICATE

    @property
    def passes(self) -> bool:
        """Whether it hands on its first input where it is skipped."""
        return self.options.skip is not None

    def check_passing(self, place: Place, inputs: Mapping[str, object]) -> None:
        """Raise `DefinitionError` where it is to hand its first input on, and has none, or none that could be its result."""
        if not self.passes:
            return
        what, first = f"task {self.name!r} has skip={self.options.skip!r}", next(iter(self.function.inputs), "*")
        if first.startswith("*") or first not in inputs:
            raise place.mistake(f"{what}, but no first input that it could hand on: give it one, or leave skip away")
        given, result = self.function.inputs[first], self.function.result
        if annotations.clash(given, result):
            texts = f"its first input {first!r} is {annotations.text(given)} and its result {annotations.text(result)}"
            raise place.mistake(f"{what}, but {texts}: put the input first that can stand for the result, or leave skip away")
