"""The last resort: where something will not end, such as a thread, or a loop that user code blocks, the process leaves without it."""

from __future__ import annotations

import os
import sys
import threading
import time
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

GRACE = 10.0
"""Seconds from the end of the drain to the end of the process, at most."""


class Watchdog:
    """Ends the process with exit code 1 once the time that `arm` gave is over. Leaving the block disarms it."""

    def __init__(self) -> None:
        # The one kind of queue into which a signal's function may put something, whatever it has interrupted.
        self._told: SimpleQueue[float | None] = SimpleQueue()

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, name="eventflow-watchdog", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._told.put(None)

    def arm(self, seconds: float) -> None:
        """Give the process so many seconds to end; where it was given fewer before, those count."""
        self._told.put(time.monotonic() + seconds)

    def _watch(self) -> None:
        deadline: float | None = None
        while True:
            try:
                told = self._told.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
            except Empty:
                break
            if told is None:
                return
            deadline = told if deadline is None else min(deadline, told)
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, _LAST_WORDS)
        os._exit(1)


_LAST_WORDS = (
    b"eventflow: something would not end in time, so the process ends without it; nothing is lost, and what ran goes on at the next start\n"
)
