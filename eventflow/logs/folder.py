"""The logs of all attempts, as one folder with a file for each run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from eventflow import facts, ids
from eventflow.errors import NotFound
from eventflow.facts import Fact, Record
from eventflow.logs import files
from eventflow.logs.attempts import Attempts
from eventflow.logs.files import Page
from eventflow.logs.limits import LogLimits
from eventflow.logs.lines import Attempt, Line, encode
from eventflow.logs.writer import Writer
from eventflow.ports import Clock, Instrument
from eventflow.threads import in_thread

_ENDINGS = (facts.AttemptSucceeded, facts.AttemptFailed, facts.AttemptSkipped, facts.AttemptLost, facts.AttemptCancelled)


class LogFolder(Instrument):
    """Keeps what attempts print and log. Writing needs `async with`; reading doesn't.

    It is an instrument, to hear when attempts end. A disk that takes no logs never harms the engine: what it would not take is left out,
    the log says how much, and `instrument` is told.
    """

    def __init__(self, folder: Path, clock: Clock, limits: LogLimits | None = None, instrument: Instrument | None = None) -> None:
        self._folder = folder
        self._clock = clock
        self._instrument = instrument or Instrument()
        self._writer = Writer(self._write, clock, "eventflow-logs")
        self._attempts = Attempts(lambda attempt, raw: self._writer.put((attempt, raw)), clock.now, limits or LogLimits())
        self._missing: dict[Attempt, int] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        await self._stack.enter_async_context(self._writer)
        self._stack.callback(self._attempts.end_all)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stack.aclose()

    def say(self, attempt: Attempt, level: str, source: str, text: str) -> None:
        """Keep a text that an attempt logged. Never blocks, never raises."""
        self._attempts.say(attempt, level, source, text)

    def stream(self, attempt: Attempt, source: str, text: str) -> None:
        """Keep what an attempt wrote to a stream: a line is kept once it is ended. Never blocks, never raises."""
        self._attempts.stream(attempt, source, text)

    async def read(self, run: str, node: str | None = None, attempt: int | None = None, *, after: int = 0, limit: int = 1000) -> Page:
        """Give up to `limit` lines of a run's log, or of one node or attempt, behind `after`, which is 0 or that of the page before.

        A page with `more` may hold no lines: then none of those looked through were asked for. Raises `NotFound` for what is no run's id.
        """
        path = self._path(run)
        return await in_thread(files.page, path, node, attempt, after, limit)

    def committed(self, records: Sequence[Record]) -> None:
        for record in records:
            fact: Fact = record.fact
            if isinstance(fact, _ENDINGS):
                self._attempts.end(Attempt(fact.run, fact.node, fact.attempt))

    def _path(self, run: str) -> Path:
        if not ids.is_id(run):
            raise NotFound(f"there is no run {run!r}")
        return self._folder / f"{run}.jsonl"

    # In the writer's thread

    def _write(self, batch: list[tuple[Attempt, bytes]]) -> None:
        runs: dict[str, list[tuple[Attempt, bytes]]] = {}
        for attempt, raw in batch:
            runs.setdefault(attempt.run, []).append((attempt, raw))
        for run, lines in runs.items():
            apologies = [(attempt, self._apology(attempt)) for attempt in [*self._missing] if attempt.run == run]
            try:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                files.append(self._path(run), b"".join(raw for _, raw in (*apologies, *lines)))
            except OSError as error:
                self._miss(lines, error)
            else:
                for attempt, _ in apologies:
                    del self._missing[attempt]

    def _apology(self, attempt: Attempt) -> bytes:
        said = f"lines missing here, because they could not be written: {self._missing[attempt]}"
        return encode(Line(self._clock.now(), attempt.node, attempt.attempt, "warning", "eventflow", said))

    def _miss(self, lines: list[tuple[Attempt, bytes]], error: OSError) -> None:
        if not self._missing:
            self._tell(error)
        for attempt, _ in lines:
            self._missing[attempt] = self._missing.get(attempt, 0) + 1

    def _tell(self, error: OSError) -> None:
        try:
            self._loop.call_soon_threadsafe(self._instrument.troubled, "logs", error)
        except RuntimeError:
            # The loop has ended: nobody is left to tell.
            return
