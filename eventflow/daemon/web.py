"""The ASGI app on the daemon's Unix socket."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import uvicorn
from anyio.abc import TaskStatus
from starlette.types import ASGIApp

from eventflow import address
from eventflow.journal.faults import understood

PATIENCE = 3
"""Seconds that a request under way is given at the end."""


@asynccontextmanager
async def web(app: ASGIApp, state: Path, stopping: anyio.Event) -> AsyncGenerator[Path]:
    """Serve an app to whoever may enter the state folder, and give the socket's path. At the end `stopping` is set, for endless streams."""
    path = address.publish(state)
    server = _Server(
        uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=PATIENCE,
        )
    )
    try:
        async with anyio.create_task_group() as tasks:
            await tasks.start(_serve, server, _bound(path))
            try:
                yield path
            finally:
                stopping.set()
                server.should_exit = True
    finally:
        address.withdraw(state, path)


class _Server(uvicorn.Server):
    """uvicorn, without its hands on the process's signals, and telling when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = anyio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


async def _serve(server: _Server, listening: socket.socket, *, task_status: TaskStatus[None]) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_tell, server.ready, task_status)
        # Shielded: cancelled half-way, uvicorn would cut requests and leave the app without its shutdown.
        with anyio.CancelScope(shield=True):
            await server.serve([listening])


async def _tell(ready: anyio.Event, task_status: TaskStatus[None]) -> None:
    await ready.wait()
    task_status.started()


def _bound(path: Path) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with understood(path.parent):
            listening.bind(str(path))
            path.chmod(0o600)
    except BaseException:
        listening.close()
        raise
    return listening
