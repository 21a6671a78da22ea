"""What is read from a user's function: its signature, the annotations of its inputs and of its result, its fingerprint."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import cached_property
from inspect import Parameter, Signature
from typing import Any, Generic, TypeVar, get_args, get_origin

from eventflow.definition import annotations, fingerprints, places
from eventflow.errors import DefinitionError

F = TypeVar("F")

COLLECTS = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
"""The kinds of parameters that take whatever is left: `*args` and `**kwargs`."""


class Function(Generic[F]):
    """A user's function `fn`, typed as written. Everything is read once, and not before it is asked for.

    Raises `DefinitionError` at once for what is no function.
    """

    def __init__(self, fn: F) -> None:
        if not callable(fn) or not inspect.isroutine(fn):
            raise DefinitionError(f"expected a function, got {fn!r}", places.user_place())
        self.fn = fn
        self.call: Callable[..., object] = fn

    @property
    def name(self) -> str:
        """The function's own name."""
        return self.call.__name__

    @property
    def path(self) -> str:
        """Where Python finds the function: `module:qualname`."""
        return f"{self.call.__module__}:{self.call.__qualname__}"

    @cached_property
    def signature(self) -> Signature:
        """The function's signature. Raises `DefinitionError` where Python doesn't know it."""
        try:
            return inspect.signature(self.call)
        except (TypeError, ValueError) as error:
            raise DefinitionError(f"{self.path} has no readable signature: write a function around it", places.user_place()) from error

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The parameters that it can't be called without."""
        written = self.signature.parameters.items()
        return tuple(name for name, one in written if one.default is Parameter.empty and one.kind not in COLLECTS)

    @cached_property
    def inputs(self) -> Mapping[str, object]:
        """The annotation of each parameter, `Any` where there is none. `*args` are a list under `"*"`, `**kwargs` a dict under `"**"`."""
        return dict(self._input(parameter) for parameter in self.signature.parameters.values())

    @cached_property
    def result(self) -> object:
        """The annotation of what the function gives, awaited if need be; `Any` where there is none."""
        written = self._annotations.get("return", Any)
        if get_origin(written) is Coroutine:
            return get_args(written)[2]
        return get_args(written)[0] if get_origin(written) is Awaitable else written

    @cached_property
    def fingerprint(self) -> str:
        """The fingerprint of the function's code."""
        return fingerprints.of_function(self.call)

    @cached_property
    def _annotations(self) -> Mapping[str, object]:
        return annotations.of_function(self.call)

    def _input(self, parameter: Parameter) -> tuple[str, object]:
        annotation: Any = self._annotations.get(parameter.name, Any)
        if parameter.kind is Parameter.VAR_POSITIONAL:
            return "*", list[annotation]
        if parameter.kind is Parameter.VAR_KEYWORD:
            return "**", dict[str, annotation]
        return parameter.name, annotation


def yields(fn: object) -> bool:
    """Tell whether a function is a generator."""
    return inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn)
