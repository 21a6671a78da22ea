"""Addresses as people write them and servers send them: which are accepted, and how they are shown."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import httpx

from eventflow.secret import HIDDEN, Secret, revealed, without_secrets

_LONGEST = 8000
_SHOWN = 300

_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_NUMBER = re.compile(r"[0-9A-Fa-f:.]+")


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """Where something is asked for. `shown` is the same without credentials, for people, events and the journal.

    `identity` tells it from every other address, and is no text for people. A credential in the query is no part of it, for it may be
    renewed; an address that is one as a whole is.
    """

    url: httpx.URL
    shown: str
    identity: str

    def __repr__(self) -> str:
        return f"<Address {self.shown}>"


def written(url: str | Secret) -> Address:
    """Give the address that a person wrote. One that is a `Secret` as a whole is shown up to its host. Raises `ValueError`."""
    text = revealed(url)
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - what people write isn't what was asked for
        raise ValueError(f"url={text!r} is no address: give a text such as 'https://example.com/prices.json'")  # pyright: ignore[reportUnreachable]
    try:
        checked = accepted(text)
    except ValueError as error:
        raise ValueError(f"url={HIDDEN if isinstance(url, Secret) else without_secrets(text)[:_SHOWN]!r} {error}") from None
    if isinstance(url, Secret):
        host = f"{checked.scheme}://{checked.netloc.decode('ascii')}/"
        return Address(checked, host + HIDDEN, _costly_digest(str(checked), host))
    return Address(checked, shown(checked), without_secrets(str(checked)))


def accepted(text: str) -> httpx.URL:
    """Give an http or https address as a URL. Raises `ValueError`, which says what is wrong with it but not what it is."""
    if len(text) > _LONGEST:
        raise ValueError(f"is longer than {_LONGEST} characters")
    if any(char.isspace() or not char.isprintable() or char == "\\" for char in text):
        raise ValueError("holds a space, a backslash, or what can't be printed: write it percent-encoded")
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError, UnicodeError):
        raise ValueError("is no address") from None
    if url.scheme not in ("http", "https"):
        raise ValueError("begins with neither http:// nor https://")
    if url.userinfo:
        raise ValueError("holds credentials, or an @ before its host: hand them to `auth`, as ('user', Secret.of_variable('NAME'))")
    if "#" in text:
        raise ValueError("holds a fragment, the part from # on, which is never sent: leave it out, or write %23")
    if not _is_host(url.raw_host.decode("ascii")) or not 1 <= port(url) <= 65535:
        raise ValueError("has no host and port that could be asked")
    return url


def shown(url: httpx.URL) -> str:
    """Give a URL without what looks like a credential."""
    text = without_secrets(str(url.copy_with(userinfo=b"", fragment=None)))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def origin(url: httpx.URL) -> tuple[str, str, int]:
    """Give scheme, host and port: who is asked."""
    return url.scheme, url.host, port(url)


def port(url: httpx.URL) -> int:
    """Give the port, that of the scheme where none is written."""
    if url.port is not None:
        return url.port
    return 443 if url.scheme == "https" else 80


def _costly_digest(secret: str, salt: str) -> str:
    """Give what tells a secret from another one, where the journal may keep it: each guess at it costs 16 MiB and some 50 ms."""
    return hashlib.scrypt(secret.encode(), salt=salt.encode(), n=2**14, r=8, p=1, dklen=16).hex()


def _is_host(host: str) -> bool:
    # httpx takes the brackets off an IPv6 address.
    return _NAME.fullmatch(host) is not None or (":" in host and _NUMBER.fullmatch(host) is not None)
