"""Server-sent events, read as the HTML standard says. No bytes are an error: what can't be meant is passed over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from eventflow.sensors.http.lines import Line, Lines

_BOM = b"\xef\xbb\xbf"
LONGEST_ID = 4096
"""Characters of an id that is taken."""


@dataclass(frozen=True, slots=True)
class Message:
    """An event of a stream. `id` is its own, None where it has none. `last_id` is the last id of the stream up to here, "" before any."""

    text: str
    type: str = "message"
    id: str | None = None
    last_id: str = ""
    cut: bool = False


class SSE:
    """Reads one connection's bytes. `last_id` goes on from that of the connection before.

    An id is taken only if a request can send it back: without NUL, other control characters, or more than 4 KiB.
    """

    def __init__(self, last_id: str, largest: int) -> None:
        self.last_id = last_id
        self.retry: float | None = None
        self._lines = Lines(largest + 64)  # room for the field's name
        self._largest = largest
        self._begun = b""
        self._is_begun = False
        self._pending_id = last_id
        self._clear()

    def feed(self, piece: bytes) -> Iterator[Message]:
        """Take the next bytes and give the events that they complete."""
        for line in self._lines.feed(self._without_bom(piece)):
            if line.content or line.cut:
                self._field(line)
            elif (message := self._dispatched()) is not None:
                yield message

    def end(self) -> Iterator[Message]:
        """Give what the end of the stream completes: nothing, for an event without its empty line is none."""
        return iter(())

    def _without_bom(self, piece: bytes) -> bytes:
        if self._is_begun:
            return piece
        self._begun += piece
        if len(self._begun) < len(_BOM) and _BOM.startswith(self._begun):
            return b""
        self._is_begun = True
        return self._begun.removeprefix(_BOM)

    def _clear(self) -> None:
        self._data: list[str] = []
        self._size = 0
        self._cut = False
        self._type = ""
        self._own_id: str | None = None

    def _dispatched(self) -> Message | None:
        self.last_id = self._pending_id
        message = None
        if self._data:
            message = Message("\n".join(self._data), self._type or "message", self._own_id, self.last_id, self._cut)
        self._clear()
        return message

    def _field(self, line: Line) -> None:
        name, _, value = line.content.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._add(value, cut=line.cut)
            case "event":
                self._type = value
            case "id" if _is_id(value) and not line.cut:
                self._pending_id, self._own_id = value, value or None
            case "retry" if value.isascii() and value.isdigit():
                self.retry = int(value[:12]) / 1000
            case _:
                pass  # comments, whose field has no name, and fields that nobody knows

    def _add(self, value: str, *, cut: bool) -> None:
        room = self._largest - self._size
        self._cut = self._cut or cut or len(value) > room
        if room > 0 or not self._data:
            self._data.append(value[:room])
            self._size += len(value) + 1


def _is_id(value: str) -> bool:
    return len(value) <= LONGEST_ID and all(char >= " " and char != "\x7f" for char in value)
