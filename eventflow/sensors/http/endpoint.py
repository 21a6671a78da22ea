"""What both HTTP sensors are told of the place that they ask: its address, how one is let in, how long and how much they put up with."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import httpx

from eventflow.durations import Duration
from eventflow.secret import HIDDEN, Secret, revealed, without_secrets
from eventflow.sensors.http.addresses import Address, written
from eventflow.sensors.options import length
from eventflow.sensors.sizes import Size, size

Text: TypeAlias = str | Secret
Credentials: TypeAlias = tuple[str, Text] | Secret | httpx.Auth

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = frozenset(
    {"accept-encoding", "connection", "content-length", "host", "if-match", "if-modified-since", "if-none-match"}
) | frozenset({"if-range", "last-event-id", "range", "te", "transfer-encoding", "upgrade"})


@dataclass(frozen=True, slots=True, repr=False)
class Endpoint:
    """Where to ask, and how. `timeout` is in seconds for a whole answer, `largest` in bytes of its body as it is read."""

    address: Address
    headers: Mapping[str, Text]
    query: Mapping[str, Text]
    auth: httpx.Auth
    timeout: float
    largest: int
    tls: ssl.SSLContext | None

    @property
    def url(self) -> httpx.URL:
        """The address with all of its query: not for any eye."""
        return self.address.url.copy_merge_params(self.revealed_query) if self.query else self.address.url

    @property
    def identity(self) -> Mapping[str, object]:
        """What tells it from another place that is asked: the address and the query, without credentials that may be renewed."""
        query = httpx.QueryParams({name: HIDDEN if isinstance(value, Secret) else value for name, value in self.query.items()})
        return {"url": self.address.identity, "query": without_secrets(f"?{query}")}

    @property
    def revealed_query(self) -> dict[str, str]:
        """What is added to the query of every request."""
        return {name: revealed(value) for name, value in self.query.items()}

    @property
    def revealed_headers(self) -> dict[str, str]:
        """The headers that a person asked for."""
        return {name: revealed(value) for name, value in self.headers.items()}


def endpoint(
    url: Text,
    *,
    headers: Mapping[str, Text] | None,
    query: Mapping[str, Text] | None,
    auth: Credentials | None,
    timeout: Duration,
    largest: Size,
    tls: ssl.SSLContext | None,
) -> Endpoint:
    """Check what a person wrote. Raises `ValueError` for what can't be meant; what may be a credential is not repeated in it."""
    if tls is not None and not isinstance(tls, ssl.SSLContext):  # pyright: ignore[reportUnnecessaryIsInstance] - what people write
        raise ValueError(f"tls={tls!r} is no ssl.SSLContext: make one with ssl.create_default_context(cafile=...)")  # pyright: ignore[reportUnreachable]
    return Endpoint(
        address=written(url),
        headers=_texts("headers", headers, _mistake_in_header),
        query=_texts("query", query, _mistake_in_query),
        auth=_auth(auth),
        timeout=length("timeout", timeout, least="1ms", most="1h"),
        largest=size(largest),
        tls=tls,
    )


class _Bearer(httpx.Auth):
    """A token in the header `Authorization`."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        yield request


def _auth(auth: Credentials | None) -> httpx.Auth:
    match auth:
        case None:
            return httpx.Auth()
        case httpx.Auth():
            return auth
        case Secret():
            if _mistake_in_value(auth.reveal()):
                raise ValueError("auth holds a token with a line break, or with what isn't ASCII: was it read from a file with more in it?")
            return _Bearer(auth)
        case (str() as user, str() | Secret() as password):
            if ":" in user:
                raise ValueError(f"auth has the user {user!r}: a user's name can't hold a colon")
            return httpx.BasicAuth(user, revealed(password))
        case _:
            raise ValueError(  # its text may be the credential itself
                f"auth is a {type(auth).__name__}: give ('user', Secret.of_variable('PASSWORD')) for basic,"
                f" Secret.of_variable('TOKEN') for a bearer token, or an httpx.Auth"
            )


def _texts(option: str, given: Mapping[str, Text] | None, mistake_in: Callable[[str, str], str | None]) -> Mapping[str, Text]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - what people write isn't what was asked for
        raise ValueError(f"{option} is a {type(given).__name__}: give a mapping of texts, such as {{'name': 'value'}}")  # pyright: ignore[reportUnreachable]
    for name, value in given.items():
        if not isinstance(name, str) or not isinstance(value, str | Secret):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"{option}[{name!r}] is a {type(value).__name__}: give a text or a Secret")  # pyright: ignore[reportUnreachable]
        if mistake := mistake_in(name, revealed(value)):
            raise ValueError(f"{option}[{name!r}] {mistake}")
    return dict(given)


def _mistake_in_header(name: str, value: str) -> str | None:
    if not _HEADER.fullmatch(name):
        return "is no name that a header can have"
    if name.lower() in _OURS:
        return "is a header that the sensor sets itself: leave it out"
    return _mistake_in_value(value)


def _mistake_in_value(value: str) -> str | None:
    # What h11 would refuse at each poll, and what would smuggle in a second header (CR, LF).
    if not value.isascii() or any(char != "\t" and not char.isprintable() for char in value) or value != value.strip():
        return "holds a line break, white space at its ends, or what isn't ASCII, which no header can carry"
    return None


def _mistake_in_query(name: str, value: str) -> str | None:
    del value  # whatever it is, it is percent-encoded
    return None if name else "is without a name"
