"""The shape of what the HTTP API answers about sensors, and about events that are published. As in `answers.py`, nothing is ever absent."""

from __future__ import annotations

from eventflow.server.answers import Answer, EventEntry


class PublishedEvent(Answer, frozen=True):
    """What became of an event that was published, and the runs that it fired.

    Where it is a `duplicate` both are the first one's; `event` is null where that one was only known, or is long gone. `note` says what
    whoever published it may not expect: that nobody listens to its source, or that nothing bears that name.
    """

    event: EventEntry | None
    runs: list[str]
    duplicate: bool
    note: str | None


class SensorEntry(Answer, frozen=True):
    """A sensor in a listing. `kind` is its class, null where its code isn't loaded, and `state` its health, `since` when and why.

    One that has never looked is `starting`, since null. `looked_at` is when it last looked since the daemon began, `last` the newest event
    of its source, `lag` how long after its own time that came, in microseconds, and `cursor` where it stands, in words.
    """

    sensor: str
    kind: str | None
    state: str
    since: int | None
    reason: str | None
    looked_at: int | None
    last: EventEntry | None
    lag: int | None
    cursor: str | None


class TriggerEntry(Answer, frozen=True):
    """A trigger with the pipeline that it fires; `where` is the `file:line` of its definition."""

    trigger: str
    pipeline: str
    where: str | None


class SensorDetail(Answer, frozen=True):
    """A sensor with its triggers, its newest events, and how many identities are kept of it: at least so many, with `has_more`.

    `shown` is how Python shows it, `where` its definition, `interval` the longest time in seconds between two looks, `data` the JSON Schema
    of what its events carry, and `ticks` are the next instants of one that goes by the clock. All of these are null, or empty, where they
    can't be told: without a daemon, nothing that takes the code, unless it was loaded for that, and no instants.
    """

    sensor: SensorEntry
    shown: str | None
    where: str | None
    interval: float | None
    data: object
    triggers: list[TriggerEntry]
    events: list[EventEntry]
    ticks: list[int]
    identities: int
    has_more: bool
