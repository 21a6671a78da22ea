"""How an object sensor goes about its bucket: list, tell what is new, rest."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from eventflow.errors import SensorError
from eventflow.events import Event, Observation
from eventflow.ports import Seen, World
from eventflow.sensors.objects.bucket import Bucket, Page
from eventflow.sensors.objects.versions import ObjectVersion, identity_of
from eventflow.sensors.options import Identity
from eventflow.sensors.portions import portions


@dataclass(frozen=True, slots=True)
class ObjectOptions:
    """What an object sensor was told. `every` is in seconds."""

    name: str
    bucket: Bucket
    identity: Identity
    ignore_existing: bool
    growing: bool
    every: float


class Rounds:
    """What both ways of looking share: events of pages, heartbeats, the cursor."""

    def __init__(self, options: ObjectOptions, cursor: object, seen: Seen, world: World) -> None:
        self._options = options
        self._cursor = cursor
        self._seen = seen
        self._world = world
        self._told = world.clock.monotonic()

    def _named(self, found: Mapping[str, ObjectVersion]) -> dict[str, ObjectVersion]:
        try:
            return {identity_of(one, self._options.identity): one for one in found.values()}
        except ValueError as error:
            raise SensorError(str(error)) from error

    def _event(self, name: str, found: ObjectVersion) -> Event[ObjectVersion]:
        return self._world.event(name, found, type="object", subject=found.url, time=found.modified)

    def _observation(
        self,
        events: Sequence[Event[ObjectVersion]] = (),
        *,
        keep: Sequence[str] = (),
        forget: Sequence[str] = (),
        known: Sequence[str] = (),
    ) -> Observation[ObjectVersion]:
        self._told = self._world.clock.monotonic()
        return Observation(events=tuple(events), cursor=self._cursor, keep=tuple(keep), forget=tuple(forget), known=tuple(known))

    @property
    def _overdue(self) -> bool:
        return self._world.clock.monotonic() >= self._told + self._options.every


class AllKeys(Rounds):
    """Lists everything in each round: whatever the order of the keys, nothing that is there can be missed.

    What it remembers between two rounds are the identities that the journal has and the bucket still holds. It runs ahead of the journal by
    the observation that is being committed, never further.
    """

    def __init__(self, options: ObjectOptions, cursor: object, seen: Seen, world: World) -> None:
        super().__init__(options, cursor, seen, world)
        self._watched: object = {"url": options.bucket.url}
        self._taken: set[str] | None = None

    async def look(self) -> AsyncGenerator[Observation[ObjectVersion], None]:
        """Go through the bucket and yield what is new, page by page, then what is gone."""
        taken = await self._begin()
        passing = self._options.ignore_existing and self._cursor != self._watched
        found, passed = set[str](), list[str]()
        async with aclosing(self._options.bucket.pages()) as pages:
            async for page in pages:
                named = self._named(page.found)
                found.update(named)
                fresh = {name: one for name, one in named.items() if name not in taken}
                if passing:
                    passed += fresh
                elif fresh:
                    yield await self._fired(fresh)
                    taken.update(fresh)
                if self._overdue:
                    yield self._observation()
        if passing:
            yield await self._passed_over(passed)
            taken.update(passed)
        # Only now, when the listing is complete: what it has not shown isn't there.
        for gone in portions([name for name in taken if name not in found]):
            yield self._observation(forget=gone)
            taken.difference_update(gone)
        self._cursor = self._watched
        yield self._observation()

    async def _begin(self) -> set[str]:
        if self._taken is None:
            self._taken = {name for name, gone in (await self._seen.all()).items() if gone is None}
        return self._taken

    async def _passed_over(self, names: Sequence[str]) -> Observation[ObjectVersion]:
        """Take what was there at the first look ever as known, in one observation with the cursor that says that this is done."""
        back = await self._seen.of(names)
        self._cursor = self._watched
        return self._observation(known=[name for name in names if name not in back], keep=[name for name in names if name in back])

    async def _fired(self, fresh: Mapping[str, ObjectVersion]) -> Observation[ObjectVersion]:
        """Make events of objects; one that the journal has is an object that was gone and has come back."""
        back = await self._seen.of(fresh.keys())
        events = [self._event(name, one) for name, one in fresh.items() if name not in back]
        return self._observation(events, keep=[name for name in fresh if name in back])


class GrowingKeys(Rounds):
    """Lists only what stands behind the last key, for buckets whose keys only ever grow, such as those that begin with a date."""

    def __init__(self, options: ObjectOptions, cursor: object, seen: Seen, world: World) -> None:
        super().__init__(options, cursor, seen, world)
        self._last = last_key(cursor, options.bucket.url)

    async def look(self) -> AsyncGenerator[Observation[ObjectVersion], None]:
        """Go through what stands behind the last key, and yield it page by page."""
        passing = self._options.ignore_existing and self._last is None
        before = self._last or ""
        async with aclosing(self._options.bucket.pages(before or None)) as pages:
            async for page in pages:
                self._check(page)
                fresh = self._named({key: one for key, one in page.found.items() if key > before})
                self._last = max(before, page.last or "")
                if fresh and not passing:
                    yield self._moved(fresh)
                elif self._overdue:
                    yield self._observation()
        yield self._moved({})

    def _moved(self, fresh: Mapping[str, ObjectVersion]) -> Observation[ObjectVersion]:
        self._cursor = {"url": self._options.bucket.url, "last": self._last or ""}
        # What stands behind the cursor can't come again: its identities need not be kept for ever.
        return self._observation([self._event(name, one) for name, one in fresh.items()], forget=[*fresh])

    def _check(self, page: Page) -> None:
        if not page.ascending:
            raise SensorError(f"{self._options.bucket.url} doesn't list its keys in their order: leave out order='growing'")


def last_key(cursor: object, url: str) -> str | None:
    """Give the key up to which a cursor says that all was seen at an address, or None."""
    match cursor:
        case {"url": str(watched), "last": str(last)} if watched == url:
            return last
        case _:
            return None
