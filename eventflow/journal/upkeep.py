"""What a journal in use does by the clock: it syncs its mark, and looks whether its files are still its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from eventflow.errors import JournalDamaged, JournalError, JournalFull
from eventflow.journal.checkpoints import Checkpoints
from eventflow.journal.reader import Reader
from eventflow.journal.shared import Shared

MARK_EVERY, LOOK_EVERY = 1.0, 10.0
"""Seconds between two syncs of the mark, and between two looks at the files."""


class Upkeep:
    """The timed duties of a journal. They run where its reader runs, so that they never hold up a commit."""

    def __init__(self, shared: Shared, reader: Reader, fail: Callable[[JournalError], None]) -> None:
        self._place = shared.place
        self._reader = reader
        self._fail = fail
        self._mark = shared.mark
        self._progress = shared.progress
        self._clock = shared.clock
        self._instruments = shared.instruments

    async def keep_mark(self, checkpoints: Checkpoints | None) -> None:
        """Sync the mark within a second after each commit. With `checkpoints`, the journal is relaxed: then its log is copied as well."""
        synced = self._progress.seq
        while True:
            await self._progress.wait(synced)
            await self._clock.sleep(MARK_EVERY)
            synced = self._progress.seq
            await self.sync_mark()
            if checkpoints is not None:
                await self._copy_log(checkpoints)

    async def sync_mark(self) -> None:
        """Sync the mark. A full disk is waited out: a mark that lags behind is still true."""
        self._instruments.reached("journal.mark.before")
        try:
            await self._reader.ask(lambda _: self._mark.sync())
        except JournalFull as failure:
            self._instruments.troubled("journal.mark", failure)
        self._instruments.reached("journal.mark.after")

    async def keep_looking(self) -> None:
        """Find out when somebody removes or replaces the files under us: SQLite would go on writing into nowhere."""
        known = await self._reader.ask(lambda _: self._identities())
        while None not in known:
            await self._clock.sleep(LOOK_EVERY)
            if await self._reader.ask(lambda _: self._identities()) != known:
                self._fail(JournalDamaged(f"the journal in {self._place.folder} was removed or replaced while it was in use"))
                return

    async def _copy_log(self, checkpoints: Checkpoints) -> None:
        try:
            await checkpoints.make()
        except JournalError as failure:
            self._fail(failure)

    def _identities(self) -> tuple[tuple[int, int] | None, ...]:
        return _identity(self._place.journal), _identity(self._place.log)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - as it is named in every manual
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
