"""Exceptions of user code as text that can be kept and shown: bounded, without credentials, naming the user's line."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import TracebackType

from eventflow import states
from eventflow.definition import places
from eventflow.facts import Failure
from eventflow.secret import without_secrets

LIMIT = 16 * 1024
"""Characters kept of a message or a traceback; of a longer one, the beginning and the end."""

_OWN = str(Path(__file__).parents[1])


def failure(error: BaseException) -> Failure:
    """Give an exception as text. Never raises, not even for an exception whose `__str__` does."""
    return Failure(
        type=_clip(_type(error)), message=_clip(_message(error)), traceback=_clip(_traceback(error)), where=places.of_error(error)
    )


def lost(reason: str) -> Failure:
    """Give as text why a node failed that raised nothing: it is `poisoned`, or its outcome is `unknown`."""
    return Failure(reason, _LOST.get(reason, ""))


def _type(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as broken:  # noqa: BLE001 - the exception is user code, and may raise anything when asked for its text
        return f"(its message can't be shown: {type(broken).__name__})"


def _traceback(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(type(error), error, _behind_engine(error.__traceback__)))
    except BaseException as broken:  # noqa: BLE001 - as above: formatting asks the exception for its text
        return f"(its traceback can't be shown: {type(broken).__name__})"


def _behind_engine(trace: TracebackType | None) -> TracebackType | None:
    start = trace
    while start is not None and _is_own(start):
        start = start.tb_next
    return start or trace


def _is_own(trace: TracebackType) -> bool:
    return trace.tb_frame.f_code.co_filename.startswith(_OWN)


def _clip(text: str) -> str:
    plain = without_secrets(text.encode("utf-8", "backslashreplace").decode("utf-8"))
    if len(plain) <= LIMIT:
        return plain
    half = LIMIT // 2
    return f"{plain[:half]}\n... {len(plain) - LIMIT} characters left out ...\n{plain[-half:]}"


_LOST = {
    states.POISONED: "the process died under this node as often as its max_crashes allows",
    states.ITEMS: "too few of its items succeeded",
    states.UNKNOWN: "the process ended under this at-most-once node: nobody knows whether it did its work",
}
