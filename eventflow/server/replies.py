"""Answers as responses: JSON, or `{"error": message}` with the status that fits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from eventflow.errors import EventflowError
from eventflow.server.answers import Answer, Error
from eventflow.server.statuses import status_of


def reply(answer: Answer | Sequence[Answer], *, status: int = 200) -> Response:
    """Give an answer as JSON."""
    return Response(msgspec.json.encode(answer), status, headers=_HEADERS, media_type="application/json")


def error_replies() -> dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]]:
    """Give what turns exceptions into responses. What nobody foresaw says its kind alone, and is raised on to the server's log."""
    return {EventflowError: _ours, HTTPException: _starlettes, Exception: _unforeseen}


async def _ours(_: Request, error: Exception) -> Response:
    status = status_of(error) if isinstance(error, EventflowError) else 500
    return reply(Error(str(error)), status=status)


async def _starlettes(request: Request, error: Exception) -> Response:
    status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, str(error))
    about = {404: "there is no such address", 405: f"{request.method} means nothing at this address"}
    return reply(Error(about.get(status, detail)), status=status)


async def _unforeseen(_: Request, error: Exception) -> Response:
    return reply(Error(f"an error that eventflow didn't foresee: {type(error).__name__}; the daemon's log has more"), status=500)


_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
