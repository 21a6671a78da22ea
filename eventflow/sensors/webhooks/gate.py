"""The gate that the body of a delivery must pass: JSON alone, in one reading only, and nothing that could not be stored as it came."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import cast

import msgspec

from eventflow.sensors.webhooks.delivery import Headers
from eventflow.sensors.webhooks.received import Unfit

DEEPEST = 64
"""How deep objects and lists may stand in each other."""

MOST_KEYS = 10_000
"""How many keys all objects of a body of 1 MiB may have together. A hook that takes larger bodies takes more, in proportion."""

LONGEST_NUMBER = 4300
"""The most digits of a number, which is what Python reads."""

MEBIBYTE = 1 << 20

JSON = b"application/json"

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)  # one without an end too: else each quote in it would be a beginning
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*+\\u0000")
_UTF8 = frozenset({b"charset=utf-8", b'charset="utf-8"'})
_NO_DIGITS = bytes(char if chr(char) in "0123456789" else 0x20 for char in range(256))


def check_encoding(headers: Headers) -> None:
    """Refuse a body that is packed: what it holds could be of any size."""
    packed = headers.get("content-encoding") if "content-encoding" in headers else b"identity"
    if packed is None or packed.strip().lower() != b"identity":
        raise Unfit(415, "its body is packed (Content-Encoding): send it as it is")


def check_type(headers: Headers, allowed: Sequence[bytes] = (JSON,)) -> bytes:
    """Give the media type of a body, in small letters. Refuses all but those allowed; the only parameter may be `charset=utf-8`."""
    kind, *parameters = (headers.get("content-type") or b"").lower().split(b";")
    known = kind.strip()
    if known not in allowed or any(one.strip() not in _UTF8 for one in parameters):
        raise Unfit(415, f"its Content-Type isn't {b' or '.join(allowed).decode()}: this hook takes nothing else")
    return known


def parse(body: bytes, largest: int) -> object:
    """Give what a body says as plain data, an object or a list. Refuses what is no JSON, and JSON that reads in more ways than one."""
    most = max(MOST_KEYS, MOST_KEYS * largest // MEBIBYTE)
    outside = _STRING.sub(b"", body)  # what isn't in quotes: there is a colon for each key, one that stands twice too
    written = outside.count(b":")
    if written > most:
        raise Unfit(400, f"its body has more than {most} keys")
    if len(max(outside.translate(_NO_DIGITS).split(), key=len, default=b"")) > LONGEST_NUMBER:
        raise Unfit(400, f"its body has a number of more than {LONGEST_NUMBER} digits")
    value = _decoded(body)
    if b"\\u0000" in body and _NUL.search(body):  # the first is quick
        raise Unfit(400, "its body has a NUL character in a text")
    if written != _keys(value):
        raise Unfit(400, "its body has an object with the same key twice")
    return value


def _decoded(body: bytes) -> object:
    try:
        value: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        why = "its values stand in each other too deep" if isinstance(error, RecursionError) else str(error)
        raise Unfit(400, f"its body isn't the JSON that belongs here: {why}") from error
    if not isinstance(value, dict | list):
        raise Unfit(400, "its body is a single value: a payload is an object or a list")
    return cast("object", value)


def _keys(value: object) -> int:
    """Count the keys of all objects in a value. Refuses one that is too deep."""
    keys, level = 0, [value]
    for _ in range(DEEPEST):
        below: list[object] = []
        for one in level:
            if isinstance(one, dict):
                keys += len(cast("dict[str, object]", one))
                below += [item for item in cast("dict[str, object]", one).values() if isinstance(item, dict | list)]
            else:
                below += [item for item in cast("list[object]", one) if isinstance(item, dict | list)]
        if not below:
            return keys
        level = below
    raise Unfit(400, f"its values stand in each other deeper than {DEEPEST}")
