"""Events in one line each: what every trigger decided about one, and what it is about."""

from __future__ import annotations

from rich.text import Text

from eventflow import ids, states
from eventflow.cli import output
from eventflow.server.answers import DecisionEntry, EventEntry
from eventflow.server.views.values import clipped

NOTHING = "nothing decided"


def decisions(event: EventEntry) -> Text:
    """Tell what was decided about an event: `on-drop fired run 5f9c27ab, audit refused: KeyError: 'path'`."""
    return Text(", ").join(map(decision, event.decisions)) if event.decisions else output.text(NOTHING, "dim")


def decision(made: DecisionEntry) -> Text:
    """Tell one decision."""
    run = f"run {ids.short(made.run)}" if made.run is not None else ""
    said = output.sentence(made.trigger, output.state(made.outcome), run)
    return said + output.text(f": {made.reason}") if made.reason and made.outcome != states.FIRED else said


def about(event: EventEntry) -> str:
    """Tell what an event is about: its subject, or else the id that it has at its source."""
    return clipped(event.subject or event.id, 100)
