"""Artifacts in memory, for runs that leave no trace."""

from __future__ import annotations

from eventflow import codec
from eventflow.errors import NotFound


class MemoryArtifacts:
    """The `ArtifactStore` port on a dict."""

    def __init__(self) -> None:
        self._data: dict[str, bytes] = {}

    async def put(self, data: bytes) -> str:
        digest = codec.digest(data)
        self._data[digest] = data
        return digest

    async def get(self, digest: str) -> bytes:
        if digest not in self._data:
            raise NotFound(f"there is no artifact {digest}")
        return self._data[digest]
