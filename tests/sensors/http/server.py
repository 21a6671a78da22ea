"""A web server on loopback that does what it is told, good or bad: hang, drip, cut off, lie, send on, bury in bytes."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

Act = Callable[["Line"], Awaitable[None]]


@dataclass(frozen=True)
class Asked:
    """A request as it came. Names of headers are in small letters."""

    method: str
    target: str
    headers: Mapping[str, str]

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


@dataclass(frozen=True)
class Reply:
    """A proper answer."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def head(self) -> bytes:
        lines = {"Content-Length": str(len(self.body)), **self.headers}
        return f"HTTP/1.1 {self.status} Whatever\r\n".encode() + "".join(f"{n}: {v}\r\n" for n, v in lines.items()).encode() + b"\r\n"


def as_json(value: object, **headers: str) -> Reply:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(json.dumps(value).encode(), headers={"Content-Type": "application/json", **named})


def sends_on(to: str, status: int = 302) -> Reply:
    return Reply(status=status, headers={"Location": to})


class Line:
    """One connection, on which a request has come."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def gone(self) -> None:
        """Return once the other side has closed the connection."""
        with suppress(ConnectionError):
            while await self.reader.read(65536):
                pass

    def reset(self) -> None:
        """Cut the connection with an RST."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


async def hang(line: Line) -> None:
    await line.gone()


async def hang_behind_headers(line: Line) -> None:
    await line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
    await line.gone()


async def drip(line: Line) -> None:
    """Send a byte now and then, for ever: no single read ever takes long."""
    await line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    with suppress(ConnectionError):
        while not line.writer.is_closing():
            await line.send(b"x")
            await asyncio.sleep(0.01)


async def drip_headers(line: Line) -> None:
    await line.send(b"HTTP/1.1 200 OK\r\n")
    with suppress(ConnectionError):
        for number in range(10_000):
            if line.writer.is_closing():
                return
            await line.send(f"X-{number}: y\r\n".encode())
            await asyncio.sleep(0.01)


async def reset_in_body(line: Line) -> None:
    await line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    line.reset()


async def short(line: Line) -> None:
    """Announce more than there is."""
    await line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\n[1, 2]")


async def cut_chunk(line: Line) -> None:
    await line.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n[1, 2]\r\n")


async def no_http(line: Line) -> None:
    await line.send(b"SSH-2.0-OpenSSH_9.6\r\n")


async def nothing(line: Line) -> None:
    """Close without a word."""


async def bomb(line: Line) -> None:
    """A small answer that unpacks to 200 MB."""
    packed = _packed_zeros()
    await line.send(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % (4 * len(packed)) + 4 * packed
    )


@cache
def _packed_zeros() -> bytes:
    return gzip.compress(b"\0" * 50_000_000, 9)


async def flood(line: Line) -> None:
    """A body without an end, and without an announced length."""
    await line.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    with suppress(ConnectionError):
        while not line.writer.is_closing():
            await line.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")


def chunks(*parts: bytes, kind: str = "text/event-stream", then: Act = hang, status: int = 200) -> Act:
    """Send a stream in these parts, then do something else: hang, end, reset."""

    async def act(line: Line) -> None:
        await line.send(f"HTTP/1.1 {status} OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for part in parts:
            await line.send(b"%x\r\n" % len(part) + part + b"\r\n")
        await then(line)

    return act


async def end(line: Line) -> None:
    """End a chunked answer properly."""
    await line.send(b"0\r\n\r\n")


async def cut(line: Line) -> None:
    line.reset()


Told = Reply | Act | Callable[[Asked], Any]


class Server:
    """What has been asked so far, and what is answered: `at(path, ...)` one thing after another, the last one for ever."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.open = 0
        self._heard = asyncio.Event()
        self._left = asyncio.Event()
        self._told: dict[str, list[Told]] = {}
        self._busy: set[asyncio.Task[None]] = set()
        self.url = ""

    def at(self, path: str, *told: Told) -> str:
        """Answer so from now on, and give the address."""
        self._told[path] = list(told)
        return self.url + path

    async def heard(self) -> None:
        """Return once something was asked."""
        await self._heard.wait()

    async def left(self) -> None:
        """Return once somebody has connected, and nobody is connected any more."""
        await self._left.wait()
        assert self.open == 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._busy.add(task)
        self.open += 1
        try:
            while asked := await _asked(reader):
                self.asked.append(asked)
                self._heard.set()
                if not await self._answer(asked, Line(reader, writer)):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass  # the other side has left, or the test is over
        finally:
            self.open -= 1
            if not self.open:
                self._left.set()
            self._busy.discard(task)
            with suppress(ConnectionError, ssl.SSLError, RuntimeError):
                writer.close()

    async def _answer(self, asked: Asked, line: Line) -> bool:
        told = self._told.get(asked.path)
        one: Any = Reply(b"nothing here", 404) if not told else told.pop(0) if len(told) > 1 else told[0]
        while not isinstance(one, Reply) and one.__code__.co_varnames[0] != "line":
            one = one(asked)
        if isinstance(one, Reply):
            await line.send(one.head + (b"" if asked.method == "HEAD" else one.body))
            return "close" not in one.headers.get("Connection", "")
        await one(line)
        return False

    async def stop(self) -> None:
        for task in list(self._busy):
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)


@asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None) -> AsyncGenerator[Server]:
    """Serve on a free port of loopback until the block is left."""
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield server
    finally:
        listening.close()
        await server.stop()


def free_port() -> int:
    """Give a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _asked(reader: asyncio.StreamReader) -> Asked | None:
    first = (await reader.readline()).decode("latin-1").split()
    if len(first) != 3:
        return None
    headers: dict[str, str] = {}
    while line := (await reader.readline()).decode("utf-8", "surrogateescape").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return Asked(first[0], first[1], headers)
