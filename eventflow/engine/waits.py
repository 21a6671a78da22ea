"""All open waits of an engine: for events, answers, instants and the ends of other runs. Each is a row, and an entry in a dict here.

A wait ends once, by a durable fact; its run is told afterwards, and woken where it was suspended. What comes while nobody looks, as
between a crash and the next start, is found by looking back: events are durable, and so are the ends of runs.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

import msgspec
from anyio.abc import TaskGroup
from msgspec import UNSET

from eventflow import codec, facts, ids, states
from eventflow.definition.bodies import WaitBody
from eventflow.definition.graph import path_of
from eventflow.durations import SECOND
from eventflow.engine import wanted as wants
from eventflow.engine.catalogue import Catalogue
from eventflow.engine.failures import failure
from eventflow.engine.listening import Listening
from eventflow.engine.openruns import OpenRuns
from eventflow.engine.outcome import Outcome
from eventflow.engine.steps import accepted
from eventflow.engine.values import Values
from eventflow.engine.wanted import AnswerWanted, ChildWanted, EventWanted, OpenWait, TimeWanted, unknown_fields
from eventflow.errors import InvalidRequest, JournalDamaged, NotFound
from eventflow.events import Event
from eventflow.facts import Failure, Inline
from eventflow.ports import Ports
from eventflow.projections import NodeRow, RunRow, WaitRow

LONGEST_REST = 3600.0
"""Seconds after which a wait with an end looks at the clock again, which may have been set meanwhile."""


class Waiting(msgspec.Struct, frozen=True):
    """An open wait, as people see it. Instants are microseconds UTC; `form` is a JSON Schema, `shown` what they are to see, plain data."""

    run: str
    pipeline: str
    node: str
    kind: str
    since: int
    due: int | None
    question: str | None = None
    who: tuple[str, ...] = ()
    form: object = None
    shown: object = None


class Waits:
    """Knows every open wait, and ends it when its time has come. It works between `begin` and the engine's end."""

    def __init__(self, ports: Ports, values: Values, catalogue: Catalogue, runs: OpenRuns) -> None:
        self._ports = ports
        self._values = values
        self._catalogue = catalogue
        self._runs = runs
        self._open: dict[str, dict[str, OpenWait]] = {}
        self._listening = Listening(ports.journal, self._take)
        self._parents: dict[str, list[OpenWait]] = {}
        self._tasks: TaskGroup | None = None

    def begin(self, tasks: TaskGroup) -> None:
        """Work from here on; `tasks` owns what ends waits."""
        self._tasks = tasks

    async def recover(self) -> None:
        """Take up the waits that an earlier process left, and end those whose time came meanwhile."""
        journal = self._ports.journal
        rows = await journal.select(WaitRow, order="seq")
        found = await journal.facts([row.seq for row in rows])
        for row in rows:
            opened, fact = self._runs.find(row.run), found.get(row.seq)
            is_known = row.node in self._open.get(row.run, ())  # its run goes on already
            if opened is not None and isinstance(fact, facts.NodeSuspended) and not is_known:
                self.add(OpenWait(row.run, opened.pipeline, row.node, wants.decode(fact.wanted), row.since, row.due))

    def count(self, run: str) -> int:
        """Give how many waits of a run are open."""
        return len(self._open.get(run, ()))

    def waits_for(self, run: str, other: str) -> bool:
        """Tell whether a run waits for another one's end, or for one that does."""
        left, seen = [run], {run}
        while left:
            waits = self._open.get(left.pop(), {}).values()
            wanted = {wait.wanted.run for wait in waits if isinstance(wait.wanted, ChildWanted)}
            if other in wanted:
                return True
            left += wanted - seen
            seen |= wanted
        return False

    def add(self, wait: OpenWait) -> None:
        """Take a wait that has just become durable."""
        self._open.setdefault(wait.run, {})[wait.node] = wait
        if isinstance(wait.wanted, EventWanted):
            self._listening.add(wait, wait.wanted)
            self._spawn(self._look_back, wait, wait.wanted)
            return
        self._set_timer(wait)
        if isinstance(wait.wanted, ChildWanted):
            self._parents.setdefault(wait.wanted.run, []).append(wait)
            if self._runs.find(wait.wanted.run) is None:
                self._spawn(self._end_with_child, wait, wait.wanted.run)

    def drop(self, run: str, node: str) -> None:
        """Forget a wait that has ended."""
        wait = self._open.get(run, {}).pop(node, None)
        if wait is not None:
            self._let_go(wait)
            if not self._open[run]:
                del self._open[run]

    def forget(self, run: str) -> None:
        """Forget all waits of a run."""
        for node in tuple(self._open.get(run, ())):
            self.drop(run, node)

    def stop(self) -> None:
        """End no more waits."""
        self._tasks = None
        for waits in self._open.values():
            for wait in waits.values():
                if wait.timer is not None:
                    wait.timer.cancel()

    # What ends waits

    def happened(self, events: Sequence[facts.EventRecorded]) -> None:
        """Have waits end with events that have just become durable."""
        self._listening.happened(events)

    def waiting(self) -> list[Waiting]:
        """Give all open waits, the oldest first."""
        waits = [wait for waits in self._open.values() for wait in waits.values()]
        return [_shown(wait) for wait in sorted(waits, key=lambda wait: (wait.since, wait.run, wait.node))]

    async def answer(self, run: str, node: str, answer: object, by: str | None) -> None:
        """End a wait with a person's answer, durably. Raises `NotFound`, and `InvalidRequest` where the answer can't be taken."""
        wait = self._open.get(run, {}).get(node)
        if wait is None or not isinstance(wait.wanted, AnswerWanted):
            raise await self._unanswerable(run, node)
        if wait.wanted.who and by not in wait.wanted.who:
            raise InvalidRequest(f"{by or 'nobody in particular'} may not answer this: {', '.join(wait.wanted.who)} may")
        result = await self._values.keep(self._values.snapshot(*self._formed(wait, answer)))
        if not await self._end(wait, Outcome(states.SUCCEEDED, node, result), facts.NodeAnswered(run, node, result, by)):
            raise await self._unanswerable(run, node)

    def _take(self, wait: OpenWait, event: facts.EventRecorded) -> None:
        self._spawn(self._end_with_event, wait, event)

    async def _end_with_event(self, wait: OpenWait, event: facts.EventRecorded) -> None:
        data: Event[Any] = Event(id=event.id, source=event.source, type=event.type, data=event.data, time=event.time, subject=event.subject)
        try:
            result = await self._values.keep(self._values.data(data))
        except OSError as error:
            await self._fail(wait, states.RESULT, failure(error))
            return
        answered = facts.NodeAnswered(wait.run, wait.node, result, event.event)
        if not await self._end(wait, Outcome(states.SUCCEEDED, wait.node, result), answered):
            self._listening.give_back(wait.run, event)

    async def _look_back(self, wait: OpenWait, wanted: EventWanted) -> None:
        await self._listening.look_back(wait, wanted)
        # Not before: of an event that came in time and a deadline that has passed since, the event counts.
        self._set_timer(wait)

    def hear_end(self, run: str) -> None:
        """Forget the waits of a run that has ended, and end those for its end."""
        self.forget(run)
        self._listening.forget(run)
        for wait in self._parents.get(run, ()):
            self._spawn(self._end_with_child, wait, run)

    async def _end_with_child(self, wait: OpenWait, child: str) -> None:
        rows = await self._ports.journal.select(RunRow, run=child)
        if not rows:
            waits = f"{wait.node} of run {wait.run} waits for run {child}"
            raise JournalDamaged(f"the journal says that {waits}, which it doesn't hold: run `eventflow journal verify`")
        seq = rows[0].result_seq
        ending = None if seq is None else (await self._ports.journal.facts([seq])).get(seq)
        if isinstance(ending, facts.RunSucceeded):
            answered = facts.NodeAnswered(wait.run, wait.node, ending.result, child)
            await self._end(wait, Outcome(states.SUCCEEDED, wait.node, ending.result), answered)
            return
        said = str(ending.failure) if isinstance(ending, facts.RunFailed) else "it was cancelled"
        await self._fail(wait, states.CHILD, Failure("ChildFailed", f"run {ids.short(child)}: {said}"))

    def _set_timer(self, wait: OpenWait) -> None:
        if wait.due is None or wait.taken or self._tasks is None:
            return
        left = (wait.due - self._ports.clock.now()) / SECOND
        wait.timer = self._ports.clock.call_later(min(max(left, 0.0), LONGEST_REST), partial(self._hear_clock, wait))

    def _hear_clock(self, wait: OpenWait) -> None:
        if (wait.due or 0) > self._ports.clock.now():
            self._set_timer(wait)
        elif not wait.taken:
            wait.taken = True
            self._spawn(self._expire, wait)

    async def _expire(self, wait: OpenWait) -> None:
        default = wait.wanted.default
        if default is UNSET and not isinstance(wait.wanted, TimeWanted):
            await self._fail(wait, states.DEADLINE, failure(TimeoutError(f"what {wait.node} waits for didn't come in time")))
            return
        result = Inline(msgspec.Raw(codec.canonical(None if default is UNSET else default)))
        answered = facts.NodeAnswered(wait.run, wait.node, result, timed_out=True)
        await self._end(wait, Outcome(states.SUCCEEDED, wait.node, result), answered)

    # How a wait ends

    async def _fail(self, wait: OpenWait, reason: str, what: Failure) -> None:
        failed = facts.NodeFailed(wait.run, wait.node, reason, what)
        await self._end(wait, Outcome(states.FAILED, wait.node, failure=what), failed)

    async def _end(self, wait: OpenWait, outcome: Outcome, happened: facts.NodeAnswered | facts.NodeFailed) -> bool:
        """Record the end of a wait and tell its run, unless it has ended otherwise."""
        self._ports.instrument.reached("engine.wait.before")
        if not await accepted(self._ports, happened):
            return False
        self._ports.instrument.reached("engine.wait.after")
        self.drop(wait.run, wait.node)
        self._runs.tell(wait.run, wait.node, outcome)
        return True

    def _let_go(self, wait: OpenWait) -> None:
        wait.taken = True
        if wait.timer is not None:
            wait.timer.cancel()
        if isinstance(wait.wanted, EventWanted):
            self._listening.drop(wait, wait.wanted)
        elif isinstance(wait.wanted, ChildWanted):
            left = [one for one in self._parents.pop(wait.wanted.run, ()) if one is not wait]
            if left:
                self._parents[wait.wanted.run] = left

    def _formed(self, wait: OpenWait, answer: object) -> tuple[object, object]:
        definition = self._catalogue.definition(wait.pipeline)
        body = None if definition is None else definition.bodies.get(path_of(wait.node))
        if not isinstance(body, WaitBody):
            raise InvalidRequest(f"{wait.node} can't be answered: its pipeline is no longer in the code")
        if isinstance(wait.wanted, AnswerWanted) and (unknown := unknown_fields(answer, wait.wanted.form)):
            raise InvalidRequest(f"the answer doesn't fit its form: it has no field {', '.join(map(repr, unknown))}")
        try:
            return codec.decode(codec.canonical(answer), body.result), body.result
        except Exception as error:  # the form may be a class of the user's own, whose `__post_init__` raises what it likes
            raise InvalidRequest(f"the answer doesn't fit its form: {error}") from error

    async def _unanswerable(self, run: str, node: str) -> NotFound | InvalidRequest:
        rows = await self._ports.journal.select(NodeRow, run=run, node=node)
        named = f"{ids.short(run)}/{node}"
        if not rows:
            return NotFound(f"nothing is asked at {named}")
        row, seq = rows[0], rows[0].result_seq
        ending = None if seq is None else (await self._ports.journal.facts([seq])).get(seq)
        if isinstance(ending, facts.NodeAnswered):
            by = "its deadline" if ending.timed_out else ending.by
            return InvalidRequest(f"{named} has been answered already" + (f", by {by}" if by else ""))
        if row.state == states.SUSPENDED and row.reason == states.ANSWER:
            return InvalidRequest(f"{named} can't be answered at this very moment: it is about to end, or to be asked; look again")
        return InvalidRequest(f"{named} is {row.state}: it doesn't wait for an answer")

    def _spawn(self, function: Callable[..., Coroutine[Any, Any, None]], *args: object) -> None:
        if self._tasks is not None:
            self._tasks.start_soon(function, *args)


def _shown(wait: OpenWait) -> Waiting:
    kind = str(wait.wanted.__struct_config__.tag)
    plain = Waiting(wait.run, wait.pipeline, wait.node, kind, wait.since, wait.due)
    if not isinstance(wait.wanted, AnswerWanted):
        return plain
    asked = wait.wanted
    return msgspec.structs.replace(
        plain, question=asked.question, who=asked.who, form=asked.form, shown=None if asked.shown is UNSET else asked.shown
    )
