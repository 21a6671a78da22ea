"""`DAG([...])`: a pipeline of tasks that were called outside of any body."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Unpack, cast

import msgspec

from eventflow.definition import places, tracing
from eventflow.definition.loose import Loose
from eventflow.definition.pipelines import Pipeline, PipelineSettings
from eventflow.definition.references import Reference, Source
from eventflow.definition.tasks import Task
from eventflow.definition.tracing import Trace
from eventflow.errors import DefinitionError

Placed = dict[Loose, Reference]
"""The nodes of the calls that have become nodes."""


class DAG(Pipeline[[], object]):
    """A pipeline that gathers tasks called outside of any body, and all that these depend on.

        data = load(Path("in.csv"))
        DAG([report(data), store(data)], name="nightly")

    It has no parameters. Its result is the value of the last one given.
    """

    def __init__(self, references: Iterable[object], *, name: str = "dag", **settings: Unpack[PipelineSettings]) -> None:
        super().__init__(name, _gathering(_checked(name, references)), **settings)
        self.where = self._made = places.user_place() or "?"


def _checked(name: str, references: Iterable[object]) -> list[Reference]:
    given = [references] if isinstance(references, Reference | Task) else list(references)
    for one in given:
        if not isinstance(one, Reference) or not isinstance(one.__source__.trace, Loose):
            told = f"the task {one.name!r} itself: call it" if isinstance(one, Task) else repr(one)
            instead = "DAG([...]) takes what tasks gave that were called outside of any pipeline's body"
            raise DefinitionError(f"pipeline {name!r}: {instead}, not {told}", places.user_place())
    if not given:
        raise DefinitionError(f"pipeline {name!r}: DAG([]) is empty: give it what its last tasks gave", places.user_place())
    return cast("list[Reference]", given)


def _gathering(references: list[Reference]) -> Callable[[], object]:
    def gather() -> object:
        trace, placed = tracing.expected("a DAG"), Placed()
        for loose in _in_order(references):
            placed[loose] = _added(trace, loose, placed)
        return _replaced(references[-1], placed)

    gather.__annotations__ = {"return": references[-1].__source__.annotation}
    return gather


def _in_order(references: list[Reference]) -> Iterator[Loose]:
    """Give all calls, each behind those that it depends on."""
    begun, done = set[Loose](), set[Loose]()
    ahead = list(_calls(references[::-1]))
    while ahead:
        loose = ahead[-1]
        if loose not in begun:
            begun.add(loose)
            ahead += [source for source in _sources(loose) if source not in begun][::-1]
        else:
            ahead.pop()
            if loose not in done:
                done.add(loose)
                yield loose


def _sources(loose: Loose) -> list[Loose]:
    return list(_calls([*loose.args, *loose.kwargs.values(), *loose.after]))


def _calls(value: object) -> Iterator[Loose]:
    if isinstance(value, Reference):
        if isinstance(value.__source__.trace, Loose):
            yield value.__source__.trace
    elif isinstance(value, list | tuple):
        for item in cast("list[object]", value):
            yield from _calls(item)
    elif isinstance(value, Mapping):
        yield from _calls(list(cast("Mapping[object, object]", value).values()))


def _added(trace: Trace, loose: Loose, placed: Placed) -> Reference:
    args = tuple(_replaced(value, placed) for value in loose.args)
    kwargs = {name: _replaced(value, placed) for name, value in loose.kwargs.items()}
    try:
        return cast("Reference", loose.add(trace, args, kwargs, tuple(_replaced(value, placed) for value in loose.after)))
    except DefinitionError as error:
        raise DefinitionError(error.message, loose.where) from error


def _replaced(value: object, placed: Placed) -> Any:
    """Give a value with nodes in place of calls."""
    if isinstance(value, Reference):
        return _placed(value, placed)
    if not any(_calls(value)):
        return value
    if isinstance(value, dict):
        return {key: _replaced(item, placed) for key, item in cast("dict[object, object]", value).items()}
    items = [_replaced(item, placed) for item in cast("list[object]", value)]
    return items if isinstance(value, list) else tuple(items)


def _placed(reference: Reference, placed: Placed) -> Reference:
    source = reference.__source__
    node = placed.get(source.trace) if isinstance(source.trace, Loose) else None
    if node is None:
        return reference
    found = cast("Any", node.__source__.binding)
    steps = (*found.steps, *cast("Any", source.binding).steps)
    return Reference(Source(node.__source__.trace, msgspec.structs.replace(found, steps=steps), source.annotation))
