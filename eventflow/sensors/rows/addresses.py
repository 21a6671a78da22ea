"""What may be shown of a database's address, and what a driver says of it: nobody's credentials.

People write passwords with characters that belong to addresses themselves, so that where one ends can't be told. What is shown is built
from the parts that are sure, and nothing is cut out of a text that might hold more than was found in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from eventflow import escapes
from eventflow.secret import HIDDEN, without_secrets

_KIND = re.compile(r"[A-Za-z][A-Za-z0-9_+]*(?=://)")
_HOST = re.compile(r"[A-Za-z0-9._:-]+")
_BETWEEN = re.compile(r"[/?#@:&=\s'\"<>\[\]]")
_SETTING = re.compile(r"[\w-]*(?:pass|pwd|secret|token|key|credential)[\w-]*\s*=\s*([^&;]+)", re.IGNORECASE)
PERCENT = "write characters such as / : @ # ? and spaces in its user and password as %2F %3A %40 %23 %3F %20"
"""What to do about an address that can't be read."""

_SHORTEST_PART = 4
"""Parts of a password are hidden where they may be all that a driver read of it: shorter ones are in any text."""


def shown(address: str) -> str:
    """Give an address as its kind and its host, with `***` for the host where it isn't sure which part that is."""
    kind = _KIND.match(address)
    return f"{HIDDEN if kind is None else kind[0]}://{_host(address) or HIDDEN}"


def without_credentials(text: str, address: str) -> str:
    """Give what a driver said of an address, in one line, without anything of the address that may be secret."""
    text = text.replace(address, shown(address))
    for secret in sorted({*_secrets(address)}, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return escapes.line(without_secrets(text)).strip()


def _host(address: str) -> str | None:
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:  # no address at all
        return None
    behind = f"{parts.path}{parts.query}{parts.fragment}"
    return host if host is not None and _HOST.fullmatch(host) and "@" not in behind else None


def _secrets(address: str) -> Iterator[str]:
    """Give whatever may be a password, as it was written and as it is meant."""
    credentials, at, _ = address.partition("://")[2].rpartition("@")
    if at:
        yield from _parts(credentials.partition(":")[2])
    for setting in (*_SETTING.finditer(address), *_SETTING.finditer(unquote(address))):
        yield from _parts(setting[1])


def _parts(password: str) -> Iterator[str]:
    for text in filter(None, (password, unquote(password))):
        yield text
        yield from (part for part in _BETWEEN.split(text) if len(part) >= _SHORTEST_PART)
