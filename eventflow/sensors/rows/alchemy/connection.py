"""A connection through SQLAlchemy, whose calls run in threads. Each call is a transaction by itself: none is left open, and none waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy
from sqlalchemy import URL, Connection, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from eventflow.errors import EventflowError, SourceUnreachable
from eventflow.sensors.rows.addresses import PERCENT, without_credentials
from eventflow.sensors.rows.options import Database
from eventflow.threads import ThreadCall

T = TypeVar("T")

_THREAD = "eventflow-rows"

_READ_ONLY = {
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "sqlite": "PRAGMA query_only = ON",
}
"""How a connection of each kind is told that it won't write. The others aren't told."""


class Alchemy:
    """One connection to one database. It is made by the first call."""

    def __init__(self, database: Database, *, writes: bool) -> None:
        self._database = database
        self._writes = writes
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        self._call: ThreadCall[Any] | None = None

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run some work as one transaction. Cancelled, this returns at once: the work goes on to its end, and nothing is begun after it.

        Raises `SourceUnreachable`, without a password, for whatever the database or its driver has to complain of.
        """
        call = ThreadCall(lambda: self._work(work), _THREAD)
        self._call = call
        return await call.result()

    async def close(self) -> None:
        """Close the connection, after the work under way."""
        call, self._call = self._call, None
        if call is not None and call.running:
            call.when_ended(self._close_later)
        else:
            await ThreadCall(self._close, _THREAD).ended()

    def _close_later(self) -> None:
        ThreadCall(self._close, _THREAD)

    def _work(self, work: Callable[[Connection], T]) -> T:
        try:
            connection = self._connected()
            with connection.begin():
                return work(connection)
        except EventflowError:
            raise
        except Exception as error:  # noqa: BLE001 - drivers raise what they like, their own bugs included
            raise self._unreachable(error) from None

    def _connected(self) -> Connection:
        if self._connection is None:
            self._engine = sqlalchemy.create_engine(self._url, poolclass=NullPool, hide_parameters=True)
            self._connection = self._engine.connect()
            read_only = _READ_ONLY.get(self._engine.dialect.name)
            if not self._writes and read_only is not None:
                self._connection.exec_driver_sql(read_only)
                self._connection.commit()
        return self._connection

    def _close(self) -> None:
        try:
            if self._connection is not None:
                self._connection.close()
        except SQLAlchemyError:  # a server that is gone can't be told that we go
            return
        finally:
            if self._engine is not None:
                self._engine.dispose()
            self._connection = self._engine = None

    @property
    def _url(self) -> URL:
        try:
            return make_url(self._address)
        except (SQLAlchemyError, ValueError):  # which say as well what they have read of it: a part of the password, perhaps
            raise SourceUnreachable(f"the address of the database {self._database.shown} can't be used: {PERCENT}") from None

    @property
    def _address(self) -> str:
        return self._database.address.reveal() if self._database.address is not None else ""

    def _unreachable(self, error: Exception) -> SourceUnreachable:
        shown = self._database.shown
        if isinstance(error, ModuleNotFoundError):
            return SourceUnreachable(f"the driver of {shown} isn't installed: pip install the package that gives {error.name!r}")
        told = str(getattr(error, "orig", None) or error).partition("\n")[0] or type(error).__name__
        return SourceUnreachable(f"the database {shown}: {without_credentials(told, self._address)}")
