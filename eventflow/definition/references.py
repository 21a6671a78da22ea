"""References: what stands for a value in a pipeline's body, while the body is traced and no value exists yet.

A reference can be handed to a task, taken apart (`data.train`, `data["x"]`, `a, b = split(data)`), and returned. Whatever else is done to
it would need the value: it raises a `DefinitionError` that names the line and says what to write instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol, TypeAlias

import msgspec

from eventflow.definition import annotations, places
from eventflow.definition.graph import Attribute, Binding, Item, Literal, Maybe, OneOf, Output, Parameter, Step, outputs
from eventflow.definition.loose import Loose
from eventflow.errors import DefinitionError

Referred: TypeAlias = Parameter | Output | OneOf | Maybe
"""The bindings that a reference can stand for."""


class Home(Protocol):
    """Where a reference was made: the trace of a body or of a block, or the call of a task outside of any."""

    def order(self, earlier: object, later: object) -> object:
        """Have what is later wait for what is earlier, and give what is later."""
        ...


@dataclass(frozen=True, slots=True)
class Source:
    """What a reference stands for: a binding, the annotation of its value, and the trace that it belongs to."""

    trace: Home
    binding: Referred
    annotation: object


class Reference:
    """A value that a run will have. Every attribute of it is a projection, so it has none of its own but `__source__`."""

    __slots__ = ("__source__",)
    __source__: Source

    def __init__(self, source: Source) -> None:
        object.__setattr__(self, "__source__", source)

    def __repr__(self) -> str:
        return f"<reference to {shown(self.__source__.binding)}>"

    def __copy__(self) -> Reference:
        return self

    def __deepcopy__(self, memo: object) -> Reference:
        return self

    def __getattr__(self, name: str) -> Reference:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)  # how Python and libraries ask what an object can do
        return _projected(self, Attribute(name))

    def __getitem__(self, key: object) -> Reference:
        if not isinstance(key, str | int) or isinstance(key, bool):
            raise _refusal(self, "an item whose key is neither a text nor a whole number", _IN_A_TASK)
        fixed = annotations.fixed_parts(self.__source__.annotation)
        if fixed is not None and isinstance(key, int) and not -len(fixed) <= key < len(fixed):
            raise DefinitionError(f"{shown(self.__source__.binding)} has {len(fixed)} items: there is no [{key}]", places.user_place())
        return _projected(self, Item(key))

    def __iter__(self) -> Iterator[Reference]:
        return (self[index] for index in range(_length(self, "iterating or unpacking")))

    def __len__(self) -> int:
        return _length(self, "len()")

    def __rshift__(self, later: object) -> object:
        return self.__source__.trace.order(self, later)

    def __rrshift__(self, earlier: object) -> object:
        return self.__source__.trace.order(earlier, self)


def shown(binding: Binding) -> str:
    """Write what a binding reads as it was written: `load.train['x']`, `one_of(new, old)`."""
    match binding:
        case Parameter(name=name, steps=steps) | Output(node=name, steps=steps):
            return name + _written(steps)
        case OneOf(items=items, steps=steps):
            return f"one_of({', '.join(map(shown, items))}){_written(steps)}"
        case Maybe(item=item):
            return f"maybe({shown(item)})"
        case Literal(json=raw):
            return bytes(raw).decode()
        case _:
            return ", ".join(outputs(binding))


_IN_A_TASK = "do it inside a task, whose function gets the value itself"
_DECIDE = "decide inside a task, whose function gets the value itself"
_FORMAT = "write the text inside a task, whose function gets the value itself"

_OPERATORS = ("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "divmod", "pow", "lshift", "and", "or", "xor")

_REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "a truth test (if, while, and, or, not)": (("bool",), _DECIDE),
    "==": (("eq",), _DECIDE),
    "!=": (("ne",), _DECIDE),
    "<, <=, > or >=": (("lt", "le", "gt", "ge"), _DECIDE),
    "in": (("contains",), _DECIDE),
    "hashing (a dict key, a member of a set)": (("hash",), "use a list, or the name of the task"),
    "formatting (str(), print(), an f-string)": (("str", "format", "bytes"), _FORMAT),
    "calling it or a method of it": (("call",), _IN_A_TASK),
    "await": (("await",), "leave await away: the engine waits for the value before it starts whatever takes it"),
    "async iteration": (("aiter",), _IN_A_TASK),
    "with": (("enter", "exit", "aenter", "aexit"), _IN_A_TASK),
    "next()": (("next",), _IN_A_TASK),
    "reversed()": (("reversed",), _IN_A_TASK),
    "opening it or making a Path of it": (("fspath",), _IN_A_TASK),
    "a number's function (int(), float(), abs(), round() ...)": (
        ("int", "float", "complex", "index", "abs", "round", "trunc", "floor", "ceil"),
        _IN_A_TASK,
    ),
    "arithmetic": ((*_OPERATORS, *(f"r{operator}" for operator in _OPERATORS), "neg", "pos", "invert"), _IN_A_TASK),
    "pickling": (("reduce_ex",), _IN_A_TASK),
    "changing an item": (("setitem", "delitem"), "make the changed value inside a task and return it"),
    "changing an attribute": (("setattr", "delattr"), "make the changed value inside a task and return it"),
}


def _written(steps: tuple[Step, ...]) -> str:
    return "".join(f".{step.name}" if isinstance(step, Attribute) else f"[{step.key!r}]" for step in steps)


def _projected(reference: Reference, step: Step) -> Reference:
    source = reference.__source__
    if isinstance(source.binding, Maybe):
        raise _of_none(source.binding, _written((step,)))
    binding = msgspec.structs.replace(source.binding, steps=(*source.binding.steps, step))
    return Reference(Source(source.trace, binding, annotations.part(source.annotation, step)))


def _of_none(binding: Maybe, part: str) -> DefinitionError:
    item = shown(binding.item)
    return DefinitionError(f"maybe({item}) may be None, which has no {part}: write maybe({item}{part})", places.user_place())


def _length(reference: Reference, what: str) -> int:
    if isinstance(reference.__source__.binding, Maybe):
        raise _of_none(reference.__source__.binding, "[0]")
    fixed = annotations.fixed_parts(reference.__source__.annotation)
    if fixed is None:
        fix = "annotate the task's result with a fixed length, as in tuple[int, str], or " + _IN_A_TASK
        raise _refusal(reference, what, fix)
    return len(fixed)


def _refusal(reference: Reference, what: str, instead: str) -> DefinitionError:
    name, home = shown(reference.__source__.binding), reference.__source__.trace
    if isinstance(home, Loose):
        return DefinitionError(f"{what} needs the value of {name!r}, but {home.told}", places.user_place())
    return DefinitionError(
        f"{what} needs the value of {name!r}, which exists only while a run is under way: {instead}", places.user_place()
    )


def _refusing(what: str, instead: str) -> Callable[..., NoReturn]:
    def refuse(self: Reference, *_: Any, **__: Any) -> NoReturn:
        raise _refusal(self, what, instead)

    return refuse


for _what, (_names, _instead) in _REFUSED.items():
    for _name in _names:
        setattr(Reference, f"__{_name}__", _refusing(_what, _instead))
