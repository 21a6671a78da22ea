"""Sensors as answers: how each of them is and where it stands, as the journal has it and, in a daemon, as it says itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar, runtime_checkable

import msgspec

from eventflow import codec, facts, states
from eventflow.definition.waits import data_of
from eventflow.durations import SECOND
from eventflow.errors import NotFound
from eventflow.ports import Explaining, JournalView, Sensor
from eventflow.projections import CursorRow, EventRow, SeenRangeRow, SeenRow, SensorRow
from eventflow.secret import without_secrets
from eventflow.server.answers import EventEntry, SensorHealth
from eventflow.server.sightings import SensorDetail, SensorEntry, TriggerEntry
from eventflow.server.sources import Sources
from eventflow.server.views import events
from eventflow.server.views.values import clipped

T = TypeVar("T")

EVENTS, TICKS = 10, 5
"""How many events, and how many instants to come, are told of one sensor."""

MOST_IDENTITIES = 100_000
"""Up to how many identities are counted."""

_LONGEST_CURSOR = 120


@runtime_checkable
class Foretelling(Protocol):
    """What a sensor that goes by the clock may offer beside: to say when it fires next."""

    def upcoming(self, after: datetime, count: int) -> Sequence[datetime]:
        """Give up to `count` times behind `after` at which it fires, the first one first."""
        ...


async def entries(sources: Sources) -> list[SensorEntry]:
    """Give all sensors of the engine; without one, all that the journal or the code knows of. By their names."""
    journal, sensors = sources.journal, known(sources)
    rows = {row.sensor: row for row in await journal.select(SensorRow)}
    cursors = await _cursors(journal, await journal.select(CursorRow))
    names = sorted(sensors) if sources.engine is not None else sorted({*rows, *cursors, *sensors})
    newest = [row for name in names for row in await _newest(journal, name, 1)]
    last = {one.source: one for one in await events.entries(journal, newest)}
    return [_entry(sources, name, rows.get(name), cursors.get(name), last.get(name)) for name in names]


async def entry(sources: Sources, name: str) -> SensorEntry:
    """Give one sensor as it stands in a listing. Raises `NotFound`, naming those there are."""
    return (await _with_events(sources, name, 1))[0]


async def detail(sources: Sources, name: str) -> SensorDetail:
    """Give all about one sensor. Raises `NotFound`, naming those there are."""
    standing, newest = await _with_events(sources, name, EVENTS)
    sensor = known(sources).get(name)
    place, shown = getattr(sensor, "place", None), None if sensor is None else _said(lambda: repr(sensor))
    identities, has_more = await _identities(sources.journal, name)
    return SensorDetail(
        sensor=standing,
        shown=None if shown is None else without_secrets(shown),
        where=place if isinstance(place, str) else None,
        interval=None if sensor is None else sensor.interval,
        data=None if sensor is None else _schema(sensor),
        triggers=triggers(sources, name),
        events=newest,
        ticks=[] if sources.engine is None else _ticks(sensor, sources.engine.ports.clock.now()),
        identities=identities,
        has_more=has_more,
    )


def health(row: SensorRow) -> SensorHealth:
    """Give a sensor's health as it was last journaled."""
    return SensorHealth(row.sensor, row.state, row.since, _reason(row))


def known(sources: Sources) -> Mapping[str, Sensor[Any]]:
    """Give the sensors by their names: the engine's, or, where there is none, those of the project's code; none where it isn't loaded."""
    code = () if sources.project is None else sources.project.sensors
    return {sensor.name: sensor for sensor in (code if sources.engine is None else sources.engine.sensors)}


def triggers(sources: Sources, source: str) -> list[TriggerEntry]:
    """Give the triggers that listen to a source: the engine's, or the code's, as with `known`."""
    code = () if sources.project is None else sources.project.triggers
    listening = [one for one in (code if sources.engine is None else sources.engine.triggers) if one.source == source]
    return [TriggerEntry(trigger.name, trigger.run.name, trigger.place) for trigger in listening]


async def _with_events(sources: Sources, name: str, count: int) -> tuple[SensorEntry, list[EventEntry]]:
    journal = sources.journal
    rows = await journal.select(SensorRow, sensor=name)
    cursors = await _cursors(journal, await journal.select(CursorRow, source=name))
    if name not in known(sources) and (sources.engine is not None or not (rows or cursors)):
        raise NotFound(f"there is no sensor {name[:64]!r}: there is {', '.join(await _names(sources)) or 'none'}")
    newest = await events.entries(journal, await _newest(journal, name, count))
    return _entry(sources, name, next(iter(rows), None), cursors.get(name), next(iter(newest), None)), newest


async def _names(sources: Sources) -> Iterable[str]:
    if sources.engine is not None:
        return sorted(known(sources))
    return sorted({*known(sources), *(row.sensor for row in await sources.journal.select(SensorRow))})


def _entry(sources: Sources, name: str, row: SensorRow | None, cursor: msgspec.Raw | None, last: EventEntry | None) -> SensorEntry:
    sensor = known(sources).get(name)
    return SensorEntry(
        sensor=name,
        kind=None if sensor is None else type(sensor).__name__,
        state=states.STARTING if row is None else row.state,
        since=None if row is None else row.since,
        reason=None if row is None else _reason(row),
        looked_at=None if sources.engine is None or sensor is None else sources.engine.sensors.looked_at(name),
        last=last,
        lag=None if last is None else last.received_at - last.time,
        cursor=None if cursor is None else without_secrets(_in_words(sensor, cursor)),
    )


def _reason(row: SensorRow) -> str | None:
    return None if row.reason is None else without_secrets(row.reason)


async def _newest(journal: JournalView, name: str, count: int) -> list[EventRow]:
    return await journal.select(EventRow, source=name, order="seq", descending=True, limit=count)


async def _cursors(journal: JournalView, rows: Sequence[CursorRow]) -> dict[str, msgspec.Raw]:
    moved = await journal.facts([row.seq for row in rows])
    return {fact.source: fact.cursor for fact in moved.values() if isinstance(fact, facts.CursorMoved)}


def _in_words(sensor: Sensor[Any] | None, cursor: msgspec.Raw) -> str:
    words = _said(lambda: sensor.in_words(codec.decode(cursor))) if isinstance(sensor, Explaining) else None
    return words or clipped(bytes(cursor).decode(), _LONGEST_CURSOR)


def _schema(sensor: Sensor[Any]) -> dict[str, Any] | None:
    (schema,), defs = codec.schemas([data_of(sensor)])
    return ({**schema, "$defs": defs} if defs else schema) or None


def _ticks(sensor: Sensor[Any] | None, now: int) -> list[int]:
    after = datetime.fromtimestamp(now / SECOND, UTC)
    times = _said(lambda: sensor.upcoming(after, TICKS)) if isinstance(sensor, Foretelling) else None
    return [round(time.timestamp() * SECOND) for time in times or ()]


def _said(say: Callable[[], T]) -> T | None:
    try:
        return say()
    except Exception:  # noqa: BLE001 - a sensor is user code, and what it says of itself is only for people: they do without
        return None


async def _identities(journal: JournalView, source: str) -> tuple[int, bool]:
    """Count the identities that are kept of a source: those in ranges, and others up to a limit; tell whether there are more."""
    ranges = await journal.select(SeenRangeRow, source=source)
    single = await journal.select(SeenRow, source=source, limit=MOST_IDENTITIES + 1)
    count = min(len(single), MOST_IDENTITIES) + sum(row.high - row.low + 1 for row in ranges)
    return count, len(single) > MOST_IDENTITIES
