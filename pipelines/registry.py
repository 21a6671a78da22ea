"""A registry of models in a folder, safe against crashes and against two who deploy at once.

A version is a folder with the files of one model, written aside, synced and renamed: it is there whole or not at all, and never changes.
`champion` is a small file with the name of the version in use, replaced by a rename.

    models/0001-8f0c2b7a5d31e946/   model.json  card.json  data.csv
    models/0002-41b7d90e6ac2f853/   ...
    models/champion                 0002-41b7d90e6ac2f853
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

VERSION = re.compile(r"(\d{4,})-([0-9a-f]{16})")
ASIDE = ".aside-"


class ChampionMoved(RuntimeError):
    """Somebody else deployed between the comparison with a champion and the deployment that it argued for."""


class Registry:
    """The registry in a folder, which is made when the first version is added."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def champion(self) -> str | None:
        """Give the version in use, or None before the first deployment."""
        try:
            name = (self.root / "champion").read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return None
        return self._checked(name)

    def versions(self) -> list[str]:
        """Give all versions, oldest first."""
        if not self.root.is_dir():
            return []
        return sorted((path.name for path in self.root.iterdir() if VERSION.fullmatch(path.name)), key=_number)

    def read(self, version: str, file: str) -> bytes:
        """Give one file of a version. Raises `FileNotFoundError`."""
        return (self.root / self._checked(version) / file).read_bytes()

    def add(self, files: Mapping[str, bytes]) -> str:
        """Give the version that holds exactly these files: a new one, or the one that has held them already."""
        digest = _digest(files)
        with self._locked():
            versions = self.versions()
            for version in versions:
                if version.endswith(digest):
                    return version
            version = f"{_number(versions[-1]) + 1 if versions else 1:04d}-{digest}"
            aside = self._written_aside(files)
            aside.rename(self.root / version)
            _sync(self.root)
        return version

    def promote(self, version: str, *, over: str | None) -> None:
        """Make a version the champion if the champion is still `over`. Does nothing if it is the version already.

        Raises `ChampionMoved` where it is another one by now.
        """
        with self._locked():
            now = self.champion()
            if now == version:
                return
            if now != over:
                raise ChampionMoved(f"{version} was compared with {over or 'no champion'}, but the champion is {now} by now: retrain")
            aside = self.root / f"{ASIDE}champion"
            aside.write_text(self._checked(version) + "\n", encoding="ascii")
            _sync(aside)
            aside.replace(self.root / "champion")
            _sync(self.root)

    def _checked(self, version: str) -> str:
        if VERSION.fullmatch(version) is None or not (self.root / version).is_dir():
            raise ValueError(f"{version!r} is no version in {self.root}")
        return version

    def _written_aside(self, files: Mapping[str, bytes]) -> Path:
        aside = self.root / f"{ASIDE}version"
        shutil.rmtree(aside, ignore_errors=True)  # what a crash left behind: the lock is ours, so nobody writes it now
        aside.mkdir()
        for name, content in files.items():
            (aside / name).write_bytes(content)
            _sync(aside / name)
        _sync(aside)
        return aside

    @contextmanager
    def _locked(self) -> Generator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _digest(files: Mapping[str, bytes]) -> str:
    digest = blake2b(digest_size=8)
    for name in sorted(files):
        digest.update(f"{name}\0{len(files[name])}\0".encode())
        digest.update(files[name])
    return digest.hexdigest()


def _number(version: str) -> int:
    return int(version.partition("-")[0])


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
