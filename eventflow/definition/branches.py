"""Branches: `when` and `otherwise` open a block that may not run, `one_of` and `maybe` take values out of such blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any, TypeVar, cast, overload

import msgspec

from eventflow import codec, ids
from eventflow.definition import annotations, tracing
from eventflow.definition.bodies import BranchBody
from eventflow.definition.graph import Attribute, Binding, Branch, Maybe, Node, OneOf, Output, Parameter, leaves, parts
from eventflow.definition.parameters import as_annotated
from eventflow.definition.references import Reference, Source, shown
from eventflow.definition.scopes import Decided
from eventflow.definition.tracing import Trace
from eventflow.errors import ValueNotStorable

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
F = TypeVar("F")
T = TypeVar("T")

_PLAIN: tuple[type, ...] = (bool, int, float, str, list, dict)
"""What needs no annotation to be stored."""


class Block:
    """The block of a branch: what is called in it runs only if the branch is taken. Made by `when(...)` and `otherwise()`."""

    def __init__(self, value: object, matches: tuple[object, ...], *, is_otherwise: bool) -> None:
        self._value = value
        self._matches = matches
        self._is_otherwise = is_otherwise
        self._stack = ExitStack()

    def __enter__(self) -> bool:
        """Open the block. Gives a reference to whether it is taken."""
        trace = tracing.expected("otherwise()" if self._is_otherwise else "when(...)")
        taken = _otherwise(trace, self._stack) if self._is_otherwise else _when(trace, self._value, self._matches, self._stack)
        return cast("bool", taken)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()


def when(value: object, *matches: object) -> Block:
    """Open a block that runs only if a value is as wanted: with what it equals, or, without `matches`, if it is truthy.

    with when(verdict, "improved"):
        new = deploy(model)

    A value equals one of `matches` also where it is a list that holds one. If the block doesn't run, all in it is skipped, and so is what
    needs that: take values out of the block with `one_of(...)` or `maybe(...)`. Raises `DefinitionError` for a match that the value's
    annotation rules out.
    """
    return Block(value, matches, is_otherwise=False)


def otherwise() -> Block:
    """Open a block that runs only if none of the `when` blocks right before it does, which decide on the same value.

    with when(verdict, "improved"):
        deploy(model)
    with otherwise():
        keep(verdict)
    """
    return Block(None, (), is_otherwise=True)


@overload
def one_of(first: A, /) -> A: ...
@overload
def one_of(first: A, second: B, /) -> A | B: ...
@overload
def one_of(first: A, second: B, third: C, /) -> A | B | C: ...
@overload
def one_of(first: A, second: B, third: C, fourth: D, /) -> A | B | C | D: ...
@overload
def one_of(first: A, second: B, third: C, fourth: D, fifth: E, /) -> A | B | C | D | E: ...
@overload
def one_of(first: A, second: B, third: C, fourth: D, fifth: E, sixth: F, /, *others: F) -> A | B | C | D | E | F: ...
def one_of(*values: object) -> object:
    """Take the first value that is there, of several branches: `one_of(new, old)`. Where none is, what takes it is skipped.

    The last one may be a plain value, for when no branch has run.
    """
    trace = tracing.expected("one_of(...)")
    if not values:
        raise trace.mistake("one_of() takes the values of several branches, as in one_of(new, old)")
    found = [_alternative(trace, value, is_last=number == len(values)) for number, value in enumerate(values, 1)]
    kinds = annotations.union(kind for _, kind in found)
    return Reference(Source(trace, OneOf(tuple(binding for binding, _ in found)), kinds))


def maybe(value: T, /) -> T | None:
    """Take a value out of a branch, or None where the branch, or the node itself, didn't run to a good end."""
    trace = tracing.expected("maybe(...)")
    source = _source(value)
    if source is None:
        raise trace.mistake(f"maybe(...) takes what a task gave, not {value!r}")
    if isinstance(source.binding, Maybe):
        return value
    return cast("T", Reference(Source(source.trace, Maybe(source.binding), annotations.union((source.annotation, type(None))))))


def _when(trace: Trace, value: object, matches: tuple[object, ...], block: ExitStack) -> Reference:
    source = _source(value)
    kind = source.annotation if source else Any
    binding = trace.bind(value, kind, f"when({_named(value)})")
    written = f"when({', '.join([_named(value), *map(repr, matches)])})"
    stored = [_match(trace, match, kind, written) for match in matches]
    does = Branch(stored or None)
    before = [one for one in trace.scope.decided if one.value == binding]
    taken = trace.put(_name(binding), Node("", "", {"value": binding}, does=does), BranchBody(kind), bool)
    scope = trace.scope
    scope.decided[:] = [*before, Decided(_open(trace, taken, written, block), binding)]
    return taken


def _otherwise(trace: Trace, block: ExitStack) -> Reference:
    before = tuple(one.branch for one in trace.scope.decided)
    if not before:
        raise trace.mistake("otherwise() stands right behind a `with when(...):` block: put it there, with nothing in between")
    trace.scope.decided.clear()
    taken = trace.put("otherwise", Node("", "", does=Branch(otherwise=before)), BranchBody(Any), bool)
    _open(trace, taken, "otherwise()", block)
    return taken


def _open(trace: Trace, taken: Reference, written: str, block: ExitStack) -> str:
    branch = cast("Output", taken.__source__.binding).node
    block.enter_context(trace.entered(trace.open_branch(branch, written)))
    return branch


def _match(trace: Trace, match: object, kind: object, written: str) -> object:
    if isinstance(match, Reference):
        instead = "compare the two in a task that returns True or False, and give that to when(...)"
        raise trace.mistake(f"{written}: a match is a plain value, but {match!r} is known only at run time: {instead}")
    wrong: ValueNotStorable | None = None
    for wanted in (kind, *annotations.items(kind)):
        try:
            return msgspec.json.decode(codec.encode(as_annotated(match, wanted), wanted))
        except ValueNotStorable as error:
            wrong = error
    raise trace.mistake(f"{written}: the value is {annotations.text(kind)}, which is never {match!r}: {wrong}") from wrong


def _alternative(trace: Trace, value: object, *, is_last: bool) -> tuple[Binding, object]:
    source = _source(value)
    if source is None:
        binding = trace.bind(value, Any if isinstance(value, _PLAIN) else type(value), "one_of(...)")
        if any(isinstance(leaf, Output) for leaf in leaves(binding)):
            raise trace.mistake("one_of(...) takes references and plain values, not lists of references: choose item by item")
        if not is_last:
            raise trace.mistake(f"one_of(...): {value!r} is always there, so that nothing behind it is ever taken: put it last")
        return binding, type(value)
    if isinstance(source.binding, Maybe):
        raise trace.mistake(f"one_of(...): {shown(source.binding)} always has a value: put maybe around the choice, maybe(one_of(...))")
    if isinstance(source.binding, Parameter) and not is_last:
        raise trace.mistake(f"one_of(...): {shown(source.binding)!r} is a parameter, which is always there: put it last")
    return source.binding, source.annotation


def _source(value: object) -> Source | None:
    return value.__source__ if isinstance(value, Reference) else None


def _named(value: object) -> str:
    source = _source(value)
    return repr(value) if source is None else shown(source.binding)


def _name(binding: Binding) -> str:
    words = (re.sub(r"[^a-z0-9_-]+", "_", word.lower()).strip("_") for word in _words(binding))
    return "_".join(["when", *filter(None, words)])[: ids.LONGEST_NAME]


def _words(binding: Binding) -> Iterator[str]:
    """Give what names a value in a few words: where it is from, and the way into it. Of several values the first one names them."""
    match binding:
        case Output(node=name) | Parameter(name=name):
            yield name.rpartition(".")[2]
        case OneOf(items=items):
            yield from _words(items[0])
        case Maybe(item=item):
            yield from _words(item)
        case _:
            yield from _words(inside[0]) if (inside := parts(binding)) else ()
    if isinstance(binding, Output | Parameter | OneOf):
        yield from (step.name if isinstance(step, Attribute) else str(step.key) for step in binding.steps)
