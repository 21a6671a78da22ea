"""The schedule: a sensor of time."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from eventflow import durations
from eventflow.definition.places import naming_the_line, user_place
from eventflow.durations import Duration
from eventflow.errors import SensorError
from eventflow.events import Observation
from eventflow.ids import misnamed
from eventflow.ports import Seen, World
from eventflow.sensors.schedules.days import Day
from eventflow.sensors.schedules.plan import DST, Plan, When, plan_of
from eventflow.sensors.schedules.position import beginning, position_of
from eventflow.sensors.schedules.rounds import HEARTBEAT, Fires, Options, Rounds
from eventflow.sensors.schedules.tick import Tick, shown
from eventflow.sensors.schedules.ticks import Ticks, checked, shortest_pause
from eventflow.sensors.schedules.zones import instant_of, moment

__all__ = ["All", "Schedule", "Tick"]


@dataclass(frozen=True, slots=True)
class All:
    """As a schedule's `catchup`: of the ticks that passed while nobody looked, the last so many fire, at most a thousand."""

    most: int

    def __post_init__(self) -> None:
        with naming_the_line():
            if isinstance(self.most, bool) or not isinstance(self.most, int) or not 1 <= self.most <= _MOST:  # pyright: ignore[reportUnnecessaryIsInstance] - people write anything
                raise ValueError(f"All({self.most!r}) is no number of ticks: give 1 to {_MOST}, or catchup='all'")


Catchup = Literal["latest", "skip", "all"] | All
"""What becomes of ticks that passed while nobody looked: the latest fires, none does, all do, or so many."""

_MOST = 1000


class Schedule:
    """Fires at the instants of a calendar, each of them once, in a zone whose clocks may be moved, on a machine that may sleep or be off.

    Say when by one of three: `cron`, a text of five fields, of six with seconds in front, a name such as `"@daily"`, or several of these;
    `every`, a length of time, counted from `start`, or from a Monday's midnight UTC, so that a restart shifts nothing; `at`, times one by
    one. Times are in `zone`, UTC if none is named. They fire on the days of `only`, or any, and on none of `exclude`: dates, ranges,
    each year's days, weekdays. None fires before `start` or after `end`.

    `dst` is for local times that don't exist because clocks are put on, or come twice because they are put back. `"default"`: what
    doesn't exist fires once, right after the gap, and what comes twice fires once; but a cron text in which seconds, minutes or hours
    begin with `*` fires at each instant of what comes twice, and one for every hour has no need to make up for a gap. `"skip"`: what
    doesn't exist is left out. `"shift"`: it is as much later as the clocks were put on. In these two, what comes twice fires once.
    `"both"`: as by default, but what comes twice always fires twice.

    `catchup` is for ticks that passed while nobody looked: by default the latest fires, late; each that doesn't is recorded as missed.
    At the first start ever nothing has been missed, unless `start` names a time that has passed. `jitter` has each tick fire up to so
    much later, by chance. Each tick stands for a data interval, the time since the tick before; with `fires="start"`, that up to the next.

    Raises `DefinitionError`, which names the line, for what can't be meant, and for what would never fire.
    """

    def __init__(
        self,
        name: str,
        *,
        cron: str | Sequence[str] | None = None,
        every: Duration | None = None,
        at: When | Iterable[When] | None = None,
        zone: str = "UTC",
        dst: DST = "default",
        start: When | None = None,
        end: When | None = None,
        only: Day | Iterable[Day] = (),
        exclude: Day | Iterable[Day] = (),
        jitter: Duration = 0,
        fires: Fires = "end",
        catchup: Catchup = "latest",
    ) -> None:
        self.place = user_place()
        with naming_the_line():
            if mistake := misnamed(name, "sensor"):
                raise ValueError(mistake)
            if fires not in get_args(Fires):
                raise ValueError(f"fires={fires!r} is unknown: use 'end' or 'start', of the data interval")
            plan = plan_of(cron=cron, every=every, at=at, zone=zone, dst=dst, start=start, end=end, only=only, exclude=exclude)
            ticks = checked(plan)
            most, late = _catchup(catchup)
            self._options = Options(plan=plan, ticks=ticks, fires=fires, jitter=_jitter(jitter, plan), most=most, late=late)
        self._name = name

    def __repr__(self) -> str:
        return f"<Schedule {self.name!r}: {in_short(self._options.plan)}>"

    @property
    def name(self) -> str:
        """What its events carry as their source."""
        return self._name

    @property
    def interval(self) -> float:
        """The longest time, in seconds, between two observations of a healthy sensor."""
        return 3 * HEARTBEAT

    async def observe(self, cursor: object, seen: Seen, world: World) -> AsyncGenerator[Observation[Tick], None]:
        """Yield each tick when its time has come, for ever, and a heartbeat from time to time."""
        position = position_of(cursor) or beginning(self._options.plan, world.clock.now())
        rounds = Rounds(self._options, position, seen, world)
        while True:
            async with aclosing(rounds.look()) as observations:
                async for observation in observations:
                    yield observation
            await rounds.rest()

    def upcoming(self, after: datetime, count: int = 5) -> list[datetime]:
        """Give the ticks that follow a time, which is in the schedule's zone where it has none. Fewer than `count`, if it ends before."""
        return upcoming(self._options.ticks, after, count)

    def in_words(self, cursor: object) -> str:
        """Say which tick fired last, and which is the next."""
        return in_words(cursor, self._options.plan, self._options.ticks)

    async def check(self, world: World) -> None:
        """Return where a tick is still to come. Raises `SensorError` where none is."""
        if next(self._options.ticks.after(world.clock.now()), None) is None:
            raise SensorError(
                f"schedule {self.name!r} never fires again: {in_short(self._options.plan)} is over; move its end, or remove it"
            )


def in_words(cursor: object, plan: Plan, ticks: Ticks, kind: str = "the tick") -> str:
    """Say what a position means: the last that fired, by the name of its kind, and the next."""
    position = position_of(cursor)
    if position is None:
        return "it has not looked yet"
    following = next(ticks.after(position.next_from), None)
    last = f"{kind.replace('the', 'no')} yet" if position.last is None else f"{kind} of {shown(position.last, ticks.zone, plan.zone)}"
    missed = f", {position.missed} missed since" if position.missed else ""
    return f"{last}{missed}; " + ("none is to come" if following is None else f"the next is {shown(following, ticks.zone, plan.zone)}")


def upcoming(ticks: Ticks, after: datetime, count: int) -> list[datetime]:
    """Give the ticks that follow a time, each with its offset from UTC."""
    begin = instant_of(after if after.tzinfo else after.replace(tzinfo=ticks.zone))
    return [moment(tick, ticks.zone) for tick in itertools.islice(ticks.after(begin), count)]


def in_short(plan: Plan) -> str:
    """Say in a few words when a plan's ticks are."""
    if plan.cron:
        when = " and ".join(plan.cron[:3]) + (" ..." if len(plan.cron) > 3 else "")
    elif plan.every:
        when = f"every {durations.text(plan.every / durations.SECOND)}"
    else:
        when = f"{len(plan.at)} times" if len(plan.at) > 1 else "one time"
    return f"{when}, {plan.zone}"


def _catchup(catchup: Catchup) -> tuple[int | None, bool]:
    match catchup:
        case "latest":
            return 1, True
        case "skip":
            return 1, False
        case "all":
            return None, True
        case All():
            return catchup.most, True
        case _:
            raise ValueError(f"catchup={catchup!r} is unknown: use 'latest', 'skip', 'all', or All(5) for at most five")


def _jitter(jitter: Duration, plan: Plan) -> int:
    length, pause = durations.microseconds(jitter), shortest_pause(plan)
    if length >= pause:
        raise ValueError(f"jitter={jitter!r} is not shorter than the {durations.text(pause / durations.SECOND)} from one tick to the next")
    return length
