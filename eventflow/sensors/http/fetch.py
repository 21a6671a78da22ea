"""A request and its answer, within all limits: time, size, redirects, and who may see which credentials.

httpx's transport is used as it is, below its client. The client would log each URL with its query, obey proxies from the environment, keep
cookies, and follow redirects without a look at where they lead.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from types import TracebackType
from typing import Self

import httpx

from eventflow.deadlines import within
from eventflow.ports import Clock
from eventflow.sensors.http.endpoint import Endpoint
from eventflow.sensors.http.failures import Unusable, refusal, telling
from eventflow.sensors.http.networks import Resolve, resolved
from eventflow.sensors.http.reading import ENCODINGS, read
from eventflow.sensors.http.redirects import MOST_HOPS, Hop, following, kind_of_peer, redirects
from eventflow.threads import in_thread

NOT_MODIFIED = 304

_AGENT = "eventflow"
_LIMITS = httpx.Limits(max_connections=2, max_keepalive_connections=1, keepalive_expiry=5)


@dataclass(frozen=True, slots=True)
class Ask:
    """A request: `url`, that of a further `page`, in place of the endpoint's own, and headers for whoever gives the answer in the end."""

    method: str = "GET"
    url: httpx.URL | None = None
    page: int = 1
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, its body unpacked. `what` is what was asked for, for messages."""

    what: str
    status: int
    headers: httpx.Headers
    body: bytes


class Fetch:
    """Asks one endpoint, inside `async with`: connections are kept as long, and no longer, so that between two polls nothing is open."""

    def __init__(self, endpoint: Endpoint, clock: Clock, resolve: Resolve = resolved) -> None:
        self.endpoint = endpoint
        self._clock = clock
        self._resolve = resolve

    async def __aenter__(self) -> Self:
        tls = self.endpoint.tls or await in_thread(_trusted)
        self._transport = httpx.AsyncHTTPTransport(verify=tls, limits=_LIMITS)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._transport.aclose()

    def what(self, ask: Ask) -> str:
        """Say what is asked for, without credentials."""
        return f"{ask.method} {self.endpoint.address.shown}" + (f" (page {ask.page})" if ask.page > 1 else "")

    async def answer(self, ask: Ask, *, with_body: bool = True) -> Answer:
        """Give the answer, whatever its status is. Raises `SensorError`, `SourceUnreachable` where there is none."""
        limits, what = self.endpoint, self.what(ask)
        with telling(what, limits.timeout), within(limits.timeout, self._clock):
            async with self.opened(ask) as response:
                body = await read(response, limits.largest) if with_body and ask.method != "HEAD" else b""
                return Answer(what, response.status_code, response.headers, body)

    async def good(self, ask: Ask) -> Answer:
        """Give the answer, whose status is a good one, or 304 where that was asked for. Raises `SourceUnreachable` for any other."""
        answer = await self.answer(ask)
        return answer if answer.status == NOT_MODIFIED and asks_for_changes(ask) else self.checked(answer)

    def checked(self, answer: Answer) -> Answer:
        """Give an answer whose status is a good one. Raises `SourceUnreachable` for any other."""
        if 200 <= answer.status < 300:
            return answer
        raise refusal(answer.what, answer.status, answer.headers, self._clock.now())

    @asynccontextmanager
    async def opened(self, ask: Ask) -> AsyncGenerator[httpx.Response]:
        """Give the answer when its headers are there: behind all redirects, its body not yet read. Raises what `telling` translates."""
        response = await self._behind_redirects(ask)
        try:
            yield response
        finally:
            await response.aclose()

    async def _behind_redirects(self, ask: Ask) -> httpx.Response:
        hop = Hop(ask.url or self.endpoint.url)
        response = await self._asked(ask, hop)
        start = kind_of_peer(response)
        for _ in range(MOST_HOPS):
            if not redirects(response):
                return response
            try:
                hop = await following(hop, response, start, self._resolve)
            finally:
                await response.aclose()
            response = await self._asked(ask, hop)
        if redirects(response):
            await response.aclose()
            raise Unusable(f"it redirects more than {MOST_HOPS} times")
        return response

    async def _asked(self, ask: Ask, hop: Hop) -> httpx.Response:
        """Ask at the judged addresses, one after another until one takes the connection; without any, wherever the name leads."""
        *others, last = hop.addresses or (None,)
        for address in others:
            try:
                return await self._sent(self._request(ask, hop, address), trusted=hop.trusted)
            except httpx.ConnectError:
                continue
        return await self._sent(self._request(ask, hop, last), trusted=hop.trusted)

    def _request(self, ask: Ask, hop: Hop, address: str | None) -> httpx.Request:
        own = self.endpoint.revealed_headers if hop.trusted else {}
        headers = httpx.Headers({"User-Agent": _AGENT, "Accept": "*/*", **own})
        headers.update({name.encode(): value.encode() for name, value in ask.headers.items()})
        headers.setdefault("Accept-Encoding", ENCODINGS)
        if address is None:
            return httpx.Request(ask.method, hop.url, headers=headers)
        # The name stays in Host and in the certificate's check. The connection isn't kept: the pool would know it by its address alone,
        # and give it to another name that has the same one.
        headers["Host"] = hop.url.netloc.decode("ascii")
        headers["Connection"] = "close"
        name = {"sni_hostname": hop.url.raw_host.decode("ascii")}
        return httpx.Request(ask.method, hop.url.copy_with(host=address), headers=headers, extensions=name)

    async def _sent(self, request: httpx.Request, *, trusted: bool) -> httpx.Response:
        auth = self.endpoint.auth if trusted else httpx.Auth()
        async with aclosing(auth.async_auth_flow(request)) as flow:
            request = await anext(flow)
            while True:
                response = await self._transport.handle_async_request(request)
                response.request = request
                try:
                    if auth.requires_response_body:
                        response = await self._read(response)
                    request = await flow.asend(response)
                except StopAsyncIteration:
                    return response
                except BaseException:
                    await response.aclose()
                    raise
                await response.aclose()

    async def _read(self, response: httpx.Response) -> httpx.Response:
        """Read an answer for an authentication that asks for its body: within the limits, as every other."""
        body = await read(response, self.endpoint.largest)
        await response.aclose()
        packed = ("content-encoding", "content-length", "transfer-encoding")
        headers = [(name, value) for name, value in response.headers.multi_items() if name.lower() not in packed]
        return httpx.Response(response.status_code, headers=headers, content=body, request=response.request, extensions=response.extensions)


def asks_for_changes(ask: Ask) -> bool:
    """Tell whether a server may answer that nothing has changed."""
    return "If-None-Match" in ask.headers or "If-Modified-Since" in ask.headers


_loading = threading.Lock()


@cache
def _known_authorities() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _trusted() -> ssl.SSLContext:
    """Give who is trusted, loaded once for all sensors: it takes some 20 ms and a megabyte. `SSL_CERT_FILE` adds a company's own."""
    with _loading:
        return _known_authorities()
