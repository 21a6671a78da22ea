"""What files hold, as digests, read slice by slice: a huge file must not keep a sensor from its heartbeats."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from eventflow.errors import FileChanged
from eventflow.sensors.files.scan import path_in, version_of
from eventflow.sensors.files.versions import BLOCK, opened

_SLICE = 64
"""Blocks that are read in one go."""


class Contents:
    """Reads these versions of files. To be used in a worker thread."""

    def __init__(self, versions: Sequence[str], root: Path) -> None:
        self.read: dict[str, str] = {}
        """The BLAKE2b-256 of each version, as hexadecimal digits. One that has changed or gone is left out: the next look finds it."""
        self.unread: list[str] = []
        """What could not be read, quoted as in identities."""
        self._root = root
        self._steps = self._read_all(versions)

    def more(self) -> bool:
        """Read the next slice; tell whether there is more."""
        return len(list(islice(self._steps, _SLICE))) == _SLICE

    def _read_all(self, versions: Sequence[str]) -> Iterator[None]:
        for version in versions:
            try:
                yield from self._read(version)
            except (FileChanged, FileNotFoundError):
                continue
            except OSError:
                self.unread.append(path_in(version))

    def _read(self, version: str) -> Iterator[None]:
        told = version_of(version)
        summed = hashlib.blake2b(digest_size=32)
        with opened(self._root / told.path, told) as file:
            while block := file.read(BLOCK):
                summed.update(block)
                yield
        self.read[version] = summed.hexdigest()
        yield
