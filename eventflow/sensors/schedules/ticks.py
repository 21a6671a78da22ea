"""The ticks of a plan: the instants at which something is due, forward and back."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime

from eventflow.durations import instant_of
from eventflow.sensors.schedules.cron import Cron
from eventflow.sensors.schedules.days import Days
from eventflow.sensors.schedules.grids import AtGrid, CronGrid, EveryGrid, Grid
from eventflow.sensors.schedules.plan import Plan
from eventflow.sensors.schedules.zones import moment, zone_named

MONDAY = instant_of(datetime(1970, 1, 5, tzinfo=UTC))
"""From where lengths of time are counted that have no start: so that weeks begin on Monday, days at midnight, hours at the hour."""

_LONG_AGO = datetime(2000, 1, 1)  # noqa: DTZ001 - local times have no zone
_SAMPLE = 20


class Ticks:
    """The ticks of a plan, as microseconds UTC."""

    def __init__(self, plan: Plan) -> None:
        self.zone = zone_named(plan.zone)
        self._plan = plan
        self._grid = _grid(plan)

    def after(self, instant: int) -> Iterator[int]:
        """Give the ticks later than an instant, in order, from the plan's start to its end, both of them included."""
        start, end = self._plan.start, self._plan.end
        ticks = self._grid.after(instant if start is None else max(instant, start - 1))
        return ticks if end is None else itertools.takewhile(lambda tick: tick <= end, ticks)

    def before(self, instant: int) -> Iterator[int]:
        """Give the ticks earlier than an instant, latest first, from the plan's end to its start."""
        start, end = self._plan.start, self._plan.end
        ticks = self._grid.before(instant if end is None else min(instant, end + 1))
        return ticks if start is None else itertools.takewhile(lambda tick: tick >= start, ticks)

    def previous(self, tick: int) -> int:
        """Give the tick before a tick, were there no start; the start or the tick itself, where it is the first of all."""
        start = self._plan.start
        return next(self._grid.before(tick), tick if start is None else min(start, tick))

    def following(self, tick: int) -> int:
        """Give the tick after a tick, were there no end; the end or the tick itself, where it is the last of all."""
        end = self._plan.end
        return next(self._grid.after(tick), tick if end is None else max(end, tick))

    def upcoming(self, after: datetime, count: int) -> list[datetime]:
        """Give the ticks that follow a time, which is in the plan's zone where it has none, each with its offset from UTC."""
        begin = instant_of(after if after.tzinfo else after.replace(tzinfo=self.zone))
        return [moment(tick, self.zone) for tick in itertools.islice(self.after(begin), count)]


def ticks_of(plan: Plan) -> Ticks | None:
    """Give the ticks of a plan that was written down, None where it can't be read any more."""
    try:
        return Ticks(plan)
    except ValueError:  # written by another version, or in a zone that is no longer there
        return None


def checked(plan: Plan) -> Ticks:
    """Give the ticks of a plan. Raises `ValueError` where there are none."""
    ticks, days = Ticks(plan), Days(plan.only, plan.exclude)
    for text in plan.cron:
        if next(Cron(text, days).after(_LONG_AGO), None) is None:
            raise ValueError(
                f"cron text {text!r} never fires" + (", as only= and exclude= leave none of its days" if plan.only or plan.exclude else "")
            )
    if next(ticks.after(_beginning(plan)), None) is None:
        raise ValueError(f"it never fires: no time is left by {_limits(plan)}")
    return ticks


def shortest_pause(plan: Plan) -> int:
    """Give the shortest time between two ticks, as far as the first twenty tell, in microseconds; that of a day for a single one."""
    first = list(itertools.islice(Ticks(plan).after(_beginning(plan)), _SAMPLE))
    return min((later - sooner for sooner, later in itertools.pairwise(first)), default=86_400_000_000)


def _grid(plan: Plan) -> Grid:
    zone, days = zone_named(plan.zone), Days(plan.only, plan.exclude)
    if plan.cron:
        return CronGrid([Cron(text, days) for text in plan.cron], zone, plan.dst)
    if plan.every:
        return EveryGrid(plan.every, MONDAY if plan.start is None else plan.start, zone, days)
    return AtGrid(plan.at, zone, days)


def _beginning(plan: Plan) -> int:
    if plan.start is not None:
        return plan.start - 1
    return min(plan.at) - 1 if plan.at else instant_of(_LONG_AGO.replace(tzinfo=UTC))


def _limits(plan: Plan) -> str:
    said = [name for name in ("cron", "every", "at", "only", "exclude", "start", "end") if getattr(plan, name)]
    return ", ".join(f"{name}=" for name in said) or "at="
