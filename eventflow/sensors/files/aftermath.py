"""What becomes of files after their runs: moved, deleted or left, beside the sensor's looking, until it is closed."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import anyio
import msgspec

from eventflow import codec, escapes, facts
from eventflow.errors import SensorError
from eventflow.groups import unwrapped
from eventflow.ports import World
from eventflow.projections import EventRow
from eventflow.sensors.files.ending import Ending, Endings, Leave, Move
from eventflow.sensors.files.jobs import Job, carry_out, event_of, finish, left_aside
from eventflow.sensors.files.readiness import Pauses
from eventflow.sensors.files.scan import Version, version_of
from eventflow.sensors.files.sweep import Root
from eventflow.sensors.files.verdicts import Verdict, Verdicts
from eventflow.sensors.files.versions import FileVersion
from eventflow.sensors.portions import portions
from eventflow.sensors.waiting import News, news_or
from eventflow.threads import ThreadCall, in_thread

_REST = 0.2
"""Seconds between two looks at which runs have ended, however many do."""


class Aftermath:
    """Carries out what is to become of the files of one sensor.

    Nothing about it is kept in the journal: which runs a file fired, and how they ended, is there already, and whether the file is still
    there is seen. So a crash at any instant only means that the rest is done at the next start.
    """

    def __init__(self, endings: Endings, roots: Sequence[Root], world: World) -> None:
        self.lagging: str | None = None
        """What could not be moved or deleted, for people, or None."""
        self._endings = endings
        self._roots = roots
        self._world = world
        self._verdicts = Verdicts(world.journal, world.source)
        self._again: dict[str, Verdict] = {}
        self._pauses = Pauses()
        self._said: str | None = None
        self._asides: list[Path] = []
        self._news = News()

    def finish(self, asides: Iterable[str]) -> None:
        """Have what a crash left aside in a watched folder finished."""
        self._asides += map(Path, asides)
        self._news.tell()

    def add(self, fired: Mapping[str, Sequence[str]]) -> None:
        """Follow files that have fired: the identities of their events, each with the versions of files that may be the one."""
        self._verdicts.add(fired)
        self._news.tell()

    async def run(self) -> None:
        """Go on until cancelled."""
        targets = [self._world.root / target for target in self._endings.targets]
        try:
            self._asides += await in_thread(left_aside, targets)
        except OSError as error:
            self._say(error)
        while True:
            await self._finish_asides(targets)
            seq = self._world.journal.seq
            given = await self._verdicts.look()
            self._again.update({verdict.event: verdict for verdict in given if not isinstance(self._ending(verdict), Leave)})
            await self._act()
            await self._rest(seq)

    async def _rest(self, seq: int) -> None:
        """Return when runs may have ended, when files have fired, or when it is time to try again what failed."""
        clock = self._world.clock
        await clock.sleep(_REST)
        with unwrapped():
            async with anyio.create_task_group() as group:

                async def changed() -> None:
                    await self._world.journal.changed(seq)
                    self._news.tell()

                if self._verdicts.waits:
                    group.start_soon(changed)
                if self._pauses.next is None:
                    await self._news.wait()
                else:
                    await news_or(self._pauses.next - clock.monotonic(), self._news, clock)
                group.cancel_scope.cancel()

    def _ending(self, verdict: Verdict) -> Ending:
        return self._endings.after if verdict.succeeded else self._endings.failed

    async def _act(self) -> None:
        due = self._pauses.due(list(self._again), self._world.clock.monotonic())
        for events in portions(due):
            verdicts = [self._again[event] for event in events]
            told = await self._told([verdict.event for verdict in verdicts])
            jobs = [self._job(verdict, told[verdict.event]) for verdict in verdicts if verdict.event in told]
            self._note(verdicts, await self._carry_out([job for job in jobs if job is not None]))

    def _note(self, verdicts: Iterable[Verdict], failures: Mapping[str, OSError]) -> None:
        now = self._world.clock.monotonic()
        for verdict in verdicts:
            if verdict.event in failures:
                self._pauses.not_yet(verdict.event, now)
            else:
                del self._again[verdict.event]
        for error in failures.values():
            self._say(error)
        if not self._again:
            self._said = None
        self.lagging = self._said

    def _say(self, error: OSError) -> None:
        place = "" if error.filename is None else f" {escapes.path(error.filename)}"
        said = f"what was to become of a file after its runs can't be done:{place}: {error.strerror}. It is tried again."
        if said != self._said:
            self._said = said
            self._world.instrument.troubled(f"sensor {self._world.source}", SensorError(said))

    async def _told(self, events: Sequence[str]) -> Mapping[str, FileVersion]:
        """Give what the events of this sensor among these told of their files."""
        rows = await self._world.journal.select(EventRow, event=tuple(events)) if events else ()
        seqs = {row.seq: row.event for row in rows if row.source == self._world.source}
        recorded = await self._world.journal.facts(seqs)
        return {seqs[seq]: codec.decode(fact.data, FileVersion) for seq, fact in recorded.items() if isinstance(fact, facts.EventRecorded)}

    def _job(self, verdict: Verdict, told: FileVersion) -> Job | None:
        """Give what is to be done, None where no file there is the one that fired: they are copies of it, or a later version."""
        ending = self._ending(verdict)
        target = self._world.root / ending.folder if isinstance(ending, Move) else None
        for version in map(version_of, verdict.versions):
            if _is_one(version, told):
                below, marker = self._below(version.path), self._endings.marker
                return Job(verdict.event, self._world.root / version.path, version, target, below, marker)
        return None

    def _below(self, path: str) -> Path:
        """Give the folder of a file from the watched folder that it lies in."""
        folder = Path(path).parent
        roots = [Path(root.written) for root in self._roots if folder.is_relative_to(root.written)]
        return folder.relative_to(max(roots, key=lambda root: len(root.parts))) if roots else Path()

    async def _carry_out(self, jobs: Sequence[Job]) -> Mapping[str, OSError]:
        """Do it in a thread, which ends before this returns, whoever is cancelled: no two may be at it."""
        stop = threading.Event()
        call = ThreadCall(lambda: carry_out(jobs, stop.is_set), "eventflow-ending")
        try:
            return await call.result()
        finally:
            stop.set()
            with anyio.CancelScope(shield=True):
                await call.ended()

    async def _finish_asides(self, targets: Sequence[Path]) -> None:
        asides, self._asides = self._asides, []
        told = await self._told([event_of(aside) for aside in asides])
        for aside in asides:
            if event_of(aside) in told:
                try:
                    await in_thread(finish, aside, *self._whereabouts(aside, told[event_of(aside)], targets), self._endings.marker)
                except OSError as error:
                    self._say(error)

    def _whereabouts(self, aside: Path, told: FileVersion, targets: Sequence[Path]) -> tuple[FileVersion, Path | None]:
        """Give the file that was left aside, with the folder into which it goes, None where it was to be deleted."""
        if aside.parent not in targets:
            return msgspec.structs.replace(told, path=aside.with_name(told.path.name)), None
        return told, aside.parent / self._below(os.path.relpath(told.path, self._world.root))


def _is_one(version: Version, told: FileVersion) -> bool:
    """Tell whether a version is the one that an event told of. The project may have been moved meanwhile."""
    same = (version.size, version.mtime) == (told.size, told.mtime) and told.inode in (None, version.inode)
    return same and Path(version.path).name == told.path.name
