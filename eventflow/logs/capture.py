"""Bringing what a task's body prints and logs into the log of its attempt.

Whose a word is, the context says in which it is spoken: that of the attempt, in its coroutine and in its thread. Threads that a body starts
by itself have none, and what goes to a file descriptor past Python (a child process, `sys.stdout.buffer`) can't be told apart: both go
where they always went.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import cast

from eventflow.logs import structured
from eventflow.logs.folder import LogFolder
from eventflow.logs.speakers import speaker
from eventflow.logs.streams import Stream


class Capture:
    """While entered, `print` and what else is written to `sys.stdout` and `sys.stderr`, `logging` and structlog go into the attempt's log.

    What is said outside any attempt passes untouched. Levels and filters are those that the program has set. Leaving it, all is as it was.
    """

    def __init__(self, logs: LogFolder) -> None:
        self._logs = logs
        self._stack = ExitStack()

    def __enter__(self) -> None:
        for name in ("stdout", "stderr"):
            self._stack.callback(_replace_stream(self._logs, name))
        self._stack.callback(_replace_logging(self._logs))
        self._stack.callback(structured.redirect(self._logs))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()


def _replace_stream(logs: LogFolder, name: str) -> Callable[[], None]:
    before = getattr(sys, name)
    ours = Stream(before, name, logs)
    setattr(sys, name, ours)

    def restore() -> None:
        ours.release()
        if getattr(sys, name) is ours:
            setattr(sys, name, before)

    return restore


def _replace_logging(logs: LogFolder) -> Callable[[], None]:
    # Not a handler of the root logger: programs remove those, and logging behaves otherwise where there is one.
    before = logging.Logger.callHandlers

    def call_handlers(self: logging.Logger, record: logging.LogRecord) -> None:
        attempt = speaker()
        if attempt is None:
            before(self, record)
        else:
            logs.say(attempt, record.levelname.lower(), record.name, _text(record))

    logging.Logger.callHandlers = call_handlers

    def restore() -> None:
        if cast("object", logging.Logger.callHandlers) is call_handlers:
            logging.Logger.callHandlers = before

    return restore


def _text(record: logging.LogRecord) -> str:
    try:
        return _FORMATTER.format(record)
    except Exception as error:  # noqa: BLE001 - as logging's own handlers do: a record that can't be shown must not fail the task
        return f"{record.msg!r} (it can't be shown: {type(error).__name__}: {error})"


_FORMATTER = logging.Formatter("%(message)s")
