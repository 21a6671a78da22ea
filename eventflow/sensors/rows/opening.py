"""Which kind of database a sensor watches, and so which source reads it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib import import_module

import anyio

from eventflow.errors import SourceUnreachable
from eventflow.ports import Seen, World
from eventflow.sensors.rows.options import RowOptions
from eventflow.sensors.rows.source import Source
from eventflow.sensors.rows.sqlite.source import open_sqlite
from eventflow.threads import in_thread

_PATIENCE = 5.0
"""Seconds in which a connection is closed, unless its server holds it."""


@asynccontextmanager
async def opened(options: RowOptions, seen: Seen, world: World) -> AsyncGenerator[Source, None]:
    """Open the source of a sensor, and close it at the end of the block, cancelled or not.

    Raises `SourceUnreachable` where the database or the table isn't there, or a library isn't installed.
    """
    source = await _open(options, seen, world)
    try:
        yield source
    finally:
        with anyio.move_on_after(_PATIENCE, shield=True):
            await source.close()


async def _open(options: RowOptions, seen: Seen, world: World) -> Source:
    if options.database.kind == "sqlite":
        return await open_sqlite(options, seen, world)
    if options.database.kind == "postgresql":
        from eventflow.sensors.rows.postgres.source import open_postgres  # noqa: PLC0415 - needs an extra

        return await open_postgres(options, seen, world)
    await in_thread(_import_sqlalchemy)  # which takes half a second
    from eventflow.sensors.rows.alchemy.source import open_alchemy  # noqa: PLC0415 - needs an extra

    return await open_alchemy(options, seen, world)


def _import_sqlalchemy() -> None:
    try:
        import_module("sqlalchemy")
    except ImportError as error:
        raise SourceUnreachable("RowSensor reads databases of this kind through SQLAlchemy: pip install 'eventflow[sql]'") from error
