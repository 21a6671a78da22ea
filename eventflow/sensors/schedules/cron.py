"""Cron texts: five fields, six with seconds in front, or one of the names such as `@daily`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

from cronsim import CronSim, CronSimError

from eventflow.sensors.schedules.days import PATIENCE, Days
from eventflow.sensors.schedules.zones import Fold, Gap

NAMED = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
"""The names that stand for a cron text."""

_LONGEST = 256
_FIELDS = "minute, hour, day of the month, month, day of the week (and, with six of them, the second in front)"
_EVERY_HOUR = ("*", "*/1", "0-23")
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


class Cron:
    """A cron text: the local times which it names, of the days on which it may fire.

    Fields are as Debian's cron reads them: names of months and days, lists, ranges, steps, 0 and 7 for Sunday; where both days are given,
    either is enough, unless one begins with `*`. Beside these `L` is the last day of the month, `LW` its last day from Monday to Friday,
    `5L` its last Friday and `1#2` its second Monday. Raises `ValueError` for what can't be read.
    """

    def __init__(self, text: object, days: Days) -> None:
        self.text = _written(text)
        self._days = days
        fields = self.text.split()
        second, minute, hour = ["0", *fields[:2]] if len(fields) == 5 else fields[:3]
        self._every_hour = hour in _EVERY_HOUR
        self._repeats = any(field.startswith("*") for field in (second, minute, hour))

    def meaning(self, dst: str) -> tuple[Gap, Fold]:
        """Give what its times mean where clocks are moved. Under `"default"` that depends on whether it names its hours."""
        match dst:
            case "skip":
                return "none", "first"
            case "shift":
                return "shift", "first"
            case _:  # a text that goes on hour by hour has a tick right after the gap anyway: another would be one too many
                return "none" if self._every_hour else "first", "both" if self._repeats or dst == "both" else "first"

    def after(self, start: datetime) -> Iterator[datetime]:
        """Give its local times from `start` on, in order, until the calendar ends or none is found for fifty years."""
        times, passed_over = CronSim(self.text, start - _SECOND), 0
        while (when := _next(times)) is not None and when.date() <= self._days.last and passed_over < PATIENCE:
            if self._days.allow(when.date()):
                passed_over = 0
                yield when
            else:
                _, last = self._days.passed_over(when.date())
                times.dt, passed_over = _midnight(last + _DAY) - _SECOND, passed_over + 1

    def before(self, end: datetime) -> Iterator[datetime]:
        """Give its local times before `end`, latest first."""
        times, passed_over = CronSim(self.text, end.replace(microsecond=0), reverse=True), 0
        while (when := _next(times)) is not None and when.date() >= self._days.first and passed_over < PATIENCE:
            if self._days.allow(when.date()):
                passed_over = 0
                yield when
            else:
                first, _ = self._days.passed_over(when.date())
                times.dt, passed_over = _midnight(first), passed_over + 1


def _written(text: object) -> str:
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is no cron text: write '0 2 * * *', or a list of such texts")
    if len(text) > _LONGEST:
        raise ValueError(f"cron text {text[:40]!r}... is longer than {_LONGEST} characters: give a list of shorter ones")
    fields = text.split()
    if text.startswith("@"):
        if text not in NAMED:
            raise ValueError(f"cron text {text!r} is unknown: use {', '.join(NAMED)}, five fields, or every='15m'")
        return NAMED[text]
    if len(fields) not in (5, 6):
        raise ValueError(f"cron text {text!r} has {len(fields)} fields: write five, {_FIELDS}")
    if mistake := _mistake(fields):
        if _mistake([*fields[:-2], "*", fields[-1]]) is None:  # each field can be read: it is the month that has no such day
            raise ValueError(f"cron text {text!r} never fires: no day {fields[-3]} is ever in the month {fields[-2]}")
        raise ValueError(f"cron text {text!r} can't be read, {mistake}: its fields are {_FIELDS}")
    return " ".join(fields)


def _mistake(fields: Sequence[str]) -> str | None:
    try:
        CronSim(" ".join(fields), datetime(2000, 1, 1))  # noqa: DTZ001 - local times have no zone
    except (CronSimError, ValueError, AssertionError) as error:
        return str(error).lower() or "one of them makes no sense"
    return None


def _next(times: CronSim) -> datetime | None:
    try:
        return next(times, None)
    except (OverflowError, ValueError):  # the first or the last year that Python knows
        return None


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - local times have no zone
