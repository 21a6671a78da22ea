"""The parameters of a pipeline: what they are, as JSON Schema, and how arguments become stored bytes and values again."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn, cast

import msgspec

from eventflow import codec
from eventflow.definition import annotations
from eventflow.definition.functions import Function
from eventflow.errors import DefinitionError, ParameterError, ValueNotStorable

_MISSING = inspect.Parameter.empty
_COLLECTS = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Parameters:
    """What a pipeline takes, read from its function's signature.

    Raises `DefinitionError` for `*args` and `**kwargs`, and for a default that can't be stored. Everything else raises
    `ParameterError`, which names the pipeline and every parameter that is wrong.
    """

    def __init__(self, pipeline: str, function: Function[Any], where: str | None) -> None:
        self._pipeline = pipeline
        self._written = dict(function.signature.parameters)
        for name, parameter in self._written.items():
            if parameter.kind in _COLLECTS:
                stars = "*" if parameter.kind is inspect.Parameter.VAR_POSITIONAL else "**"
                raise DefinitionError(f"pipeline {pipeline!r} takes {stars}{name}: name each parameter, or take one list or dict", where)
        self._annotations = {name: function.inputs[name] for name in self._written}
        self._defaults = {name: self._default(name, where) for name, one in self._written.items() if one.default is not _MISSING}

    @property
    def annotations(self) -> Mapping[str, object]:
        """The annotation of each parameter, in order; `Any` where there is none."""
        return self._annotations

    def schema(self) -> dict[str, Any]:
        """Give the JSON Schema of an object that holds the arguments."""
        shapes, defs = codec.schemas(self._annotations.values())
        properties = dict(zip(self._annotations, shapes, strict=True))
        for name, raw in self._defaults.items():
            properties[name] = properties[name] | {"default": _readable(msgspec.json.decode(raw))}
        required = [name for name in self._annotations if name not in self._defaults]
        known: dict[str, Any] = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
        return known | {"$defs": defs} if defs else known

    def positional(self, values: tuple[object, ...], named: Mapping[str, object]) -> dict[str, object]:
        """Give the arguments of a call by name."""
        names = [name for name, one in self._written.items() if one.kind is not inspect.Parameter.KEYWORD_ONLY]
        mistakes = [f"parameter {name!r} is given twice" for name, _ in zip(names, values, strict=False) if name in named]
        if len(values) > len(names):
            mistakes.append(f"takes {len(names)} arguments by position, got {len(values)}")
        if mistakes:
            self._refuse(mistakes)
        return {**dict(zip(names, values, strict=False)), **named}

    def encode(self, arguments: Mapping[str, object]) -> bytes:
        """Give the canonical JSON of all parameters, defaults filled in. A text for a path is taken as that path."""
        mistakes = self._unknown(arguments)
        encoded = dict(self._defaults)
        for name, annotation in self._annotations.items():
            if name in arguments:
                self._collect(mistakes, name, encoded, lambda n=name, a=annotation: _encoded(arguments[n], a))
            elif name not in self._defaults:
                mistakes.append(f"parameter {name!r} is missing: expected {annotations.text(annotation)}")
        if mistakes:
            self._refuse(mistakes)
        return codec.canonical({name: msgspec.Raw(raw) for name, raw in encoded.items()})

    def parse(self, texts: Mapping[str, str]) -> dict[str, object]:
        """Give the values that were typed as text: as it stands where a parameter is a text or a path, otherwise JSON.

        Doesn't ask whether a parameter is missing: `encode` does.
        """
        mistakes = self._unknown(texts)
        values: dict[str, object] = {}
        for name, text in texts.items():
            if name in self._annotations:
                self._collect(mistakes, name, values, lambda n=name, t=text: _parsed(t, self._annotations[n]))
        if mistakes:
            self._refuse(mistakes)
        return values

    def decode(self, raw: bytes) -> dict[str, object]:
        """Give the values that `encode` wrote, each as its annotation wants it.

        A parameter that was added since, with a default, has its default. Raises `ParameterError` where the arguments don't fit any more.
        """
        stored = self._stored(raw)
        return self._read(stored, self._annotations, self._unknown(stored))

    def value(self, raw: bytes, name: str) -> object:
        """Give one of the values that `decode` gives, without reading the others. Raises `ParameterError` where it doesn't fit any more."""
        return self._read(self._stored(raw), (name,), [])[name]

    def _stored(self, raw: bytes) -> Mapping[str, bytes | msgspec.Raw]:
        """Give the stored bytes of each value; a parameter that isn't among them has its default."""
        return self._defaults | msgspec.json.decode(raw, type=dict[str, msgspec.Raw])

    def _read(self, stored: Mapping[str, bytes | msgspec.Raw], names: Iterable[str], mistakes: list[str]) -> dict[str, object]:
        values: dict[str, object] = {}
        for name in names:
            annotation = self._annotations[name]
            if name in stored:
                self._collect(mistakes, name, values, lambda n=name, a=annotation: _decoded(stored[n], a))
            else:
                mistakes.append(f"parameter {name!r} is missing: expected {annotations.text(annotation)}")
        if mistakes:
            self._refuse(mistakes)
        return values

    def _default(self, name: str, where: str | None) -> bytes:
        try:
            return _encoded(self._written[name].default, self._annotations[name])
        except ValueError as error:
            raise DefinitionError(f"the default of parameter {name!r} of pipeline {self._pipeline!r}: {error}", where) from error

    def _unknown(self, given: Mapping[str, object]) -> list[str]:
        known = ", ".join(self._annotations) or "none"
        return [f"parameter {name!r} is unknown (there is: {known})" for name in given if name not in self._annotations]

    def _collect(self, mistakes: list[str], name: str, into: dict[str, Any], read: Callable[[], object]) -> None:
        try:
            into[name] = read()
        except ValueError as error:
            mistakes.append(f"parameter {name!r}: {error}")

    def _refuse(self, mistakes: list[str]) -> NoReturn:
        raise ParameterError(f"pipeline {self._pipeline!r}: " + "; ".join(mistakes))


def as_annotated(value: object, annotation: object) -> object:
    """Give a value as people mean it: a text for a path is that path."""
    kind = annotations.path_class(annotation) if isinstance(value, str) else None
    return kind(cast("str", value)) if kind is not None else value


def _encoded(value: object, annotation: object) -> bytes:
    try:
        return codec.encode(as_annotated(value, annotation), annotation)
    except ValueNotStorable as error:
        detail = "" if _is_plain_mismatch(error) else f": {error}"
        raise ValueError(f"expected {annotations.text(annotation)}, got {type(value).__name__}{detail}") from error


def _is_plain_mismatch(error: ValueNotStorable) -> bool:
    return isinstance(error.__cause__, msgspec.ValidationError) and " - at " not in str(error)


def _decoded(raw: bytes | msgspec.Raw, annotation: object) -> object:
    try:
        return codec.decode(raw, annotation)
    except Exception as error:  # the annotation may be a class of the user's own, whose `__post_init__` raises what it likes
        told = error if isinstance(error, msgspec.ValidationError) else f"{type(error).__name__}: {error}"
        raise ValueError(f"expected {annotations.text(annotation)}: {told}") from error


def _parsed(text: str, annotation: object) -> object:
    if annotations.is_text(annotation):
        return as_annotated(text, annotation)
    try:
        return codec.decode(text.encode("utf-8", "surrogateescape"), annotation)
    except msgspec.DecodeError:
        pass  # no JSON of that type: dates, enums and the like are texts in JSON, and nobody types the quotes
    try:
        return codec.decode(codec.canonical(text), annotation)
    except msgspec.DecodeError as error:
        raise ValueError(f"expected {annotations.text(annotation)} as JSON, got {text!r}") from error


def _readable(value: object) -> object:
    match value:
        case {"$path": str(path)}:
            return path
        case dict():
            return {key: _readable(item) for key, item in cast("dict[str, object]", value).items()}
        case list():
            return [_readable(item) for item in cast("list[object]", value)]
        case _:
            return value
