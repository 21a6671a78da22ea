"""Maps: a task, or the graph of a whole pipeline, once per item of lists that may be known only at run time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from inspect import Signature, iscoroutinefunction
from typing import Any, cast

from eventflow.definition import annotations, calls, tracing
from eventflow.definition.axes import Axis
from eventflow.definition.bodies import AnyBody, MapBody
from eventflow.definition.graph import Binding, Map, Maybe, Node, Output, Parameter, joined
from eventflow.definition.options import MapOptions
from eventflow.definition.references import Reference, shown
from eventflow.definition.tracing import Trace
from eventflow.definition.uses import Use


@dataclass(frozen=True, slots=True)
class Mapped:
    """What is run for each item, `what` to people: its graph, the functions behind that by path, and how it is called.

    `inputs` are the annotations of what it takes, `gives` is that of its result.
    """

    what: str
    signature: Signature
    inputs: Mapping[str, object]
    gives: object
    nodes: tuple[Node, ...]
    result: Binding | None
    bodies: Mapping[str, AnyBody]
    options: MapOptions
    has_defaults: bool = False


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a map is given: a binding for each argument, and the numbers of those that are lists."""

    inputs: dict[str, Binding]
    axes: dict[str, int] = field(default_factory=dict[str, int])
    keyed: str | None = None
    key: Callable[[Any], object] | None = None


def of_task(use: Use, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Reference:
    """Add a node that runs a task for each item. Gives a reference to the list of the results."""
    what, function = f"map() of task {use.name!r}", use.function
    trace = tracing.expected(what)
    given = tuple(calls.arguments(trace, function.signature, args, kwargs, what))
    item = Node("", function.path, {name: Parameter(name) for name in given}, fingerprint=use.item_fingerprint, passes=use.passes)
    use.check_passing(trace, item.inputs)
    mapped = Mapped(what, function.signature, function.inputs, function.result, (item,), Output(""), {"": use.body}, use.items)
    after = trace.waited(use.after, f"after() of task {use.name!r}", rule=use.rule)
    node = Node("", function.path, after=after, fingerprint=use.fingerprint, rule=use.rule, passes=use.passes)
    return put(trace, use.name, node, mapped, args=args, kwargs=kwargs, is_fixed=use.is_fixed)


def put(
    trace: Trace, name: str, node: Node, mapped: Mapped, *, args: tuple[object, ...], kwargs: Mapping[str, object], is_fixed: bool
) -> Reference:
    """Add a node that runs what is mapped for each item of the lists among its arguments."""
    found = _arguments(trace, mapped, args, kwargs)
    does = Map(found.axes, mapped.nodes, mapped.result, keyed=found.key is not None)
    # A skipped map hands its first input on only where that is what it would give: one list, of the items' inputs.
    passes = node.passes and list(found.axes) == [next(iter(found.inputs))]
    node = Node("", node.task, found.inputs, node.after, node.fingerprint, does, rule=node.rule, passes=passes)
    body = MapBody(mapped.inputs, mapped.gives, mapped.options, found.keyed, found.key)
    kind: Any = mapped.gives
    reference = trace.put(name, node, body, list[kind], is_fixed=is_fixed)
    path = cast("Output", reference.__source__.binding).node
    trace.bodies.update({joined(f"{path}[]", inner): one for inner, one in mapped.bodies.items()})
    return reference


def _arguments(trace: Trace, mapped: Mapped, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Arguments:
    what = mapped.what
    given = calls.arguments(trace, mapped.signature, args, kwargs, what, filled=mapped.has_defaults)
    axes = {name: value for name, value in given.items() if isinstance(value, Axis)}
    if not axes:
        example = next((name for name in given if not name.startswith("*")), "items")
        raise trace.mistake(f"{what} has no list to go over: mark one with each(...), as in .map({example}=each(values))")
    keyed = [name for name, axis in axes.items() if axis.key is not None]
    if len(keyed) > 1:
        raise trace.mistake(f"{what}: both {keyed[0]!r} and {keyed[1]!r} have a key, but an item has one name: leave one away")
    inputs = {name: _bound(trace, value, mapped.inputs[name], f"argument {name!r} of {what}") for name, value in given.items()}
    _check_lengths(trace, axes, what)
    numbers = _numbered(axes, [*args, *kwargs.values()])
    return Arguments(inputs, numbers, keyed[0], axes[keyed[0]].key) if keyed else Arguments(inputs, numbers)


def _numbered(axes: Mapping[str, Axis], written: list[object]) -> dict[str, int]:
    zipped = [name for name, axis in axes.items() if not axis.is_own]
    places = {id(value): place for place, value in reversed(list(enumerate(written)))}
    own = sorted((name for name, axis in axes.items() if axis.is_own), key=lambda name: places[id(axes[name])])
    return dict.fromkeys(zipped, 0) | {name: number for number, name in enumerate(own, 1 if zipped else 0)}


def _bound(trace: Trace, value: object, annotation: object, what: str) -> Binding:
    if not isinstance(value, Axis):
        return trace.bind(value, annotation, what)
    if value.key is not None and (not callable(value.key) or iscoroutinefunction(value.key)):
        raise trace.mistake(f"{what}: key is a plain function that names an item, as in key=lambda item: item.name, not {value.key!r}")
    if isinstance(value.values, Axis):
        raise trace.mistake(f"{what}: {value.values.written}(...) stands inside {value.written}(...): leave one away")
    if isinstance(value.values, Reference):
        return _of_reference(trace, value.values, annotation, what)
    values, each = _listed(value), cast("Any", annotation)
    if values is None:
        kind, marker = type(value.values).__name__, value.written
        raise trace.mistake(f"{what}: {marker}(...) goes over a list, not over a {kind}: write {marker}(list(...)) or {marker}([...])")
    return trace.bind(values, list[each], what)


def _of_reference(trace: Trace, reference: Reference, annotation: object, what: str) -> Binding:
    source = reference.__source__
    name, kind = shown(source.binding), source.annotation
    if isinstance(source.binding, Maybe):
        raise trace.mistake(f"{what}: {name} may be None, which is no list: write one_of({shown(source.binding.item)}, [])")
    if annotations.is_no_list(kind):
        raise trace.mistake(f"{what}: {name!r} is {annotations.text(kind)}, which is no list: have a task give a list of its items")
    for item in annotations.items(kind):
        if annotations.clash(item, annotation):
            raise trace.mistake(f"{what} wants {annotations.text(annotation)}, but an item of {name!r} is {annotations.text(item)}")
    return trace.bind(reference, Any, what)


def _check_lengths(trace: Trace, axes: Mapping[str, Axis], what: str) -> None:
    lengths = dict(_lengths(axes))
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name!r} {length}" for name, length in lengths.items())
        raise trace.mistake(f"{what}: lists in each(...) are taken in step, so they have as many items ({told}): across(...) combines them")


def _lengths(axes: Mapping[str, Axis]) -> Iterator[tuple[str, int]]:
    for name, axis in axes.items():
        if not axis.is_own and (values := _listed(axis)) is not None:
            yield name, len(values)


def _listed(axis: Axis) -> list[object] | None:
    values = axis.values
    return None if isinstance(values, _NO_LISTS) or not isinstance(values, Collection) else list(cast("Collection[object]", values))


_NO_LISTS: tuple[type, ...] = (Reference, str, bytes, Mapping)
