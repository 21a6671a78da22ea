"""The watcher of folders, on watchfiles: one for the whole engine, since the kernel gives each user but few of them.

It is quick and it is not to be trusted: the kernel drops changes when too many come at once, files in a new subfolder can go unseen, one
name that is no UTF-8 stops the library, a folder that is removed and made again goes silent, and so does one for which the kernel has no
watch left. So it starts anew where it can notice, tells
everyone to look whenever something may have been missed, and fires hints by the clock while it can't watch at all.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Collection, Generator, Iterable
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import anyio
import watchfiles

from eventflow.ports import Clock, Hint, Instrument
from eventflow.sensors.inotify import check_room
from eventflow.sensors.waiting import News, news_or
from eventflow.threads import ThreadCall, in_loose_thread

_STEP = 20
_DEBOUNCE = 50
_TICK = 200
"""Milliseconds: how often the library looks for changes, for how long it gathers them, after how long it returns without any."""

_CHECK = 2.0
"""Seconds between two looks at whether the folders are still the same, and between two hints for one that can't be watched."""

_SOONEST = 0.1
_LATEST = 60.0
"""Seconds to wait before starting anew after a failure: twice as long each time."""

_PATIENCE = 1.0
"""Seconds in which the library's thread, which looks up every few milliseconds, ends unless a disk holds it for ever."""


@dataclass(frozen=True, slots=True, eq=False)
class _Listener:
    folder: str
    recursive: bool
    news: News = field(default_factory=News)


class _Root(NamedTuple):
    """A folder that can be watched, where it really is, and which one it is: one that is removed and made again is another."""

    folder: str
    real: str
    device: int
    inode: int


class _Roots(NamedTuple):
    all: frozenset[_Root]
    recursive: bool


class FolderWatcher:
    """The `Watcher` port. To be entered as a context manager: its one task and its one thread live inside.

    Failures are told to the instrument, with the place `watcher`; they delay hints and stop nothing.
    """

    def __init__(self, clock: Clock, instrument: Instrument | None = None) -> None:
        self._clock = clock
        self._instrument = instrument or Instrument()
        self._listeners: list[_Listener] = []
        self._stop = threading.Event()
        self._asked = News()

    async def __aenter__(self) -> Self:
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self._run)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool | None:
        self._group.cancel_scope.cancel()
        return await self._group.__aexit__(kind, error, trace)

    @contextmanager
    def watch(self, folder: Path, *, recursive: bool) -> Generator[Hint]:
        """Watch a folder, which need not exist yet."""
        listener = _Listener(str(folder), recursive)
        self._listeners.append(listener)
        self._start_anew()
        try:
            yield listener.news
        finally:
            self._listeners.remove(listener)
            self._start_anew()

    def _start_anew(self) -> None:
        self._stop.set()
        self._asked.tell()

    async def _run(self) -> None:
        delay = _SOONEST
        while True:
            self._stop, begun = threading.Event(), self._clock.monotonic()
            roots = await self._look()
            error = await self._follow(roots, self._stop) if roots.all else await self._wait()
            if error is not None:
                self._instrument.troubled("watcher", error)
                delay = _SOONEST if self._clock.monotonic() - begun > _LATEST else min(2 * delay, _LATEST)
                await self._poll(delay)

    async def _follow(self, roots: _Roots, stop: threading.Event) -> Exception | None:
        """Tell of changes until `stop` is set, because other folders are asked for or these are no longer the same; or until it fails."""
        loop, doubt, ended = asyncio.get_running_loop(), News(), News()

        def tell(places: AbstractSet[str] | None) -> None:
            self._tell(_hearing(places, roots))
            if places is not None and not places.isdisjoint(root.real for root in roots.all):
                doubt.tell()

        thread = ThreadCall(lambda: _listen(roots, stop, lambda places: loop.call_soon_threadsafe(tell, places)), "eventflow-watcher")
        thread.when_ended(ended.tell)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._check, roots, stop, doubt)
                error = await thread.result()
                group.cancel_scope.cancel()
                return error
        finally:
            stop.set()
            with anyio.CancelScope(shield=True):
                await news_or(_PATIENCE, ended, self._clock)

    async def _check(self, roots: _Roots, stop: threading.Event, doubt: Hint) -> None:
        """Set `stop` once the folders are no longer those that are watched, and tell by the clock whoever's folder can't be."""
        watched = {root.folder for root in roots.all}
        while await self._look() == roots:
            self._tell(lambda listener: listener.folder not in watched)
            await news_or(_CHECK, doubt, self._clock)
        stop.set()

    async def _wait(self) -> None:
        self._tell(lambda _: True)
        await news_or(_CHECK, self._asked, self._clock)

    async def _poll(self, delay: float) -> None:
        while delay > 0:
            self._tell(lambda _: True)
            await self._clock.sleep(min(delay, _CHECK))
            delay -= _CHECK

    async def _look(self) -> _Roots:
        folders = {listener.folder for listener in self._listeners}
        recursive = any(listener.recursive for listener in self._listeners)
        return _Roots(await in_loose_thread(lambda: _present(folders), "eventflow-watcher"), recursive)

    def _tell(self, hears: Callable[[_Listener], bool]) -> None:
        for listener in filter(hears, self._listeners):
            listener.news.tell()


def _listen(roots: _Roots, stop: threading.Event, tell: Callable[[AbstractSet[str] | None], object]) -> Exception | None:
    """Tell the folders in which something changed, and None once all are watched, until `stop` is set. Runs in a thread.

    Gives what the library failed with: it is no more than a reason to start anew.
    """
    places, watching = {root.real for root in roots.all}, False
    try:
        for changes in _batches(places, stop, recursive=roots.recursive):
            paths = {path for _, path in changes}
            if not watching:
                check_room(min(places))
            if paths or not watching:
                tell({os.path.dirname(path) for path in paths} | (paths & places) if watching else None)  # noqa: PTH120 - there can be many
            watching = True
    except Exception as error:  # noqa: BLE001 - whatever stops the library, the sensors go on by the clock
        return error
    return None


def _batches(places: Iterable[str], stop: threading.Event, *, recursive: bool) -> Iterable[AbstractSet[watchfiles.main.FileChange]]:
    return watchfiles.watch(
        *places,
        watch_filter=None,
        debounce=_DEBOUNCE,
        step=_STEP,
        stop_event=stop,
        rust_timeout=_TICK,
        yield_on_timeout=True,
        raise_interrupt=False,
        recursive=recursive,
        ignore_permission_denied=True,
    )


def _hearing(places: AbstractSet[str] | None, roots: _Roots) -> Callable[[_Listener], bool]:
    """Tell who wants to hear of changes in these folders; everyone does of changes in nobody knows which."""
    real = {root.folder: root.real for root in roots.all}

    def hears(listener: _Listener) -> bool:
        folder = real.get(listener.folder)
        if places is None or folder is None:
            return places is None
        return folder in places or (listener.recursive and any(place.startswith(f"{folder}/") for place in places))

    return hears


def _present(folders: Collection[str]) -> frozenset[_Root]:
    return frozenset(root for root in map(_root, folders) if root is not None)


def _root(folder: str) -> _Root | None:
    """Give what can be watched of a folder: nothing while it is missing or no folder, nor where the library can't take its name."""
    try:
        real = Path(folder).resolve(strict=True)
        str(real).encode()
        stat = real.stat()
    except (OSError, RuntimeError, UnicodeEncodeError):  # RuntimeError: a link that leads to itself, before Python 3.13
        return None
    return _Root(folder, str(real), stat.st_dev, stat.st_ino) if real.is_dir() else None
