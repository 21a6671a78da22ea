"""Newline-delimited JSON: each line a value."""

from __future__ import annotations

from collections.abc import Iterator

from eventflow.sensors.http.lines import Line, Lines
from eventflow.sensors.http.sse import Message


class NDJSON:
    """Reads one connection's bytes. Empty lines, which many servers send to keep a connection alive, are passed over."""

    def __init__(self, largest: int) -> None:
        self.retry: float | None = None
        self._lines = Lines(largest)

    def feed(self, piece: bytes) -> Iterator[Message]:
        """Take the next bytes and give the lines that they complete."""
        for line in self._lines.feed(piece):
            yield from _message(line)

    def end(self) -> Iterator[Message]:
        """Give the last line, of an answer that came to its proper end without a line end."""
        line = self._lines.rest()
        if line is not None:
            yield from _message(line)


def _message(line: Line) -> Iterator[Message]:
    if line.content.strip():
        yield Message(line.content.decode("utf-8", "replace"), cut=line.cut)
