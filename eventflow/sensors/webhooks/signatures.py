"""Signatures: made with a key, and compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Literal

from eventflow.durations import SECOND
from eventflow.sensors.webhooks.received import Unverified

Algorithm = Literal["sha256", "sha512"]

WINDOW = 300
"""How many seconds a signed instant may lie in the past, or in the future: clocks differ, and deliveries take their time."""

MOST_CANDIDATES = 16
"""How many signatures of one delivery are looked at. A sender that changes its secret gives two or three."""

LONGEST_HEADER = 4096

_DIGITS = re.compile(rb"[0-9]{1,12}")


def mac(key: bytes, *parts: bytes, algorithm: Algorithm = "sha256") -> bytes:
    """Give the HMAC of some parts, one after the other."""
    made = hmac.new(key, digestmod=algorithm)
    for part in parts:
        made.update(part)
    return made.digest()


def digest(*parts: bytes) -> str:
    """Give the SHA-256 of some parts as text: the identity of what has none of its own."""
    made = hashlib.sha256()
    for part in parts:
        made.update(part)
    return f"sha256-{made.hexdigest()}"


def check(expected: Sequence[bytes], given: Sequence[bytes]) -> None:
    """Raise `Unverified` unless one of the given signatures is one of those expected. Takes equally long wherever they differ."""
    if not any([hmac.compare_digest(right, one) for right in expected for one in given]):  # noqa: C419 - a generator would stop at the first
        raise Unverified("its signature doesn't fit: another secret was used, or the body was changed on its way")


def check_token(keys: Sequence[bytes], given: bytes) -> None:
    """Raise `Unverified` unless a token is one of these. What is compared are digests, which are equally long."""
    if not any([hmac.compare_digest(hashlib.sha256(key).digest(), hashlib.sha256(given).digest()) for key in keys]):  # noqa: C419 - as above
        raise Unverified("its token is another one")


def signature(header: bytes | None, name: str) -> bytes:
    """Give a header that holds signatures. Raises `Unverified` where it is missing, given twice, or endless."""
    if header is None:
        raise Unverified(f"its {name} is missing, or is given twice")
    if len(header) > LONGEST_HEADER:
        raise Unverified(f"its {name} is longer than {LONGEST_HEADER} bytes")
    return header


def candidates(header: bytes, separator: bytes) -> list[bytes]:
    """Give the parts of a header of signatures. Raises `Unverified` for more than anybody needs."""
    parts = header.split(separator, MOST_CANDIDATES)
    if len(parts) > MOST_CANDIDATES:
        raise Unverified(f"it brings more than {MOST_CANDIDATES} signatures")
    return parts


def instant(written: bytes | None, now: int) -> int:
    """Give a signed instant, written in whole seconds since 1970, in microseconds. Raises `Unverified` for one outside the window."""
    if written is None or _DIGITS.fullmatch(written) is None:
        raise Unverified("its timestamp is missing, or is no whole number of seconds")
    at = int(written) * SECOND
    if abs(now - at) > WINDOW * SECOND:
        raise Unverified(
            f"its timestamp is {abs(now - at) // SECOND} seconds off: a delivery is taken within {WINDOW}, by this machine's clock"
        )
    return at
