"""How an HTTP sensor goes about its endpoint: ask, tell what has changed, rest."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Self

import msgspec

from eventflow import codec, escapes
from eventflow.events import Event, Observation
from eventflow.ports import Seen, World
from eventflow.sensors.http import listing, states
from eventflow.sensors.http.changes import Change, Feed, Header, HTTPChange, Items, State, Status, Value
from eventflow.sensors.http.endpoint import Endpoint
from eventflow.sensors.http.fetch import Fetch
from eventflow.sensors.http.listing import News
from eventflow.sensors.http.memory import Memory, etag, fingerprint, modified, remembered
from eventflow.sensors.http.spaces import Space, space_of
from eventflow.sensors.http.states import Found
from eventflow.sensors.portions import portions

_TRUSTED = 3600.0
"""Seconds for which a server is believed that nothing has changed (304). Then it is asked for the whole: some say so for ever."""

_LISTED = "listed"


@dataclass(frozen=True, slots=True)
class HTTPOptions:
    """What an HTTP sensor was told. Lengths of time are in seconds."""

    name: str
    endpoint: Endpoint
    change: Change
    every: float
    jitter: float
    ignore_existing: bool

    @property
    def watched(self) -> str:
        """What is watched, as cursors tell it apart."""
        return fingerprint({**self.endpoint.identity, "change": _essence(self.change)})


class Rounds:
    """One start of an HTTP sensor. Of what it remembers only validators run ahead of the journal: they save a transfer, and no more."""

    def __init__(self, options: HTTPOptions, space: Space, memory: Memory, world: World) -> None:
        self._options = options
        self._space = space
        self._world = world
        self._memory, self._cursor = memory, memory.cursor
        self._trusted_until = world.clock.monotonic() + _TRUSTED
        self._failed = 0

    @classmethod
    async def of(cls, options: HTTPOptions, cursor: object, seen: Seen, world: World) -> Self:
        """Begin where a cursor stands."""
        space = await space_of(cursor, options.watched, seen)
        memory = msgspec.structs.replace(remembered(cursor, options.watched), unmarked=space.unmarked)
        return cls(options, space, memory, world)

    async def look(self) -> AsyncGenerator[Observation[HTTPChange], None]:
        """Ask, and yield what has changed; a heartbeat for each answer that brings nothing new. Raises `SensorError`."""
        change = self._options.change
        async with Fetch(self._options.endpoint, self._world.clock) as fetch:
            if isinstance(change, Items | Feed):
                async with aclosing(self._list(change, fetch)) as observations:
                    async for observation in observations:
                        yield observation
            else:
                yield await self._state(change, fetch)

    async def rest(self) -> None:
        """Return when it is time for the next look."""
        await self._world.clock.sleep(self._options.every + self._options.jitter * (2 * self._world.random.fraction() - 1))

    async def _state(self, change: State, fetch: Fetch) -> Observation[HTTPChange]:
        before = self._memory
        found = await states.look(change, fetch, before, conditional=self._may_trust())
        if found is None or self._is_doubtful(change, found):
            return self._heartbeat()
        self._memory = _with_validators(before, found)
        if found.mark == before.mark:
            return self._heartbeat()
        last = await self._space.highest() if before.is_first else before.changes
        fires = not (before.is_first and self._options.ignore_existing)
        changes = last + 1 if fires else last
        value = None if found.value is None else codec.canonical(found.value).decode()
        self._move(msgspec.structs.replace(self._memory, mark=found.mark, value=value, changes=changes))
        return self._observation((self._changed(before, found),) if fires else ())

    def _changed(self, before: Memory, found: Found) -> Event[HTTPChange]:
        data = HTTPChange(
            url=self._options.endpoint.address.shown,
            status=found.status,
            before=before.found,
            after=found.value,
            body=found.body,
            etag=found.etag,
            modified=found.modified,
            reason=found.reason,
            cut=found.cut,
        )
        kind = found.mark if isinstance(self._options.change, Status) else "change"
        return self._world.event(self._space.identity(str(self._memory.changes)), data, type=kind, subject=data.url)

    def _is_doubtful(self, change: State, found: Found) -> bool:
        """Tell whether what seems to be down is to be looked at again before that is said."""
        if not isinstance(change, Status):
            return False
        self._failed = self._failed + 1 if found.mark == states.DOWN else 0
        return 0 < self._failed < change.after

    async def _list(self, change: Items | Feed, fetch: Fetch) -> AsyncGenerator[Observation[HTTPChange], None]:
        first, newest_last = self._memory.is_first, isinstance(change, Items) and change.newest == "last"
        most = change.pages if first and isinstance(change, Items) and not newest_last else None
        # Of pages that are all read, the first one says nothing of the others.
        conditional = self._may_trust() and not (newest_last and isinstance(change, Items) and change.next is not None)
        found = listing.pages(change, fetch, self._memory, conditional=conditional)
        looked = False
        async with aclosing(listing.news(change, found, self._space, most)) as news:
            async for one in news:
                if one is None:
                    yield self._heartbeat()
                    continue
                looked = True
                for observation in self._news(one):
                    yield observation
        if not looked:
            yield self._heartbeat()

    def _news(self, news: News) -> Sequence[Observation[HTTPChange]]:
        """Give what is new in portions. Only the last one moves the cursor: till then the first page must not be taken for read."""
        before = self._memory
        self._memory = msgspec.structs.replace(before, mark=_LISTED, etag=etag(news.first.headers), modified=modified(news.first.headers))
        if not news.items and not before.is_first:
            return [self._heartbeat()]
        parts = list(portions(list(news.items.items()))) or [()]
        ignored = before.is_first and self._options.ignore_existing
        observations: list[Observation[HTTPChange]] = []
        for number, part in enumerate(parts, 1):
            if number == len(parts):
                self._move(self._memory)
            events = () if ignored else tuple(self._item(own, item, news) for own, item in part)
            observations.append(self._observation(events, known=tuple(self._space.identity(own) for own, _ in part) if ignored else ()))
        return observations

    def _item(self, own: str, item: object, news: News) -> Event[HTTPChange]:
        shown, cut = states.carried(item)
        data = HTTPChange(url=self._options.endpoint.address.shown, status=news.first.status, item=shown, cut=cut)
        return self._world.event(self._space.identity(own), data, type="item", subject=own)

    def _may_trust(self) -> bool:
        now = self._world.clock.monotonic()
        if now < self._trusted_until:
            return True
        self._trusted_until = now + _TRUSTED
        return False

    def _move(self, memory: Memory) -> None:
        self._memory, self._cursor = memory, memory.cursor

    def _heartbeat(self) -> Observation[HTTPChange]:
        return self._observation(())

    def _observation(self, events: tuple[Event[HTTPChange], ...], known: tuple[str, ...] = ()) -> Observation[HTTPChange]:
        return Observation(events=events, known=known, cursor=self._cursor)


async def checked(options: HTTPOptions, world: World) -> None:
    """Ask once, changing nothing. Raises `SensorError` where what is to be watched isn't there; a `Status` may be down."""
    change, nothing = options.change, Memory(watched=options.watched)
    async with Fetch(options.endpoint, world.clock) as fetch:
        if isinstance(change, Items | Feed):
            async with aclosing(listing.pages(change, fetch, nothing, conditional=False)) as pages:
                await anext(pages)
        else:
            await states.look(change, fetch, nothing, conditional=False)


def in_words(options: HTTPOptions, cursor: object) -> str:
    """Say what a cursor means."""
    memory = remembered(cursor, options.watched)
    if memory.is_first:
        return f"has not had a first look at {options.endpoint.address.shown} yet"
    if isinstance(options.change, Items | Feed):
        return "knows every item that it has seen"
    count = "no change" if memory.changes == 0 else "1 change" if memory.changes == 1 else f"{memory.changes} changes"
    return f"{count} so far" + (f", now {escapes.line(memory.found)[:60]}" if memory.value is not None else "")


def _with_validators(memory: Memory, found: Found) -> Memory:
    return msgspec.structs.replace(memory, headers=found.headers, etag=found.etag, modified=found.modified)


def _essence(change: Change) -> Mapping[str, object]:
    kind = type(change).__name__
    match change:
        case Value():
            return {"kind": kind, "path": change.path}
        case Header():
            return {"kind": kind, "names": change.names, "confirm": change.confirm}
        case Items():
            return {"kind": kind, "path": change.path, "id": change.id}
        case _:
            return {"kind": kind}
