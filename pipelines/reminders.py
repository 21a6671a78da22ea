"""Remind people of a batch that they forgot to deliver: a note for each day, where they look for notes, and a warning in the log."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import structlog
from structlog.typing import FilteringBoundLogger

from eventflow import pipeline, task

REMINDERS = Path(__file__).parents[1] / "data" / "reminders"

log: FilteringBoundLogger = structlog.get_logger()


@task
def note(of: str, since: datetime, until: datetime, last_at: datetime | None) -> Path:
    """Write the note. Doing it twice is doing it once."""
    last = "none has ever come" if last_at is None else f"the last one came on {last_at:%Y-%m-%d at %H:%M}"
    text = f"Nothing came into the {of} from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M}: {last}.\n"
    REMINDERS.mkdir(parents=True, exist_ok=True)
    aside = REMINDERS / f".{until:%Y-%m-%d}.txt"
    aside.write_text(text, encoding="utf-8")
    log.warning("nothing came", of=of, since=since.isoformat(), until=until.isoformat())
    return aside.replace(REMINDERS / f"{until:%Y-%m-%d}.txt")


@pipeline
def remind(of: str, since: datetime, until: datetime, last_at: datetime | None) -> Path:
    """From an absence to a note about it."""
    return note(of, since, until, last_at)
