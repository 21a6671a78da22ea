"""`run_pipeline`: a node that has another pipeline run, as a run of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, ParamSpec, TypedDict, TypeVar, Unpack, overload

from eventflow import ids
from eventflow.definition import calls, checks, places, tracing
from eventflow.definition.bodies import ChildBody
from eventflow.definition.functions import Function
from eventflow.definition.graph import Binding, Child, Node
from eventflow.definition.pipelines import Pipeline
from eventflow.definition.references import Reference
from eventflow.definition.scopes import Group
from eventflow.definition.tracing import Trace
from eventflow.errors import DefinitionError

P = ParamSpec("P")
R = TypeVar("R")
Key = str | Callable[[Mapping[str, Any]], str]


class ChildSettings(TypedDict, total=False):
    """What `run_pipeline` takes beside a pipeline and whether to wait for its run."""

    key: Key | None
    name: str | None
    after: Iterable[object]


@overload
def run_pipeline(pipeline: Pipeline[P, R], /, *, wait: Literal[True] = True, **settings: Unpack[ChildSettings]) -> Callable[P, R]: ...
@overload
def run_pipeline(pipeline: Pipeline[P, R], /, *, wait: Literal[False], **settings: Unpack[ChildSettings]) -> Callable[P, str]: ...
def run_pipeline(
    pipeline: Pipeline[P, Any], /, *, wait: bool = True, key: Key | None = None, name: str | None = None, after: Iterable[object] = ()
) -> Callable[P, Any]:
    """Have another pipeline run, as a run of its own.

        score = run_pipeline(retrain, key="nightly")(path)

    With `wait` it gives that run's result and fails if that fails; without, it gives that run's id as soon as it is there. Either way that
    run is cancelled with the one that began it. `key` makes it the one run of its pipeline with that key: a text, or a function of the
    arguments by name. `after` are nodes and groups that it waits for.
    """
    _check(pipeline, key, name)
    written = f"run_pipeline({pipeline.name})"
    result = Function(pipeline.fn).result if wait else str

    def call(*args: P.args, **kwargs: P.kwargs) -> Any:
        trace = tracing.expected(written)
        waited = trace.waited([after] if isinstance(after, Reference | Group) else after, f"after of {written}")
        node = Node("", "", _inputs(trace, pipeline, args, kwargs), waited, does=Child(pipeline.name, wait))
        return trace.put(name or pipeline.name, node, ChildBody(pipeline, result, key), result, is_fixed=name is not None)

    return call


def _check(pipeline: object, key: object, name: object) -> None:
    if not isinstance(pipeline, Pipeline):
        message = f"run_pipeline(...) takes a pipeline, not {pipeline!r}: its arguments come behind, as in run_pipeline(retrain)(path)"
        raise DefinitionError(message, places.user_place())
    if name is not None and (mistake := ids.misnamed(name, "node")):
        raise DefinitionError(mistake, places.user_place())
    with places.naming_the_line():
        if callable(key):
            checks.function("key", key)
        elif key is not None and (not isinstance(key, str) or not key):
            raise ValueError(f"key is a text, or a function of the arguments by name, not {key!r}")


def _inputs(trace: Trace, pipeline: Pipeline[..., Any], args: tuple[object, ...], kwargs: Mapping[str, object]) -> dict[str, Binding]:
    what, wanted = f"pipeline {pipeline.name!r}", pipeline.parameters.annotations
    given = calls.arguments(trace, Function(pipeline.fn).signature, args, kwargs, what)
    return {name: trace.bind(value, wanted[name], f"argument {name!r} of {what}") for name, value in given.items()}
