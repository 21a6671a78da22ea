"""`@task`: a function that pipelines are made of."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Coroutine
from typing import Any, Generic, ParamSpec, Protocol, TypedDict, TypeVar, Unpack, cast, overload

from eventflow import ids
from eventflow.definition import functions, places, tracing
from eventflow.definition.functions import Function
from eventflow.definition.options import Retry, TaskOptions
from eventflow.definition.references import Reference
from eventflow.definition.tracing import Use
from eventflow.durations import Duration
from eventflow.errors import DefinitionError

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F")


class TaskSettings(TypedDict, total=False):
    """What can be said about a task beside its code: the fields of `TaskOptions`."""

    name: str | None
    retry: Retry
    timeout: Duration | None
    at_most_once: bool
    max_crashes: int


class Task(Generic[P, R, F]):
    """A function that can be used in pipelines. Made by `@task`.

    Calling it in a pipeline's body adds a node and gives a reference, which type checkers see as the function's result. `fn` is the
    function itself, as it was written: call that in a unit test or from another task.
    """

    def __init__(self, fn: F, **settings: Unpack[TaskSettings]) -> None:
        function = _checked(Function(fn))
        options = _options(TaskOptions(), settings)
        self._use = Use(function, _checked_name(function.name if options.name is None else options.name), options)
        self.fn: F = fn

    @property
    def name(self) -> str:
        """The name of its nodes, apart from the suffix of a second one."""
        return self._use.name

    @property
    def settings(self) -> TaskOptions:
        """How it is run."""
        return self._use.options

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Add a node to the pipeline whose body is being traced. Raises `DefinitionError` anywhere else."""
        trace = tracing.current()
        if trace is None:
            instead = f"call it in a @pipeline function, or call its function, {self._use.function.name}.fn(...)"
            raise DefinitionError(f"task {self.name!r} is called outside a pipeline's body: {instead}", places.user_place())
        return cast("R", trace.add(self._use, args, kwargs))

    def after(self, *references: object) -> Task[P, R, F]:
        """Give the task for one use that starts only when the nodes behind some references have succeeded, without taking their values."""
        taken: list[Reference] = []
        for reference in references:
            if not isinstance(reference, Reference):
                message = f"after() of task {self.name!r} takes what other tasks gave in this body, not {_shown(reference)}"
                raise DefinitionError(message, places.user_place())
            taken.append(reference)
        return self._with(dataclasses.replace(self._use, after=(*self._use.after, *taken)))

    def options(self, **settings: Unpack[TaskSettings]) -> Task[P, R, F]:
        """Give the task with other options, for one use. A name given here is the node's own: using it twice is a mistake."""
        options, name = _options(self.settings, settings), settings.get("name")
        if name is None:
            return self._with(dataclasses.replace(self._use, options=options))
        return self._with(dataclasses.replace(self._use, options=options, name=_checked_name(name), is_fixed=True))

    def __repr__(self) -> str:
        return f"<task {self.name}>"

    def _with(self, use: Use) -> Task[P, R, F]:
        other = copy.copy(self)
        other._use = use  # noqa: SLF001  # of this class
        return other


class TaskDecorator(Protocol):
    """What `@task(...)` gives: it makes a task of a function."""

    @overload
    def __call__(self, fn: Callable[P, Coroutine[Any, Any, R]], /) -> Task[P, R, Callable[P, Coroutine[Any, Any, R]]]: ...
    @overload
    def __call__(self, fn: Callable[P, R], /) -> Task[P, R, Callable[P, R]]: ...


@overload
def task(fn: Callable[P, Coroutine[Any, Any, R]], /) -> Task[P, R, Callable[P, Coroutine[Any, Any, R]]]: ...
@overload
def task(fn: Callable[P, R], /) -> Task[P, R, Callable[P, R]]: ...
@overload
def task(**settings: Unpack[TaskSettings]) -> TaskDecorator: ...
def task(fn: Callable[..., object] | None = None, /, **settings: Unpack[TaskSettings]) -> object:
    """Make a task of a function, async or not: `@task`, or `@task(retry=Retry(attempts=3), timeout="5m")`.

    `name` is the function's own unless given. `retry` says whether and when to try again, `timeout` bounds one attempt, `at_most_once`
    never starts it a second time by itself, `max_crashes` is how often the process may die under it.
    Raises `DefinitionError`, naming the line, for options that make no sense.
    """

    def decorate(function: Callable[..., object]) -> Task[..., object, Callable[..., object]]:
        return Task(function, **settings)

    if fn is not None:
        return decorate(fn)
    _options(TaskOptions(), settings)
    return decorate


def _options(options: TaskOptions, changes: TaskSettings) -> TaskOptions:
    with places.naming_the_line():
        return dataclasses.replace(options, **changes)


def _checked(function: Function[F]) -> Function[F]:
    if functions.yields(function.fn):
        raise DefinitionError(f"task {function.name!r} yields: a task returns its result", places.user_place())
    for name, parameter in function.signature.parameters.items():
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise DefinitionError(
                f"task {function.name!r}: {name!r} is positional-only, but inputs are handed over by name", places.user_place()
            )
    return function


def _checked_name(name: str) -> str:
    if mistake := ids.misnamed(name, "task"):
        raise DefinitionError(f"{mistake}; give it one with task(name=...)", places.user_place())
    return name


def _shown(value: object) -> str:
    return f"the task {value.name!r} itself: call it first" if isinstance(value, Task) else repr(value)
