"""Why an event is where it is: how it came, what each trigger decided about it, which waits it ended, and whether it can come again."""

from __future__ import annotations

from collections.abc import Sequence

from eventflow import durations, escapes, ids, states
from eventflow.durations import SECOND
from eventflow.engine.retention import RETENTION
from eventflow.errors import NotFound
from eventflow.ids import whole_number
from eventflow.projections import EventRow, NodeRow, RunRow, SeenRangeRow, SeenRow
from eventflow.sensors.webhooks.received import Receiving
from eventflow.server.answers import DecisionEntry, EventEntry, Explanation, Sentence
from eventflow.server.sources import Sources
from eventflow.server.views import events, sensors
from eventflow.server.views.telling import event_named, run_named
from eventflow.server.views.values import clipped

_LATE = 60 * SECOND
"""From how long after its own time on it is told that an event came late."""

_MOST_WAITS = 20
"""How many ended waits an event's story has."""


async def why_event(sources: Sources, row: EventRow) -> Explanation:
    """Explain an event."""
    (event,) = await events.entries(sources.journal, [row])
    waits = await _ended_waits(sources, row)
    sentences = [await arrival(sources, event)]
    for decision in event.decisions:
        sentences += [Sentence(decision.decided_at, _decided(decision)), *await _ending(sources, decision)]
    sentences += [*waits, *_not_asked(sources, event, is_used=bool(waits)), await _identity(sources, event)]
    return Explanation(about="event", sentences=sentences, event=event, run=None, node=None)


async def why_identity(sources: Sources, source: str, identity: str) -> Explanation:
    """Explain an event that is named by its source and its id there, or why there is none though that id is taken. Raises `NotFound`."""
    seen = await sources.journal.select(SeenRow, source=source, id=identity)
    rows = await sources.journal.select(EventRow, event=seen[0].event) if seen and seen[0].event else []
    if rows:
        return await why_event(sources, rows[0])
    named = f"{clipped(escapes.line(identity), 200)!r} of {source}"
    if seen:
        said = f"{named} was there before its sensor's first look, or is long gone: its identity is taken, and it fires nothing"
    elif (taken := await _range(sources, source, identity)) is not None:
        said = f"{named} is taken, as are all from {taken.low} to {taken.high}: `eventflow events --sensor {source}` lists its events"
    else:
        raise NotFound(f"nothing is known of {named}: no such event was ever taken, or its identity is free again")
    return Explanation(about="event", sentences=[Sentence(None, said)], event=None, run=None, node=None)


async def arrival(sources: Sources, event: EventEntry) -> Sentence:
    """Tell how an event came."""
    about = f" about {escapes.line(event.subject)}" if event.subject else ""  # a line end in a file's name makes no new line of a story
    came = _came(sources, event.source, f"{event_named(event.event)} ({event.type}){about}", pushed=await _was_pushed(sources, event))
    late = event.received_at - event.time
    return Sentence(event.received_at, came + (f", {durations.text(late / SECOND)} after it had happened" if late >= _LATE else ""))


def _came(sources: Sources, source: str, named: str, *, pushed: bool) -> str:
    if not pushed:
        return f"sensor {source} saw {named}"
    if isinstance(sensors.known(sources).get(source), Receiving):
        return f"{named} was delivered to hook {source}, or published in its name"
    return f"{named} of {source} was published by hand or by a program"


async def _was_pushed(sources: Sources, event: EventEntry) -> bool:
    """Tell whether an event was handed to the engine: nobody says when such ones are gone, so their identities are on their way at once."""
    seen = await sources.journal.select(SeenRow, source=event.source, id=event.id)
    return any(row.event == event.event and row.forgotten_at == event.received_at for row in seen)


def _decided(decision: DecisionEntry) -> str:
    reason = f": {escapes.line(decision.reason)}" if decision.reason else ""
    match decision.outcome:
        case states.FIRED:
            return f"trigger {decision.trigger} fired {run_named(decision.run) if decision.run else 'a run'}{reason}"
        case states.FILTERED:
            return f"trigger {decision.trigger} passed it over{reason or ': its `where` said no'}"
        case states.REFUSED:
            return f"trigger {decision.trigger} could make no run of it{reason}"
        case outcome:
            return f"trigger {decision.trigger} decided: {outcome}{reason}"


async def _ending(sources: Sources, decision: DecisionEntry) -> list[Sentence]:
    """Tell what became of the run that a decision fired."""
    found = [] if decision.run is None else await sources.journal.select(RunRow, run=decision.run)
    return [Sentence(row.ended_at, f"{run_named(row.run)} of {row.pipeline} {_state(row)}") for row in found]


def _state(row: RunRow) -> str:
    match row.state:
        case states.FAILED:
            return f"failed at node {row.reason}" if row.reason else "failed"
        case states.HELD:
            return f"is held: {row.reason}"
        case states.QUEUED | states.RUNNING | states.SUSPENDED:
            return f"is {row.state}"
        case ended:
            return "was cancelled" if ended == states.CANCELLED else ended


async def _ended_waits(sources: Sources, row: EventRow) -> list[Sentence]:
    nodes = await sources.journal.select(NodeRow, reason=row.event, limit=_MOST_WAITS + 1)
    told = [Sentence(node.ended_at, f"it ended the wait of {node.node} in {run_named(node.run)}") for node in nodes[:_MOST_WAITS]]
    return [*told, Sentence(None, "it ended more waits than these")] if len(nodes) > _MOST_WAITS else told


def _not_asked(sources: Sources, event: EventEntry, *, is_used: bool) -> Sequence[Sentence]:
    """Tell that nobody was asked about an event, and which triggers are there now that weren't then."""
    asked = {decision.trigger for decision in event.decisions}
    later = [one.trigger for one in sensors.triggers(sources, event.source) if one.trigger not in asked]
    told = [Sentence(None, f"trigger {name} wasn't asked about it: it wasn't in the code when it came") for name in later]
    if event.decisions or later:
        return told
    nothing = "it fired no run" if is_used else "nothing was decided about it"
    return [Sentence(None, f"no trigger listens to {event.source}: {nothing}")]


async def _identity(sources: Sources, event: EventEntry) -> Sentence:
    """Tell what becomes of the same event if it comes again."""
    seen = await sources.journal.select(SeenRow, source=event.source, id=event.id)
    if seen and seen[0].event == event.event and seen[0].forgotten_at is not None:
        kept = RETENTION if sources.engine is None else sources.engine.retention
        return Sentence(seen[0].forgotten_at + kept, "until then its identity is kept: the same event again fires nothing")
    if seen or await _range(sources, event.source, event.id) is not None:
        return Sentence(None, "its identity is taken: the same event again fires nothing")
    return Sentence(None, "its identity is free again: the same event would be a new one")


async def _range(sources: Sources, source: str, identity: str) -> SeenRangeRow | None:
    number = whole_number(identity)
    ranges = [] if number is None else await sources.journal.select(SeenRangeRow, source=source)
    return next((row for row in ranges if row.low <= (number or 0) <= row.high), None)


def is_source(typed: str) -> bool:
    """Tell whether a word can name a source of events, and no run."""
    return ids.is_name(typed) and not all(char in "0123456789abcdef" for char in typed)
