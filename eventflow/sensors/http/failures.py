"""What can go wrong with a request, in plain words and without credentials."""

from __future__ import annotations

import email.utils
import re
import socket
import ssl
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, cast

import httpx

from eventflow import durations, escapes
from eventflow.durations import SECOND
from eventflow.errors import SensorError, SourceUnreachable
from eventflow.secret import without_secrets

LONGEST_RETRY_AFTER = 3600.0
"""Seconds: a server that asks for more is asked again after an hour all the same."""

_NUMBER = re.compile(r"[0-9]{1,18}")
_ADVICE = {401: "check the sensor's auth", 403: "check the sensor's auth", 404: "check the sensor's url", 410: "check the sensor's url"}


class Unusable(Exception):
    """An answer that came and can't be used. The message says why, and goes on from `GET http://...: `."""


@contextmanager
def telling(what: str, limit: float) -> Generator[None]:
    """Turn whatever a request may raise into a `SensorError` that begins with `what` was asked for. `limit` is its deadline in seconds.

    The original is left out of it: it holds the request, with its credentials.
    """
    try:
        yield
    except TimeoutError:
        raise SourceUnreachable(f"{what}: no whole answer within {durations.text(limit)}") from None
    except Unusable as error:
        raise SensorError(f"{what}: {error}") from None
    except zlib.error:
        raise SensorError(f"{what}: the answer is damaged: it says that it is gzip, and isn't") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise SourceUnreachable(f"{what}: {_reason(error)}") from None


def refusal(what: str, status: int, headers: httpx.Headers, now: int) -> SourceUnreachable:
    """Give the error for an answer whose status says no."""
    advice = f": {_ADVICE[status]}" if status in _ADVICE else ""
    return SourceUnreachable(f"{what}: answered {named(status)}{advice}", retry_after(headers, now))


def named(status: int) -> str:
    """Give a status with its name: `503 Service Unavailable`. The server's own words for it are left out."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def retry_after(headers: httpx.Headers, now: int) -> float | None:
    """Give the seconds after which a server wants to be asked again, an hour at most; None where it says nothing that makes sense."""
    said = headers.get("Retry-After", "").strip()
    if _NUMBER.fullmatch(said):
        wait = float(said)
    else:
        try:
            wait = email.utils.parsedate_to_datetime(said).timestamp() - now / SECOND
        except (ValueError, TypeError, OverflowError, IndexError):
            return None
    return min(wait, LONGEST_RETRY_AFTER) if wait > 0 else None


def media_type(headers: httpx.Headers) -> str:
    """Give the type of an answer's body as its server says it, safe to print: `text/html`."""
    said = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return escapes.line(said[:80]) or "no type"


def _reason(error: Exception) -> str:
    for cause in _causes(error):
        for kind, say in _CAUSES.items():
            if isinstance(cause, kind):
                return say(cause)
    return next(say(error) for kind, say in _KINDS.items() if isinstance(error, kind))


def _text(error: Exception) -> str:
    return without_secrets(escapes.line(str(error)[:200]))


def _tls(error: Any) -> str:
    return f"no TLS connection can be made: {escapes.line(error.reason or 'it was cut')}"


_CAUSES: Mapping[type[BaseException], Callable[[Any], str]] = {
    socket.gaierror: lambda error: f"its host can't be found: {error.strerror}",
    ssl.SSLCertVerificationError: lambda error: f"its certificate isn't trusted: {error.verify_message}",
    ssl.SSLError: _tls,
    ConnectionRefusedError: lambda _: "nothing listens there",
    ConnectionResetError: lambda _: "the connection was cut",
    BrokenPipeError: lambda _: "the connection was cut",
}
"""What lies below an error of httpx's, and says more than that."""

_KINDS: Mapping[type[BaseException], Callable[[Any], str]] = {
    httpx.LocalProtocolError: lambda _: "the request can't be sent: one of its parts isn't fit for HTTP",
    httpx.InvalidURL: lambda _: "the request can't be sent: its address isn't fit for HTTP",
    httpx.ProtocolError: lambda error: f"the answer is no proper HTTP, or was cut short: {_text(error)}",
    httpx.NetworkError: lambda error: f"the connection was cut, or there was none: {_text(error)}",
    Exception: lambda error: _text(error) or type(error).__name__,
}


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Give an error, and what it came from, innermost groups included."""
    open_: list[BaseException] = [error]
    known: set[int] = set()
    while open_:
        cause = open_.pop(0)
        if id(cause) in known:
            continue
        known.add(id(cause))
        yield cause
        open_ += [inner for inner in (cause.__cause__, cause.__context__) if inner is not None]
        if isinstance(cause, BaseExceptionGroup):
            open_ += cast("BaseExceptionGroup[BaseException]", cause).exceptions
