"""How a file sensor goes about its folders: look, tell what is new, rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self

from eventflow import escapes
from eventflow.events import Event, Observation
from eventflow.ports import Hint, Seen, World
from eventflow.sensors.files.aftermath import Aftermath
from eventflow.sensors.files.beside import Beside
from eventflow.sensors.files.complaints import Complaints
from eventflow.sensors.files.contents import Contents
from eventflow.sensors.files.identities import COMPLETE, UNREAD, Beginning, There, identities_of
from eventflow.sensors.files.options import FileOptions
from eventflow.sensors.files.places import check_places, polled, unlisted
from eventflow.sensors.files.readiness import Ready
from eventflow.sensors.files.scan import version_of
from eventflow.sensors.files.settle import Settling
from eventflow.sensors.files.sweep import Root, Sweep
from eventflow.sensors.files.versions import FileVersion
from eventflow.sensors.portions import portions
from eventflow.sensors.waiting import News, news_or
from eventflow.threads import in_loose_thread

_THREAD = "eventflow-look"

_SHORTEST_REST = 0.02
_REST = 3
"""The sensor rests three times as long as it looked, so that neither a huge folder nor a busy writer keeps the machine busy."""


class Rounds:
    """One start of a file sensor. What it remembers runs ahead of the journal by the observation that is being committed, never further.

    To be entered: what goes on beside the looks ends with the block.
    """

    def __init__(self, options: FileOptions, cursor: object, seen: Seen, world: World) -> None:
        self._options = options
        self._root = world.root
        self._roots = options.roots(world)
        self._cursor = cursor
        self._seen = seen
        self._clock = world.clock
        self._news = News()
        self._complaints = Complaints(world)
        self._settling = Settling(options.settle)
        self._identities = identities_of(options.identity)
        self._readiness = options.readiness(world, self._identities, self._news.tell)
        self._aftermath = Aftermath(options.endings, self._roots, world)
        self._beside = Beside()
        self._acting: asyncio.Task[None] | None = None
        self._begun = False
        self._followed: set[Root] = set()
        self._missing: str | None = None
        self._said: str | None = None
        self._told = world.clock.monotonic()
        self._rest = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._readiness.close()
        await self._beside.close()

    async def look(self) -> AsyncGenerator[Observation[FileVersion], None]:
        """Look through the folders and yield what is new, oldest first; a heartbeat where nothing was told for as long as `rescan`."""
        sweep = self._options.sweep(self._roots, self._readiness)
        now, begun = self._clock.now(), self._clock.monotonic()
        async for heartbeat in self._until_done(sweep.more):
            yield heartbeat
        ended = self._clock.monotonic()
        await self._complain(sweep)
        first = not self._begun
        async for observation in self._begin(sweep):
            yield observation
        settled = await in_loose_thread(lambda: self._settled(sweep, begun, ended, now if first else None), _THREAD)
        async for observation in self._fire(await self._readiness.of(settled, sweep)):
            yield observation
        for gone in portions(await in_loose_thread(lambda: self._gone(sweep), _THREAD)):
            yield self._observation(forget=gone)
        if self._overdue or self._lagging != self._said:
            yield self._observation()
        self._rest = min(max(_SHORTEST_REST, _REST * (ended - begun)), self._options.rescan)

    async def rest(self, hints: Iterable[Hint]) -> None:
        """Return when it is time for the next look: at news, when a file may be ready, when a rescan is due."""
        await self._clock.sleep(self._rest)
        if self._acting is not None and self._acting.done():
            self._acting.result()
        due = [self._told + self._options.rescan, self._settling.next, self._readiness.next]
        listening = [self._beside.start(_pass_on(hint, self._news)) for hint in hints]
        try:
            await news_or(min(instant for instant in due if instant is not None) - self._clock.monotonic(), self._news, self._clock)
        finally:
            for listener in listening:
                listener.cancel()

    async def _complain(self, sweep: Sweep) -> None:
        """Tell of what can't be looked at. Raises `SensorError` where that is all there is, or where what was asked for makes no sense."""
        if not self._begun:
            await in_loose_thread(lambda: check_places(self._options, self._roots, self._root), _THREAD)
            self._complaints.tell(await in_loose_thread(lambda: polled(self._options, self._roots), _THREAD))
        errors = [unlisted(self._options.name, root.folder, error) for root, error in sweep.missing]
        if errors and not sweep.scans:
            raise errors[0] from sweep.missing[0][1]
        self._complaints.keep("missing", map(str, errors))
        self._complaints.keep("unreadable", (path for _, scan in sweep.scans for path in scan.unreadable))
        self._complaints.keep("outside", sweep.outside)
        self._missing = "; ".join(map(str, errors)) or None

    async def _begin(self, sweep: Sweep) -> AsyncGenerator[Observation[FileVersion], None]:
        """Compare the first look of a start with the journal, and take folders that are looked at for the first time ever.

        What is to be ignored goes into one observation, however much it is, together with the cursor that says that it is done: half of
        it committed, and the next start would take for old what came in between.
        """
        first, beginning = not self._begun, Beginning((), ())
        if first:
            beginning = await self._compare(sweep)
        before = self._options.begun(self._cursor)
        begun = before.union(root.quoted for root, _ in sweep.scans)
        if first or begun != before:
            waiting = self._to_ignore(sweep, before)
            read = Contents(waiting if self._reads else (), self._root)
            async for heartbeat in self._until_done(read.more):
                yield heartbeat
            known = await self._ignored(waiting, read.read)
            self._begun, self._cursor = True, self._options.cursor(begun)
            yield self._observation(known=known)
        self._follow(sweep)
        for names in portions(beginning.keep):
            yield self._observation(keep=names)
        for names in portions(beginning.forget):
            yield self._observation(forget=names)

    def _follow(self, sweep: Sweep) -> None:
        """Have the aftermath follow what fired before this start, once in each folder."""
        if self._options.endings.leave_all:
            return
        self._acting = self._acting or self._beside.start(self._aftermath.run())
        for root, scan in sweep.scans:
            if root not in self._followed:
                self._followed.add(root)
                self._aftermath.finish(scan.aside)
                held: dict[str, list[str]] = {}
                for version in filter(self._identities.holds, scan.found):
                    held.setdefault(self._identities.event(version, None), []).append(version)
                self._aftermath.add(held)

    async def _compare(self, sweep: Sweep) -> Beginning:
        seen, unreadable = await self._seen.all(), sweep.unreadable
        manifests = {name: gone for name, gone in seen.items() if name.endswith(COMPLETE)}
        files = {name: gone for name, gone in seen.items() if name not in manifests} if manifests else seen
        beginning = await in_loose_thread(lambda: self._identities.begin(files, There(sweep.found, unreadable)), _THREAD)
        listed = self._readiness.begin(manifests, There(sweep.beside, unreadable))
        return Beginning((*beginning.keep, *listed.keep), (*beginning.forget, *listed.forget))

    def _to_ignore(self, sweep: Sweep, before: frozenset[str]) -> Sequence[str]:
        """Give what lies in folders that were never looked at before, and isn't to fire."""
        if not self._options.ignore_existing:
            return ()
        new = (scan.found for root, scan in sweep.scans if root.quoted not in before)
        return [version for found in new for version in found if not self._identities.holds(version)]

    async def _ignored(self, versions: Sequence[str], read: Mapping[str, str]) -> list[str]:
        """Give the identities of what isn't to fire, as far as they are free."""
        names: dict[str, None] = {}
        for version in versions:
            content = read.get(version)
            if content is not None or not self._reads:
                names[self._identities.event(version, content)] = None
            names.update(dict.fromkeys(self._identities.along(version, content or UNREAD)))
            self._identities.take(version, content)
        taken: set[str] = set()
        for portion in portions(list(names)):
            taken |= await self._seen.of(portion)
        return [name for name in names if name not in taken]

    def _settled(self, sweep: Sweep, begun: float, ended: float, now: int | None) -> list[str]:
        waiting = [version for version in sweep.found if not self._identities.holds(version)]
        return sorted(self._settling.look(waiting, sweep.found, begun, ended, now=now), key=_age)

    async def _fire(self, ready: Ready) -> AsyncGenerator[Observation[FileVersion], None]:
        known, unread = ready.known, list[str]()
        for versions in portions(ready.versions):
            read = Contents(versions if self._reads else (), self._root)
            async for heartbeat in self._until_done(read.more):
                yield heartbeat
            unread += read.unread
            told = {version: read.read.get(version) for version in versions if version in read.read or not self._reads}
            if told:
                async for observation in self._fired(told, known):
                    yield observation
                known = ()
        if known:
            yield self._observation(known=known)
        self._complaints.keep("unread", unread)

    async def _fired(self, told: Mapping[str, str | None], known: Sequence[str]) -> AsyncGenerator[Observation[FileVersion], None]:
        """Make events of versions, each with what it holds. One whose identity the journal has was gone and is back, or is a copy."""
        identities = {version: self._identities.event(version, content) for version, content in told.items()}
        along = [*(name for version, content in told.items() for name in self._identities.along(version, content)), *known]
        back = await self._seen.of([*identities.values(), *along])
        fired = {name: version for version, name in reversed(identities.items()) if name not in back}
        for version, content in told.items():
            self._identities.take(version, content)
        yield self._observation(
            events=[self._event(name, version, told[version]) for version, name in identities.items() if fired.get(name) == version],
            keep=[name for name in dict.fromkeys((*identities.values(), *along)) if name in back],
            known=[name for name in along if name not in back],
        )
        if self._acting is not None:
            self._aftermath.add({name: [version] for name, version in fired.items()})

    def _event(self, name: str, version: str, content: str | None) -> Event[FileVersion]:
        told = version_of(version)
        return Event(
            id=name,
            source=self._options.name,
            type="file",
            subject=escapes.path(told.path),
            time=told.mtime // 1000,
            data=FileVersion(self._root / told.path, told.size, told.mtime, told.inode, content),
        )

    def _gone(self, sweep: Sweep) -> Sequence[str]:
        unreadable = sweep.unreadable
        return (*self._identities.gone(There(sweep.found, unreadable)), *self._readiness.gone(There(sweep.beside, unreadable)))

    async def _until_done(self, more: Callable[[], bool]) -> AsyncGenerator[Observation[FileVersion], None]:
        """Do something slice by slice in a thread, and yield heartbeats meanwhile."""
        while await in_loose_thread(more, _THREAD):
            if self._overdue:
                yield self._observation()

    def _observation(
        self,
        *,
        events: Sequence[Event[FileVersion]] = (),
        forget: Sequence[str] = (),
        keep: Sequence[str] = (),
        known: Sequence[str] = (),
    ) -> Observation[FileVersion]:
        self._told, self._said = self._clock.monotonic(), self._lagging
        return Observation(
            events=tuple(events), cursor=self._cursor, forget=tuple(forget), keep=tuple(keep), known=tuple(known), lagging=self._said
        )

    @property
    def _reads(self) -> bool:
        """Whether it matters what files hold."""
        return self._options.identity == "content"

    @property
    def _lagging(self) -> str | None:
        return "; ".join(filter(None, (self._missing, self._aftermath.lagging))) or None

    @property
    def _overdue(self) -> bool:
        return self._clock.monotonic() >= self._told + self._options.rescan


async def _pass_on(hint: Hint, news: News) -> None:
    await hint.wait()
    news.tell()


def _age(name: str) -> tuple[int, str]:
    version = version_of(name)
    return version.mtime, version.path
