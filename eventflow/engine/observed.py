"""What a sensor yields, checked and as facts. Sensors are user code: what goes into the journal from them must be readable for ever."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from eventflow import codec, facts
from eventflow.errors import EventflowError, ValueNotStorable
from eventflow.events import Event, Observation

FactT = TypeVar("FactT", facts.EventRecorded, facts.IdentitiesKnown, facts.IdentitiesForgotten, facts.IdentitiesKept)


def check_observation(source: str, observation: object) -> None:
    """Raise `EventflowError` for what is no observation."""
    _check(source, observation, Observation)


def by_identity(source: str, events: Iterable[Event[Any]]) -> Mapping[str, Event[Any]]:
    """Give events by their ids, each once: the first, as it would be in two observations.

    Raises `EventflowError` for one without identity.
    """
    found: dict[str, Event[Any]] = {}
    for event in events:
        _check(source, event, Event)
        if not event.id or event.source != source:
            raise EventflowError(f"sensor {source!r} yielded an event without an id of its own, or with another source: {event!r}")
        found.setdefault(_text(source, event.id), event)
    return found


def recorded(source: str, event: Event[Any], name: str) -> facts.EventRecorded:
    """Give the fact of an event, whose id in the journal is `name`. Raises `ValueNotStorable`."""
    return _storable(source, facts.EventRecorded(name, source, event.id, event.type, event.time, _data(source, event), event.subject))


def known(source: str, observation: Observation[Any]) -> list[str]:
    """Give the identities that are to be taken without firing anything, each once. Raises `ValueNotStorable`."""
    told = _storable(source, facts.IdentitiesKnown(source, observation.known))
    taken = {event.id for event in (*observation.events, *observation.missed)}
    return [name for name in dict.fromkeys(told.ids) if name not in taken]


def marks(source: str, observation: Observation[Any]) -> list[facts.IdentitiesForgotten | facts.IdentitiesKept]:
    """Give what an observation says of identities that are taken already. Raises `ValueNotStorable`."""
    forgotten = _storable(source, facts.IdentitiesForgotten(source, observation.forget))
    kept = _storable(source, facts.IdentitiesKept(source, observation.keep))
    return [mark for mark in (forgotten, kept) if mark.ids]


def cursor(source: str, value: object, before: bytes) -> bytes:
    """Give a cursor as canonical JSON, the one before where none is given. Raises `ValueNotStorable`."""
    if value is msgspec.UNSET:
        return before
    try:
        return codec.encode(value)
    except ValueNotStorable as error:
        raise ValueNotStorable(f"sensor {source!r} yielded a cursor that can't be stored: {error}") from error


def _check(source: str, value: object, kind: type[object]) -> None:
    if not isinstance(value, kind):
        raise EventflowError(f"sensor {source!r} yielded {type(value).__name__} where an {kind.__name__} belongs")


def _text(source: str, identity: object) -> str:
    try:
        return msgspec.convert(identity, str)
    except msgspec.ValidationError as error:
        raise ValueNotStorable(f"sensor {source!r} yielded an identity that can't be stored: {error}") from error


def _data(source: str, event: Event[Any]) -> msgspec.Raw:
    data: object = event.data
    annotation: object = Any if type(data) in (dict, list) else type(data)  # only under Any do paths inside come back as paths
    try:
        return msgspec.Raw(codec.encode(data, annotation))
    except ValueNotStorable as error:
        raise ValueNotStorable(f"sensor {source!r} yielded event {event.id!r} with data that can't be stored: {error}") from error


def _storable(source: str, fact: FactT) -> FactT:
    # A number for an id would go into the journal, and nobody could read it again.
    try:
        checked = msgspec.convert(msgspec.structs.asdict(fact), type(fact))
        facts.encode(checked)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError) as error:
        raise ValueNotStorable(f"sensor {source!r} yielded what can't be stored: {error}") from error
    return checked
