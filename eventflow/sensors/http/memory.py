"""What an HTTP sensor remembers between two looks: its cursor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import msgspec

from eventflow import codec

_LONGEST = 1000


class Memory(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What the last committed look found. `watched` says of what: another address or another kind of change begins anew.

    `unmarked` is what was watched first, as `Space` has it. `changes` is the number of the last change. `mark` decides whether something
    has changed; `value` is what it stands for, where that is small, as JSON text: a cursor can't hold every value as it is. `etag` and
    `modified` are the validators that came with it.
    """

    watched: str
    unmarked: str = ""
    changes: int = 0
    mark: str | None = None
    value: str | None = None
    headers: str | None = None
    etag: str | None = None
    modified: str | None = None

    @property
    def is_first(self) -> bool:
        """Whether nothing has been found yet."""
        return self.mark is None

    @property
    def found(self) -> object:
        """The value itself, None where it is unknown."""
        return None if self.value is None else msgspec.json.decode(self.value)

    @property
    def cursor(self) -> dict[str, Any]:
        """How it stands in the journal."""
        return msgspec.to_builtins(self)

    @property
    def conditions(self) -> dict[str, str]:
        """The headers by which a server may answer that nothing has changed."""
        conditions: dict[str, str] = {}
        if self.etag is not None:
            conditions["If-None-Match"] = self.etag
        if self.modified is not None:
            conditions["If-Modified-Since"] = self.modified
        return conditions


def remembered(cursor: object, watched: str) -> Memory:
    """Give what a cursor remembers of what is watched: nothing where it was something else."""
    try:
        memory = msgspec.convert(cursor, Memory)
    except msgspec.ValidationError:  # another kind of sensor had this name
        return Memory(watched=watched)
    return memory if memory.watched == watched else Memory(watched=watched)


def etag(headers: httpx.Headers) -> str | None:
    """Give the ETag as it can be sent back; one that is no header's value, or is huge, is as good as none."""
    return _sendable(headers.get("ETag"))


def modified(headers: httpx.Headers) -> str | None:
    """Give Last-Modified as it can be sent back, or None."""
    return _sendable(headers.get("Last-Modified"))


def fingerprint(what: Mapping[str, object]) -> str:
    """Give a short text that is another one for everything else that is watched."""
    return codec.digest(codec.canonical(what))[:16]


def _sendable(value: str | None) -> str | None:
    return value if value and len(value) <= _LONGEST and value.isascii() and value.isprintable() else None
