"""What came of the files that have fired: whether all runs that a file's event fired have ended, and how."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from eventflow import states
from eventflow.ports import Above, JournalView
from eventflow.projections import DecisionRow, RunRow, SeenRow
from eventflow.sensors.portions import PORTION, portions

_OUTCOMES = frozenset({states.FIRED, states.FILTERED, states.REFUSED})


@dataclass(frozen=True, slots=True)
class Verdict:
    """How it ended: the event's id in the journal, the versions that were given for it, and whether all went well."""

    event: str
    versions: Sequence[str]
    succeeded: bool


@dataclass(slots=True)
class _Pending:
    versions: Sequence[str]
    runs: set[str]
    failed: bool


class Verdicts:
    """The files whose runs haven't all ended.

    All runs succeeded: that is a success. A run that failed or was cancelled, and an event that a trigger refused, is a failure. There is
    no verdict on an event that fired nothing: it was filtered, or no trigger asked for it, or somebody's wait took it.
    """

    def __init__(self, journal: JournalView, source: str) -> None:
        self._journal = journal
        self._source = source
        self._fresh: dict[str, Sequence[str]] = {}
        self._pending: dict[str, _Pending] = {}
        self._event_of: dict[str, str] = {}
        self._after = journal.seq

    def add(self, versions: Mapping[str, Sequence[str]]) -> None:
        """Follow the events of these identities, each given with the versions of files that may be the one that fired."""
        self._fresh.update(versions)

    @property
    def waits(self) -> bool:
        """Whether there is anything to follow."""
        return bool(self._fresh or self._pending)

    async def look(self) -> list[Verdict]:
        """Give the verdicts that are known by now, each once."""
        # In this order: a run that ends meanwhile is found by one of them.
        given = await self._ended()
        while self._fresh:
            portion = dict(islice(self._fresh.items(), PORTION))
            given += await self._follow(portion)
            for identity in portion:
                self._fresh.pop(identity, None)
        return given

    async def _ended(self) -> list[Verdict]:
        given: list[Verdict] = []
        while rows := await self._journal.select(RunRow, order="result_seq", limit=PORTION, result_seq=Above(self._after)):
            self._after = rows[-1].result_seq or self._after
            given += self._note(row for row in rows if row.run in self._event_of)
        return given

    async def _follow(self, versions: Mapping[str, Sequence[str]]) -> list[Verdict]:
        seen = await self._journal.select(SeenRow, source=self._source, id=tuple(versions))
        of_event = {row.event: versions[row.id] for row in seen if row.event is not None}
        decisions: dict[str, list[DecisionRow]] = {}
        for decision in await self._journal.select(DecisionRow, event=tuple(of_event)) if of_event else ():
            decisions.setdefault(decision.event, []).append(decision)
        given: list[Verdict] = []
        for event, made in decisions.items():
            given += self._open(event, of_event[event], made)
        runs = tuple(run for event in decisions if event in self._pending for run in self._pending[event].runs)
        for some in portions(runs):
            rows = await self._journal.select(RunRow, run=tuple(some))
            given += self._note(row for row in rows if row.state in states.ENDED_RUN)
        return given

    def _open(self, event: str, versions: Sequence[str], decisions: Sequence[DecisionRow]) -> list[Verdict]:
        outcomes = {decision.outcome for decision in decisions}
        if not outcomes <= _OUTCOMES:
            return []  # it isn't decided yet
        runs = {decision.run for decision in decisions if decision.run is not None}
        failed = states.REFUSED in outcomes
        if not runs:
            return [Verdict(event, versions, succeeded=False)] if failed else []
        self._pending[event] = _Pending(versions, runs, failed)
        self._event_of.update(dict.fromkeys(runs, event))
        return []

    def _note(self, ended: Iterable[RunRow]) -> list[Verdict]:
        given: list[Verdict] = []
        for run in ended:
            event = self._event_of.pop(run.run, None)
            if event is None:
                continue
            pending = self._pending[event]
            pending.runs.discard(run.run)
            pending.failed |= run.state != states.SUCCEEDED
            if not pending.runs:
                del self._pending[event]
                given.append(Verdict(event, pending.versions, succeeded=not pending.failed))
        return given
