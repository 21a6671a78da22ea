"""Absence by a calendar: at each deadline it is asked whether something has come since the one before."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime

from eventflow.durations import SECOND
from eventflow.events import Event, Observation
from eventflow.ports import Seen, World
from eventflow.sensors.absences.witness import Absence, Watched, Witness
from eventflow.sensors.schedules.backlog import backlog
from eventflow.sensors.schedules.patience import HEARTBEAT, wall_clock
from eventflow.sensors.schedules.plan import Plan, in_short
from eventflow.sensors.schedules.position import beginning, behind, in_words, moved, position_of
from eventflow.sensors.schedules.tick import written
from eventflow.sensors.schedules.ticks import Ticks, ticks_of

_MOST = 1000  # deadlines that passed while nobody looked: of more, the last so many are asked about


@dataclass(frozen=True, slots=True)
class Deadlines:
    """When to ask, and about what. `window` is how far back, in microseconds, None for the deadline before; `grace` is in seconds."""

    plan: Plan
    ticks: Ticks
    watched: Watched
    window: int | None
    grace: float

    @property
    def in_short(self) -> str:
        """The deadlines in a few words."""
        return f"by {in_short(self.plan)}"

    def observe(self, cursor: object, seen: Seen, world: World) -> AsyncGenerator[Observation[Absence], None]:
        """Yield the absences that there are, and heartbeats."""
        return _Life(self, cursor, seen, world).observe()

    def upcoming(self, after: datetime, count: int) -> list[datetime]:
        """Give the deadlines that follow a time."""
        return self.ticks.upcoming(after, count)

    def in_words(self, cursor: object) -> str:
        """Say which deadline nothing had come by, and which is the next."""
        return in_words(cursor, self.plan, self.ticks, "absence")

    def is_over(self, now: int) -> bool:
        """Tell whether no deadline is to come."""
        return next(self.ticks.after(now), None) is None


class _Life:
    """Looks at the clock and the journal for one life of an absence sensor."""

    def __init__(self, options: Deadlines, cursor: object, seen: Seen, world: World) -> None:
        self._options = options
        self._seen = seen
        self._world = world
        self._witness = Witness(options.watched, options.ticks.zone, world)
        self._position = position_of(cursor) or beginning(options.plan, world.clock.now())

    async def observe(self) -> AsyncGenerator[Observation[Absence], None]:
        yield self._said()
        await self._world.clock.sleep(self._options.grace)  # the watched sensor may have to find first what came while nobody looked
        while True:
            async for observation in self._look(self._now()):
                yield observation
            await self._rest()

    def _now(self) -> int:
        """Give the instant whose deadlines are asked about: the grace ago."""
        return self._world.clock.now() - int(self._options.grace * SECOND)

    async def _look(self, now: int) -> AsyncGenerator[Observation[Absence], None]:
        is_behind = self._world.clock.now() < self._position.until
        self._position = behind(self._position, now) if is_behind else moved(self._position, again=None)
        if self._position.plan != self._options.plan:
            old = ticks_of(self._position.plan)
            if old is not None:
                async for observation in self._judge(old, now):
                    yield observation
            self._position = moved(self._position, plan=self._options.plan, until=max(now, self._position.until))
        async for observation in self._judge(self._options.ticks, now):
            yield observation
        yield self._said()

    async def _judge(self, ticks: Ticks, now: int) -> AsyncGenerator[Observation[Absence], None]:
        for due in await self._due(ticks, now):
            since = ticks.previous(due) if self._options.window is None else due - self._options.window
            newest = await self._witness.newest(due)
            came = await self._witness.came(since, due, newest)
            until = due if self._position.again is None else self._position.until
            self._position = moved(self._position, until=until, last=self._position.last if came else due)
            if not came:
                yield self._said(self._witness.absence(since, due, due, newest))

    async def _due(self, ticks: Ticks, now: int) -> list[int]:
        if self._position.again is None:
            return list((await backlog(ticks, self._position.until, now, _MOST, self._world.clock)).fire)
        # The clock was put back: only what comes now, and wasn't told when it was on.
        due = next(ticks.before(now + 1), 0)
        if due <= self._position.next_from:
            return []
        self._position = moved(self._position, again=due)
        return [] if await self._seen.of([written(due)]) else [due]

    async def _rest(self) -> None:
        due = next(self._options.ticks.after(self._position.next_from), None)
        grace = int(self._options.grace * SECOND)
        await wall_clock(None if due is None else due + grace, self._world.clock, HEARTBEAT)

    def _said(self, *absences: Event[Absence]) -> Observation[Absence]:
        # The cursor alone keeps a deadline from being told twice: its identity needs no longer memory.
        return Observation(events=absences, forget=tuple(event.id for event in absences), cursor=self._position.cursor)
