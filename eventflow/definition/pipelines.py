"""`@pipeline`: a function whose body is traced once into a graph."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NoReturn, ParamSpec, TypedDict, TypeVar, Unpack, cast, overload

from eventflow import codec, ids
from eventflow.definition import annotations, functions, graph, places, tracing
from eventflow.definition.bodies import Body
from eventflow.definition.functions import Function
from eventflow.definition.graph import Graph
from eventflow.definition.options import PipelineOptions
from eventflow.definition.parameters import Parameters
from eventflow.definition.tasks import Task
from eventflow.definition.tracing import Trace
from eventflow.errors import DefinitionError, InvalidRequest

P = ParamSpec("P")
R = TypeVar("R")

Steps = Sequence[tuple[str, Callable[..., object]]]


class PipelineSettings(TypedDict, total=False):
    """What can be said about a pipeline beside its body: the fields of `PipelineOptions`."""

    max_active_runs: int | None
    tags: Sequence[str]
    description: str


@dataclass(frozen=True)
class Definition:
    """What tracing a pipeline gives: its checked graph with its version, and the functions behind the nodes, by name.

    `result` is the annotation of what the pipeline returns, `Any` where there is none.
    """

    graph: Graph
    version: str
    bodies: Mapping[str, Body]
    parameters: Parameters
    result: object


class Pipeline(Generic[P, R]):
    """A named graph of tasks, with typed parameters. Made by `@pipeline`, or of steps, each of which takes what the last one gave.

        Pipeline("etl", steps=[("collect", collect), ("clean", clean)])

    The first step takes the pipeline's parameters. `where` is the `file:line` of the definition.
    """

    @overload
    def __init__(self, name: str, body: Callable[P, R], /, **settings: Unpack[PipelineSettings]) -> None: ...
    @overload
    def __init__(self: Pipeline[..., object], name: str, /, *, steps: Steps, **settings: Unpack[PipelineSettings]) -> None: ...
    def __init__(
        self, name: str, body: Callable[..., Any] | None = None, /, *, steps: Steps | None = None, **settings: Unpack[PipelineSettings]
    ) -> None:
        if (body is None) is (steps is None):
            raise DefinitionError(f"pipeline {name!r} is made of a function or of steps: give one of the two", places.user_place())
        self.name = _checked_name(name)
        self.settings = _options(settings)
        self.fn: Callable[P, R] = _checked_body(name, body) if body is not None else _chain(name, steps or ())
        self._function = Function(self.fn)
        self._made = None if body is not None else places.user_place()
        self.where = self._made or places.of_function(self.fn) or "?"
        self._definition: Definition | None = None

    @property
    def definition(self) -> Definition:
        """The graph and all that belongs to it. Traced at first use. Raises `DefinitionError` for every mistake in the body."""
        if self._definition is None:
            self._definition = self._traced()
        return self._definition

    @functools.cached_property
    def parameters(self) -> Parameters:
        """What the pipeline takes."""
        return Parameters(self.name, self._function, self.where)

    def bind(self, *args: P.args, **kwargs: P.kwargs) -> Call[R]:
        """Give the pipeline with arguments, ready to be submitted. Raises `ParameterError` for arguments that don't fit."""
        arguments = self.parameters.encode(self.parameters.positional(args, kwargs))
        return Call(self, arguments)

    def run(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the pipeline here and now and give its result, leaving no trace.

        Raises `ParameterError`, `RunFailed` or `RunCancelled`. Inside a running event loop use `await engine.submit(...)`.
        """
        if tracing.current() is not None:
            raise self._called()
        from eventflow.embed import run  # noqa: PLC0415  # the one sanctioned upward call

        return run(self.bind(*args, **kwargs))

    if not TYPE_CHECKING:  # so that type checkers refuse the call too

        def __call__(self, *_: object, **__: object) -> NoReturn:
            """Raise a `DefinitionError` that says what to write instead."""
            raise self._called()

    def __repr__(self) -> str:
        return f"<pipeline {self.name}>"

    def _called(self) -> DefinitionError:
        trace, called = tracing.current(), f"pipeline {self.name!r} is called"
        if trace is None:
            instead = f": use {self.name}.run(...), or submit {self.name}.bind(...)"
        else:
            instead = f" in the body of pipeline {trace.pipeline!r}: call its tasks there, or a function that calls them"
        return DefinitionError(called + instead, places.user_place())

    def _traced(self) -> Definition:
        around = tracing.current()
        if around is not None and around.traces(self._function):
            raise DefinitionError(f"pipeline {self.name!r} asks for its own definition while it is being traced", places.user_place())
        parameters = self.parameters
        trace = Trace(self.name, self._function, self._made)
        result = trace.follow()
        if not trace.nodes:
            raise DefinitionError(f"pipeline {self.name!r} has no tasks: its body calls none", self.where)
        whole = graph.ordered(Graph(self.name, tuple(trace.nodes.values()), result))
        return Definition(whole, codec.digest(graph.encode(whole)), trace.bodies, parameters, self._function.result)


@dataclass(frozen=True)
class Call(Generic[R]):
    """A pipeline with its arguments, which are the canonical JSON of an object that holds every parameter."""

    pipeline: Pipeline[..., R]
    arguments: bytes


def checked_call(call: object) -> Call[Any]:
    """Give a call as it is. Raises `InvalidRequest` for anything else, such as the pipeline itself."""
    if isinstance(call, Call):
        return cast("Call[Any]", call)
    instead = f"{call.name}.bind(...)" if isinstance(call, Pipeline) else "a pipeline with its arguments, as in retrain.bind(path=...)"
    raise InvalidRequest(f"{call!r} can't be submitted: give {instead}")


class NamedPipelineSettings(PipelineSettings, total=False):
    """What `@pipeline(...)` takes."""

    name: str | None


@overload
def pipeline(body: Callable[P, R], /) -> Pipeline[P, R]: ...
@overload
def pipeline(**settings: Unpack[NamedPipelineSettings]) -> Callable[[Callable[P, R]], Pipeline[P, R]]: ...
def pipeline(body: Callable[..., object] | None = None, /, **settings: Unpack[NamedPipelineSettings]) -> object:
    """Make a pipeline of a function: `@pipeline`, or `@pipeline(max_active_runs=1, tags=["ml"])`.

    The body is traced once, at first use: calls of tasks in it become nodes. `name` is the function's own unless given.
    `max_active_runs` bounds how many runs are active at once; the others wait.
    """
    name = settings.pop("name", None)
    rest = cast("PipelineSettings", settings)

    def decorate(function: Callable[P, R]) -> Pipeline[P, R]:
        return Pipeline(name if name is not None else Function(function).name, function, **rest)

    if body is not None:
        return decorate(body)
    _options(rest)
    return decorate


def _options(settings: PipelineSettings) -> PipelineOptions:
    with places.naming_the_line():
        options = PipelineOptions(**cast("dict[str, Any]", settings))
        return PipelineOptions(options.max_active_runs, tuple(options.tags), options.description)


def _checked_name(name: str) -> str:
    if mistake := ids.misnamed(name, "pipeline"):
        raise DefinitionError(f"{mistake}; give it one with @pipeline(name=...)", places.user_place())
    return name


def _checked_body(name: str, body: Callable[P, R]) -> Callable[P, R]:
    if isinstance(body, Task):
        raise DefinitionError(f"pipeline {name!r} is made of a task: write a function that calls it", places.user_place())
    if inspect.iscoroutinefunction(body):
        raise DefinitionError(f"pipeline {name!r} is an async function: write def, its tasks may be async", places.user_place())
    if functions.yields(body):
        raise DefinitionError(f"pipeline {name!r} yields: return the result", places.user_place())
    return body


def _chain(name: str, steps: Steps) -> Callable[..., Any]:
    first, *others = tasks = _as_tasks(name, steps)

    @functools.wraps(first.fn)
    def chain(*args: object, **kwargs: object) -> object:
        value = first(*args, **kwargs)
        for step in others:
            value = step(value)
        return value

    chain.__annotations__ = annotations.of_function(first.fn) | {"return": Function(tasks[-1].fn).result}
    return chain


def _as_tasks(name: str, steps: Steps) -> list[Task[..., object, Callable[..., object]]]:
    tasks: dict[str, Task[..., object, Callable[..., object]]] = {}
    for step, fn in _pairs(name, steps):
        if step in tasks:
            raise DefinitionError(f"pipeline {name!r} has two steps named {step!r}", places.user_place())
        if isinstance(fn, Task):
            tasks[step] = cast("Task[..., object, Callable[..., object]]", fn).options(name=step)
        else:
            tasks[step] = Task(fn, name=step)
    return list(tasks.values())


def _pairs(name: str, steps: Steps) -> Steps:
    if not steps or not all(isinstance(step, tuple) and len(step) == 2 for step in steps):  # pyright: ignore[reportUnnecessaryIsInstance]
        message = f'pipeline {name!r}: steps is a list of names with functions, as in [("load", load), ("clean", clean)]'
        raise DefinitionError(message, places.user_place())
    return steps
