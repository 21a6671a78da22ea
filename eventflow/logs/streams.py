"""A stand-in for `sys.stdout` or `sys.stderr`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO, cast

from eventflow.logs.folder import LogFolder
from eventflow.logs.lines import Attempt
from eventflow.logs.speakers import speaker


class Stream:
    """Takes what attempts write into their logs. Everything else is the stream that it stands for."""

    def __init__(self, before: TextIO, name: str, logs: LogFolder) -> None:
        self._before = before
        self._name = name
        self._logs: LogFolder | None = logs

    def write(self, text: str) -> int:
        """Write a text: into the log of the attempt that is speaking, if one is."""
        attempt = self._speaker()
        if attempt is None or self._logs is None:
            return self._before.write(text)
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # anybody may write anything
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._logs.stream(attempt, self._name, text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush the stream that this one stands for; a log needs none."""
        if self._speaker() is None:
            self._before.flush()

    def isatty(self) -> bool:
        """Tell whether a person reads along: a log is no terminal."""
        return self._speaker() is None and self._before.isatty()

    def release(self) -> None:
        """Pass everything on from here on: somebody may hold on to this stream beyond its time."""
        self._logs = None

    def _speaker(self) -> Attempt | None:
        return None if self._logs is None else speaker()

    def __getattr__(self, name: str) -> object:
        return cast("object", getattr(self._before, name))
