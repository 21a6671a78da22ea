"""The daemon's own log: a line for each fact that matters to whoever keeps it running, and one for each trouble."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import singledispatchmethod
from types import TracebackType
from typing import Any, Self, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from eventflow import escapes, facts, states
from eventflow.durations import SECOND
from eventflow.engine.failures import failure
from eventflow.errors import EventflowError
from eventflow.facts import Fact, Record
from eventflow.logs.writer import Writer
from eventflow.ports import Clock, Instrument

MOST_WAITING = 10_000
"""Lines that wait for a terminal or a pipe which takes nothing. What comes beyond is left out: the engine never waits for its log."""


class DaemonLog(Instrument):
    """Writes the daemon's log to a stream, inside `async with`: for people where it is a terminal, else as JSON."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self._writer = Writer(self._write, clock, "eventflow-log")
        self._log = _logger(self._put, is_terminal=stream.isatty())

    async def __aenter__(self) -> Self:
        await self._writer.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._writer.__aexit__(kind, error, trace)

    def say(self, level: str, event: str, **values: object) -> None:
        """Write a line, now."""
        self._tell(self._clock.now(), level, event, **values)

    def committed(self, records: Sequence[Record]) -> None:
        for record in records:
            self._note(record.fact, record.at)

    def troubled(self, place: str, error: BaseException) -> None:
        told = failure(error)
        said = f"{told.type}: {told.message}" if told.message else told.type
        traceback = None if isinstance(error, EventflowError) else told.traceback  # ours say all there is to know in their words
        self.say("warning", "trouble", where=place, error=said, line=told.where, exception=traceback)

    def _tell(self, at: int, level: str, event: str, **values: object) -> None:
        told = {name: value for name, value in values.items() if value is not None}
        self._log.log(_LEVELS[level], event, at=datetime.fromtimestamp(at / SECOND, UTC).isoformat(timespec="milliseconds"), **told)

    def _put(self, line: str) -> None:
        if self._writer.waiting < MOST_WAITING:
            self._writer.put(line)

    def _write(self, lines: list[str]) -> None:
        with suppress(OSError, ValueError):  # nobody reads any more: that is no reason to stop working
            self._stream.write("".join(f"{line}\n" for line in lines))
            self._stream.flush()

    @singledispatchmethod
    def _note(self, fact: Fact, at: int) -> None:
        """Most facts are the journal's business alone."""

    @_note.register
    def _(self, fact: facts.RunSubmitted, at: int) -> None:
        self._tell(at, "info", "run submitted", run=fact.run, pipeline=fact.pipeline, trigger=fact.trigger)

    @_note.register
    def _(self, fact: facts.RunStarted, at: int) -> None:
        self._tell(at, "info", "run started", run=fact.run)

    @_note.register
    def _(self, fact: facts.RunSucceeded, at: int) -> None:
        self._tell(at, "info", "run succeeded", run=fact.run)

    @_note.register
    def _(self, fact: facts.RunFailed, at: int) -> None:
        self._tell(at, "error", "run failed", run=fact.run, node=fact.node, error=str(fact.failure))

    @_note.register
    def _(self, fact: facts.RunCancelled, at: int) -> None:
        self._tell(at, "info", "run cancelled", run=fact.run, reason=fact.reason)

    @_note.register
    def _(self, fact: facts.RunSuspended, at: int) -> None:
        self._tell(at, "info", "run suspended", run=fact.run, waiting=fact.waiting)

    @_note.register
    def _(self, fact: facts.RunWoken, at: int) -> None:
        self._tell(at, "info", "run woken", run=fact.run)

    @_note.register
    def _(self, fact: facts.RunPaused, at: int) -> None:
        self._tell(at, "info", "run paused", run=fact.run)

    @_note.register
    def _(self, fact: facts.RunUnpaused, at: int) -> None:
        self._tell(at, "info", "run unpaused", run=fact.run)

    @_note.register
    def _(self, fact: facts.PipelinePaused, at: int) -> None:
        self._tell(at, "warning", "pipeline paused", pipeline=fact.pipeline, reason=fact.reason)

    @_note.register
    def _(self, fact: facts.PipelineUnpaused, at: int) -> None:
        self._tell(at, "info", "pipeline unpaused", pipeline=fact.pipeline)

    @_note.register
    def _(self, fact: facts.RunHeld, at: int) -> None:
        self._tell(at, "warning", "run held", run=fact.run, reason=fact.reason)

    @_note.register
    def _(self, fact: facts.AttemptFailed, at: int) -> None:
        self._tell(at, "warning", "attempt failed", run=fact.run, node=fact.node, attempt=fact.attempt, error=str(fact.failure))

    @_note.register
    def _(self, fact: facts.AttemptLost, at: int) -> None:
        self._tell(at, "warning", "attempt lost", run=fact.run, node=fact.node, attempt=fact.attempt, reason=fact.reason)

    @_note.register
    def _(self, fact: facts.NodeFailed, at: int) -> None:
        if fact.failure is not None:  # else the failure of its last attempt has been told
            self._tell(at, "warning", "node failed", run=fact.run, node=fact.node, reason=fact.reason, error=str(fact.failure))

    @_note.register
    def _(self, fact: facts.NodeFellBack, at: int) -> None:
        error = None if fact.failure is None else str(fact.failure)
        self._tell(at, "warning", "node fell back", run=fact.run, node=fact.node, error=error)

    @_note.register
    def _(self, fact: facts.DecisionMade, at: int) -> None:
        level = "warning" if fact.outcome == states.REFUSED else "info"
        self._tell(at, level, f"event {fact.outcome}", trigger=fact.trigger, event_id=fact.event, run=fact.run, reason=fact.reason)

    @_note.register
    def _(self, fact: facts.SensorChanged, at: int) -> None:
        level = "info" if fact.state == states.HEALTHY else "warning"
        self._tell(at, level, f"sensor {fact.state}", sensor=fact.sensor, reason=fact.reason)


_LEVELS = {"info": 20, "warning": 30, "error": 40}


class _Sink:
    """What structlog takes for a logger: its last processor's text goes to a function."""

    def __init__(self, put: Callable[[str], None]) -> None:
        self.info = self.warning = self.error = put


def _logger(put: Callable[[str], None], *, is_terminal: bool) -> FilteringBoundLogger:
    """Give a logger of our own, which what the user's code configures doesn't touch."""
    pretty = structlog.dev.ConsoleRenderer(timestamp_key="at", exception_formatter=structlog.dev.plain_traceback)
    render: Processor = pretty if is_terminal else structlog.processors.JSONRenderer()
    processors: list[Processor] = [structlog.processors.add_log_level, *([_escaped] if is_terminal else []), render]
    logger: Any = structlog.wrap_logger(
        _Sink(put),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        context_class=dict,
        cache_logger_on_first_use=False,
    )
    return logger


def _escaped(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {name: _escape(name, value) if isinstance(value, str) else value for name, value in event.items()}


def _escape(name: str, value: str) -> str:
    return escapes.block(value) if name == "exception" else escapes.line(value)
