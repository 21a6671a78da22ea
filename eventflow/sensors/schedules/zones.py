"""Time zones: which instants a local time means, and which local time an instant is. Instants are microseconds UTC."""

from __future__ import annotations

import difflib
import zoneinfo
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Literal

from eventflow.durations import EPOCH, instant_of

Gap = Literal["none", "first", "shift"]
"""What a local time that doesn't exist means: nothing, the first instant after the gap, or as much later as the clocks were put on."""

Fold = Literal["first", "both"]
"""What a local time that comes twice means: the first of its instants, or both."""

_HOUR = timedelta(hours=1)
_REACH = 26  # hours: no two offsets from UTC are further apart
_LONGEST = 64
_NOT_CIVIL = ("right/", "posix/")  # copies of the zones that some systems have; the first counts leap seconds


def zone_named(name: object) -> tzinfo:
    """Give the zone of an IANA name, such as `Europe/Prague`. Raises `ValueError`, with the names that come close."""
    if name == "UTC":
        return UTC
    if isinstance(name, str) and _may_be_a_zone(name):
        try:
            return zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            pass  # not there, a folder of zones, or a file that is none
    raise ValueError(f"zone={name!r} is no time zone{_suggestion(name)}")


def instants(local: datetime, zone: tzinfo, gap: Gap, fold: Fold) -> tuple[int, ...]:
    """Give the instants that a local time (without a zone) means: none, one or two, in order."""
    first, second = _offsets(local, zone)
    if first == second:
        return (_instant(local, first),)
    if first > second:
        return (_instant(local, first), _instant(local, second)) if fold == "both" else (_instant(local, first),)
    if gap == "none":
        return ()
    return (_instant(local, first),) if gap == "shift" else (_end_of_gap(local, zone),)


def earliest(local: datetime, zone: tzinfo) -> int:
    """Give an instant before which no local time from this one on has any, whatever it means."""
    first, second = _offsets(local, zone)
    return _instant(local, first) if first >= second else _end_of_gap(local, zone)


def latest(local: datetime, zone: tzinfo) -> int:
    """Give an instant after which no local time up to this one has any, unless times in a gap are shifted."""
    first, second = _offsets(local, zone)
    return _instant(local, second) if first >= second else _end_of_gap(local, zone)


def local(instant: int, zone: tzinfo) -> datetime:
    """Give the local time of an instant, without a zone."""
    return _utc(instant).astimezone(zone).replace(tzinfo=None, fold=0)


def sway(instant: int, zone: tzinfo) -> timedelta:
    """Give how far the zone's clocks are moved within a day around an instant: nothing, most of the time."""
    if zone is UTC:
        return timedelta(0)
    around = _utc(instant)
    offsets = [(around + hours * _HOUR).astimezone(zone).utcoffset() or timedelta(0) for hours in range(-_REACH, _REACH + 1)]
    return max(offsets) - min(offsets)


def moment(instant: int, zone: tzinfo) -> datetime:
    """Give an instant as a `datetime` with the zone's offset at that instant: unlike one with a zone, JSON carries it whole."""
    offset = _utc(instant).astimezone(zone).utcoffset() or timedelta(0)
    if offset % timedelta(minutes=1):
        return _utc(instant)  # offsets were seconds long before clocks were agreed upon, and RFC 3339 can't write them
    return _utc(instant).astimezone(timezone(offset) if offset else UTC)


def _may_be_a_zone(name: str) -> bool:
    return len(name) <= _LONGEST and name.isascii() and name.isprintable() and not name.startswith(_NOT_CIVIL)


def _suggestion(name: object) -> str:
    known = zoneinfo.available_timezones()
    if not known:
        return ": this machine has no time zones at all; install its tzdata package, or `pip install tzdata`"
    by_small = {zone.lower().replace("_", " "): zone for zone in known}
    cities = {small.rpartition("/")[2]: zone for small, zone in by_small.items()}
    written = str(name)[:_LONGEST].lower().replace("_", " ")
    close = [by_small[small] for small in difflib.get_close_matches(written, by_small, n=3, cutoff=0.7)]
    same_city = [cities[written]] if written in cities else []
    suggested = list(dict.fromkeys([*same_city, *close]))
    return f": did you mean {' or '.join(map(repr, suggested))}?" if suggested else ": give an IANA name, such as 'Europe/Prague' or 'UTC'"


def _offsets(local: datetime, zone: tzinfo) -> tuple[timedelta, timedelta]:
    # They differ where clocks are moved: the first is smaller where the time doesn't exist, and larger where it comes twice.
    first = zone.utcoffset(local.replace(tzinfo=zone, fold=0))
    second = zone.utcoffset(local.replace(tzinfo=zone, fold=1))
    return first or timedelta(0), second or timedelta(0)


def _instant(local: datetime, offset: timedelta) -> int:
    return instant_of(local.replace(tzinfo=UTC) - offset)


def _utc(instant: int) -> datetime:
    return EPOCH + timedelta(microseconds=instant)


def _end_of_gap(local: datetime, zone: tzinfo) -> int:
    """Find the instant at which the clocks were put on: it lies between the two that the local time would mean."""
    before, after = _offsets(local, zone)
    low, high = _instant(local, after) // 1_000_000, -(-_instant(local, before) // 1_000_000)
    while high - low > 1:
        middle = (low + high) // 2
        if _utc(middle * 1_000_000).astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high * 1_000_000
