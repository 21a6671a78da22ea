"""What becomes of a file once the runs that it fired have ended."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from eventflow.definition.places import naming_the_line


@dataclass(frozen=True, slots=True)
class Leave:
    """Let the file lie where it is."""


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the file."""


@dataclass(frozen=True, slots=True)
class Move:
    """Move the file into a folder, which is made where it is missing. A relative one is taken from the project's root.

    A file that is there already is never written over: the one that comes gets a number, `data-1.csv`. A file from a subfolder goes into
    a subfolder of the same name. Raises `DefinitionError`, which names the line, for what is no folder's name.
    """

    to: str | os.PathLike[str]
    folder: Path = field(init=False, repr=False)

    def __post_init__(self) -> None:
        with naming_the_line():
            written = os.fspath(self.to)
            if not written or "\0" in written:
                raise ValueError(f"Move({written!r}): that is no folder's name")
        object.__setattr__(self, "folder", Path(written))


Ending: TypeAlias = Leave | Move | Delete


@dataclass(frozen=True, slots=True)
class Endings:
    """What is to become of files: `after` runs that all succeeded, and where any `failed`.

    `marker` ends the names of files that go the way of those beside which they lie.
    """

    after: Ending = Leave()
    failed: Ending = Leave()
    marker: str = ""

    @property
    def leave_all(self) -> bool:
        """Whether nothing is ever done."""
        return isinstance(self.after, Leave) and isinstance(self.failed, Leave)

    @property
    def targets(self) -> list[Path]:
        """The folders into which files are moved, as they were written."""
        return [ending.folder for ending in (self.after, self.failed) if isinstance(ending, Move)]
