"""A daemon with an API of three lines, so that these tests are about the daemon alone."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from eventflow.daemon import main
from eventflow.engine.engine import Engine
from eventflow.logs.folder import LogFolder


def make_app(engine: Engine, *, logs: LogFolder, stopping: Callable[[], Awaitable[None]]):
    async def answer(path: str) -> str:
        what, _, name = path.strip("/").partition("/")
        if what == "submit":
            (pipeline,) = [pipeline for pipeline in engine.pipelines if pipeline.name == name]
            return (await engine.submit(pipeline.bind())).id
        if what == "wait":
            return (await engine.wait(name)).state
        if what == "logs":
            return "\n".join(line.text for line in (await logs.read(name)).lines)
        await stopping()
        return "stopped"

    async def app(scope, receive, send) -> None:
        if scope["type"] == "lifespan":
            return
        try:
            status, body = 200, await answer(scope["path"])
        except Exception as error:  # noqa: BLE001 - whatever it is, the test wants to see it
            status, body = 500, f"{type(error).__name__}: {error}"
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", str(len(body)).encode())]})
        await send({"type": "http.response.body", "body": body.encode()})

    return app


if __name__ == "__main__":
    main(Path(sys.argv[1]), make_app)
