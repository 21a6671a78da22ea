"""What a power cut may leave on a disk: read from a record of every change, and built for any instant.

What was synced is there. Of what was not, any write may be there, missing, or torn at a sector; the order of writes counts for nothing.
Names (files made, renamed, removed) are taken as lasting at once.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

SECTOR = 512

Loss: TypeAlias = Literal["kept", "dropped", "torn"]
"""What becomes of unsynced writes: all kept, all dropped, or each as chance will have it."""


class Step(NamedTuple):
    """A change: write, sync, truncate, create, rename, unlink, or an acknowledgement (`wstcrua`)."""

    what: str
    path: str
    number: int
    data: bytes


@dataclass
class File:
    """A file: what is surely on the disk, and the writes and truncations that may be."""

    sure: bytearray = field(default_factory=bytearray)
    open: list[Step] = field(default_factory=list[Step])


class Disk:
    """The files below a folder, as a cut would find them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, File] = {}
        self.acknowledged = 0

    def take(self, step: Step) -> None:
        """Go on by one change."""
        match step.what:
            case "a":
                self.acknowledged = step.number
            case "r":
                self._files[step.data.decode()] = self._files.pop(step.path)
            case "u":
                self._files.pop(step.path, None)
            case "s":
                self._sync(step.path)
            case "c":
                self._files.setdefault(step.path, File())
            case _:
                self._files.setdefault(step.path, File()).open.append(step)

    def write_image(self, target: Path, loss: Loss, chance: random.Random) -> None:
        """Make the folder as it is found when the power is back."""
        target.mkdir(mode=0o700)
        for path, file in self._files.items():
            image = bytearray(file.sure)
            for step in file.open:
                if loss != "dropped":
                    _apply(image, step, None if loss == "kept" else chance)
            (target / Path(path).relative_to(self._folder)).write_bytes(image)

    def _sync(self, path: str) -> None:
        file = self._files.get(path)
        if file is not None:  # else it is the folder itself
            for step in file.open:
                _apply(file.sure, step, None)
            file.open.clear()


def read_steps(log: Path) -> Iterator[Step]:
    """Give what the shim recorded."""
    raw = log.read_bytes()
    place = 0
    while place < len(raw):
        what, number, length, size = struct.unpack_from("=cqqq", raw, place)
        place += struct.calcsize("=cqqq")
        path, data = raw[place : place + length], raw[place + length : place + length + size]
        place += length + size
        yield Step(what.decode(), path.decode(), number, data)


def _apply(image: bytearray, step: Step, chance: random.Random | None) -> None:
    """Make a change to a file's content; with `chance`, perhaps not, or only some of its sectors."""
    if step.what == "t":
        if chance is None or chance.random() < 0.5:
            del image[step.number :]
            image.extend(bytes(step.number - len(image)))
        return
    fate = 0.0 if chance is None else chance.random()
    for start, end in _sectors(step.number, step.number + len(step.data)):
        if fate < 0.4 or (chance is not None and fate > 0.7 and chance.random() < 0.5):
            image.extend(bytes(max(0, end - len(image))))
            image[start:end] = step.data[start - step.number : end - step.number]


def _sectors(start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        yield start, stop
        start = stop
