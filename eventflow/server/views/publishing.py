"""Events that somebody publishes over HTTP: read as what their source's events carry, and told what became of them."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from eventflow import codec, ids
from eventflow.definition import annotations
from eventflow.definition.waits import data_of
from eventflow.engine.engine import Engine
from eventflow.engine.publishing import Published
from eventflow.errors import InvalidRequest, ParameterError, ValueNotStorable
from eventflow.events import Event
from eventflow.projections import EventRow
from eventflow.server import forms
from eventflow.server.questions import Publication
from eventflow.server.sightings import PublishedEvent
from eventflow.server.sources import Sources
from eventflow.server.views import events, sensors, waiting


async def publish(sources: Sources, wanted: Publication) -> PublishedEvent:
    """Publish an event, durably. Raises what `Engine.publish` raises, and `ParameterError` for data that its source doesn't carry."""
    engine = sources.live
    if mistake := ids.misnamed(wanted.source, "source of events"):
        raise InvalidRequest(mistake)
    event = _event(sources, engine, wanted)
    note = await _note(sources, wanted.source)
    try:
        published = await engine.publish(event)
    except ValueNotStorable as error:
        raise ParameterError(str(error)) from error
    return await _told(sources, published, note)


def _event(sources: Sources, engine: Engine, wanted: Publication) -> Event[Any]:
    return Event(
        id=engine.intake.new_id() if wanted.id is None else wanted.id,
        source=wanted.source,
        type=wanted.source if wanted.type is None else wanted.type,
        data=_data(sources, wanted),
        time=engine.ports.clock.now() if wanted.time is None else wanted.time,
        subject=wanted.subject,
    )


def _data(sources: Sources, wanted: Publication) -> object:
    """Give the data as what the source's sensor yields, so that triggers get what they expect."""
    sensor = sensors.known(sources).get(wanted.source)
    annotation: object = Any if sensor is None else data_of(sensor)
    raw = _raw(wanted, annotation)
    try:
        return codec.decode(raw, annotation)
    except Exception as error:  # the data may be a class of the user's own, whose `__post_init__` raises what it likes
        what = "JSON that can be kept" if annotation is Any else f"{annotations.text(annotation)}, which events of {wanted.source} carry"
        raise ParameterError(f"the data is no {what}: {error}") from error


def _raw(wanted: Publication, annotation: object) -> msgspec.Raw:
    if not wanted.texts:
        return wanted.data if isinstance(wanted.data, msgspec.Raw) else msgspec.Raw(b"null")
    if isinstance(wanted.data, msgspec.Raw):
        raise InvalidRequest("give `data` as JSON or `texts` as they were typed, not both")
    forms_of = _fields(annotation)
    return msgspec.Raw(msgspec.json.encode({name: forms.typed(text, forms_of.get(name)) for name, text in wanted.texts.items()}))


def _fields(annotation: object) -> dict[str, dict[str, Any]]:
    """Give the form of each field of an object, as JSON Schema; none where they aren't known."""
    (schema,), defs = codec.schemas([annotation])
    shape = defs.get(str(schema.get("$ref", "")).rpartition("/")[2], schema)
    fields = cast("dict[str, dict[str, Any]]", shape.get("properties", {}))
    return {name: {**form, "$defs": defs} for name, form in fields.items()}


async def _note(sources: Sources, source: str) -> str | None:
    """Say what is odd about a source: that nobody listens to it."""
    if sensors.triggers(sources, source):
        return None
    if any(wait.event is not None and wait.event.source == source for wait in await waiting.waiting(sources.journal)):
        return None
    known = sorted(sensors.known(sources))
    if source in known:
        return f"no trigger listens to {source}: nothing is decided about its events"
    return f"no trigger listens to {source!r}, and no sensor bears that name: there is {', '.join(known) or 'none'}"


async def _told(sources: Sources, published: Published, note: str | None) -> PublishedEvent:
    rows = [] if published.event is None else await sources.journal.select(EventRow, event=published.event)
    entry = next(iter(await events.entries(sources.journal, rows)), None)
    return PublishedEvent(entry, list(published.runs), published.duplicate, note)
