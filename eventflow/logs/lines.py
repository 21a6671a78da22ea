"""One line of an attempt's log, as it is kept."""

from __future__ import annotations

from typing import Any

import msgspec


class Attempt(msgspec.Struct, frozen=True):
    """Whose log it is: an attempt at a node of a run."""

    run: str
    node: str
    attempt: int


class Line(msgspec.Struct, frozen=True):
    """A line that a task printed or logged.

    `at` is microseconds UTC; `level` is `debug`, `info`, `warning`, `error` or `critical`; `source` is `stdout`, `stderr`, `structlog`,
    the name of a logger, or `eventflow` for what the log itself has to say. `text` is as it was written, control characters included:
    show it with `escapes.line`.
    """

    at: int
    node: str
    attempt: int
    level: str
    source: str
    text: str


def encode(line: Line) -> bytes:
    r"""Give a line as JSON, ended by a line feed. What is no Unicode, such as a byte of a file's name, is written as `\udc80`."""
    try:
        return msgspec.json.encode(line) + b"\n"
    except UnicodeEncodeError:
        plain = line.text.encode("utf-8", "backslashreplace").decode()
        return msgspec.json.encode(msgspec.structs.replace(line, text=plain)) + b"\n"


def decode(raw: bytes) -> Line | None:
    """Give the line that `encode` wrote, or None for what a crash has left of one."""
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def clipped(text: str, limit: int, beyond: int = 0) -> str:
    """Give a text of at most so many bytes of UTF-8, and behind it how many characters were left out, with the `beyond` left out before."""
    if not beyond and len(text) * 4 <= limit:
        return text
    kept = text.encode("utf-8", "backslashreplace")[:limit].decode("utf-8", "ignore")
    left_out = max(0, len(text) - len(kept)) + beyond
    return f"{kept} ... {left_out} characters left out" if left_out else text


_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Line)
