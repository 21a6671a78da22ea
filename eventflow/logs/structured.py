"""structlog's events, brought into the logs of attempts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import structlog
from structlog.processors import StackInfoRenderer, format_exc_info
from structlog.stdlib import PositionalArgumentsFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

from eventflow.logs.folder import LogFolder
from eventflow.logs.speakers import speaker

_LEVELS = {"warn": "warning", "exception": "error", "err": "error", "fatal": "critical"}
_READABLE: Sequence[Callable[[WrappedLogger, str, EventDict], EventDict]] = (
    PositionalArgumentsFormatter(),
    StackInfoRenderer(),
    format_exc_info,
)
_KNOWN = frozenset({"debug", "info", "warning", "error", "critical"})


def redirect(logs: LogFolder) -> Callable[[], None]:
    """Put a processor before all others that takes the events of attempts, and give the function that takes it away again.

    It is put into the very list that structlog works with, because loggers may have been made already and hold on to that.
    """

    def take(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        attempt = speaker()
        if attempt is None:
            return event
        logs.say(attempt, _level(method), str(event.get("logger", "structlog")), _text(logger, method, event))
        raise structlog.DropEvent

    processors = structlog.get_config()["processors"]
    if isinstance(processors, list):
        return _insert(cast("list[Processor]", processors), take)
    structlog.configure(processors=[take, *processors])
    return lambda: structlog.configure(processors=processors)


def _insert(processors: list[Processor], take: Processor) -> Callable[[], None]:
    processors.insert(0, take)

    def remove() -> None:
        if take in processors:
            processors.remove(take)

    return remove


def _level(method: str) -> str:
    level = _LEVELS.get(method, method)
    return level if level in _KNOWN else "info"


def _text(logger: WrappedLogger, method: str, event: EventDict) -> str:
    whole: EventDict = {**structlog.contextvars.get_contextvars(), **event}
    whole.pop("logger", None)
    try:
        for process in _READABLE:
            whole = process(logger, method, whole)
        below = [str(whole.pop(key)) for key in ("stack", "exception") if key in whole]
        said = str(whole.pop("event", ""))
        return "\n".join([" ".join([said, *(f"{key}={_value(value)}" for key, value in whole.items())]), *below])
    except Exception as error:  # noqa: BLE001 - the values are the user's: one that can't be shown must not fail the task
        return f"{event.get('event')!r} (its values can't be shown: {type(error).__name__})"


def _value(value: object) -> str:
    if isinstance(value, str) and value and not any(char.isspace() or char in "\"'=" for char in value):
        return value
    return repr(value)
