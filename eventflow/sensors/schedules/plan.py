"""What a schedule promises, as plain data. It goes into the cursor: a promise is kept up to the moment at which the code makes another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from typing import Literal, cast

import msgspec

from eventflow.durations import SECOND, Duration, instant_of, microseconds, text
from eventflow.sensors.options import choice, pause
from eventflow.sensors.schedules.cron import Cron
from eventflow.sensors.schedules.days import Day, Days, day_texts
from eventflow.sensors.schedules.zones import Fold, Gap, instants, zone_named

DST = Literal["default", "skip", "shift", "both"]
"""What becomes of local times that don't exist, or come twice, because clocks are moved."""

When = datetime | str
"""An instant: a `datetime`, or ISO text such as `"2026-11-20 14:00"`. Without a zone of its own it is in the schedule's."""

_MOST = 1000
_MOST_CRONS = 100
_MEANINGS: dict[str, tuple[Gap, Fold]] = {
    "default": ("first", "first"),
    "skip": ("none", "first"),
    "shift": ("shift", "first"),
    "both": ("first", "both"),
}


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When something is due: by cron texts, `every` so many microseconds, or `at` instants. Instants are microseconds UTC."""

    cron: tuple[str, ...] = ()
    every: int = 0
    at: tuple[int, ...] = ()
    zone: str = "UTC"
    dst: str = "default"
    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    start: int | None = None
    end: int | None = None


def plan_of(
    *,
    cron: str | Sequence[str] | None = None,
    every: Duration | None = None,
    at: When | Iterable[When] | None = None,
    zone: str = "UTC",
    dst: DST = "default",
    only: Day | Iterable[Day] = (),
    exclude: Day | Iterable[Day] = (),
    start: When | None = None,
    end: When | None = None,
) -> Plan:
    """Make a plan of what a person wrote. Raises `ValueError` for what can't be meant."""
    given = [name for name, value in (("cron", cron), ("every", every), ("at", at)) if value is not None]
    if len(given) != 1:
        raise ValueError(f"give one of cron='0 2 * * *', every='15m' and at=[...], not {' and '.join(given) or 'none of them'}")
    choice("dst", dst, DST)
    if every is not None and dst != "default":
        raise ValueError("dst= has no meaning with every=, which counts time as it passes, whatever clocks show")
    there = zone_named(zone)
    days = {"only": day_texts("only", only), "exclude": day_texts("exclude", exclude)}
    return Plan(
        cron=() if cron is None else _crons(cron, Days(**days)),
        every=0 if every is None else microseconds(pause("every", every, "1s")),
        at=() if at is None else tuple(sorted(_at(at, there, dst))),
        zone=zone,
        dst=dst,
        **days,
        start=None if start is None else _end("start", start, there),
        end=None if end is None else _end("end", end, there),
    )


def in_short(plan: Plan) -> str:
    """Say in a few words when something is due."""
    if plan.cron:
        when = " and ".join(plan.cron[:3]) + (" ..." if len(plan.cron) > 3 else "")
    elif plan.every:
        when = f"every {text(plan.every / SECOND)}"
    else:
        when = f"{len(plan.at)} times" if len(plan.at) > 1 else "one time"
    return f"{when}, {plan.zone}"


def _crons(cron: str | Sequence[str], days: Days) -> tuple[str, ...]:
    texts = _listed("cron", cron, _MOST_CRONS)
    return tuple(dict.fromkeys(Cron(one, days).text for one in texts))


def _at(at: When | Iterable[When], zone: tzinfo, dst: str) -> set[int]:
    named = {instant for when in _listed("at", at, _MOST) for instant in _instants("at", when, zone, dst)}
    if not named:
        raise ValueError("it never fires: the times of at= don't exist there, as clocks are put on, and dst='skip' passes them over")
    return named


def _listed(option: str, given: object, most: int) -> list[object]:
    if not isinstance(given, Iterable | datetime):
        raise ValueError(f"{option}={given!r} names no time: give a text, or a list of such")
    items: list[object] = [given] if isinstance(given, str | datetime) else list(cast("Iterable[object]", given))
    if not items:
        raise ValueError(f"{option}=[] names no time")
    if len(items) > most:
        raise ValueError(f"{option} has {len(items)} entries: give at most {most}")
    return items


def _end(option: str, when: object, zone: tzinfo) -> int:
    return _instants(option, when, zone, "default")[0]


def _instants(option: str, when: object, zone: tzinfo, dst: str) -> tuple[int, ...]:
    if isinstance(when, str):
        try:
            when = datetime.fromisoformat(when)
        except ValueError:
            raise ValueError(f"{option}={when!r} is no time: write it as '2026-11-20 14:00', or give a datetime") from None
    if not isinstance(when, datetime):
        raise ValueError(f"{option}={when!r} is no time: give a datetime, or '2026-11-20 14:00'")
    if not 1970 <= when.year < 9000:
        raise ValueError(f"{option}={when.isoformat()!r} is too far away")
    return instants(when, zone, *_MEANINGS[dst]) if when.tzinfo is None else (instant_of(when),)
