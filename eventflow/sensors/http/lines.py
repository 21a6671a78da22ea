"""Lines out of bytes that come in pieces, each bounded, however long its sender makes it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_ENDS = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end. `cut`: only its beginning was kept."""

    content: bytes
    cut: bool = False


class Lines:
    """Gathers lines, which end in LF, CR LF or CR. Of a line longer than `longest` bytes the rest is dropped, and takes no memory."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._parts: list[bytes] = []
        self._kept = 0
        self._cut = False
        self._after_cr = False

    def feed(self, piece: bytes) -> Iterator[Line]:
        """Take the next bytes and give the lines that they complete."""
        if not piece:
            return
        start = 1 if self._after_cr and piece.startswith(b"\n") else 0
        self._after_cr = piece.endswith(b"\r")
        for end in _ENDS.finditer(piece, start):
            self._keep(piece[start : end.start()])
            yield self._taken()
            start = end.end()
        self._keep(piece[start:])

    def rest(self) -> Line | None:
        """Give what has come since the last line end, if anything has."""
        return self._taken() if self._parts else None

    def _keep(self, part: bytes) -> None:
        room = self._longest - self._kept
        self._cut = self._cut or len(part) > room
        if kept := part[:room]:
            self._parts.append(kept)
            self._kept += len(kept)

    def _taken(self) -> Line:
        line = Line(b"".join(self._parts), self._cut)
        self._parts, self._kept, self._cut = [], 0, False
        return line
