"""What takes the place of a task's failure: a value, or another task that is called with the same inputs."""

from __future__ import annotations

from typing import Any, cast

from eventflow.definition import annotations, places
from eventflow.definition.functions import Function
from eventflow.definition.options import NoFallback
from eventflow.errors import DefinitionError


def check(task: str, function: Function[Any], fallback: object) -> None:
    """Raise `DefinitionError` for a fallback of a task, a value or a `Function`, that certainly can't take its place."""
    what = f"the fallback of task {task!r}"
    if isinstance(fallback, Function):
        fallback = cast("Function[Any]", fallback)
        _check_inputs(f"{what}, {fallback.name!r},", function, fallback)
        _check_result(f"{what}, {fallback.name!r},", fallback.result, function.result)
    elif fallback is not NoFallback.NONE:
        _check_result(what, type(fallback), function.result)


def _check_inputs(what: str, function: Function[Any], fallback: Function[Any]) -> None:
    for name in fallback.required:
        if name not in function.required:
            raise _mistake(f"{what} needs {name!r}, which the task isn't always given: give it a default there")
    for name in fallback.inputs.keys() & function.inputs.keys():
        given, wanted = function.inputs[name], fallback.inputs[name]
        if annotations.clash(given, wanted):
            raise _mistake(
                f"{what} wants {annotations.text(wanted)} as {name!r}, but the task's is {annotations.text(given)}: take the same"
            )


def _check_result(what: str, given: object, wanted: object) -> None:
    if annotations.clash(given, wanted):
        texts = f"gives {annotations.text(given)}, but stands for {annotations.text(wanted)}"
        raise _mistake(f"{what} {texts}: give one of these, or widen the annotation of the task's result")


def _mistake(message: str) -> DefinitionError:
    return DefinitionError(message, places.user_place())
