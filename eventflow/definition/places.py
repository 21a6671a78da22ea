"""Where in the user's code something happened, as `file:line`, so that an error can name it.

The user's code is what belongs neither to eventflow nor to the standard library. Frames are told apart by the module that they run in,
not by their file: what dataclasses generate has no file of its own.
"""

from __future__ import annotations

import inspect
import sys
import sysconfig
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

from eventflow import escapes
from eventflow.errors import DefinitionError

_PACKAGES = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
_NOT_THE_USERS = frozenset({"eventflow"}) | sys.stdlib_module_names


def user_place() -> str | None:
    """Give the place of the innermost frame of the user's code, or None where there is none. Cheap: called for each node."""
    frame = inspect.currentframe()
    while frame is not None:
        if _is_users(frame):
            return _written(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back
    return None


def of_function(fn: Callable[..., object]) -> str | None:
    """Give the place where a function is defined, or None for what wasn't written in Python."""
    code = getattr(inspect.unwrap(fn), "__code__", None)
    return _written(code.co_filename, code.co_firstlineno) if code is not None else None


def of_error(error: BaseException) -> str | None:
    """Give the place of the innermost frame of the user's code that an exception passed through, or None.

    Where it passed through nothing but installed packages, the innermost of these: pipelines may be one.
    """
    written, installed = None, None
    for frame, line in traceback.walk_tb(error.__traceback__):
        if _is_users(frame):
            installed = _written(frame.f_code.co_filename, line)
            written = written if installed.startswith(_PACKAGES) else installed
    return written or installed


@contextmanager
def naming_the_line() -> Generator[None]:
    """Turn a `ValueError` or `TypeError` about what the user wrote into a `DefinitionError` at the user's line."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise DefinitionError(str(error), user_place()) from error


def _is_users(frame: FrameType) -> bool:
    module: str = frame.f_globals.get("__name__", "")
    return module.partition(".")[0] not in _NOT_THE_USERS


def _written(file: str, line: int) -> str:
    # A folder's name may hold bytes that are no UTF-8: places end up in facts and answers, which carry only text.
    return f"{escapes.line(file)}:{line}"
