"""A ledger: what a test sent and saw happen, written outside the system that it tests, line by line, so that no crash can touch it.

`eventflow.testing.check` compares it with the journal. All instants are microseconds UTC of this machine's own clock.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TypeAlias

import msgspec

from eventflow import codec

SUBMIT = "submit"
"""The source of what is asked for by `engine.submit(..., key=...)`: its id is the key."""


class _Entry(msgspec.Struct, frozen=True, tag=True, tag_field="entry", omit_defaults=True):
    """What all entries share: they are frozen, and tagged with their name."""


class Sent(_Entry, frozen=True):
    """A test offered this to the system: an event by its identity, or a submission by its key."""

    at: int
    source: str
    id: str


class Acknowledged(_Entry, frozen=True):
    """The system said that it has what was sent."""

    at: int
    source: str
    id: str


class CancelAcknowledged(_Entry, frozen=True):
    """The system said that a run will be cancelled."""

    at: int
    run: str


class BodyStarted(_Entry, frozen=True):
    """The body of a node was begun, as the body itself says."""

    at: int
    run: str
    node: str
    attempt: int
    pid: int


class BodyEnded(_Entry, frozen=True):
    """The body of a node came to its end. `result` is the digest of what it returned, None where it raised."""

    at: int
    run: str
    node: str
    attempt: int
    pid: int
    result: str | None = None


class ProcessEnded(_Entry, frozen=True):
    """A process of the system was seen to be dead: by its own will with exit code `code`, or killed, which is a negative one."""

    at: int
    pid: int
    code: int


Entry: TypeAlias = Sent | Acknowledged | CancelAcknowledged | BodyStarted | BodyEnded | ProcessEnded


class Ledger:
    """A ledger in a file, to which any number of processes and threads may write at once."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_SYNC | os.O_CLOEXEC, 0o600)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def sent(self, source: str, id: str) -> None:  # noqa: A002 - an event's id
        """Write that something is about to be offered: before it is, so that nothing can be known to the system alone."""
        self._write(Sent(_now(), source, id))

    def acknowledged(self, source: str, id: str) -> None:  # noqa: A002 - as above
        """Write that the system has acknowledged what was sent."""
        self._write(Acknowledged(_now(), source, id))

    def cancel_acknowledged(self, run: str) -> None:
        """Write that the system has acknowledged a cancel."""
        self._write(CancelAcknowledged(_now(), run))

    def body_started(self, run: str, node: str, attempt: int) -> None:
        """Write that a body begins: its first line."""
        self._write(BodyStarted(_now(), run, node, attempt, os.getpid()))

    def body_ended(self, run: str, node: str, attempt: int, *, result: object) -> None:
        """Write that a body is about to return `result`, which JSON must carry: its last line."""
        self._write(BodyEnded(_now(), run, node, attempt, os.getpid(), codec.digest(codec.canonical(result))))

    def body_raised(self, run: str, node: str, attempt: int) -> None:
        """Write that a body is about to raise, or was cancelled."""
        self._write(BodyEnded(_now(), run, node, attempt, os.getpid()))

    def process_ended(self, pid: int, code: int) -> None:
        """Write that a process of the system is dead: before the next one is started."""
        self._write(ProcessEnded(_now(), pid, code))

    def read(self) -> list[Entry]:
        """Give all entries, in the order in which they were written."""
        return [_decoder.decode(line) for line in self.path.read_bytes().splitlines()]

    def _write(self, entry: Entry) -> None:
        os.write(self._descriptor, _encoder.encode(entry) + b"\n")  # one write: the kernel never mixes two that append


def _now() -> int:
    return time.time_ns() // 1000


_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(Entry)
