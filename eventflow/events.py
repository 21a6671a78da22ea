"""An event: something that happened in the world, in the terms of CloudEvents 1.0. Its `source` and `id` together are its identity."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec
from msgspec import UNSET

D_co = TypeVar("D_co", covariant=True)


class Event(msgspec.Struct, Generic[D_co], frozen=True, kw_only=True):
    """Something that happened, as a sensor saw it.

    `source` is the sensor's name, `id` tells it from every other event of that source, `time` is the source's own time in microseconds
    UTC, `data` is whatever the sensor's kind hands over. What the journal knows beside this (when it came, what was decided) is not
    part of the event.
    """

    id: str
    source: str
    type: str
    data: D_co
    time: int
    subject: str | None = None


class Observation(msgspec.Struct, Generic[D_co], frozen=True, kw_only=True):
    """What a sensor saw at once: committed whole, with what each trigger decided, or not at all.

    `cursor` is where the sensor goes on from after a restart, any value that JSON carries; without one it stays where it is. `forget`
    names identities that are gone from the source: they are still refused as duplicates for the retention, and dropped then. `keep` takes
    that back for those which have returned. `known` are identities that are taken without firing anything. `missed` are events that were
    due while nobody looked, and that are not to fire: they are recorded, and every trigger passes them over. `lagging` says, for people,
    why the sensor is behind its source, though it works. An observation without events is a heartbeat.
    """

    events: tuple[Event[D_co], ...] = ()
    cursor: object = UNSET
    forget: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    missed: tuple[Event[D_co], ...] = ()
    lagging: str | None = None
