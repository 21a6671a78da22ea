from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from eventflow.journal.memory import MemoryJournal
from eventflow.journal.sqlite import open_sqlite
from eventflow.ports import Instrument, Journal
from eventflow.testing.clock import VirtualClock

Opener: TypeAlias = Callable[..., AbstractAsyncContextManager[Journal]]


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture(params=["memory", "sqlite", "inline"])
def opener(request: pytest.FixtureRequest, tmp_path: Path, clock: VirtualClock) -> Opener:
    @asynccontextmanager
    async def opened(*instruments: Instrument) -> AsyncGenerator[Journal]:
        if request.param == "memory":
            async with MemoryJournal(instruments) as memory:
                yield memory
        else:
            async with open_sqlite(tmp_path / "state", clock=clock, instruments=instruments, inline=request.param == "inline") as sqlite:
                yield sqlite

    return opened


class Notes(Instrument):
    """Keeps what an instrument is told."""

    def __init__(self) -> None:
        self.points: list[str] = []
        self.seqs: list[int] = []
        self.troubles: list[tuple[str, BaseException]] = []

    def reached(self, point: str) -> None:
        self.points.append(point)

    def committed(self, records: Sequence[object]) -> None:
        self.seqs += [record.seq for record in records]

    def troubled(self, place: str, error: BaseException) -> None:
        self.troubles.append((place, error))


@pytest.fixture
def notes() -> Notes:
    return Notes()
