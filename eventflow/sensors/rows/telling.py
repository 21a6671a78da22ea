"""Rows as events: each one an event of its own, or many as one."""

from __future__ import annotations

from collections.abc import Sequence

from eventflow import codec, escapes
from eventflow.events import Event
from eventflow.ports import World
from eventflow.sensors.rows.options import RowOptions
from eventflow.sensors.rows.source import Row

Data = dict[str, object]
"""What an event of a row sensor carries: the row by its columns, or with `at_least` `{"rows": [row, ...]}`."""

PAGE = 500
"""Rows that are read, and told of, at once: one transaction of the journal."""


class Telling:
    """Makes events of rows."""

    def __init__(self, options: RowOptions, world: World) -> None:
        self._options = options
        self._world = world

    def row(self, row: Row, name: str | None = None) -> Event[Data]:
        """Give the event of a row, called by its identity unless by another name."""
        name = row.identity if name is None else name
        subject = escapes.line(f"{self._options.table}/{row.identity}")
        return self._world.event(name, row.data, type="row", subject=subject, time=row.time)

    def rows(self, rows: Sequence[Row]) -> Event[Data]:
        """Give one event of several rows. What names it are the rows: each is in one such event, once."""
        digest = codec.digest(codec.canonical([row.identity for row in rows]))
        count = f"{self._options.table}: {len(rows)} rows"
        times = [row.time for row in rows if row.time is not None]
        data: Data = {"rows": [row.data for row in rows]}
        return self._world.event(f"rows:{digest[:32]}", data, type="rows", subject=escapes.line(count), time=max(times, default=None))
