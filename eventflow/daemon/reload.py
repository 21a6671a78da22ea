"""`serve --reload`: a parent that starts the daemon anew whenever the project's code has changed."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import anyio

from eventflow import escapes
from eventflow.daemon.code import changed, code_in
from eventflow.ports import Clock, Hint, Process, Spawn
from eventflow.sensors.watching import FolderWatcher
from eventflow.threads import in_thread

_GATHER = 0.2
"""Seconds that changes are gathered for: an editor or git writes several files at once."""


async def reload(root: Path, state: Path, argv: Sequence[str], spawn: Spawn, clock: Clock) -> int:
    """Keep the daemon that `argv` starts running on the newest code of the project in `root`. Gives the exit code of the last one.

    A daemon that ends by itself, because of a mistake in the project for instance, has said why: it is started again at the next change.
    SIGTERM and SIGINT end it and this.
    """
    code = 0
    async with FolderWatcher(clock) as watcher, anyio.create_task_group() as tasks:
        with watcher.watch(root, recursive=True) as news:
            parent = _Parent(root, state, news, clock)
            tasks.start_soon(parent.heed_signals)
            while await parent.live(await spawn(argv, cwd=root)):
                pass
            code = parent.code
            tasks.cancel_scope.cancel()
    return code


class _Parent:
    def __init__(self, root: Path, state: Path, news: Hint, clock: Clock) -> None:
        self.code = 0
        self._root = root
        self._state = state
        self._news = news
        self._clock = clock
        self._known = code_in(root, state)
        self._process: Process | None = None
        self._is_old = False
        self._stopping = anyio.Event()
        self._over = anyio.Event()

    async def live(self, process: Process) -> bool:
        """See a daemon through, and tell whether there is to be another one."""
        self._process, self._is_old, self._over = process, False, anyio.Event()
        if self._stopping.is_set():
            process.send_signal(signal.SIGTERM)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._end_when_old)
            self.code = await process.wait()
            self._process = None
            if not self._is_old and not self._stopping.is_set():
                _say(f"the daemon has ended with exit code {self.code}: it is started again when a file of the project changes")
                await self._over.wait()
            tasks.cancel_scope.cancel()
        return not self._stopping.is_set()

    async def heed_signals(self) -> None:
        """Pass signals on to the daemon."""
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            async for number in signals:
                if number == signal.SIGHUP:
                    continue  # it is nothing to the daemon either, which would go on without us
                self._stopping.set()
                self._over.set()
                # What is typed at a terminal has reached the daemon as well.
                if self._process is not None and not (number == signal.SIGINT and sys.stdin.isatty()):
                    self._process.send_signal(number)

    async def _end_when_old(self) -> None:
        _say(f"{', '.join(map(escapes.line, await self._changes()))} changed: the daemon starts anew")
        self._is_old = True
        self._over.set()
        if self._process is not None:
            # Twice, so that it doesn't take long; of two kinds, because two of one kind may arrive as one.
            self._process.send_signal(signal.SIGTERM)
            self._process.send_signal(signal.SIGINT)

    async def _changes(self) -> list[str]:
        while True:
            await self._news.wait()
            await self._clock.sleep(_GATHER)
            before, self._known = self._known, await in_thread(code_in, self._root, self._state)
            if found := changed(before, self._known):
                return found


def _say(text: str) -> None:
    with suppress(OSError):
        sys.stderr.write(f"eventflow: {text}\n")
        sys.stderr.flush()
