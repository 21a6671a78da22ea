"""The signals of a daemon, as something to wait for."""

from __future__ import annotations

import asyncio
import signal
from types import FrameType, TracebackType
from typing import Self

import anyio

from eventflow.daemon.watchdog import GRACE, Watchdog

HURRY = 5.0
"""Seconds that a second signal leaves to what runs."""


class Signals:
    """While entered, SIGTERM and SIGINT set `asked`, a second one `hurried`, and SIGHUP is nothing.

    The functions are Python's own, not the loop's: they run even while user code blocks the loop, and arm the watchdog then.
    """

    def __init__(self, watchdog: Watchdog, drain: float) -> None:
        self.asked = anyio.Event()
        self.hurried = anyio.Event()
        self._watchdog = watchdog
        self._patience = [HURRY + GRACE, drain + GRACE]
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._received) for number in (signal.SIGTERM, signal.SIGINT)}
        # A function, not SIG_IGN: that one would be inherited by the processes that tasks start.
        self._before[signal.SIGHUP] = signal.signal(signal.SIGHUP, lambda _, __: None)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _received(self, _: int, __: FrameType | None) -> None:
        self._watchdog.arm(self._patience[-1])
        del self._patience[1:]
        self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        (self.hurried if self.asked.is_set() else self.asked).set()
