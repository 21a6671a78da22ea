"""Answers as a person types them: a text as it stands, yes or no, or JSON, by the form (a JSON Schema) of what is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec

from eventflow import codec
from eventflow.errors import InvalidRequest
from eventflow.server.questions import GivenAnswer

_YES, _NO = frozenset({"yes", "y", "true"}), frozenset({"no", "n", "false"})


def answer(given: GivenAnswer, form: object) -> object:
    """Give what was answered as plain data. Raises `InvalidRequest` where both or neither of JSON and text are given."""
    if isinstance(given.answer, msgspec.Raw):
        if given.text is not None:
            raise InvalidRequest("give `answer` as JSON or `text` as it was typed, not both")
        return msgspec.json.decode(given.answer)
    if given.text is None:
        raise InvalidRequest("the answer is missing: give `answer` as JSON, or `text` as it was typed")
    return typed(given.text, form)


def typed(text: str, form: object) -> object:
    """Give a text as what it means in a form. What fits nothing is given as it stands: whoever asked says what is wrong with it."""
    shapes = _all_shapes(form)
    for shape in shapes:
        for choice in _choices(shape):
            if text == (choice if isinstance(choice, str) else codec.canonical(choice).decode()):
                return choice
    kinds = {shape.get("type") for shape in shapes}
    if "boolean" in kinds and text.lower() in _YES | _NO:
        return text.lower() in _YES
    if kinds == {"string"}:
        return text
    try:
        return msgspec.json.decode(text.encode("utf-8", "surrogateescape"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return text


def described(form: object) -> str:
    """Say what an answer of a form looks like when it is typed: `yes | no`, `staging | production`, `text`, `JSON`."""
    shapes = _all_shapes(form)
    if choices := [choice for shape in shapes for choice in _choices(shape)]:
        return " | ".join(choice if isinstance(choice, str) else codec.canonical(choice).decode() for choice in choices)
    match {shape.get("type") for shape in shapes}:
        case kinds if kinds == {"boolean"}:
            return "yes | no"
        case kinds if kinds == {"string"}:
            return "text"
        case _:
            return "JSON"


def _all_shapes(form: object) -> list[Mapping[str, Any]]:
    schema = cast("dict[str, Any]", form) if isinstance(form, dict) else {}
    return list(_shapes(schema, schema.get("$defs", {})))


def _shapes(form: Mapping[str, Any], defs: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Give each form that an answer may have."""
    name = str(form.get("$ref", "")).rpartition("/")[2]
    if name:
        yield from _shapes(defs.get(name, {}), defs)
    for one in form.get("anyOf", ()):
        yield from _shapes(one, defs)
    if not name and "anyOf" not in form:
        yield form


def _choices(shape: Mapping[str, Any]) -> list[object]:
    return [shape["const"]] if "const" in shape else list(shape.get("enum", ()))
