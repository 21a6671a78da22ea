"""Tracing: running a pipeline's body once, with references for values, and writing down the graph that it makes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from inspect import BoundArguments, Signature
from inspect import Parameter as Written
from typing import Any, cast

import msgspec

from eventflow import codec, ids
from eventflow.definition import annotations, fingerprints, places
from eventflow.definition.bodies import Body
from eventflow.definition.functions import Function
from eventflow.definition.graph import Binding, DictOf, Item, ListOf, Literal, Node, Output, Parameter
from eventflow.definition.options import TaskOptions
from eventflow.definition.parameters import as_annotated
from eventflow.definition.references import Reference, Source, shown
from eventflow.errors import DefinitionError, ValueNotStorable


@dataclass(frozen=True, eq=False)
class Use:
    """A task as it is used: its function, its options, and what it only waits for.

    `is_fixed` says that its name was chosen for one use, so that a second one is a mistake and gets no suffix.
    """

    function: Function[Any]
    name: str
    options: TaskOptions
    is_fixed: bool = False
    after: tuple[Reference, ...] = ()

    @cached_property
    def body(self) -> Body:
        """What the engine needs to run it."""
        return Body(self.function.call, self.options, self.function.inputs, self.function.result)

    @cached_property
    def fingerprint(self) -> str:
        """What changes when its code or its options change."""
        return fingerprints.with_options(self.function.fingerprint, self.options)


class Trace:
    """One run of a pipeline's body, and the nodes that it made, in the order as written.

    Mistakes are placed at `where` if given, otherwise at the line of the user's code that is under way.
    """

    def __init__(self, pipeline: str, function: Function[Any], where: str | None = None) -> None:
        self.pipeline = pipeline
        self.nodes: dict[str, Node] = {}
        self.bodies: dict[str, Body] = {}
        self._function = function
        self._where = where
        self._uses: dict[str, int] = {}
        self._around = _current.get()
        self._is_open = True

    def follow(self) -> Binding | None:
        """Run the body and give the binding of what it returns. Whatever it raises becomes a `DefinitionError`."""
        token = _current.set(self)
        try:
            returned = self._call()
            return None if returned is None else self._bind(returned, self._function.result, f"the result of pipeline {self.pipeline!r}")
        except DefinitionError:
            raise
        except Exception as error:
            message = f"the body of pipeline {self.pipeline!r} raised {type(error).__name__}: {error}"
            raise DefinitionError(message, self._where or places.of_error(error)) from error
        finally:
            self._is_open = False
            _current.reset(token)

    def add(self, use: Use, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Reference:
        """Add a node and give a reference to its result."""
        name = self._free_name(use)
        inputs = self._inputs(use, args, kwargs)
        after = tuple(dict.fromkeys(self._waited_for(use, reference) for reference in use.after))
        self.nodes[name] = Node(name, use.function.path, inputs, after, use.fingerprint)
        self.bodies[name] = use.body
        return Reference(Source(self, Output(name), use.function.result))

    def _call(self) -> object:
        annotated = self._function.inputs
        given = OrderedDict((name, Reference(Source(self, Parameter(name), annotated[name]))) for name in annotated)
        bound = BoundArguments(self._function.signature, cast("OrderedDict[str, Any]", given))
        return self._function.call(*bound.args, **bound.kwargs)

    def _free_name(self, use: Use) -> str:
        if use.is_fixed:
            if use.name in self.nodes:
                raise self._mistake(f"pipeline {self.pipeline!r} already has a node named {use.name!r}: choose another name")
            return use.name
        name = _numbered(use.name, self._next(use.name))
        while name in self.nodes:
            name = _numbered(use.name, self._next(use.name))
        return name

    def _next(self, name: str) -> int:
        number = self._uses[name] = self._uses.get(name, 0) + 1
        return number

    def _inputs(self, use: Use, args: tuple[object, ...], kwargs: Mapping[str, object]) -> dict[str, Binding]:
        signature = use.function.signature
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise self._mistake(f"task {use.name!r}: {error}; it takes {_takes(signature)}") from error
        annotated = use.function.inputs
        return {name: self._bind(value, annotated[name], f"argument {name!r} of task {use.name!r}") for name, value in _arguments(bound)}

    def _waited_for(self, use: Use, reference: Reference) -> str:
        match self._taken(reference, Any, f"after() of task {use.name!r}"):
            case Output(node=node):
                return node
            case Parameter(name=name):
                raise self._mistake(f"after() of task {use.name!r}: {name!r} is a parameter, which is there from the start")

    def _bind(self, value: object, annotation: object, what: str) -> Binding:
        if isinstance(value, Reference):
            return self._taken(value, annotation, what)
        if not _holds_reference(value):
            return self._literal(value, annotation, what)
        if annotations.clash(type(value), annotation):
            raise self._mistake(f"{what} wants {annotations.text(annotation)}, but is a {type(value).__name__}")
        if isinstance(value, dict):
            return DictOf(dict(self._items(cast("dict[object, object]", value), annotation, what)))
        items = enumerate(cast("list[object] | tuple[object, ...]", value))
        return ListOf(tuple(self._bind(item, annotations.part(annotation, Item(index)), f"{what} at [{index}]") for index, item in items))

    def _items(self, value: dict[object, object], annotation: object, what: str) -> Iterator[tuple[str, Binding]]:
        for key, item in value.items():
            if not isinstance(key, str):
                raise self._mistake(f"{what}: {key!r} is no text: a dict that holds references has texts as keys")
            yield key, self._bind(item, annotations.part(annotation, Item(key)), f"{what} at [{key!r}]")

    def _taken(self, reference: Reference, annotation: object, what: str) -> Parameter | Output:
        source = reference.__source__
        if source.trace is not self:
            made = f"pipeline {source.trace.pipeline!r}" if isinstance(source.trace, Trace) else "another pipeline"
            raise self._mistake(
                f"{what}: {shown(source.binding)!r} was made in {made} and means nothing in pipeline {self.pipeline!r}: "
                "a reference stays in the body that made it"
            )
        if annotations.clash(source.annotation, annotation):
            wanted, given = annotations.text(annotation), annotations.text(source.annotation)
            raise self._mistake(f"{what} wants {wanted}, but {shown(source.binding)!r} is {given}")
        return source.binding

    def _literal(self, value: object, annotation: object, what: str) -> Literal:
        try:
            return Literal(msgspec.Raw(codec.encode(as_annotated(value, annotation), annotation)))
        except ValueNotStorable as error:
            raise self._mistake(f"{what}: {error}{_hint(value, error)}") from error

    def _mistake(self, message: str) -> DefinitionError:
        return DefinitionError(message, self._where or places.user_place())

    def traces(self, function: Function[Any]) -> bool:
        """Tell whether a function's body is being traced, here or around here."""
        return self._function is function or (self._around is not None and self._around.traces(function))

    @property
    def is_open(self) -> bool:
        """Whether the body is still running."""
        return self._is_open


_current: ContextVar[Trace | None] = ContextVar("eventflow_trace", default=None)


def current() -> Trace | None:
    """Give the trace that is under way here, or None."""
    trace = _current.get()
    return trace if trace is not None and trace.is_open else None


def _numbered(name: str, number: int) -> str:
    suffix = f"_{number}" if number > 1 else ""
    return name[: ids.LONGEST_NAME - len(suffix)] + suffix


def _takes(signature: Signature) -> str:
    plain = [one.replace(annotation=Written.empty) for one in signature.parameters.values()]
    return str(signature.replace(parameters=plain, return_annotation=Signature.empty))


def _arguments(bound: BoundArguments) -> Iterator[tuple[str, object]]:
    written = bound.signature.parameters
    for name, value in bound.arguments.items():
        match written[name].kind:
            case Written.VAR_POSITIONAL:
                yield "*", list(value)
            case Written.VAR_KEYWORD:
                yield "**", value
            case _:
                yield name, value


def _holds_reference(value: object) -> bool:
    if isinstance(value, Reference):
        return True
    if isinstance(value, dict):
        return any(map(_holds_reference, cast("dict[object, object]", value).values()))
    if isinstance(value, list | tuple):
        return any(map(_holds_reference, cast("list[object]", value)))
    return False


def _hint(value: object, error: ValueNotStorable) -> str:
    if Reference.__qualname__ in str(error):
        return ". A reference can be inside lists, tuples and dicts, not inside other objects: make the object in a task"
    return ". Was it meant to be called?" if callable(value) and not isinstance(value, type) else ""
