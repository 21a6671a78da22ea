"""A source of PostgreSQL under test, and a ledger that keeps what it gives as a journal would."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

from eventflow import codec
from eventflow.ports import World
from eventflow.sensors.rows.options import RowOptions, options
from eventflow.sensors.rows.postgres.reading import Pace
from eventflow.sensors.rows.postgres.source import PostgresSource, open_postgres
from eventflow.sensors.rows.source import Page, Row
from tests.sensors.outside import outside


def told(url: str, table: str, **said: Any) -> RowOptions:
    """Give the options of a row sensor, as its constructor would."""
    defaults: dict[str, Any] = {
        "on": "insert", "mode": "watch", "cursor": None, "version": None, "key": None, "fixed": (), "columns": None, "where": None, "at_least": 1,
        "mark": None, "existing": "fire", "every": "1s", "settle": None, "notify": None, "xid_column": None,
    }  # fmt: skip
    return options("rows", url, table, **{**defaults, **said})


class Ledger:
    """What was committed: identities, rows in their order, the cursor."""

    def __init__(self) -> None:
        self.cursor: object = None
        self.rows: list[Row] = []
        self.taken: set[str] = set()
        self.pages: list[Page] = []

    async def all(self) -> Mapping[str, int | None]:
        return dict.fromkeys(self.taken)

    async def of(self, ids: Collection[str]) -> frozenset[str]:
        return frozenset(ids) & self.taken

    def commit(self, page: Page) -> None:
        new = [row.identity for row in page.rows]
        assert len(set(new)) == len(new)
        assert not self.taken.intersection(new), "a row was handed over twice"
        assert self.taken.issuperset(page.settled)
        assert page.cursor == self.cursor or page.rows or page.known or page.settled
        self.rows += page.rows
        self.taken |= {*new, *page.known}
        self.pages.append(page)
        self.cursor = codec.decode(codec.encode(page.cursor))

    @property
    def names(self) -> list[str]:
        return [row.identity for row in self.rows]


@asynccontextmanager
async def opened(
    chosen: RowOptions, ledger: Ledger, *, world: World | None = None, step: int = 20_000, rest: float = 600.0
) -> AsyncGenerator[PostgresSource]:
    source = await open_postgres(chosen, ledger, world or outside(), pace=Pace(settle=chosen.settle, step=step, rest=rest))
    try:
        yield source
    finally:
        await source.close()


async def look(source: PostgresSource, ledger: Ledger, limit: int = 500) -> list[str]:
    """Read and commit until there is nothing more for now, and give the identities that were new."""
    before = len(ledger.rows)
    while True:
        page = await source.read(ledger.cursor, limit)
        assert len(page.rows) <= limit
        ledger.commit(page)
        if page.again is None:
            return ledger.names[before:]


async def looked(chosen: RowOptions, ledger: Ledger, **pace: Any) -> list[str]:
    """Open, look once, and close, as after a restart."""
    async with opened(chosen, ledger, **pace) as source:
        return await look(source, ledger)
