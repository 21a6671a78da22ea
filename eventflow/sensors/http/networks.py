"""Where a redirect may lead: names are resolved once, the addresses are judged, and what was judged is what is connected to."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from eventflow.threads import in_loose_thread

Kind = Literal["public", "private", "loopback", "reserved"]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[list[str]]]

_PRIVATE = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
_TRANSLATED = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48")))
"""NAT64: an IPv4 address in the last 32 bits, to which a gateway leads."""


async def resolved(host: str, port: int) -> list[str]:
    """Give the addresses of a host. Raises `OSError` where it has none."""
    # In a thread that nobody waits for: a name server that never answers must not hold up an engine that is closed.
    found = await in_loose_thread(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), "eventflow-resolve")
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def kind(address: str) -> Kind:
    """Tell what sort of address this is. IPv4 addresses inside of IPv6 ones are judged as what they lead to."""
    try:
        number = _inner(ipaddress.ip_address(address))
    except ValueError:
        return "reserved"
    if number.is_loopback:
        return "loopback"
    if any(number in network for network in _PRIVATE if network.version == number.version):
        return "private"
    # What is left of addresses that aren't for everybody: link-local, where clouds keep their metadata, and those of a provider's inside.
    return "public" if number.is_global and not number.is_multicast else "reserved"


def may_lead(start: Kind, addresses: Sequence[str]) -> bool:
    """Tell whether a redirect may lead to these addresses of a host, from an address of kind `start`.

    To public ones always; to private ones from private ones, to this machine from this machine. One bad address spoils all: whoever
    controls the name decides which of them is taken.
    """
    allowed = {"public"} if start == "reserved" else {"public", start}
    return bool(addresses) and all(kind(address) in allowed for address in addresses)


def _inner(number: Address) -> Address:
    if isinstance(number, ipaddress.IPv4Address):
        return number
    if any(number in network for network in _TRANSLATED):
        return ipaddress.IPv4Address(int(number) & 0xFFFFFFFF)
    teredo = number.teredo
    return number.ipv4_mapped or number.sixtofour or (teredo[1] if teredo else number)
