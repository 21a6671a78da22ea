"""Where in the user's code something happened, as `file:line`, so that an error can name it.

The user's code is what belongs neither to eventflow nor to the standard library. Frames are told apart by the module that they run in,
not by their file: what dataclasses generate has no file of its own.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

from eventflow.errors import DefinitionError

_NOT_THE_USERS = frozenset({"eventflow"}) | sys.stdlib_module_names


def user_place() -> str | None:
    """Give the place of the innermost frame of the user's code, or None where there is none. Cheap: called for each node."""
    frame = inspect.currentframe()
    while frame is not None:
        if _is_users(frame):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return None


def of_function(fn: Callable[..., object]) -> str | None:
    """Give the place where a function is defined, or None for what wasn't written in Python."""
    code = getattr(inspect.unwrap(fn), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else None


def of_error(error: BaseException) -> str | None:
    """Give the place of the innermost frame of the user's code that an exception passed through, or None."""
    place, step = None, error.__traceback__
    while step is not None:
        if _is_users(step.tb_frame):
            place = f"{step.tb_frame.f_code.co_filename}:{step.tb_lineno}"
        step = step.tb_next
    return place


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
