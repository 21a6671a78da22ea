"""Where a schedule stands: its cursor."""

from __future__ import annotations

import msgspec

from eventflow.sensors.schedules.plan import Plan
from eventflow.sensors.schedules.tick import shown
from eventflow.sensors.schedules.ticks import Ticks


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """What a schedule has dealt with. Instants are microseconds UTC.

    Ticks up to `until` have fired or are recorded as missed, those up to `since` are from before its time. `last` is the newest that
    fired, `missed` counts those that did not fire after it. `plan` is what was promised when this was written. While the clock
    stands before `until`, because it was put back, `again` is up to where ticks have been looked at anew.
    """

    since: int
    until: int
    plan: Plan
    last: int | None = None
    missed: int = 0
    again: int | None = None

    @property
    def next_from(self) -> int:
        """After which instant the next tick is looked for."""
        return self.until if self.again is None else max(self.again, self.since)

    @property
    def cursor(self) -> object:
        """The position as plain JSON."""
        return msgspec.json.decode(msgspec.json.encode(self))


def position_of(cursor: object) -> Position | None:
    """Give the position that a cursor holds; None for no cursor, and for one of another kind of sensor that had the name before."""
    try:
        return msgspec.convert(cursor, Position)
    except msgspec.ValidationError:
        return None


def in_words(cursor: object, plan: Plan, ticks: Ticks, kind: str = "tick") -> str:
    """Say what a position means: the last that fired, by the name of its kind, and the next."""
    position = position_of(cursor)
    if position is None:
        return "it has not looked yet"
    following = next(ticks.after(position.next_from), None)
    last = f"no {kind} yet" if position.last is None else f"the {kind} of {shown(position.last, ticks.zone, plan.zone)}"
    missed = f", {position.missed} missed since" if position.missed else ""
    return f"{last}{missed}; " + ("none is to come" if following is None else f"the next is {shown(following, ticks.zone, plan.zone)}")


def beginning(plan: Plan, now: int) -> Position:
    """Give the position at the first start ever: now, or before all ticks where the plan names a start that has passed."""
    since = plan.start - 1 if plan.start is not None and plan.start <= now else now
    return Position(since=since, until=since, plan=plan)


def behind(position: Position, now: int) -> Position:
    """Give the position while the clock stands before it: what comes from now on is looked at anew."""
    return moved(position, again=now if position.again is None else min(now, position.again))


def moved(position: Position, **changes: object) -> Position:
    """Give a position with some of its fields changed."""
    return msgspec.structs.replace(position, **changes)
