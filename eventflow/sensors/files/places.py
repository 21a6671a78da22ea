"""Whether the places that a file sensor needs are there and fit, and what to say of those which don't."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from eventflow import durations, escapes
from eventflow.errors import SensorError, WatchedFolderMissing, WatchedFolderUnreadable
from eventflow.mounts import Mounts, is_far
from eventflow.sensors.files.closing import check_proc
from eventflow.sensors.files.options import FileOptions, check_targets
from eventflow.sensors.files.sweep import Root


def unlisted(sensor: str, folder: Path, error: OSError) -> SensorError:
    """Give what is to be said of a folder that can't be listed."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        lack = "is no folder" if isinstance(error, NotADirectoryError) else "is missing"
        return WatchedFolderMissing(
            f"the folder {escapes.path(folder)}, which sensor {sensor!r} watches, {lack}:"
            f" make it, or change the sensor's path. It is looked for every few seconds."
        )
    return WatchedFolderUnreadable(
        f"the folder {escapes.path(folder)}, which sensor {sensor!r} watches, can't be listed: {error.strerror}."
        f" Let this user read it and enter it. It is tried again every few seconds."
    )


def check_listed(sensor: str, roots: Sequence[Root]) -> None:
    """Raise `WatchedFolderMissing` or `WatchedFolderUnreadable` for the first folder that can't be listed. Blocks, as all of these do."""
    for root in roots:
        try:
            os.scandir(root.folder).close()
        except OSError as error:
            raise unlisted(sensor, root.folder, error) from error


def check_places(options: FileOptions, roots: Sequence[Root], root: Path) -> None:
    """Raise `SensorError` where files would be moved into what is watched, by links too, or where the system lacks what is needed."""
    if options.ready == "closed":
        check_proc()
    real = [Path(os.path.realpath(watched.folder)) for watched in roots]
    targets = [Path(os.path.realpath(root / target)) for target in options.endings.targets]
    try:
        check_targets(real, options.globs, targets, recursive=options.recursive)
    except ValueError as error:
        raise SensorError(str(error)) from error


def polled(options: FileOptions, roots: Sequence[Root]) -> list[SensorError]:
    """Give what is to be said of folders on network and FUSE mounts."""
    mounts = Mounts.read()
    kinds = [(root.folder, mounts.kind(root.folder)) for root in roots]
    return [
        SensorError(
            f"the folder {escapes.path(folder)} is on {kind}, where the kernel doesn't tell what others write: it is looked through every"
            f" {durations.text(options.rescan)}. Set rescan for more or less often."
        )
        for folder, kind in kinds
        if is_far(kind)
    ]
