"""The run sensor: the runs of a pipeline as events, when they end or when they take too long. This is how pipelines chain."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Literal, Protocol, cast

import msgspec

from eventflow import facts, states
from eventflow.definition.pipelines import Pipeline
from eventflow.definition.places import naming_the_line, user_place
from eventflow.durations import SECOND, Duration
from eventflow.events import Event, Observation
from eventflow.facts import Fact, Inline
from eventflow.ids import misnamed
from eventflow.ports import Above, Below, Hint, JournalView, References, Seen, World
from eventflow.projections import RunRow
from eventflow.sensors.options import choice, length, name_of
from eventflow.sensors.waiting import News, news_or

__all__ = ["RunEnded", "RunSensor"]

On = Literal["succeeded", "failed", "cancelled", "ended", "late"]
Pipelines = str | Pipeline[..., Any]

_PAGE = 200
"""Runs that are looked at in one go, and at most told in one observation, with their arguments and results."""

_HEARTBEAT = 60.0
_SHORTEST_REST = 0.05
_REST = 3
"""The sensor rests three times as long as it looked, so that thousands of commits a second don't mean as many looks."""


class RunEnded(msgspec.Struct, frozen=True):
    """A run that has ended, or that is late. Instants are microseconds UTC.

    `arguments` and `result` are as they stand in JSON, paths as text; a `result` that is too large or too rich to stand in the journal
    itself is None. `error` says why the run failed or was cancelled, `node` which node failed first. `event` and `trigger` are those
    that began it, if any did. Of a late run, `state` and `ended_at` say how it stood when it was found late.
    """

    run: str
    pipeline: str
    state: str
    arguments: dict[str, Any]
    result: Any
    error: str | None
    node: str | None
    created_at: int
    ended_at: int | None
    event: str | None
    trigger: str | None


class RunSensor:
    """Fires once for each run of some pipelines that comes to an end, or that takes too long.

        retrained = RunSensor("retrained", of=retrain, on="succeeded")
        publish_it = Trigger("publish-it", on=retrained, run=publish, params=lambda event: {"version": event.data.result["version"]})

    `of` is a pipeline, the name of one, or several of these. With `on="ended"` every end counts, also a cancel. With `on="late"` a run
    fires that is still open when `deadline` has passed since it was submitted: once, while it is open, or afterwards if nobody looked.
    What happened before the sensor looked for the first time ever fires nothing; from then on no run is missed over any crash.

    Raises `DefinitionError`, which names the line, for what can't be meant.
    """

    interval = 3 * _HEARTBEAT
    """The longest time, in seconds, between two observations of a healthy sensor."""

    def __init__(self, name: str, of: Pipelines | Collection[Pipelines], *, on: On = "succeeded", deadline: Duration | None = None) -> None:
        self.place = user_place()
        with naming_the_line():
            self.name = name_of(name)
            self.pipelines = _names(of)
            self.on = choice("on", on, On)
            self._deadline = _deadline(self.on, deadline)

    def __repr__(self) -> str:
        return f"<RunSensor {self.name!r}: {', '.join(sorted(self.pipelines))} {self.on}>"

    def in_words(self, cursor: object) -> str:
        """Say what a cursor of this sensor means."""
        upto = self._upto(cursor)
        happened = "was submitted" if self.on == "late" else "ended"
        return "has not looked yet" if upto is None else f"knows every run that {happened} up to fact {upto}"

    @property
    def refers_to(self) -> References:
        """The pipelines that it was given: loading a project tells of one that isn't there."""
        return References(pipelines=self.pipelines)

    async def check(self, world: World) -> None:
        """Return where the journal, which is all that it looks at, can be read. Its pipelines are checked when the project is loaded."""
        await world.journal.select(RunRow, limit=1)

    async def observe(self, cursor: object, seen: Seen, world: World) -> AsyncGenerator[Observation[RunEnded], None]:  # noqa: ARG002 - the port has it
        """Yield each run as it ends or gets late, for ever, and a heartbeat each minute."""
        clock, looks = world.clock, self._looks(world)
        upto = self._upto(cursor)
        told = clock.monotonic() - _HEARTBEAT
        if upto is None:
            upto = await looks.begin()
        while True:
            begun = clock.monotonic()
            found = await looks.look(upto)
            upto = found.upto
            if found.rows or clock.monotonic() >= told + _HEARTBEAT:
                events = await self._events(found.rows, world)
                # What lies behind the cursor can't come again: its identities need not be kept for ever.
                yield Observation(events=events, cursor={self._key: upto}, forget=tuple(event.id for event in events))
                told = clock.monotonic()
            if not found.more:
                await clock.sleep(max(_SHORTEST_REST, _REST * (clock.monotonic() - begun)))
                await news_or(min(told + _HEARTBEAT - clock.monotonic(), found.rest), found.news, clock)

    def _looks(self, world: World) -> _Looks:
        if self._deadline is not None:
            return _Late(self.pipelines, self._deadline, world)
        wanted = states.ENDED_RUN if self.on == "ended" else frozenset({self.on})
        return _Ended(self.pipelines, wanted, world.journal)

    @property
    def _key(self) -> str:
        return "submitted" if self.on == "late" else "ended"

    def _upto(self, cursor: object) -> int | None:
        upto = cast("dict[str, object]", cursor).get(self._key) if isinstance(cursor, dict) else None
        return upto if isinstance(upto, int) else None

    async def _events(self, rows: Sequence[RunRow], world: World) -> tuple[Event[RunEnded], ...]:
        known = await world.journal.facts([seq for row in rows for seq in (row.seq, row.result_seq) if seq is not None])
        return tuple(self._event(row, known.get(row.seq), known.get(row.result_seq or 0), world) for row in rows)

    def _event(self, row: RunRow, submitted: Fact | None, ended: Fact | None, world: World) -> Event[RunEnded]:
        late = self.on == "late"
        data = RunEnded(
            run=row.run,
            pipeline=row.pipeline,
            state=row.state,
            arguments=_plain(submitted.arguments) if isinstance(submitted, facts.RunSubmitted) else {},
            result=_result(ended),
            error=_error(row, ended),
            node=ended.node if isinstance(ended, facts.RunFailed) else None,
            created_at=row.created_at,
            ended_at=row.ended_at,
            event=row.event,
            trigger=row.trigger,
        )
        kind, time = ("run.late", row.created_at + round((self._deadline or 0) * SECOND)) if late else (f"run.{row.state}", row.ended_at)
        return world.event(f"{row.run}.late" if late else row.run, data, type=kind, subject=row.run, time=time)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a look found: runs to tell of, up to which fact all are judged, whether there are more, else how long to rest but for news."""

    rows: Sequence[RunRow]
    upto: int
    more: bool
    rest: float
    news: Hint


class _Looks(Protocol):
    async def begin(self) -> int:
        """Give the fact from which on the sensor counts, where it looks for the first time ever."""
        ...

    async def look(self, after: int) -> _Found:
        """Look at the runs behind a fact."""
        ...


class _Ended:
    """Runs in the order of the facts that ended them."""

    def __init__(self, pipelines: frozenset[str], wanted: frozenset[str], journal: JournalView) -> None:
        self._pipelines = pipelines
        self._wanted = wanted
        self._journal = journal

    async def begin(self) -> int:
        return self._journal.seq

    async def look(self, after: int) -> _Found:
        news = _Facts(self._journal)
        rows = await self._journal.select(RunRow, order="result_seq", limit=_PAGE, result_seq=Above(after))
        mine = [row for row in rows if row.pipeline in self._pipelines and row.state in self._wanted]
        return _Found(mine, (rows[-1].result_seq or 0) if rows else after, len(rows) == _PAGE, _HEARTBEAT, news)


class _Late:
    """Runs in the order in which they were submitted: each is judged when its deadline has come."""

    def __init__(self, pipelines: frozenset[str], deadline: float, world: World) -> None:
        self._pipelines = pipelines
        self._deadline = round(deadline * SECOND)
        self._journal = world.journal
        self._clock = world.clock

    async def begin(self) -> int:
        before = self._journal.seq + 1
        since = self._clock.now() - self._deadline
        while rows := await self._journal.select(RunRow, order="seq", descending=True, limit=_PAGE, seq=Below(before)):
            open_still = list(takewhile(lambda row: row.created_at > since, rows))
            before = open_still[-1].seq if open_still else before
            if len(open_still) < len(rows):
                break
        return before - 1

    async def look(self, after: int) -> _Found:
        now = self._clock.now()
        rows = await self._journal.select(RunRow, order="seq", limit=_PAGE, seq=Above(after))
        due = list(takewhile(lambda row: row.pipeline not in self._pipelines or row.created_at + self._deadline <= now, rows))
        late = [row for row in due if row.pipeline in self._pipelines and self._overran(row, now)]
        # Nothing that is submitted from now on can be late before the whole deadline has passed.
        next_due = rows[len(due)].created_at + self._deadline if len(due) < len(rows) else now + self._deadline
        return _Found(late, due[-1].seq if due else after, len(due) == _PAGE, (next_due - now) / SECOND, News())

    def _overran(self, row: RunRow, now: int) -> bool:
        return (now if row.ended_at is None else row.ended_at) >= row.created_at + self._deadline


class _Facts:
    """The `Hint` that there is a new fact, whatever it says."""

    def __init__(self, journal: JournalView) -> None:
        self._journal = journal
        self._seen = journal.seq

    async def wait(self) -> None:
        await self._journal.changed(self._seen)


def _plain(raw: msgspec.Raw) -> Any:
    """Give a value as it stands in JSON, with paths as plain text: a pipeline takes them so, and people read them so."""
    return _untagged(msgspec.json.decode(raw))


def _untagged(value: object) -> Any:
    if isinstance(value, dict):
        items = cast("dict[str, object]", value)
        path = items.get("$path") if len(items) == 1 else None
        return path if isinstance(path, str) else {key: _untagged(item) for key, item in items.items()}
    return [_untagged(item) for item in cast("list[object]", value)] if isinstance(value, list) else value


def _result(ended: Fact | None) -> Any:
    match ended:
        case facts.RunSucceeded(result=Inline(json=json)):
            return _plain(json)
        case _:
            return None


def _error(row: RunRow, ended: Fact | None) -> str | None:
    if isinstance(ended, facts.RunFailed):
        return str(ended.failure)
    return row.reason if row.state == states.CANCELLED else None


def _names(of: Pipelines | Collection[Pipelines]) -> frozenset[str]:
    written = of if isinstance(of, list | tuple | set | frozenset) else [of]
    names = [one.name if isinstance(one, Pipeline) else one for one in cast("Collection[str | Pipeline[..., Any]]", written)]
    for name in names:
        if mistake := misnamed(name, "pipeline"):
            raise ValueError(f"of={of!r}: {mistake}")
    if not names:
        raise ValueError("of=[] is no pipeline: give at least one, or its name")
    return frozenset(names)


def _deadline(on: str, deadline: Duration | None) -> float | None:
    if (on == "late") != (deadline is not None):
        instead = 'give one, as in deadline="2h"' if on == "late" else 'say on="late" as well, or leave it out'
        raise ValueError(f"on={on!r} {'needs' if on == 'late' else 'has no use for'} a deadline: {instead}")
    return None if deadline is None else length("deadline", deadline, least="1s")
