"""Sets of days as people write them: `"2026-12-24"`, `"12-25"`, `"2026-12-24/2027-01-02"`, `"sat"`, `"weekends"`, a `date`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import TypeAlias, cast

Day: TypeAlias = str | date | tuple[date, date]
"""A day, each year's day, a weekday, or a range of days with both its ends."""

PATIENCE = 8_000
"""How many days, one after the other, may turn out to be none of a schedule's before no more is expected: about twenty years."""

_MOST = 1000
_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEKDAYS = {
    **{short: (number,) for number, name in enumerate(_NAMES) for short in (name, name[:3])},
    "weekdays": (0, 1, 2, 3, 4),
    "weekends": (5, 6),
}
_DATE = r"\d{4}-\d\d-\d\d"
_YEARLY = r"\d\d-\d\d"
_RANGE = re.compile(rf"(?P<first>{_DATE}|{_YEARLY})(?:/(?P<last>{_DATE}|{_YEARLY}))?")
_LEAP = 2000
_LAST_YEAR = 8999
_EXPECTED = "a date, '2026-12-24', '12-25' for each year, a range '2026-12-24/2027-01-02', or a weekday such as 'sat' or 'weekends'"


class DaySet:
    """The days that some texts name. Raises `ValueError` for one that names none."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._weekdays: set[int] = set()
        self._spans: list[tuple[date, date]] = []
        self._yearly: list[tuple[date, date]] = []
        for text in texts:
            self._add(text)

    def __contains__(self, day: date) -> bool:
        if day.weekday() in self._weekdays or any(first <= day <= last for first, last in self._spans):
            return True
        return bool(self._yearly) and any(_within(day.replace(year=_LEAP), first, last) for first, last in self._yearly)

    @property
    def ends(self) -> tuple[date, date]:
        """The first and the last of its days: those of the calendar itself where it names weekdays, or days of each year."""
        if self._weekdays or self._yearly:
            return date.min, date.max
        return min(first for first, _ in self._spans), max(last for _, last in self._spans)

    def around(self, day: date) -> tuple[date, date]:
        """Give the first and the last of a range that it names and a day lies in; the day itself where there is none."""
        return next(((first, last) for first, last in self._spans if first <= day <= last), (day, day))

    def _add(self, text: str) -> None:
        if text.lower() in _WEEKDAYS:
            self._weekdays.update(_WEEKDAYS[text.lower()])
            return
        written = _RANGE.fullmatch(text)
        if written is None:
            raise ValueError(f"{text!r} is no day: use {_EXPECTED}")
        ends = [written["first"], written["last"] or written["first"]]
        if len(ends[0]) != len(ends[1]):
            raise ValueError(f"{text!r} has a year at one of its ends only")
        yearly = len(ends[0]) == len("12-25")
        first, last = (_date(f"{_LEAP}-{end}" if yearly else end, text) for end in ends)
        if last.year > _LAST_YEAR:
            raise ValueError(f"{text!r} is too far away")
        if last < first and not yearly:
            raise ValueError(f"{text!r} ends before it begins")
        (self._yearly if yearly else self._spans).append((first, last))


class Days:
    """On which days a schedule may fire: on those of `only`, or any if there are none, but on none of `exclude`."""

    def __init__(self, only: Sequence[str], exclude: Sequence[str]) -> None:
        self._only = DaySet(only) if only else None
        self._exclude = DaySet(exclude)
        self.first, self.last = self._only.ends if self._only else (date.min, date.max)

    def passed_over(self, day: date) -> tuple[date, date]:
        """Give the first and the last of some days in a row on which it may not fire, around one of these."""
        return self._exclude.around(day)

    def allow(self, day: date) -> bool:
        """Tell whether it may fire on a day."""
        return (self._only is None or day in self._only) and day not in self._exclude


def day_texts(option: str, days: Day | Iterable[Day]) -> tuple[str, ...]:
    """Write days down as texts. Raises `ValueError`, which names the option, for what names none, and for more than a thousand."""
    given: Iterable[object] = [days] if isinstance(days, str | date) or _is_pair(days) else cast("Iterable[object]", days)
    try:
        texts = tuple(dict.fromkeys(_text(day) for day in given))
        DaySet(texts)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{option}: {error}") from None
    if len(texts) > _MOST:
        raise ValueError(f"{option} has {len(texts)} entries: give at most {_MOST}, and write ranges as '2026-12-24/2027-01-02'")
    return texts


def _is_pair(days: object) -> bool:
    pair = cast("tuple[object, ...]", days)
    return isinstance(days, tuple) and len(pair) == 2 and all(isinstance(end, date) for end in pair)


def _text(day: object) -> str:
    if isinstance(day, str):
        return day
    if isinstance(day, date) and not isinstance(day, datetime):
        return day.isoformat()
    if _is_pair(day):
        first, last = cast("tuple[date, date]", day)
        return f"{_text(first)}/{_text(last)}"
    raise ValueError(f"{day!r} is no day: use {_EXPECTED}")


def _date(written: str, text: str) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise ValueError(f"{text!r} is no day of the calendar") from None


def _within(day: date, first: date, last: date) -> bool:
    return first <= day <= last if first <= last else day >= first or day <= last
