"""What is to be done with files after their runs, as plain data, and how it is done: in a thread, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eventflow.errors import FileChanged
from eventflow.sensors.files import moving
from eventflow.sensors.files.scan import Version
from eventflow.sensors.files.versions import FileVersion, Stamped, fits

_MARKER = "+marker"
"""How the token of a file's marker ends."""


@dataclass(frozen=True, slots=True)
class Job:
    """A version of a file that is to be moved into the folder `below` of `target`, or deleted where there is no target.

    `event` is the id of its event in the journal, `marker` as in `Endings`.
    """

    event: str
    path: Path
    version: Version
    target: Path | None
    below: Path
    marker: str


def carry_out(jobs: Iterable[Job], stopping: Callable[[], bool]) -> dict[str, OSError]:
    """Do it, and give what failed, by event. A file that has changed or gone is left to whoever did that."""
    failures: dict[str, OSError] = {}
    for job in jobs:
        if stopping():
            break
        try:
            _do(job, stopping)
        except (FileChanged, FileNotFoundError, moving.Stopped):
            continue
        except OSError as error:
            failures[job.event] = error
    return failures


def left_aside(targets: Sequence[Path]) -> list[Path]:
    """Give what a crash left aside in folders into which files are moved."""
    return [aside for target in dict.fromkeys(targets) for aside in moving.left_aside(target)]


def event_of(aside: Path) -> str:
    """Give the id of the event whose file, or its marker, was left aside."""
    return moving.token_of(aside).removesuffix(_MARKER)


def finish(aside: Path, told: FileVersion, folder: Path | None, marker: str) -> None:
    """Finish what a crash interrupted, of a file or of its marker: a move into a folder, or where there is none, a deletion."""
    if moving.token_of(aside).endswith(_MARKER):
        moving.finish(aside, moving.as_it_is(aside), told.path.with_name(f"{told.path.name}{marker}"), folder)
    else:
        moving.finish(aside, told, told.path, folder)


def _do(job: Job, stopping: Callable[[], bool]) -> None:
    if not fits(job.version, job.path.lstat()):
        return
    if job.marker:
        # First the marker: a file without one never fires again, while a marker without its file would pass the next one half-written.
        marker = job.path.with_name(f"{job.path.name}{job.marker}")
        if marker.is_file():
            _take_away(job, marker, moving.as_it_is(marker), f"{job.event}{_MARKER}", stopping)
    _take_away(job, job.path, job.version, job.event, stopping)


def _take_away(job: Job, path: Path, version: Stamped, token: str, stopping: Callable[[], bool]) -> None:
    if job.target is None:
        moving.delete(path, version, token)
    else:
        moving.move(path, version, token, job.target, job.below, stopping=stopping)
