"""A schedule at work: which of its ticks have come, and until when to wait for the next."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from eventflow.durations import SECOND
from eventflow.events import Event, Observation
from eventflow.ports import Seen, World
from eventflow.sensors.portions import PORTION, portions
from eventflow.sensors.schedules.backlog import PUNCTUAL, Backlog, Older, backlog
from eventflow.sensors.schedules.patience import HEARTBEAT, wall_clock
from eventflow.sensors.schedules.plan import Plan
from eventflow.sensors.schedules.position import Position, behind, moved
from eventflow.sensors.schedules.tick import MANY_MISSED, MISSED, TICK, Tick, shown, written
from eventflow.sensors.schedules.ticks import Ticks, ticks_of
from eventflow.sensors.schedules.zones import moment

Fires = Literal["end", "start"]
"""At which end of its data interval a tick fires."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a schedule is to do. `jitter` is in microseconds; `most` is how many late ticks fire, None for all; `late` whether any does."""

    plan: Plan
    ticks: Ticks
    fires: Fires
    jitter: int
    most: int | None
    late: bool


class Rounds:
    """Looks at the clock for one life of a schedule."""

    def __init__(self, options: Options, position: Position, seen: Seen, world: World) -> None:
        self._options = options
        self._position = position
        self._seen = seen
        self._world = world
        self._drawn = (0, 0)

    async def look(self) -> AsyncGenerator[Observation[Tick], None]:
        """Yield what is due, at least a heartbeat."""
        now = self._world.clock.now()
        if self._position.plan != self._options.plan:
            async for observation in self._to_the_new_plan(now):
                yield observation
        if now < self._position.until:
            self._position = behind(self._position, now)
            yield await self._again(now)
        else:
            self._position = moved(self._position, again=None)
            async for observation in self._new(now):
                yield observation

    async def rest(self) -> None:
        """Return when there may be something to see, or it is time for a heartbeat."""
        tick = next(self._options.ticks.after(self._position.next_from), None)
        due = tick if tick is None or self._position.again is not None else self._ready(tick)
        await wall_clock(due, self._world.clock, HEARTBEAT)

    # What is due for the first time

    async def _new(self, now: int) -> AsyncGenerator[Observation[Tick], None]:
        ticks = self._options.ticks
        tick = next(ticks.after(self._position.until), None)
        if tick is None or now < self._ready(tick):
            yield self._heartbeat()
            return
        async for observation in self._caught_up(ticks, now):
            yield observation

    async def _to_the_new_plan(self, now: int) -> AsyncGenerator[Observation[Tick], None]:
        """Keep the plan that was in force while nobody looked, as far as now; from now on the one in the code holds."""
        old = ticks_of(self._position.plan)
        if old is not None:
            async for observation in self._caught_up(old, now):
                yield observation
        self._position = moved(self._position, plan=self._options.plan, until=max(now, self._position.until))

    async def _caught_up(self, ticks: Ticks, now: int) -> AsyncGenerator[Observation[Tick], None]:
        if self._options.most is None:
            due = itertools.takewhile(lambda tick: tick <= now, ticks.after(self._position.until))
            while fire := list(itertools.islice(due, PORTION)):
                yield self._observation(ticks, Backlog(None, (), fire), now)
            return
        came = await backlog(ticks, self._position.until, now, self._options.most, self._world.clock)
        if came.fire and not self._may_fire(came.fire[-1], now):
            came = Backlog(came.older, [*came.missed, *came.fire], ())
        for portion in _observed(came):
            yield self._observation(ticks, portion, now)

    def _observation(self, ticks: Ticks, came: Backlog, now: int) -> Observation[Tick]:
        missed = [*self._summed_up(ticks, came.older, now), *self._events(ticks, came.missed, now, MISSED)]
        before = self._position.missed + len(came.missed) + (came.older.count if came.older else 0)
        fired = list(self._events(ticks, came.fire, now, TICK, before))
        self._position = moved(
            self._position,
            until=[*([came.older.last] if came.older else []), *came.missed, *came.fire][-1],
            last=came.fire[-1] if came.fire else self._position.last,
            missed=0 if came.fire else before,
        )
        return self._said(fired, missed)

    # What comes again, because the clock was put back

    async def _again(self, now: int) -> Observation[Tick]:
        """Give the latest tick that has come, where it hasn't fired already: when the clock was first on, it may have been passed over."""
        tick = next(self._options.ticks.before(now + 1), 0)
        if tick <= self._position.next_from:
            return self._heartbeat()
        self._position = moved(self._position, again=tick)
        if not self._may_fire(tick, now) or await self._seen.of([written(tick)]):
            return self._heartbeat()
        self._position = moved(self._position, last=tick)
        return self._said(list(self._events(self._options.ticks, [tick], now, TICK)), [])

    # What is said of it

    def _heartbeat(self) -> Observation[Tick]:
        return self._said([], [])

    def _said(self, fired: Sequence[Event[Tick]], missed: Sequence[Event[Tick]]) -> Observation[Tick]:
        # The cursor alone keeps a tick from firing twice. Its identity is for clocks that are put back, and needs no longer memory.
        gone = tuple(event.id for event in (*fired, *missed))
        return Observation(
            events=tuple(fired), missed=tuple(missed), forget=gone, cursor=self._position.cursor, lagging=self._why_it_lags()
        )

    def _why_it_lags(self) -> str | None:
        now, until, plan = self._world.clock.now(), self._position.until, self._options.plan
        if until - now <= PUNCTUAL:
            return None
        zone = self._options.ticks.zone
        return (
            f"the clock shows {shown(now, zone, plan.zone)}, but has shown {shown(until, zone, plan.zone)} before: "
            "until then only those ticks fire that have not fired yet"
        )

    def _events(self, ticks: Ticks, due: Sequence[int], now: int, kind: str, missed: int = 0) -> Iterator[Event[Tick]]:
        for tick, interval in zip(due, _intervals(ticks, due, self._options.fires), strict=True):
            yield self._event(tick, kind, interval, late=now - tick, missed=missed)
            missed = 0

    def _summed_up(self, ticks: Ticks, older: Older | None, now: int) -> Iterator[Event[Tick]]:
        if older is not None:
            (start, _), (_, end) = (next(_intervals(ticks, [tick], self._options.fires)) for tick in (older.first, older.last))
            yield self._event(older.last, MANY_MISSED, (start, end), late=now - older.last, missed=older.count)

    def _event(self, tick: int, kind: str, interval: tuple[int, int], *, late: int, missed: int) -> Event[Tick]:
        zone, name = self._options.ticks.zone, self._options.plan.zone
        start, end = (moment(instant, zone) for instant in interval)
        data = Tick(moment(tick, zone), start, end, round(late / SECOND, 3), missed, name)
        # A missed tick hasn't fired: its own identity stays free, for a clock that is put back.
        identity = written(tick) if kind == TICK else f"{kind} {written(tick)}"
        return self._world.event(identity, data, type=kind, subject=shown(tick, zone, name), time=tick)

    def _may_fire(self, tick: int, now: int) -> bool:
        return self._options.late or now - tick <= PUNCTUAL + self._options.jitter

    def _ready(self, tick: int) -> int:
        """Give when a tick is to fire: its jitter is drawn once for as long as it is the next."""
        if self._drawn[0] != tick:
            self._drawn = (tick, tick + int(self._options.jitter * self._world.random.fraction()))
        return self._drawn[1]


def _observed(came: Backlog) -> Iterator[Backlog]:
    """Divide ticks that are due into observations: together where they are few."""
    if len(came.missed) + len(came.fire) < PORTION:
        if came.missed or came.fire:
            yield came
        return
    older = came.older
    for missed in portions(came.missed):
        yield Backlog(older, missed, ())
        older = None
    for fire in portions(came.fire):
        yield Backlog(None, (), fire)


def _intervals(ticks: Ticks, due: Sequence[int], fires: Fires) -> Iterator[tuple[int, int]]:
    """Give the data intervals of ticks that follow each other."""
    if not due:
        return iter(())
    if fires == "end":
        return itertools.pairwise([ticks.previous(due[0]), *due])
    return itertools.pairwise([*due, ticks.following(due[-1])])
