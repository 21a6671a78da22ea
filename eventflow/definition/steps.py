"""A pipeline made of steps, each of which takes what the last one gave."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

from eventflow.definition import annotations, places
from eventflow.definition.functions import Function
from eventflow.definition.tasks import AnyTask, Task
from eventflow.errors import DefinitionError

Steps: TypeAlias = Sequence[tuple[str, Callable[..., object]]]


def body_of(name: str, steps: Steps) -> Callable[..., Any]:
    """Give the body of the pipeline `name` that steps make. Raises `DefinitionError` for what are no steps."""
    first, *others = tasks = _as_tasks(name, steps)

    @functools.wraps(first.fn)
    def body(*args: object, **kwargs: object) -> object:
        value = first(*args, **kwargs)
        for step in others:
            value = step(value)
        return value

    body.__annotations__ = annotations.of_function(first.fn) | {"return": Function(tasks[-1].fn).result}
    return body


def _as_tasks(name: str, steps: Steps) -> list[AnyTask]:
    tasks: dict[str, AnyTask] = {}
    for step, fn in _pairs(name, steps):
        if step in tasks:
            raise DefinitionError(f"pipeline {name!r} has two steps named {step!r}", places.user_place())
        tasks[step] = cast("AnyTask", fn).options(name=step) if isinstance(fn, Task) else Task(fn, name=step)
    return list(tasks.values())


def _pairs(name: str, steps: Steps) -> Steps:
    if not steps or not all(isinstance(step, tuple) and len(step) == 2 for step in steps):  # pyright: ignore[reportUnnecessaryIsInstance]
        message = f'pipeline {name!r}: steps is a list of names with functions, as in [("load", load), ("clean", clean)]'
        raise DefinitionError(message, places.user_place())
    return steps
