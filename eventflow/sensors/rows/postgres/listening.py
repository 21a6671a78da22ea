"""LISTEN: being told by the database itself that rows have come."""

from __future__ import annotations

from eventflow.errors import SourceUnreachable
from eventflow.ports import Clock
from eventflow.sensors.rows.postgres.connection import Connection, closed, connected, reaching
from eventflow.sensors.waiting import News

_RETRY = 10.0
"""Seconds between two attempts at a new connection, where the last one failed."""


class Listening:
    """A connection that only listens on a channel, and the news that it has. Without a channel there are none.

    What is said while nobody listens is lost, and PostgreSQL doesn't say when a connection dies: so `keep` is to be called before each
    look, which then finds what was missed. That a server lets nobody listen harms nobody: rows are looked for from time to time anyway.
    """

    def __init__(self, url: str, channel: str | None, clock: Clock) -> None:
        self.news = News()
        self._url = url
        self._channel = channel
        self._clock = clock
        self._connection: Connection | None = None
        self._next = clock.monotonic()

    async def keep(self) -> None:
        """See to it that somebody listens."""
        if self._channel is None or (self._connection is not None and not self._connection.is_closed()):
            return
        if self._clock.monotonic() < self._next:
            return
        await self.close()
        self._next = self._clock.monotonic() + _RETRY
        try:
            self._connection = await connected(self._url)
            self._connection.add_termination_listener(self._ended)
            with reaching(self._url):
                await self._connection.add_listener(self._channel, self._told)
        except SourceUnreachable:
            await self.close()

    async def close(self) -> None:
        """Listen no longer."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await closed(connection)

    def _told(self, *_: object) -> None:
        self.news.tell()

    def _ended(self, *_: object) -> None:
        self._next = self._clock.monotonic()
        self.news.tell()
