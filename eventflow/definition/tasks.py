"""`@task`: a function that pipelines are made of."""

from __future__ import annotations

import copy
import dataclasses
import inspect
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Generic, ParamSpec, Protocol, TypeAlias, TypedDict, TypeVar, Unpack, cast, overload

from eventflow import ids
from eventflow.context import running
from eventflow.definition import calls, checks, closing, functions, maps, places, tracing
from eventflow.definition.functions import Function
from eventflow.definition.graph import DEFAULT_RULE, Output
from eventflow.definition.loose import Loose
from eventflow.definition.options import HOOKS, MapOptions, PipelineOptions, Predicate, Rule, Skip, TaskOptions
from eventflow.definition.references import Reference, Source
from eventflow.definition.retries import Retry
from eventflow.definition.scopes import Group
from eventflow.definition.tracing import Trace
from eventflow.definition.uses import Use
from eventflow.durations import Duration
from eventflow.errors import DefinitionError

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F")


class TaskDefaults(TypedDict, total=False):
    """What can be said about all tasks of a pipeline: the fields of `TaskOptions` and `MapOptions` without the name."""

    retry: Retry | Sequence[Retry]
    timeout: Duration | None
    at_most_once: bool
    max_crashes: int
    rule: Rule | Predicate
    fallback: object
    skip: Skip | None
    uses: Mapping[str, float]
    limit: str | None
    queue_timeout: Duration | None
    on_success: Tasks
    on_failure: Tasks
    on_cancel: Tasks
    min_success: float
    max_active_items: int | None


class TaskSettings(TaskDefaults, total=False):
    """What can be said about a task beside its code."""

    name: str | None


class Task(Generic[P, R, F]):
    """A function that can be used in pipelines. Made by `@task`.

    Calling it in a pipeline's body adds a node and gives a reference, which type checkers see as the function's result. `fn` is the
    function itself, as it was written: call that in a unit test or from another task.
    """

    def __init__(self, fn: F, **settings: Unpack[TaskSettings]) -> None:
        function, name = _checked(Function(fn)), settings.get("name")
        self._said: Said = dict(settings)
        self._use = Use(function, _checked_name(function.name if name is None else name), **_resolved(self._said))
        self._last: tuple[Said, Use] | None = None
        self.fn: F = fn

    @property
    def name(self) -> str:
        """The name of its nodes, apart from the suffix of a second one."""
        return self._use.name

    @property
    def settings(self) -> TaskOptions:
        """How it is run, where a pipeline has no defaults of its own."""
        return self._use.options

    @property
    def fingerprint(self) -> str:
        """What changes when its code or its options change."""
        return self._use.fingerprint

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Add a node to the pipeline whose body is being traced. Anywhere else nothing is made before `DAG([...])` gathers the call.

        Raises `DefinitionError` in the body of a task that is running: call the function there, `load.fn(...)`.
        """
        trace = tracing.current()
        made = self._loose(args, kwargs) if trace is None else self._add(trace, args, kwargs, self._use.after)
        return cast("R", made)

    def map(self, *args: P.args, **kwargs: P.kwargs) -> list[R]:
        """Add a node that runs the task once per item of what is marked with `each(...)` or `across(...)`. Gives the list of the results.

            models = train.map(data=data, rate=each(rates))

        Each item is a node of its own, `train[0]`, with its own state, retries and logs. The lists may be known only at run time.
        """
        trace = tracing.expected(f"map() of task {self.name!r}")
        use = self.used(trace.scope.defaults)
        return cast("list[R]", closing.with_hooks(trace, use, maps.of_task(use, args, kwargs)))

    def teardown(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Add a node that closes what other nodes opened: those that it takes its arguments from.

            cluster = start()
            train(cluster)
            stop.teardown(cluster)

        It runs when all that use the cluster have ended, however they did, also when the run is cancelled, and before the run ends.
        """
        trace = tracing.expected(what := f"teardown() of task {self.name!r}")
        closing.teardown(trace, closing_uses(what, [self], trace.scope.defaults)[0], args, kwargs)

    def after(self, *references: object) -> Task[P, R, F]:
        """Give the task for one use that starts only when the nodes behind some references have succeeded, without taking their values."""
        taken: list[Reference | Group] = []
        for reference in references:
            if not isinstance(reference, Reference | Group):
                message = f"after() of task {self.name!r} takes what other tasks gave in this body, not {_shown(reference)}"
                raise DefinitionError(message, places.user_place())
            taken.append(reference)
        return self._with(dataclasses.replace(self._use, after=(*self._use.after, *taken)))

    def options(self, **settings: Unpack[TaskSettings]) -> Task[P, R, F]:
        """Give the task with other options, for one use. A name given here is the node's own: using it twice is a mistake."""
        said, name = {**self._said, **settings}, settings.get("name")
        use = dataclasses.replace(self._use, **_resolved(said))
        other = self._with(use if name is None else dataclasses.replace(use, name=_checked_name(name), is_fixed=True))
        other._said = said  # noqa: SLF001  # of this class
        return other

    def used(self, defaults: Said) -> Use:
        """Give what nodes are made of in a pipeline with defaults: what the task says itself comes before these."""
        if not defaults:
            return self._use
        if self._last is None or self._last[0] is not defaults:  # a body uses the same task many times, under the same defaults
            self._last = (defaults, dataclasses.replace(self._use, **_resolved(self._said, defaults)))
        return self._last[1]

    def mention(self) -> object:
        """Add a node without inputs, as `chain(...)` and `>>` do for a task that is written without a call."""
        needed = ", ".join(self._use.function.required)
        if needed:
            message = f"task {self.name!r} needs {needed}: call it, {self._use.function.name}(...), and put in order what that gives"
            raise DefinitionError(message, places.user_place())
        return self._add(tracing.expected(f"the order of task {self.name!r}"), (), {}, self._use.after)

    def __rshift__(self, later: object) -> Any:
        """Have what is later wait for this: `load >> [clean, check]`, in a pipeline's body or block. Gives what is later."""
        return tracing.expected("the order >>").order(self, later)

    def __rrshift__(self, earlier: object) -> Any:
        return tracing.expected("the order >>").order(earlier, self)

    def __repr__(self) -> str:
        return f"<task {self.name}>"

    def _add(self, trace: Trace, args: tuple[object, ...], kwargs: Mapping[str, object], after: tuple[Reference | Group, ...]) -> Reference:
        use = self.used(trace.scope.defaults)
        use = use if after is use.after else dataclasses.replace(use, after=after)
        return closing.with_hooks(trace, use, trace.add(use, args, kwargs))

    def _loose(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Reference:
        where, function = places.user_place(), self._use.function
        instead = f"call it in a @pipeline function, or call its function, {function.name}.fn(...)"
        if running.get() is not None:
            raise DefinitionError(f"task {self.name!r} is called in the body of a task that is running: {instead}", where)
        told = f"task {self.name!r} was called outside a pipeline's body ({where}): {instead}"
        call = Loose(self.name, where, told, args, kwargs, self._use.after, self._add)
        calls.arguments(call, function.signature, args, kwargs, f"task {self.name!r}")
        return Reference(Source(call, Output(self.name), function.result))

    def _with(self, use: Use) -> Task[P, R, F]:
        other = copy.copy(self)
        other._use, other._last = use, None  # noqa: SLF001  # of this class
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

    `name` is the function's own unless given. `retry` says whether and when to try again, by one `Retry` or the first that fits of several.
    `timeout` bounds one attempt. `at_most_once` never starts it a second time by itself. `max_crashes` is how often the process may die
    under it. `rule` says after which endings of what it depends on it runs. `skip="pass-through"` hands on its first input where it is
    skipped. `fallback`, a value or a task with the same inputs, takes the place of a failure. `uses` are amounts of the project's
    resources, `limit="30/m"` bounds how many start in a time, `queue_timeout` how long it may wait for these. `on_success`, `on_failure`
    and `on_cancel` are tasks that run when it has ended so, each given an `Ended` if it takes one. `min_success` and `max_active_items`
    are for `.map(...)`.

    Raises `DefinitionError`, naming the line, for options that make no sense.
    """

    def decorate(function: Callable[..., object]) -> Task[..., object, Callable[..., object]]:
        return Task(function, **settings)

    if fn is not None:
        return decorate(fn)
    _resolved(dict(settings))
    return decorate


def check_defaults(defaults: Said) -> None:
    """Raise `DefinitionError` for what can't be a pipeline's defaults."""
    with places.naming_the_line():
        checks.names("default of a pipeline's tasks", defaults, TaskDefaults.__annotations__)
    _resolved(defaults)


def closing_uses(what: str, tasks: Iterable[object], defaults: Said) -> tuple[Use, ...]:
    """Give the uses of tasks that run at an end, in a pipeline with defaults. Raises `DefinitionError` for what is no task.

    `what` has them. Defaults about values and about other nodes don't hold for them.
    """
    uses = tuple(_as_task(what, one).used(_of_no_node(defaults)) for one in tasks)
    for use in uses:
        if use.rule != DEFAULT_RULE:
            instead = f"leave it away, as in .options(rule={DEFAULT_RULE!r})"
            raise DefinitionError(f"{what}: {use.name!r} has a rule, but runs whatever happened before: {instead}", places.user_place())
    return uses


def hook_uses(what: str, options: TaskOptions | PipelineOptions, defaults: Said) -> tuple[tuple[str, Use], ...]:
    """Give the uses of all hooks, each with what it is for. Raises `DefinitionError` for what can't be a hook."""
    found: list[tuple[str, Use]] = []
    for name in HOOKS:
        uses = closing_uses(f"{name} of {what}", getattr(options, name), defaults)
        found += [(name.removeprefix("on_"), _checked_hook(f"{name} of {what}", use)) for use in uses]
    return tuple(found)


def _resolved(said: Said, defaults: Said = MappingProxyType({})) -> dict[str, Any]:
    """Give what a use is made of: what was said, before a pipeline's defaults, before what is built in."""
    merged = {name: value for name, value in defaults.items() if name not in _contradicted(said)} | dict(said)
    with places.naming_the_line():
        checks.names("option of a task", merged, TaskSettings.__annotations__)
        merged.pop("name", None)
        items = MapOptions(**{name: merged.pop(name) for name in _OF_ITEMS if name in merged})
        options = TaskOptions(**merged)
    hooks = hook_uses("a task", options, defaults)
    return {"options": options, "items": items, "fallback": _fallback(options.fallback, defaults), "hooks": hooks}


def _contradicted(said: Said) -> tuple[str, ...]:
    """Name the defaults that can't stand beside what a task says itself."""
    if said.get("at_most_once"):
        return ("retry",)
    return ("at_most_once",) if "retry" in said else ()


def _fallback(value: object, defaults: Said) -> Use | None:
    if isinstance(value, Task):
        return cast("AnyTask", value).used(_of_no_node(defaults))
    if isinstance(value, Reference):
        raise DefinitionError(f"fallback is a plain value or a task, not {value!r}, which is known only at run time", places.user_place())
    if inspect.isroutine(value):
        raise DefinitionError(f"fallback is a value or a task, not {value!r}: decorate the function with @task", places.user_place())
    return None


def _of_no_node(defaults: Said) -> Said:
    return {name: value for name, value in defaults.items() if name not in _ABOUT_NODES}


def _as_task(what: str, value: object) -> AnyTask:
    if isinstance(value, Task):
        return cast("AnyTask", value)
    raise DefinitionError(f"{what} takes tasks, not {value!r}: decorate a function with @task", places.user_place())


def _checked_hook(what: str, use: Use) -> Use:
    if len(use.function.required) > 1:
        needed = ", ".join(use.function.required)
        message = f"{what}: {use.name!r} needs {needed}, but a hook is given one thing, an eventflow.Ended: give the others defaults"
        raise DefinitionError(message, places.user_place())
    if use.hooks:
        instead = "give a hook none, as in .options(on_success=[], on_failure=[], on_cancel=[])"
        raise DefinitionError(f"{what}: {use.name!r} has hooks itself, which would never end: {instead}", places.user_place())
    return use


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


AnyTask: TypeAlias = Task[..., Any, Any]
Tasks: TypeAlias = AnyTask | Sequence[AnyTask]
Said: TypeAlias = Mapping[str, Any]
"""Options that were given explicitly, by name."""

_OF_ITEMS = ("min_success", "max_active_items")
_ABOUT_NODES = ("rule", "fallback", "skip", *HOOKS, *_OF_ITEMS)
