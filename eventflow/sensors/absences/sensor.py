"""The absence sensor: fires when something did not happen. What has happened it reads in the journal."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any, cast

from eventflow.definition.places import naming_the_line, user_place
from eventflow.durations import Duration, microseconds
from eventflow.errors import SensorError
from eventflow.events import Observation
from eventflow.ids import misnamed
from eventflow.ports import References, Seen, Sensor, World
from eventflow.sensors.absences.deadlines import Deadlines
from eventflow.sensors.absences.silence import Silence
from eventflow.sensors.absences.witness import Absence, Watched
from eventflow.sensors.options import length, name_of
from eventflow.sensors.schedules.days import Day
from eventflow.sensors.schedules.patience import HEARTBEAT
from eventflow.sensors.schedules.plan import DST, When, plan_of
from eventflow.sensors.schedules.ticks import checked
from eventflow.sensors.schedules.zones import zone_named

_TIME = re.compile(r"\d{4}-")


class AbsenceSensor:
    """Fires when no event of a sensor came in time.

        no_batch = AbsenceSensor("no-batch-by-nine", of=inbox, by="0 9 * * mon-fri", zone="Europe/Prague")
        silent = AbsenceSensor("silent", of="orders", within="24h")

    `of` is the sensor, or its name; `type` and `subject` say which of its events count, all of them by default. With `by`, a cron text,
    several, or times one by one, it asks at each deadline whether an event came since the deadline before, or within the `window` before
    it: one that was received then, or that happened then by its own time and was found later. `zone`, `dst`, `only` and `exclude` are as
    for a `Schedule`. Deadlines that pass while nobody looks are asked about afterwards, each once.

    With `within` it fires once nothing has been received for so long, once for each silence; the first may begin when it looks first.

    `grace` is how long it waits after a deadline, and after each start, so that the watched sensor can find what has come.

    Raises `DefinitionError`, which names the line, for what can't be meant.
    """

    def __init__(
        self,
        name: str,
        *,
        of: str | Sensor[Any],
        by: str | Sequence[str] | When | Iterable[When] | None = None,
        within: Duration | None = None,
        zone: str = "UTC",
        dst: DST = "default",
        only: Day | Iterable[Day] = (),
        exclude: Day | Iterable[Day] = (),
        window: Duration | None = None,
        grace: Duration = "1m",
        type: str | None = None,  # noqa: A002 - the event's own words
        subject: str | None = None,
    ) -> None:
        self.place = user_place()
        with naming_the_line():
            self._name = name_of(name)
            self._of = _source(of, name)
            self._grace = length("grace", grace, most="1h")
            watched = Watched(self._of, type, subject)
            if within is None:
                plan = plan_of(**_calendar(by), zone=zone, dst=dst, only=only, exclude=exclude)
                reach = None if window is None else microseconds(length("window", window, least="1s"))
                self._way = Deadlines(plan, checked(plan), watched, reach, self._grace)
            else:
                _counts_alone(by=by, window=window, only=only, exclude=exclude)
                zone_named(zone)
                self._way = Silence(watched, microseconds(length("within", within, least="10s")), zone, self._grace)

    def __repr__(self) -> str:
        return f"<AbsenceSensor {self._name!r}: of {self._of}, {self._way.in_short}>"

    @property
    def name(self) -> str:
        """What its events carry as their source."""
        return self._name

    @property
    def interval(self) -> float:
        """The longest time, in seconds, between two observations of a healthy sensor."""
        return 3 * HEARTBEAT + self._grace

    @property
    def refers_to(self) -> References:
        """The source that it was given: loading a project tells of one that looks like a sensor's name written wrong."""
        return References(sources=frozenset({self._of}))

    async def observe(self, cursor: object, seen: Seen, world: World) -> AsyncGenerator[Observation[Absence], None]:
        """Yield each absence once, for ever, and a heartbeat from time to time."""
        async with aclosing(self._way.observe(cursor, seen, world)) as observations:
            async for observation in observations:
                yield observation

    def upcoming(self, after: datetime, count: int = 5) -> list[datetime]:
        """Give the deadlines that follow a time, which is in the sensor's zone where it has none; none with `within`."""
        return self._way.upcoming(after, count)

    def in_words(self, cursor: object) -> str:
        """Say which absence fired last, and which deadline is the next."""
        return self._way.in_words(cursor)

    async def check(self, world: World) -> None:
        """Return where a deadline is still to come. Raises `SensorError` where none is."""
        if self._way.is_over(world.clock.now()):
            raise SensorError(
                f"absence sensor {self._name!r} ({self._way.in_short}) never fires again: its deadlines are over, so remove it"
            )


def _source(of: object, name: str) -> str:
    source: object = of if isinstance(of, str) else getattr(of, "name", None)
    if not isinstance(source, str) or misnamed(source, "sensor"):
        raise ValueError(f"of={of!r} is no sensor: give one that was made, or its name")
    if source == name:
        raise ValueError(f"{name!r} can't watch itself: of= is the sensor whose events are expected")
    return source


def _calendar(by: object) -> dict[str, Any]:
    """Tell cron texts from times: a time begins with a year."""
    if by is None:
        raise ValueError("give by='0 9 * * mon-fri', or other deadlines, or within='24h'")
    items = [by] if isinstance(by, str | datetime) or not isinstance(by, Iterable) else list(cast("Iterable[object]", by))
    if not items:
        raise ValueError("by=[] names no deadline")
    times = [isinstance(item, datetime) or (isinstance(item, str) and _TIME.match(item) is not None) for item in items]
    if any(times) and not all(times):
        raise ValueError("by= has both cron texts and times: give one kind, or make two sensors")
    return {"at" if any(times) else "cron": items}


def _counts_alone(**options: object) -> None:
    for option, value in options.items():
        if value:
            raise ValueError(f"{option}= has no meaning with within=, which counts from the last event: make two sensors")
