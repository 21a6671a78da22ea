"""What the tests of the object sensor share: moto's S3 on loopback, and buckets in it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import warnings
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import obstore
from obstore.store import S3Store

from eventflow import ObjectSensor, Secret

SECRET = "kept-to-ourselves"
_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Store:
    """An S3 server, and one bucket of it."""

    endpoint: str
    bucket: str

    @property
    def options(self) -> dict[str, str | Secret]:
        return {
            "endpoint": self.endpoint,
            "region": "us-east-1",
            "access_key_id": Secret("an-access-key"),
            "secret_access_key": Secret(SECRET),
            "virtual_hosted_style_request": "false",
        }

    def sensor(self, path: str = "", **said: Any) -> ObjectSensor:
        """Make a sensor of the bucket, or of a prefix in it."""
        return ObjectSensor("raw", f"s3://{self.bucket}{path}", **{"every": "1s", "options": self.options, **said})

    def put(self, key: str, content: bytes = b"1") -> None:
        obstore.put(self._opened(), key, content)

    def delete(self, key: str) -> None:
        obstore.delete(self._opened(), key)

    def put_as_written(self, key: str, content: bytes = b"1") -> None:
        """Put an object under a key that obstore would not take."""
        httpx.put(f"{self.endpoint}/{self.bucket}/{key}", content=content).raise_for_status()

    def _opened(self) -> S3Store:
        return S3Store(
            self.bucket,
            config={
                "endpoint": self.endpoint,
                "region": "us-east-1",
                "access_key_id": "k",
                "secret_access_key": "s",
                "virtual_hosted_style_request": False,
            },
            client_options={"allow_http": True},
        )


@contextmanager
def served() -> Generator[str]:
    """Serve S3 until the block is left, and give its address."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of moto's and botocore's own code
        from moto.server import ThreadedMotoServer

        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        try:
            yield "http://{}:{}".format(*server.get_host_and_port())
        finally:
            server.stop()


@dataclass
class Answer:
    """What a server on loopback says to everything."""

    status: int
    body: str
    endpoint: str = ""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            content = self.body.encode()
            writer.write(f"HTTP/1.1 {self.status} So\r\nConnection: close\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def answering(status: int, body: str) -> AsyncGenerator[Answer]:
    """Serve one answer until the block is left. It can be changed meanwhile."""
    answer = Answer(status, body)
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        answer.endpoint = "http://{}:{}".format(*server.sockets[0].getsockname())
        yield answer


def listing(*objects: str) -> str:
    """Give a listing of S3 with these objects, each written as `key etag modified`."""
    contents = [
        f"<Contents><Key>{key}</Key><LastModified>{modified}</LastModified>{etag and f'<ETag>{etag}</ETag>'}<Size>1</Size></Contents>"
        for key, etag, modified in (one.split(" ") for one in objects)
    ]
    return f"<ListBucketResult>{''.join(contents)}</ListBucketResult>"


def made(endpoint: str) -> Store:
    """Make a new bucket."""
    store = Store(endpoint, f"bucket-{next(_NUMBERS)}")
    httpx.put(f"{endpoint}/{store.bucket}").raise_for_status()
    return store
