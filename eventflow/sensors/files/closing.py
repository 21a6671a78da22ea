"""`ready="closed"`: a file is complete when it has settled and no process has it open for writing."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from eventflow.errors import SensorError
from eventflow.ports import World
from eventflow.sensors.files.readiness import Pauses, Readiness, Ready
from eventflow.sensors.files.scan import version_of
from eventflow.sensors.files.sweep import Sweep, is_still
from eventflow.sensors.files.writers import PROC, Inode, writers
from eventflow.threads import in_loose_thread


class Closed(Readiness):
    """Files that nobody writes any more.

    What can't be seen is said once, and such files are judged by settling alone: writers among other users' processes, unless this is
    root, and writers on other machines, where the folder is a network mount.
    """

    def __init__(self, world: World, *, follow: bool) -> None:
        self._world = world
        self._follow = follow
        self._pauses = Pauses()
        self._said = False

    async def of(self, settled: Sequence[str], sweep: Sweep) -> Ready:  # noqa: ARG002 - it stands for every way
        asked = self._pauses.due(settled, self._world.clock.monotonic())
        if not asked:
            return Ready(())
        answer = await in_loose_thread(lambda: _look(asked, self._world.root, follow=self._follow), "eventflow-writers")
        self._say(answer.hidden)
        now = self._world.clock.monotonic()
        for version in set(asked).difference(answer.closed):
            self._pauses.not_yet(version, now)
        return Ready(answer.closed)

    @property
    def next(self) -> float | None:
        return self._pauses.next

    def _say(self, hidden: int) -> None:
        if hidden and not self._said:
            self._said = True
            error = SensorError(
                f"{hidden} processes of other users can't be looked into: a file that one of them is still writing counts as complete"
                " once it has settled. Run eventflow as root or as the writer's user, or have the writers rename complete files in."
            )
            self._world.instrument.troubled(f"sensor {self._world.source}", error)


def check_proc() -> None:
    """Raise `SensorError` where the system has no `/proc` that tells about open files."""
    if not (PROC / "self" / "fdinfo").is_dir():
        raise SensorError("ready='closed' needs Linux's /proc, which isn't there: use ready='settle', or a marker")


class _Answer(NamedTuple):
    closed: list[str]
    hidden: int


def _look(versions: Sequence[str], root: Path, *, follow: bool) -> _Answer:
    inodes = _inodes(versions, root)
    found = writers(frozenset(inodes.values()))
    # Only now: whoever wrote and closed it while /proc was read has made another version of it.
    closed = [version for version in inodes if inodes[version] not in found.of and is_still(version, root, follow=follow)]
    return _Answer(closed, found.hidden)


def _inodes(versions: Sequence[str], root: Path) -> Mapping[str, Inode]:
    inodes: dict[str, Inode] = {}
    for version in versions:
        try:
            now = os.stat(root / version_of(version).path)  # noqa: PTH116 - there can be many
        except OSError:
            continue
        inodes[version] = Inode(now.st_dev, now.st_ino)
    return inodes
