"""The schedule: a sensor of time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from eventflow import durations
from eventflow.definition.places import naming_the_line, user_place
from eventflow.durations import Duration
from eventflow.errors import SensorError
from eventflow.events import Observation
from eventflow.ports import Seen, World
from eventflow.sensors.options import choice, name_of
from eventflow.sensors.schedules.days import Day
from eventflow.sensors.schedules.patience import HEARTBEAT
from eventflow.sensors.schedules.plan import DST, Plan, When, in_short, plan_of
from eventflow.sensors.schedules.position import beginning, in_words, position_of
from eventflow.sensors.schedules.rounds import Fires, Options, Rounds
from eventflow.sensors.schedules.tick import Tick
from eventflow.sensors.schedules.ticks import checked, shortest_pause


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
        cron: str | Sequence[str] | None = None,
        *,
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
            self._name = name_of(name)
            plan = plan_of(cron=cron, every=every, at=at, zone=zone, dst=dst, start=start, end=end, only=only, exclude=exclude)
            self._options = Options(
                plan=plan,
                ticks=checked(plan),
                fires=choice("fires", fires, Fires),
                jitter=_jitter(jitter, plan),
                most=_most(catchup),
                late=catchup != "skip",
            )

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
        return self._options.ticks.upcoming(after, count)

    def in_words(self, cursor: object) -> str:
        """Say which tick fired last, and which is the next."""
        return in_words(cursor, self._options.plan, self._options.ticks)

    async def check(self, world: World) -> None:
        """Return where a tick is still to come. Raises `SensorError` where none is."""
        if next(self._options.ticks.after(world.clock.now()), None) is None:
            raise SensorError(
                f"schedule {self.name!r} never fires again: {in_short(self._options.plan)} is over; move its end, or remove it"
            )


def _most(catchup: Catchup) -> int | None:
    """Give how many of the ticks that are due may fire, None for all. With `"skip"` that is the latest too: it may be on time."""
    match catchup:
        case "latest" | "skip":
            return 1
        case "all":
            return None
        case All():
            return catchup.most
        case _:
            raise ValueError(f"catchup={catchup!r} is unknown: use 'latest', 'skip', 'all', or All(5) for at most five")


def _jitter(jitter: Duration, plan: Plan) -> int:
    length, pause = durations.microseconds(jitter), shortest_pause(plan)
    if length >= pause:
        raise ValueError(f"jitter={jitter!r} is not shorter than the {durations.text(pause / durations.SECOND)} from one tick to the next")
    return length
