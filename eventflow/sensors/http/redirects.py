"""Where an answer sends a request on to, and what it may take along."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from eventflow.sensors.http.addresses import accepted, origin
from eventflow.sensors.http.failures import Unusable, named
from eventflow.sensors.http.networks import Kind, Resolve, kind, may_lead

MOST_HOPS = 5

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Hop:
    """One request of a chain. `trusted`: credentials may come along. `addresses`: what its host's name was found to mean, and judged."""

    url: httpx.URL
    trusted: bool = True
    addresses: tuple[str, ...] = ()


def redirects(response: httpx.Response) -> bool:
    """Tell whether an answer sends the request on."""
    return response.status_code in _REDIRECTS


async def following(hop: Hop, response: httpx.Response, start: Kind, resolve: Resolve) -> Hop:
    """Give the next hop. Raises `Unusable` for one that is refused, `OSError` where its host has no address.

    `start` is what sort of address the first answer came from. Credentials that were once left behind stay behind.
    """
    url = _target(hop.url, response)
    if origin(url) == origin(hop.url):
        return Hop(url, hop.trusted, hop.addresses)
    host = url.raw_host.decode("ascii")
    addresses = await resolve(host, origin(url)[2])
    if not may_lead(start, addresses):
        sorts = ", ".join(sorted({kind(address) for address in addresses} - {"public"})) or "no"
        raise _refused(url, f"whose address is {sorts}: a redirect may not lead from outside into a network, or to special addresses")
    return Hop(url, hop.trusted and _is_upgrade(hop.url, url), tuple(addresses))


def kind_of_peer(response: httpx.Response) -> Kind:
    """Tell what sort of address an answer came from."""
    stream = response.extensions.get("network_stream")
    peer = None if stream is None else stream.get_extra_info("server_addr")
    return kind(str(peer[0])) if peer else "public"


def _target(url: httpx.URL, response: httpx.Response) -> httpx.URL:
    location = response.headers.get("Location", "")
    if not location:
        raise Unusable(f"it answers {named(response.status_code)} without saying where to")
    try:
        joined = url.join(location.partition("#")[0])
        target = accepted(str(joined))
    except (httpx.InvalidURL, ValueError) as error:
        reason = str(error) if type(error) is ValueError else "is no address"
        raise Unusable(f"it redirects to what {reason}") from None
    if target.scheme not in (url.scheme, "https"):
        raise _refused(target, "from https to http: what is asked there could be read and changed on its way")
    return target


def _is_upgrade(before: httpx.URL, after: httpx.URL) -> bool:
    return before.host == after.host and (origin(before)[::2], origin(after)[::2]) == (("http", 80), ("https", 443))


def _refused(url: httpx.URL, reason: str) -> Unusable:
    # Path and query are left out: they may repeat what the sensor's own address keeps secret.
    return Unusable(f"it redirects to {url.scheme}://{url.netloc.decode('ascii')}, {reason}")
