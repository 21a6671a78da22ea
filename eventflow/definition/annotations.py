"""What annotations say about values: their parts, their length, and whether one can stand where another is wanted.

Everything here answers only where it is certain. What it can't tell is `Any`, None or "no clash".
"""

from __future__ import annotations

import collections.abc
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import PurePath
from types import NoneType, SimpleNamespace, UnionType
from typing import Annotated, Any, Union, cast, get_args, get_origin, get_type_hints, is_typeddict

from eventflow.definition.graph import Attribute, Step

_KEYED = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_WIDENED = ((int, float), (int, complex), (float, complex))
"""What stands for another class without being a subclass of it."""
_LISTED = (list, tuple, collections.abc.Sequence, collections.abc.MutableSequence)

_SETS = (set, frozenset, collections.abc.Set)


def of_function(fn: Callable[..., object]) -> dict[str, object]:
    """Give a function's annotations resolved, its result's under `"return"`. One that can't be resolved is left out.

    Names that only a type checker sees (`if TYPE_CHECKING:`), or local to another function, can't.
    """
    return _resolved(fn, _globals(fn))


def part(annotation: object, step: Step) -> object:
    """Give the annotation of one part of a value, `Any` where it isn't certain."""
    plain = unwrapped(annotation)
    if isinstance(step, Attribute):
        return _fields(plain).get(step.name, Any) if isinstance(plain, type) else Any
    fixed = fixed_parts(plain)
    if fixed is not None and isinstance(step.key, int):
        return fixed[step.key] if -len(fixed) <= step.key < len(fixed) else Any
    origin, arguments = get_origin(plain), get_args(plain)
    if origin in _KEYED and len(arguments) == 2:
        return arguments[1]
    if origin in _LISTED and arguments and isinstance(step.key, int):
        return arguments[0]
    if is_typeddict(plain):
        return _fields(cast("type", plain)).get(str(step.key), Any)
    return Any


def fixed_parts(annotation: object) -> tuple[object, ...] | None:
    """Give the annotations of the parts where the length is fixed, as in `tuple[int, str]` or a `NamedTuple`; else None."""
    plain = unwrapped(annotation)
    if get_origin(plain) is tuple:
        arguments = get_args(plain)
        return None if Ellipsis in arguments else arguments
    names: tuple[str, ...] | None = getattr(plain, "_fields", None)
    if names is None or not isinstance(plain, type) or not issubclass(plain, tuple):
        return None
    fields = _fields(cast("type", plain))
    return tuple(fields.get(name, Any) for name in names)


def items(annotation: object) -> tuple[object, ...]:
    """Give the annotations that an item of a list, a tuple or a set may have; none where it isn't certain that there are items."""
    return tuple(item for kind in kinds(annotation) for item in _items(kind))


def clash(given: object, wanted: object) -> bool:
    """Tell whether a value of one annotation can certainly not stand for another: all of their classes are plain and unrelated."""
    return given is not wanted and all(_unrelated(one, other) for one in kinds(given) for other in kinds(wanted))


def is_no_list(annotation: object) -> bool:
    """Tell whether a value of an annotation is certainly nothing to go over item by item. Texts and dicts aren't either."""
    return not any(_may_be_list(kind) for kind in kinds(annotation))


def refuses_none(annotation: object) -> bool:
    """Tell whether None is certainly no value of an annotation."""
    return not any(_may_be_none(kind) for kind in kinds(annotation))


def path_class(annotation: object) -> type[PurePath] | None:
    """Give the path class that a text becomes under an annotation, or None where a text stays one."""
    plain = unwrapped(annotation)
    if isinstance(plain, type):
        return plain if issubclass(plain, PurePath) else None
    if get_origin(plain) not in (Union, UnionType):
        return None
    kinds = [unwrapped(item) for item in get_args(plain)]
    if str in kinds:
        return None
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, PurePath)), None)


def is_text(annotation: object) -> bool:
    """Tell whether any text is a value of an annotation: `str`, paths, and either or None."""
    plain = unwrapped(annotation)
    kinds = {unwrapped(item) for item in get_args(plain)} if get_origin(plain) in (Union, UnionType) else {plain}
    return kinds != {NoneType} and all(kind is str or (isinstance(kind, type) and issubclass(kind, PurePath | NoneType)) for kind in kinds)


def kinds(annotation: object) -> tuple[object, ...]:
    """Give the alternatives of a union, and anything else as the only one, without `Annotated`."""
    plain = unwrapped(annotation)
    if get_origin(plain) not in (Union, UnionType):
        return (plain,)
    return tuple(kind for one in get_args(plain) for kind in kinds(one))


def union(annotations: Iterable[object]) -> object:
    """Give the annotation of a value that is of one of several; `Any` where one of them says nothing, or where they make no union."""
    found = list(annotations)
    if any(one is Any for one in found):
        return Any
    try:
        return Union[tuple(found)]  # noqa: UP007  # as many as there are
    except TypeError:  # what is no type can be in no union
        return Any


def is_tuple(annotation: object) -> bool:
    """Tell whether a value of an annotation is a tuple."""
    plain = unwrapped(annotation)
    return (get_origin(plain) or plain) is tuple


def text(annotation: object) -> str:
    """Write an annotation as a person would."""
    if annotation is NoneType:
        return "None"
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation.__qualname__.rpartition("<locals>.")[2]
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return " | ".join(map(text, parts))
    if isinstance(origin, type) and parts and not isinstance(parts[0], list):
        return f"{text(origin)}[{', '.join('...' if part is ... else text(part) for part in parts)}]"
    return str(annotation).replace("typing.", "")


def unwrapped(annotation: object) -> object:
    """Give an annotation without `Annotated`."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


@lru_cache(maxsize=1024)
def _fields(kind: type) -> Mapping[str, object]:
    return _resolved(kind, vars(sys.modules[kind.__module__]) if kind.__module__ in sys.modules else {})


def _unrelated(given: object, wanted: object) -> bool:
    if not isinstance(given, type) or not isinstance(wanted, type) or Any in (given, wanted):  # Any is a class, too
        return False
    if any(issubclass(given, narrow) and issubclass(wanted, wide) for narrow, wide in _WIDENED):
        return False
    try:
        return not issubclass(given, wanted) and not issubclass(wanted, given)
    except TypeError:  # protocols and typed dicts don't answer
        return False


def _may_be_list(plain: object) -> bool:
    kind = get_origin(plain) or plain
    if not isinstance(kind, type) or kind in (Any, object):
        return True
    if issubclass(kind, str | bytes | collections.abc.Mapping):
        return False
    return any("__iter__" in vars(base) or "__getitem__" in vars(base) for base in kind.__mro__)


def _may_be_none(plain: object) -> bool:
    kind = get_origin(plain) or plain
    try:
        return not isinstance(kind, type) or kind is Any or issubclass(NoneType, kind)
    except TypeError:  # as above
        return True


def _items(plain: object) -> tuple[object, ...]:
    fixed = fixed_parts(plain)
    if fixed is not None:
        return fixed
    origin, arguments = get_origin(plain) or plain, get_args(plain)
    return (arguments[:1] or (Any,)) if origin in (*_LISTED, *_SETS) else ()


def _resolved(source: object, names: dict[str, Any]) -> dict[str, object]:
    try:
        return get_type_hints(source, include_extras=True)
    except Exception:  # noqa: BLE001  # annotations are any code of the user's: one that fails says nothing, the others still do
        written: Mapping[str, object] = getattr(source, "__annotations__", {})
        one_by_one = {name: _resolved_one(annotation, names) for name, annotation in written.items()}
        return {name: annotation for name, annotation in one_by_one.items() if annotation is not Any}


def _resolved_one(annotation: object, names: dict[str, Any]) -> object:
    try:
        return get_type_hints(SimpleNamespace(__annotations__={"it": annotation}), globalns=names, include_extras=True)["it"]
    except Exception:  # noqa: BLE001  # as above
        return Any


def _globals(fn: Callable[..., object]) -> dict[str, Any]:
    return getattr(inspect.unwrap(fn), "__globals__", {})
