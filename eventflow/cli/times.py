"""Instants and lengths of time as people read them: local, and from now."""

from __future__ import annotations

import time
from datetime import datetime

from eventflow import durations
from eventflow.durations import SECOND


def now() -> int:
    """Give this instant, microseconds UTC."""
    return time.time_ns() // 1000


def clock(at: int) -> str:
    """Give an instant's local time of day, `14:03:55`; on another day than today with the date before it."""
    local = datetime.fromtimestamp(at / SECOND).astimezone()
    is_today = local.date() == datetime.now().astimezone().date()
    return f"{local:%H:%M:%S}" if is_today else f"{local:%Y-%m-%d %H:%M:%S}"


def instant(at: int | None) -> str:
    """Give an instant with its distance from now: `14:03:55 (2m5s ago)`."""
    return "" if at is None else f"{clock(at)} ({distance(at)})"


def distance(at: int) -> str:
    """Give an instant's distance from now: `2m5s ago`, `in 10s`."""
    seconds = (now() - at) / SECOND
    return f"{durations.text(seconds)} ago" if seconds >= 0 else f"in {durations.text(-seconds)}"


def lag(length: int | None) -> str:
    """Give a length of time in microseconds; one below nothing says that the clocks differ: `-2s`."""
    if length is None:
        return ""
    return f"{'-' if length < 0 else ''}{durations.text(abs(length) / SECOND)}"


def took(start: int | None, end: int | None) -> str:
    """Give the time between two instants; where the second is still to come, that until now, and `...`."""
    if start is None:
        return ""
    length = durations.text(max(0, (now() if end is None else end) - start) / SECOND)
    return length if end is not None else f"{length} ..."
