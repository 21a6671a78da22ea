"""The real world: the machine's clocks, its randomness, its processes."""

from __future__ import annotations

import asyncio
import gc
import random
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import anyio

from eventflow.ports import Timer


def collect_less_often() -> None:
    """Have this process's garbage collector look a tenth as often. For a process that is ours alone, such as the daemon.

    A run with thousands of nodes under way holds hundreds of thousands of objects, none of them garbage. With Python's own settings the
    collector goes through all of them so often that a third of such a run's time is spent there; this takes most of that away.
    """
    gc.set_threshold(10_000, 20, 20)


class SystemClock:
    """The machine's clocks and the running loop's timers."""

    def now(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_later(delay, callback)

    async def sleep(self, delay: float) -> None:
        await anyio.sleep(max(delay, 0.0))  # an instant that has passed meanwhile is no mistake


class SystemRandom:
    """Random numbers: unguessable bits for ids, a plain generator for jitter."""

    def bits(self, count: int) -> int:
        return secrets.randbits(count)

    def fraction(self) -> float:
        return random.random()  # noqa: S311 - spreads retries, hides nothing


class SystemProcess:
    """A child process of this one."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait(self) -> int:
        return await self._process.wait()

    def send_signal(self, number: int) -> None:
        if self._process.returncode is None:
            self._process.send_signal(number)


async def spawn(argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> SystemProcess:
    """Start a program with our own standard streams."""
    return SystemProcess(await asyncio.create_subprocess_exec(*argv, cwd=cwd, env=env))
