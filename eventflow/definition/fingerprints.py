"""What tells whether a task's code has changed: a digest of its function's syntax tree, blind to comments, docstrings and layout.

Where there is no source (typed at a prompt, compiled away) the bytecode stands in for it.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from enum import Enum
from types import CodeType
from typing import Any, Protocol, cast, runtime_checkable

from eventflow import codec
from eventflow.definition.options import HOOKS, MapOptions, TaskOptions
from eventflow.errors import ValueNotStorable

_ELSEWHERE = HOOKS
"""The options that the graph shows itself: a hook is a node of its own, with its own fingerprint."""


@runtime_checkable
class Fingerprinted(Protocol):
    """What knows its own fingerprint, as a task does that is an option of another one."""

    @property
    def fingerprint(self) -> str:
        """What changes when its code or its options change."""
        ...


def of_function(fn: Callable[..., object]) -> str:
    """Give the fingerprint of a function's code, as 32 hexadecimal digits. Reads the source: keep the answer."""
    is_lambda = getattr(fn, "__name__", "") == "<lambda>"  # whose lines may hold other code too
    return _digest((None if is_lambda else _from_source(fn)) or _from_code(fn))


def with_options(function: str, *options: TaskOptions | MapOptions) -> str:
    """Give the fingerprint of a function's use: of its code and of how it is run. What was left as it is built in doesn't count."""
    return _digest(function + "".join(map(_of_fields, options)))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _of_fields(options: object) -> str:
    """Write the fields of a dataclass that aren't at their default: an option that is added later leaves old fingerprints alone."""
    plain = type(options)()
    fields = [field.name for field in dataclasses.fields(cast("Any", options)) if field.name not in _ELSEWHERE]
    said = {name: getattr(options, name) for name in fields if getattr(options, name) != getattr(plain, name)}
    return f"{type(options).__name__}{_of_value(said)}" if said else ""


def _of_value(value: object) -> str:
    """Write a value the same way in every process: by its content, never by its address."""
    match value:
        case Fingerprinted():
            return value.fingerprint
        case None | bool() | int() | float() | str() | bytes() | timedelta() | Enum():
            return repr(value)
        case Mapping():
            return _of_value([item for pair in sorted(cast("Mapping[str, object]", value).items()) for item in pair])
        case tuple() | list():
            return f"[{', '.join(map(_of_value, cast('Iterable[object]', value)))}]"
        case _:
            return _of_object(value)


def _of_object(value: object) -> str:
    if isinstance(value, type):
        return f"{value.__module__}:{value.__qualname__}"
    if callable(value):
        return of_function(value) if inspect.isroutine(value) else _of_object(type(value))
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return _of_value([type(value), fields])
    try:
        return codec.canonical(value).decode()
    except (TypeError, ValueError, ValueNotStorable):  # it is kept as an artifact, if it is kept
        return _of_object(type(value))


def _from_source(fn: Callable[..., object]) -> str | None:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(fn)))
    except (OSError, TypeError, SyntaxError, ValueError):  # no source, or lines that aren't a statement of their own
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            _drop_docstring(node)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.decorator_list = []
    # Unparsed rather than dumped: each Python adds fields to the dump.
    return ast.unparse(tree)


def _drop_docstring(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        node.body = node.body[1:] or [ast.Pass()]


def _from_code(fn: Callable[..., object]) -> str:
    code: CodeType | None = getattr(inspect.unwrap(fn), "__code__", None)
    if code is None:
        return f"{fn.__module__}:{fn.__qualname__}"
    return _of_code(code, fn.__doc__)


def _of_code(code: CodeType, docstring: str | None) -> str:
    constants = [_of_constant(constant) for constant in code.co_consts if constant is not docstring]
    return repr((code.co_code, code.co_names, code.co_varnames, constants))


def _of_constant(constant: object) -> str:
    if isinstance(constant, CodeType):
        return _of_code(constant, None)
    if isinstance(constant, frozenset):
        return repr(sorted(map(repr, cast("frozenset[object]", constant))))
    return repr(constant)
