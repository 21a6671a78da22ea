"""The outside of a sensor under test: its world, and a book that keeps what it yields as a journal would."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import UNSET

from eventflow import codec
from eventflow.events import Event, Observation
from eventflow.journal.memory import MemoryJournal
from eventflow.ports import Clock, Instrument, JournalView, Sensor, Watcher, World
from eventflow.sensors.waiting import News
from eventflow.system import SystemClock
from eventflow.testing import SeededRandom


class Crashed(Exception):
    """The process died before this could be committed."""


class HandWatcher:
    """The `Watcher` port, which says nothing unless a test says it."""

    def __init__(self) -> None:
        self.folders: dict[Path, News] = {}

    @contextmanager
    def watch(self, folder: Path, *, recursive: bool) -> Generator[News]:  # noqa: ARG002 - the port's words
        self.folders[folder] = News()
        try:
            yield self.folders[folder]
        finally:
            del self.folders[folder]

    def tell(self) -> None:
        for news in self.folders.values():
            news.tell()


class Troubles(Instrument):
    """Keeps what a sensor complains of."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def troubled(self, place: str, error: BaseException) -> None:
        self.told.append(f"{place}: {error}")


def outside(
    source: str = "source",
    *,
    clock: Clock | None = None,
    watcher: Watcher | None = None,
    instrument: Instrument | None = None,
    journal: JournalView | None = None,
    root: Path | None = None,
) -> World:
    """Give the world of a sensor: real time, a watcher that says nothing, an empty journal, unless something else is given."""
    return World(
        source=source,
        clock=clock or SystemClock(),
        random=SeededRandom(),
        watcher=watcher or HandWatcher(),
        instrument=instrument or Instrument(),
        journal=journal or MemoryJournal(),
        root=root or Path.cwd(),
    )


class Book:
    """Keeps what a sensor yields as a journal would, over several starts of it, and refuses what a journal would refuse.

    Repeated events are kept apart in `repeated`: they fire nothing.
    """

    def __init__(self) -> None:
        self.cursor: object = None
        self.taken: dict[str, int | None] = {}
        self.events: list[Event[Any]] = []
        self.missed: list[Event[Any]] = []
        self.repeated: list[str] = []
        self.observations: list[Observation[Any]] = []
        self.commits_left: int | None = None

    async def all(self) -> Mapping[str, int | None]:
        return dict(self.taken)

    async def of(self, ids: Collection[str]) -> frozenset[str]:
        return frozenset(ids) & self.taken.keys()

    def commit(self, seen: Observation[Any]) -> None:
        if self.commits_left is not None:
            self.commits_left -= 1
            if self.commits_left < 0:
                raise Crashed
        for event in (*seen.events, *seen.missed):
            assert event.id
            annotation: Any = Any if type(event.data) in (dict, list) else type(event.data)
            assert codec.decode(codec.encode(event.data, annotation), annotation) == event.data
        self.repeated += [event.id for event in seen.events if event.id in self.taken]
        fresh = [event for event in seen.events if event.id not in self.taken]
        self.events += fresh
        self.missed += [event for event in seen.missed if event.id not in self.taken]
        self.taken.update(dict.fromkeys([*(event.id for event in (*fresh, *seen.missed)), *seen.known]))
        assert self.taken.keys() >= {*seen.forget, *seen.keep}
        self.taken.update({**dict.fromkeys(seen.forget, 1), **dict.fromkeys(seen.keep)})
        self.observations.append(seen)
        if seen.cursor is not UNSET:
            self.cursor = codec.decode(codec.encode(seen.cursor))

    @property
    def ids(self) -> list[str]:
        return [event.id for event in self.events]


async def watch(sensor: Sensor[Any], book: Book, world: World, enough: Callable[[Book], bool]) -> None:
    """Start a sensor where the book says it stands, and commit what it yields until that is enough: then it is closed, as at any crash."""
    observations: AsyncIterator[Observation[Any]] = sensor.observe(book.cursor, book, world)
    try:
        async for observation in observations:
            book.commit(observation)
            if enough(book):
                return
    finally:
        await observations.aclose()  # type: ignore[attr-defined]
