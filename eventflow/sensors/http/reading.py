"""A body as it comes: unpacked piece by piece, so that no server can make a small answer a huge one in memory."""

from __future__ import annotations

import zlib
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

import httpx

from eventflow import escapes
from eventflow.sensors.http.failures import Unusable

ENCODINGS = "gzip"
"""What is asked for in `Accept-Encoding`: nothing that needs a library, or unpacks in one piece."""

_PIECE = 64 * 1024
_GZIP = 31


async def read(response: httpx.Response, largest: int) -> bytes:
    """Give a whole body, unpacked. Raises `Unusable` as soon as it is larger than `largest`, and for an encoding not asked for."""
    announced = response.headers.get("Content-Length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:18]) > largest:
        raise _too_large(largest)
    pieces: list[bytes] = []
    total = 0
    async with aclosing(unpacked(response)) as parts:
        async for piece in parts:
            total += len(piece)
            if total > largest:
                raise _too_large(largest)
            pieces.append(piece)
    return b"".join(pieces)


async def unpacked(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """Yield a body's bytes as they come, in pieces of at most 64 KiB. Raises `Unusable` for an encoding not asked for, and `zlib.error`."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise Unusable(f"the answer comes in the encoding {escapes.line(encoding[:40])!r}, which wasn't asked for")
    gunzip = _Gunzip() if "gzip" in encoding else None
    async with aclosing(_raw(response)) as parts:
        async for part in parts:
            for piece in (part,) if gunzip is None else gunzip.feed(part):
                yield piece
    if gunzip is not None and not gunzip.whole:
        raise Unusable("the answer was cut short: its gzip stream has no end")


async def _raw(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    if response.is_stream_consumed:
        yield response.content
        return
    async for part in response.aiter_raw():
        yield part


class _Gunzip:
    """Unpacks gzip, of one member or several, without ever giving more than a piece at once."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP)
        self._begun = False

    @property
    def whole(self) -> bool:
        return not self._begun

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if not self._begun and not data.strip(b"\0"):
                return  # zeros behind the last member are allowed
            self._begun = True
            yield from self._member(data)
            if not self._stream.eof:
                return
            data = self._stream.unused_data
            self._stream, self._begun = zlib.decompressobj(_GZIP), False

    def _member(self, data: bytes) -> Iterator[bytes]:
        while True:
            piece = self._stream.decompress(data, _PIECE)
            if piece:
                yield piece
            data = self._stream.unconsumed_tail
            if self._stream.eof or (not data and len(piece) < _PIECE):
                return


def _too_large(largest: int) -> Unusable:
    return Unusable(f"the answer is larger than {largest} bytes, the most that the sensor takes: ask for less, or raise its `largest`")
