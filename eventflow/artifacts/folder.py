"""Artifacts as files of one folder, named by the digest of their content.

A file is written aside, synced and renamed into its place, and then its folders are synced: what has its name is whole and durable.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from eventflow import codec
from eventflow.durable import sync, write_durably
from eventflow.errors import JournalDamaged, NotFound
from eventflow.ports import Instrument
from eventflow.threads import in_thread

_DIGEST = re.compile(r"[0-9a-f]{64}")


class ArtifactFolder:
    """The `ArtifactStore` port on a folder, which is made where it is missing. Files are readable by their owner alone.

    The points `artifacts.put.{before,written,after}` are reached on the thread that writes.
    """

    def __init__(self, folder: Path, instrument: Instrument | None = None) -> None:
        self._folder = folder
        self._reached = (instrument or Instrument()).reached

    async def put(self, data: bytes) -> str:
        return await in_thread(self._put, data)

    async def get(self, digest: str) -> bytes:
        return await in_thread(self._get, digest)

    def _put(self, data: bytes) -> str:
        digest = codec.digest(data)
        place = self._place(digest)
        self._reached("artifacts.put.before")
        if not _holds(place, digest):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            place.parent.mkdir(mode=0o700, exist_ok=True)
            write_durably(place, data, aside=self._folder, written=lambda: self._reached("artifacts.put.written"))
        # Also where it was there: whoever wrote it may have crashed before this.
        for folder in (place.parent, self._folder, self._folder.parent):
            sync(folder)
        self._reached("artifacts.put.after")
        return digest

    def _get(self, digest: str) -> bytes:
        try:
            descriptor = os.open(self._place(digest), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise NotFound(f"artifact {digest} is not in {self._folder}") from error
        with os.fdopen(descriptor, "rb") as file:
            data = file.read()
        if codec.digest(data) != digest:
            raise JournalDamaged(f"artifact {digest} in {self._folder} no longer holds what was written")
        return data

    def _place(self, digest: str) -> Path:
        if _DIGEST.fullmatch(digest) is None:
            raise NotFound(f"{digest!r} is no digest of an artifact")
        return self._folder / digest[:2] / digest


def _holds(place: Path, digest: str) -> bool:
    try:
        return codec.digest(place.read_bytes()) == digest
    except FileNotFoundError:
        return False
