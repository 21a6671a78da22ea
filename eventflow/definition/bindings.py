"""From what is written in a body, values and references, to the bindings of a graph, with all the checks that can be made by then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, cast

import msgspec

from eventflow import codec
from eventflow.definition import annotations
from eventflow.definition.axes import Axis
from eventflow.definition.graph import Binding, DictOf, Item, ListOf, Literal, Maybe, OneOf, Output, outputs
from eventflow.definition.parameters import as_annotated
from eventflow.definition.references import Reference, Referred, shown
from eventflow.definition.scopes import Group
from eventflow.errors import DefinitionError, ValueNotStorable


class Place(Protocol):
    """Where in which body something is written."""

    def mistake(self, message: str) -> DefinitionError:
        """Give the error that names the line."""
        ...

    def check(self, reference: Reference, what: str) -> None:
        """Raise `DefinitionError` for a reference that stands for nothing here. `what` would take it."""
        ...


def bind(place: Place, value: object, annotation: object, what: str) -> Binding:
    """Give the binding of what is written as `what` (as in "argument 'x' of task 'load'"), which wants an annotation.

    Raises `DefinitionError` for what doesn't fit or can't be stored.
    """
    if isinstance(value, Reference):
        return _taken(place, value, annotation, what)
    if isinstance(value, Axis):
        marker = value.written
        raise place.mistake(f"{what}: {marker}(...) marks a named argument of .map(...), as in train.map(rate={marker}(rates))")
    if isinstance(value, Group):
        raise place.mistake(f"{what}: group {value.name!r} is no value: wait for it, as in train.after({value.name})(...)")
    if not _holds_reference(value):
        return _literal(place, value, annotation, what)
    if annotations.clash(type(value), annotation):
        raise place.mistake(f"{what} wants {annotations.text(annotation)}, but is a {type(value).__name__}")
    if isinstance(value, dict):
        return DictOf(dict(_items(place, cast("dict[object, object]", value), annotation, what)))
    items = cast("list[object] | tuple[object, ...]", value)
    # Worked out once where all are wanted alike: there may be a million.
    alike = annotations.part(annotation, Item(0)) if annotations.fixed_parts(annotation) is None else None
    return ListOf(
        tuple(
            bind(place, item, alike or annotations.part(annotation, Item(index)), f"{what} at [{index}]")
            for index, item in enumerate(items)
        )
    )


def unsure(binding: Binding) -> Iterator[Binding]:
    """Give the parts of a binding that may have no value when a node runs whatever became of others."""
    match binding:
        case Output():
            yield binding
        case OneOf(items=items):
            if all(any(outputs(item)) for item in items):
                yield binding
        case ListOf(items=items):
            for item in items:
                yield from unsure(item)
        case DictOf(items=named):
            for item in named.values():
                yield from unsure(item)
        case _:
            return


def _items(place: Place, value: dict[object, object], annotation: object, what: str) -> Iterator[tuple[str, Binding]]:
    for key, item in value.items():
        if not isinstance(key, str):
            raise place.mistake(f"{what}: {key!r} is no text: a dict that holds references has texts as keys")
        yield key, bind(place, item, annotations.part(annotation, Item(key)), f"{what} at [{key!r}]")


def _taken(place: Place, reference: Reference, annotation: object, what: str) -> Referred:
    place.check(reference, what)
    source = reference.__source__
    if isinstance(source.binding, Maybe) and annotations.refuses_none(annotation):
        wanted = annotations.text(annotation)
        raise place.mistake(f"{what} wants {wanted}, but {shown(source.binding)!r} may be None: annotate it with {wanted} | None")
    # Each alternative of a choice will be its value some day; the annotation of a task's result may be wider than what it gives.
    choices = annotations.kinds(source.annotation) if isinstance(source.binding, OneOf | Maybe) else (source.annotation,)
    for given in choices:
        if annotations.clash(given, annotation):
            wanted = annotations.text(annotation)
            raise place.mistake(f"{what} wants {wanted}, but {shown(source.binding)!r} is {annotations.text(given)}")
    return source.binding


def _literal(place: Place, value: object, annotation: object, what: str) -> Literal:
    try:
        return Literal(msgspec.Raw(codec.encode(as_annotated(value, annotation), annotation)))
    except ValueNotStorable as error:
        raise place.mistake(f"{what}: {error}{_hint(value, error)}") from error


def _holds_reference(value: object) -> bool:
    if isinstance(value, Reference | Axis | Group):
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
