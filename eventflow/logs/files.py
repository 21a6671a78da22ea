"""The files of logs: one per run, one line of JSON each line."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import NamedTuple

from eventflow.logs.lines import Line, decode

CHUNK = 4 * 1024 * 1024
"""How many bytes are looked through at once."""


class Page(NamedTuple):
    """Lines of a log, in order. `after` is where the next page begins; `more` is whether there is one now."""

    lines: list[Line]
    after: int
    more: bool


def append(path: Path, raw: bytes) -> None:
    """Add whole lines to a file, or nothing. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            raw = b"\n" + raw  # a crash has torn the last line
        try:
            _write(descriptor, raw)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)


def page(path: Path, node: str | None, attempt: int | None, after: int, limit: int) -> Page:
    """Give up to `limit` lines behind a place in a file; none where there is no file. Raises `OSError`.

    `node` stands for what is inside of it too, where it is a map, one of its items, or a group.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(after)
            raw = file.read(CHUNK)
    except FileNotFoundError:
        return Page([], after, more=False)
    lines: list[Line] = []
    behind = after
    for whole in io.BytesIO(raw):
        if len(lines) == limit:
            return Page(lines, behind, more=True)
        if not whole.endswith(b"\n"):
            break
        behind += len(whole)
        line = decode(whole)
        if line is not None and _is_of(line.node, node) and attempt in (None, line.attempt):
            lines.append(line)
    return Page(lines, behind, more=after + len(raw) < size and behind > after)


def _is_of(node: str, part: str | None) -> bool:
    return part is None or node == part or node.startswith((f"{part}[", f"{part}."))


def _write(descriptor: int, raw: bytes) -> None:
    rest = memoryview(raw)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
