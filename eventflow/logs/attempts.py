"""What attempts write while they run: cut into lines, and bounded."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import NamedTuple, TypeAlias

from eventflow.logs.limits import LogLimits
from eventflow.logs.lines import Attempt, Line, clipped, encode

Emit: TypeAlias = Callable[[Attempt, bytes], None]


class _Unended(NamedTuple):
    """The beginning of a stream's last line, and how many characters of it were left out already."""

    text: str = ""
    beyond: int = 0

    def grown(self, text: str, limit: int) -> _Unended:
        whole = self.text + text
        return _Unended(whole[:limit], self.beyond + max(0, len(whole) - limit))


class Attempts:
    """Takes text of attempts from any thread, and hands on whole encoded lines. What goes beyond the limits is cut, and that is said."""

    def __init__(self, emit: Emit, now: Callable[[], int], limits: LogLimits) -> None:
        self._emit = emit
        self._now = now
        self._limits = limits
        # Reentrant: the collector may run here, and with it a `__del__` that prints.
        self._lock = RLock()
        self._left: dict[Attempt, int] = {}
        self._unended: dict[tuple[Attempt, str], _Unended] = {}

    def say(self, attempt: Attempt, level: str, source: str, text: str) -> None:
        """Take a text that is complete: each line of it is one line."""
        with self._lock:
            for line in text.split("\n"):
                self._line(attempt, level, source, line)

    def stream(self, attempt: Attempt, source: str, text: str) -> None:
        """Take what was written to a stream. What stands behind the last line end waits for the rest of its line."""
        first, *others = text.split("\n")
        with self._lock:
            last = self._unended.pop((attempt, source), _Unended()).grown(first, self._limits.line_bytes)
            for line in others:
                self._line(attempt, "info", source, *last)
                last = _Unended().grown(line, self._limits.line_bytes)
            if last.text:
                self._unended[attempt, source] = last

    def end(self, attempt: Attempt) -> None:
        """Forget an attempt that has ended, and take the last line of each of its streams for ended."""
        with self._lock:
            for key in [key for key in self._unended if key[0] == attempt]:
                self._line(attempt, "info", key[1], *self._unended.pop(key))
            self._left.pop(attempt, None)

    def end_all(self) -> None:
        """Forget them all."""
        with self._lock:
            for attempt in {*self._left, *(attempt for attempt, _ in self._unended)}:
                self.end(attempt)

    def _line(self, attempt: Attempt, level: str, source: str, text: str, beyond: int = 0) -> None:
        left = self._left.get(attempt, self._limits.attempt_bytes)
        if left <= 0:
            return
        raw = self._encoded(attempt, level, source, clipped(text, self._limits.line_bytes, beyond))
        self._left[attempt] = left - len(raw)
        if len(raw) > left:
            said = f"the log of this attempt is full ({self._limits.attempt_bytes} bytes): what it wrote from here on was left out"
            raw = self._encoded(attempt, "warning", "eventflow", said)
        self._emit(attempt, raw)

    def _encoded(self, attempt: Attempt, level: str, source: str, text: str) -> bytes:
        return encode(Line(self._now(), attempt.node, attempt.attempt, level, source, text))
