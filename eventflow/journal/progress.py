"""How far a journal has come, for all who wait for more."""

from __future__ import annotations

import asyncio

from eventflow.errors import JournalError


class Progress:
    """The place of the last committed fact, or the error after which none will come."""

    def __init__(self, seq: int = 0) -> None:
        self.seq = seq
        self.failure: JournalError | None = None
        self._news: asyncio.Event | None = None

    def check(self) -> None:
        """Raise the error with which the journal failed, if it has."""
        if self.failure is not None:
            raise again(self.failure) from self.failure.__cause__

    def advance(self, seq: int) -> None:
        """Tell that everything up to `seq` is committed."""
        self.seq = seq
        self._tell()

    def fail(self, failure: JournalError) -> None:
        """Tell that nothing will be committed any more. The first error stays."""
        self.failure = self.failure or failure
        self._tell()

    async def wait(self, after: int) -> None:
        """Return once there is a fact behind `after`. Raises the error of a failed journal."""
        self.check()
        while self.seq <= after:
            self._news = self._news or asyncio.Event()
            await self._news.wait()
            self.check()

    def _tell(self) -> None:
        if self._news is not None:
            self._news.set()
            self._news = None


def again(failure: JournalError) -> JournalError:
    """Give a copy of an error to raise: one object raised to many callers would gather the tracebacks of all."""
    return type(failure)(*failure.args)
