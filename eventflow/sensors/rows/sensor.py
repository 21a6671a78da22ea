"""The row sensor: a table in which new rows, new versions of rows, or rows that begin to fulfil a condition are events."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path

from eventflow import escapes
from eventflow.definition.places import naming_the_line, user_place
from eventflow.durations import Duration
from eventflow.events import Observation
from eventflow.ports import Seen, World
from eventflow.secret import Secret
from eventflow.sensors.options import Existing
from eventflow.sensors.rows.batching import Batching
from eventflow.sensors.rows.claiming import Claiming
from eventflow.sensors.rows.conditions import Where
from eventflow.sensors.rows.following import Following
from eventflow.sensors.rows.matching import Matching
from eventflow.sensors.rows.opening import opened
from eventflow.sensors.rows.options import Mode, On, RowOptions, options
from eventflow.sensors.rows.saying import in_words
from eventflow.sensors.rows.source import Replaced
from eventflow.sensors.rows.telling import Data
from eventflow.sensors.rows.watched import put_together, taken_apart
from eventflow.sensors.waiting import news_or
from eventflow.threads import in_loose_thread

__all__ = ["RowSensor"]


class RowSensor:
    """Fires for rows of a table, each once, and passes over none that was committed, however late.

    `database` is a SQLite file, or an address: `postgresql://...`, or whatever SQLAlchemy knows; a `Secret` where it holds a password.
    `on="insert"` fires for new rows, read in the order of the `cursor` column (without one, of the key). `on="update"` fires for each
    version of a row, told by the `version` column. `on="match"` fires when a row begins to fulfil `where`, and again only after it had
    ceased to. `mode="claim"` takes rows whose `mark` column is NULL by writing into it, `mode="outbox"` deletes them as well.

    `key` is what tells rows apart, by default the primary key. `fixed` names columns that never change in a row: by them a row that took
    a deleted one's key is known for another one. `where` says which rows are meant, as data; `columns` which columns an event carries.
    With `at_least` so many rows are one event. `existing="ignore"` passes over the rows that are there when the table is first watched.
    `every` is how often the database is asked where it doesn't tell by itself. `settle` (60 seconds) is how late a row may be
    committed after the number or the time in its cursor column was taken. `notify` (a channel) and `xid_column` are for PostgreSQL.

    Raises `DefinitionError`, which names the line, for what can't be meant.
    """

    def __init__(
        self,
        name: str,
        database: str | os.PathLike[str] | Secret,
        table: str,
        *,
        on: On = "insert",
        mode: Mode = "watch",
        cursor: str | None = None,
        version: str | None = None,
        key: str | Sequence[str] | None = None,
        fixed: str | Sequence[str] = (),
        columns: Sequence[str] | None = None,
        where: Where | None = None,
        at_least: int = 1,
        mark: str | None = None,
        existing: Existing = "fire",
        every: Duration = "5s",
        settle: Duration | None = None,
        notify: str | None = None,
        xid_column: str | None = None,
    ) -> None:
        self.place = user_place()
        with naming_the_line():
            self._options = options(
                name,
                database,
                table,
                on=on,
                mode=mode,
                cursor=cursor,
                version=version,
                key=key,
                fixed=fixed,
                columns=columns,
                where=where,
                at_least=at_least,
                mark=mark,
                existing=existing,
                every=every,
                settle=settle,
                notify=notify,
                xid_column=xid_column,
            )

    def __repr__(self) -> str:
        return f"<RowSensor {self.name!r}: {escapes.line(self._options.table)} in {escapes.line(self._options.database.shown)}>"

    @property
    def name(self) -> str:
        """What its events carry as their source."""
        return self._options.name

    @property
    def interval(self) -> float:
        """The longest time, in seconds, between two observations of a healthy sensor."""
        return 3 * self._options.every + 60

    async def observe(self, cursor: object, seen: Seen, world: World) -> AsyncGenerator[Observation[Data], None]:
        """Yield what comes in the table, for ever, and a heartbeat whenever it was looked for in vain.

        Raises `SourceUnreachable` where the database can't be reached, or the table isn't as it must be; a later start goes on as if
        nothing had been; and `SensorError` where what the cursor remembers is of another table. A SQLite file that isn't there yet is
        waited for.
        """
        of, begun = taken_apart(cursor)
        rounds = _rounds(self._options)(self._options, begun, seen, world)
        while True:
            async with aclosing(_until_there(self._options, rounds.cursor, world)) as waiting:
                async for observation in waiting:
                    yield put_together(of, observation)
            try:
                async with opened(self._options, seen, world) as source, aclosing(rounds.look(source)) as observations:
                    of = source.watched.to_be(of, self.name) if not self._options.claims else of  # claims bear their own names
                    async for observation in observations:
                        yield put_together(of, observation)
            except Replaced:
                continue

    def in_words(self, cursor: object) -> str:
        """Say where a cursor stands."""
        return in_words(self._options, taken_apart(cursor)[1])

    async def check(self, world: World) -> None:
        """Try whether the table can be watched. Raises `SourceUnreachable`, which says what is missing."""
        async with opened(self._options, _Nothing(), world) as source:
            await source.check()


class _Nothing:
    """The `Seen` of one who only tries."""

    async def all(self) -> Mapping[str, int | None]:
        return {}

    async def of(self, ids: Collection[str]) -> frozenset[str]:  # noqa: ARG002 - the port's word
        return frozenset()


def _rounds(options: RowOptions) -> type[Following | Batching | Matching | Claiming]:
    if options.claims:
        return Claiming
    if options.on == "match":
        return Matching
    return Following if options.at_least == 1 else Batching


async def _until_there(options: RowOptions, cursor: object, world: World) -> AsyncGenerator[Observation[Data], None]:
    """Wait for a SQLite file that isn't there yet, or that nobody has written into."""
    if options.database.path is None:
        return
    path = world.root / options.database.path
    with world.watcher.watch(path.parent, recursive=False) as news:
        while not await in_loose_thread(lambda: _has_content(path), "eventflow-look"):
            yield Observation(cursor=cursor, lagging=f"the database {escapes.path(options.database.path)} isn't there yet")
            await news_or(options.every, news, world.clock)


def _has_content(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # it can't be opened either, and whoever tries says why
        return True
