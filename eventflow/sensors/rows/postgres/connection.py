"""Connections to PostgreSQL: how they are made, what they may do, and how they are given up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Protocol, cast

import anyio

from eventflow.errors import SourceUnreachable
from eventflow.sensors.rows.addresses import PERCENT, shown, without_credentials

CONNECT_TIMEOUT = 10.0
"""Seconds that a server has to take a connection and to check who is there."""

STATEMENT_TIMEOUT = 60.0
"""Seconds after which the server gives up a statement of ours, and we give up a server that has not said so."""

_FAREWELL = 2.0
_APPLICATION = "eventflow"

# Whatever the database, the role or the person's environment has set: values come in one form, and rows are read in an index's order, which
# the planner finds dear where it doesn't know yet how a table has grown.
_SETTINGS = f"""
SET LOCAL statement_timeout = {int(STATEMENT_TIMEOUT * 1000)};
SET LOCAL idle_in_transaction_session_timeout = {int(STATEMENT_TIMEOUT * 1000)};
SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'iso_8601'; SET LOCAL bytea_output = 'hex';
SET LOCAL extra_float_digits = 1; SET LOCAL jit = off; SET LOCAL enable_sort = off; SET LOCAL max_parallel_workers_per_gather = 0;
"""


class Connection(Protocol):
    """What is used of asyncpg's connection, which says nothing of its types."""

    async def execute(self, query: str, *args: object, timeout: float | None = None) -> str:
        """Run statements whose rows nobody wants."""
        ...

    async def fetch(self, query: str, *args: object, timeout: float | None = None) -> Sequence[Mapping[str, object]]:
        """Give the rows of a statement."""
        ...

    async def fetchrow(self, query: str, *args: object, timeout: float | None = None) -> Mapping[str, object] | None:
        """Give the first row of a statement."""
        ...

    async def add_listener(self, channel: str, callback: Callable[..., None]) -> None:
        """LISTEN."""
        ...

    def add_termination_listener(self, callback: Callable[..., None]) -> None:
        """Have a function called once the connection has ended."""
        ...

    def is_closed(self) -> bool:
        """Whether it has ended."""
        ...

    async def close(self, *, timeout: float | None = None) -> None:
        """End it in order."""
        ...


async def connected(url: str) -> Connection:
    """Open a connection. Raises `SourceUnreachable`, without the password, where the server isn't there or lets nobody in."""
    asyncpg = driver()
    with reaching(url):
        try:
            connection = await asyncpg.connect(
                url,
                timeout=CONNECT_TIMEOUT,
                command_timeout=STATEMENT_TIMEOUT + _FAREWELL,
                # Plans that outlive a statement break where a table changes, and behind a pooler each transaction meets another server.
                statement_cache_size=0,
                server_settings={"application_name": _APPLICATION},
            )
        except ValueError:  # how the driver says that an address can't be read, and which part of it: of a password, for example
            raise OSError(f"its address can't be used: {PERCENT}") from None
    return cast("Connection", connection)


@asynccontextmanager
async def reading(connection: Connection, url: str) -> AsyncGenerator[None]:
    """Keep to one snapshot and change nothing, whatever is run in the block. What fails in it costs the connection."""
    async with _transaction(connection, url, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"):
        yield


@asynccontextmanager
async def writing(connection: Connection, url: str) -> AsyncGenerator[None]:
    """Have what is run in the block committed as one, or not at all. What fails in it costs the connection."""
    async with _transaction(connection, url, "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE"):
        yield


async def closed(connection: Connection) -> None:
    """End a connection for good, also while being cancelled: a transaction under way ends with it."""
    with anyio.CancelScope(shield=True), suppress(*lost()):
        await connection.close(timeout=_FAREWELL)


@contextmanager
def reaching(url: str) -> Generator[None]:
    """Say what the driver raises in the block as `SourceUnreachable`: the reason, and where, but nobody's password."""
    try:
        yield
    except lost() as error:
        raise SourceUnreachable(f"PostgreSQL at {shown(url)}: {without_credentials(str(error), url) or type(error).__name__}") from None


def driver() -> _Asyncpg:
    """Give asyncpg. Raises `SourceUnreachable` where it isn't installed."""
    try:
        import asyncpg  # noqa: PLC0415 - an optional extra  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        raise SourceUnreachable("RowSensor reads PostgreSQL through asyncpg: pip install 'eventflow[postgres]'") from None
    return cast("_Asyncpg", asyncpg)


class _Asyncpg(Protocol):
    """What is used of the driver."""

    PostgresError: type[Exception]
    InterfaceError: type[Exception]
    InternalClientError: type[Exception]

    async def connect(self, dsn: str, **options: object) -> object: ...


@asynccontextmanager
async def _transaction(connection: Connection, url: str, begin: str) -> AsyncGenerator[None]:
    # A cancelled ROLLBACK leaves a connection that nobody can use any more: closing it is a rollback that can't fail.
    try:
        with reaching(url):
            await connection.execute(f"{begin};{_SETTINGS}")
            yield
            await connection.execute("COMMIT")
    except BaseException:
        await closed(connection)
        raise


def lost() -> tuple[type[Exception], ...]:
    """Give the errors by which the driver says that a server didn't do what it was asked for."""
    asyncpg = driver()
    return (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, asyncio.TimeoutError)
