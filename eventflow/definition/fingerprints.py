"""What tells whether a task's code has changed: a digest of its function's syntax tree, blind to comments, docstrings and layout.

Where there is no source (typed at a prompt, compiled away) the bytecode stands in for it.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import inspect
import textwrap
from collections.abc import Callable
from types import CodeType
from typing import cast

from eventflow.definition.options import TaskOptions


def of_function(fn: Callable[..., object]) -> str:
    """Give the fingerprint of a function's code, as 32 hexadecimal digits. Reads the source: keep the answer."""
    is_lambda = getattr(fn, "__name__", "") == "<lambda>"  # whose lines may hold other code too
    return _digest((None if is_lambda else _from_source(fn)) or _from_code(fn))


def with_options(function: str, options: TaskOptions) -> str:
    """Give the fingerprint of a function's use: of its code and of how it is run."""
    return _digest(function + repr(dataclasses.replace(options, name=None)))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


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
