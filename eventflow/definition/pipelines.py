"""`@pipeline`: a function whose body is traced once into a graph."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, ParamSpec, Self, TypedDict, TypeVar, Unpack, cast, overload

from eventflow import codec, ids
from eventflow.definition import checks, closing, functions, graph, order, places, tracing
from eventflow.definition.bodies import AnyBody
from eventflow.definition.functions import Function
from eventflow.definition.graph import Binding, Graph
from eventflow.definition.nesting import Nested, NestedSettings
from eventflow.definition.options import CodeChange, Overlap, PipelineOptions
from eventflow.definition.parameters import Parameters
from eventflow.definition.references import Reference
from eventflow.definition.steps import Steps, body_of
from eventflow.definition.tasks import Task, TaskDefaults, Tasks, check_defaults, closing_uses, hook_uses
from eventflow.definition.tracing import Trace
from eventflow.definition.written import Written
from eventflow.durations import Duration
from eventflow.errors import DefinitionError, InvalidRequest

P = ParamSpec("P")
R = TypeVar("R")


class PipelineSettings(TypedDict, total=False):
    """What can be said about a pipeline beside its body: the fields of `PipelineOptions`."""

    max_active_runs: int | None
    on_overlap: Overlap
    concurrency_key: Callable[[Mapping[str, Any]], object] | None
    timeout: Duration | None
    queue_timeout: Duration | None
    pause_after: int | None
    on_code_change: CodeChange
    tags: Sequence[str]
    description: str
    owner: str
    defaults: TaskDefaults
    finally_: Tasks
    on_success: Tasks
    on_failure: Tasks
    on_cancel: Tasks


@dataclass(frozen=True)
class Definition:
    """What tracing a pipeline gives: its checked graph with its version, and the functions behind the nodes, by path.

    `result` is the annotation of what the pipeline returns, `Any` where there is none.
    """

    graph: Graph
    version: str
    bodies: Mapping[str, AnyBody]
    parameters: Parameters
    result: object


class Pipeline(Generic[P, R]):
    """A named graph of tasks, with typed parameters. Made by `@pipeline`; of steps, each taking what the last one gave; or in a block.

        Pipeline("etl", steps=[("collect", collect), ("clean", clean)])

        with Pipeline("etl") as etl:
            etl.chain(collect, [clean, check], store)

    The first step takes the pipeline's parameters. `where` is the `file:line` of the definition.
    """

    @overload
    def __init__(self, name: str, body: Callable[P, R], /, **settings: Unpack[PipelineSettings]) -> None: ...
    @overload
    def __init__(self: Pipeline[..., object], name: str, /, *, steps: Steps, **settings: Unpack[PipelineSettings]) -> None: ...
    @overload
    def __init__(self: Pipeline[[], None], name: str, /, **settings: Unpack[PipelineSettings]) -> None: ...
    def __init__(
        self, name: str, body: Callable[..., Any] | None = None, /, *, steps: Steps | None = None, **settings: Unpack[PipelineSettings]
    ) -> None:
        if body is not None and steps is not None:
            raise DefinitionError(f"pipeline {name!r} is made of a function or of steps: give one of the two", places.user_place())
        self.name = _checked_name(name)
        self.settings = _options(name, settings)
        self._block = Written(name) if body is None and steps is None else None
        self._function = self._block.function if self._block else Function(_body(name, body, steps))
        self.fn: Callable[P, R] = self._function.fn
        self._made = None if body is not None else places.user_place()
        self.where = self._made or places.of_function(self.fn) or "?"
        self._definition: Definition | None = None
        self._parameters: Parameters | None = None

    @property
    def definition(self) -> Definition:
        """The graph and all that belongs to it. Traced at first use. Raises `DefinitionError` for every mistake in the body."""
        if self._definition is None:
            self._definition = self._traced()
        return self._definition

    @property
    def parameters(self) -> Parameters:
        """What the pipeline takes."""
        if self._parameters is None:
            self._parameters = Parameters(self.name, self._function, self.where)
        return self._parameters

    def bind(self, *args: P.args, **kwargs: P.kwargs) -> Call[R]:
        """Give the pipeline with arguments, ready to be submitted. Raises `ParameterError` for arguments that don't fit."""
        arguments = self.parameters.encode(self.parameters.positional(args, kwargs))
        return Call(self, arguments)

    def run(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the pipeline here and now and give its result, leaving no trace.

        Raises `ParameterError`, `RunFailed` or `RunCancelled`. Inside a running event loop use `await engine.submit(...)`.
        """
        if (trace := tracing.current()) is not None:
            instead = f"call it, {self.name}(...), to have its nodes there, or run_pipeline({self.name})(...) for a run of its own"
            raise trace.mistake(f"pipeline {self.name!r} is run in the body of pipeline {trace.pipeline!r}: {instead}")
        from eventflow.embed import run  # noqa: PLC0415  # the one sanctioned upward call

        return run(self.bind(*args, **kwargs))

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Add all nodes of the pipeline, as a group, to the one whose body is being traced. Raises `DefinitionError` anywhere else."""
        return self._nested()(*args, **kwargs)

    def map(self, *args: P.args, **kwargs: P.kwargs) -> list[R]:
        """Run the pipeline's graph once per item of what is marked with `each(...)` or `across(...)`. Gives the list of the results."""
        return self._nested().map(*args, **kwargs)

    def options(self, **settings: Unpack[NestedSettings]) -> Nested[P, R]:
        """Give the pipeline with a name or other options for one use in the body of another one, where it can be called or mapped."""
        return self._nested().options(**settings)

    def __enter__(self) -> Self:
        """Open the block of a pipeline that has neither a function nor steps: what is called in it becomes its nodes."""
        if self._block is None:
            raise DefinitionError(f"pipeline {self.name!r} is made of a function or of steps: it has no block", places.user_place())
        self._block.open(Trace(self.name, self._function, defaults=self.settings.defaults))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._block is None:
            return
        self._block.close(error)
        if error is None:
            try:
                self._definition = self._defined(self._block.trace(), None)
            except DefinitionError as mistake:
                self._block.close(mistake)
                raise

    def chain(self, *links: object) -> None:
        """Put nodes in order, each behind the one before, without handing values on: `etl.chain(collect, [clean, check], store)`.

        A link is what a task gave, a group, a task that needs no inputs (called on the spot, once), or a list of these. Only in the
        pipeline's own block or body.
        """
        trace = tracing.expected(f"chain() of pipeline {self.name!r}")
        if not trace.traces(self._function):
            raise trace.mistake(f"chain() of pipeline {self.name!r} is called in the body of pipeline {trace.pipeline!r}: call that one's")
        order.chain(trace, links)

    def __repr__(self) -> str:
        return f"<pipeline {self.name}>"

    def _nested(self) -> Nested[P, R]:
        return Nested(self, self._function)

    def _traced(self) -> Definition:
        if self._block is not None:
            return self._defined(self._block.trace(), None)
        around = tracing.current()
        if around is not None and around.traces(self._function):
            raise DefinitionError(f"pipeline {self.name!r} asks for its own definition while it is being traced", places.user_place())
        _ = self.parameters  # a mistake in these comes first
        trace = Trace(self.name, self._function, self._made, self.settings.defaults)
        return self._defined(trace, trace.follow())

    def _defined(self, trace: Trace, result: Binding | None) -> Definition:
        if not trace.nodes:
            raise DefinitionError(f"pipeline {self.name!r} has no tasks: its body calls none", self.where)
        try:
            whole = self._closed(trace, result)
        except DefinitionError as error:  # of the whole, which isn't written in one line
            raise DefinitionError(error.message, self.where) from error
        return Definition(whole, codec.digest(graph.encode(whole)), trace.bodies, self.parameters, self._function.result)

    def _closed(self, trace: Trace, result: Binding | None) -> Graph:
        what, options = f"pipeline {self.name!r}", self.settings
        finally_ = closing_uses(f"finally_ of {what}", options.finally_, options.defaults)
        closing.close(trace, finally_, hook_uses(what, options, options.defaults))
        return graph.ordered(Graph(self.name, tuple(trace.nodes.values()), result))


@dataclass(frozen=True)
class Call(Generic[R]):
    """A pipeline with its arguments, which are the canonical JSON of an object that holds every parameter."""

    pipeline: Pipeline[..., R]
    arguments: bytes


def checked_call(call: object) -> Call[Any]:
    """Give a call as it is. Raises `InvalidRequest` for anything else, such as the pipeline itself."""
    if isinstance(call, Call):
        return cast("Call[Any]", call)
    instead = "a pipeline with its arguments, as in retrain.bind(path=...)"
    if isinstance(call, Pipeline):
        instead = f"{call.name}.bind(...)"
    elif isinstance(call, Reference):
        instead = "DAG([...]).bind(), which gathers tasks that were called outside a pipeline's body"
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
    `max_active_runs` bounds how many runs are active at once, of the same `concurrency_key(arguments by name)` if there is one;
    `on_overlap` says what becomes of others. `timeout` bounds a run's own time, `queue_timeout` its wait. After `pause_after` failed runs
    in a row the pipeline is paused. `defaults` are options of tasks that don't say otherwise. `finally_` are tasks that run at the end
    whatever happened; `on_success`, `on_failure` and `on_cancel` when a run has ended so, each given an `Ended` if it takes one.
    `on_code_change="hold"` has unfinished runs wait for a person where the code has changed.
    """
    name = settings.pop("name", None)
    rest = cast("PipelineSettings", settings)

    def decorate(function: Callable[P, R]) -> Pipeline[P, R]:
        return Pipeline(name if name is not None else Function(function).name, function, **rest)

    if body is not None:
        return decorate(body)
    _options(name or "?", rest)
    return decorate


def _options(name: str, settings: PipelineSettings) -> PipelineOptions:
    with places.naming_the_line():
        checks.names("option of a pipeline", settings, PipelineSettings.__annotations__)
        options = PipelineOptions(**cast("dict[str, Any]", settings))
    check_defaults(options.defaults)
    what = f"pipeline {name!r}"
    hook_uses(what, options, options.defaults)
    for use in closing_uses(f"finally_ of {what}", options.finally_, options.defaults):
        if needed := ", ".join(use.function.required):
            message = f"finally_ of {what}: {use.name!r} needs {needed}, but is given nothing: give it defaults, or call it in the body"
            raise DefinitionError(message, places.user_place())
    return options


def _body(name: str, body: Callable[..., Any] | None, steps: Steps | None) -> Callable[..., Any]:
    return _checked_body(name, body) if body is not None else body_of(name, steps or ())


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
