"""The file sensor: folders in which each new file, and each new version of one, is an event."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import ExitStack, aclosing
from pathlib import Path

from eventflow import escapes
from eventflow.definition.places import naming_the_line, user_place
from eventflow.durations import Duration
from eventflow.events import Observation
from eventflow.ports import Seen, World
from eventflow.sensors.files import options
from eventflow.sensors.files.ending import Delete, Ending, Leave, Move
from eventflow.sensors.files.manifests import Manifest
from eventflow.sensors.files.markers import Marker
from eventflow.sensors.files.options import FileOptions, Folders, Ready
from eventflow.sensors.files.places import check_listed, check_places, polled
from eventflow.sensors.files.rounds import Rounds
from eventflow.sensors.files.versions import FileEvent, FileVersion
from eventflow.sensors.options import Existing, Identity, choice, name_of, pause
from eventflow.threads import in_loose_thread

__all__ = ["Delete", "FileEvent", "FileSensor", "FileVersion", "Leave", "Manifest", "Marker", "Move"]


class FileSensor:
    """Fires once for each version of each file that lies in a folder, and never again for it, however long it lies there.

    `path` is the folder, or several; a relative one is taken from the folder in which the engine started, the project's root. `match` is
    one shell pattern or several (`*` doesn't match a leading dot); with `recursive` subfolders are looked through too. Pipes, devices and
    sockets are never opened. Links are passed over; with `follow_links` those to files within the watched folders count.

    `ready` tells when a file is complete: it has not changed for `settle` (`"settle"`); it is there (`"atomic"`: have complete files
    renamed in); it has settled and no process has it open for writing (`"closed"`); its marker lies beside it (`Marker(".done")`); a
    manifest names it, and all that is named is there (`Manifest("*.manifest")`); or an async function of one's own says so of its path.
    `settle` is 2 seconds unless given, and nothing with `"atomic"` and markers.

    `identity` tells what fires once: a `"version"`, which is a path with its inode, size and modification time, so that a file that is
    replaced, appended to or touched is a new one; a `"content"`, whatever the file's name; or a `"path"`. `existing="ignore"` leaves alone
    what lies there when a folder is first watched. `rescan` is how often the folders are looked through even without news from the kernel:
    on network mounts, where none come, it decides how soon a file is found.

    `after` says what becomes of a file when all runs that it fired have succeeded, `failed` when one of them has not: `Leave()`,
    `Move(folder)` or `Delete()`.

    Raises `DefinitionError`, which names the line, for what can't be meant.
    """

    def __init__(
        self,
        name: str,
        path: Folders,
        *,
        match: str | Sequence[str] = "*",
        recursive: bool = False,
        ready: Ready = "settle",
        settle: Duration | None = None,
        identity: Identity = "version",
        existing: Existing = "fire",
        rescan: Duration = "60s",
        after: Ending = Leave(),  # noqa: B008 - a value that never changes
        failed: Ending = Leave(),  # noqa: B008 - as above
        follow_links: bool = False,
    ) -> None:
        self.place = user_place()
        with naming_the_line():
            self._options = FileOptions(
                name=name_of(name),
                folders=options.checked_folders(path),
                globs=options.checked_globs(match, recursive=recursive),
                recursive=recursive,
                ready=options.checked_ready(ready),
                settle=options.checked_settle(settle, ready),
                identity=choice("identity", identity, Identity),
                ignore_existing=choice("existing", existing, Existing) == "ignore",
                rescan=pause("rescan", rescan, "100ms"),
                endings=options.checked_endings(after, failed, ready, follow_links=follow_links),
                follow_links=follow_links,
            )
            told = self._options
            options.check_targets(told.folders, told.globs, told.endings.targets, recursive=recursive)

    def __repr__(self) -> str:
        return f"<FileSensor {self.name!r}: {', '.join(map(escapes.path, self.paths))}>"

    @property
    def name(self) -> str:
        """What its events carry as their source."""
        return self._options.name

    @property
    def paths(self) -> tuple[Path, ...]:
        """The watched folders, as they were written."""
        return self._options.folders

    @property
    def interval(self) -> float:
        """The longest time, in seconds, between two observations of a healthy sensor."""
        return 3 * self._options.rescan + 30

    async def observe(self, cursor: object, seen: Seen, world: World) -> AsyncGenerator[Observation[FileVersion], None]:
        """Yield what is new in the folders, for ever, and a heartbeat at each rescan.

        Raises `WatchedFolderMissing` or `WatchedFolderUnreadable` where no folder can be looked at; a later start goes on as if nothing
        had been.
        """
        with ExitStack() as watches:
            hints = [watches.enter_context(world.watcher.watch(world.root / folder, recursive=self._recursive)) for folder in self.paths]
            async with Rounds(self._options, cursor, seen, world) as rounds:
                while True:
                    async with aclosing(rounds.look()) as observations:
                        async for observation in observations:
                            yield observation
                    await rounds.rest(hints)

    def in_words(self, cursor: object) -> str:
        """Say which folders have been looked through."""
        begun = self._options.begun(cursor)
        known = [escapes.path(root) for root in self.paths if self._options.has_begun(root, begun)]
        return f"knows what lies in {', '.join(known)}" if known else "has not looked yet"

    async def check(self, world: World) -> None:
        """Return where all folders can be listed, and files would be moved to where they don't fire again. Folders that the kernel gives
        no news of are told to the instrument.

        Raises `WatchedFolderMissing`, `WatchedFolderUnreadable`, or `SensorError` for the rest.
        """
        roots = self._options.roots(world)
        await in_loose_thread(lambda: check_listed(self.name, roots), "eventflow-check")
        await in_loose_thread(lambda: check_places(self._options, roots, world.root), "eventflow-check")
        for told in await in_loose_thread(lambda: polled(self._options, roots), "eventflow-check"):
            world.instrument.troubled(f"sensor {self.name}", told)

    @property
    def _recursive(self) -> bool:
        return self._options.recursive
