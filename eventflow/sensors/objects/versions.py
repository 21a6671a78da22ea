"""One version of an object, and what tells it from every other."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from eventflow.sensors.options import Identity


class ObjectVersion(msgspec.Struct, frozen=True):
    """An object as the listing showed it. `key` is its whole name in the bucket, `url` the same with the bucket, without any secret.

    `size` is in bytes, `modified` in microseconds UTC, by the clock of the store. `etag` is what the store calls its content, if it does
    at all; `version` is None where the store keeps no versions or doesn't name them in a listing, as S3.
    """

    key: str
    url: str
    size: int
    modified: int
    etag: str | None
    version: str | None = None


def identity_of(found: ObjectVersion, kind: Identity) -> str:
    """Give the identity of a version, as printable ASCII. Journals keep it: never change how it is written.

    Raises `ValueError` where the content is to tell and the store says nothing about it.
    """
    key = quote(found.url.partition("://")[2], safe="/@")
    if kind == "path":
        return key
    content = quote((found.etag or "").strip('"'), safe="")
    if kind == "content":
        if not content:
            raise ValueError(f"{found.url} has no ETag, by which its content could be told: say identity='version'")
        return f"{key}#{content}"
    version = f".{quote(found.version, safe='')}" if found.version else ""
    return f"{key}#{content or '-'}.{found.size}.{found.modified}{version}"
