"""Made-up histories: units that are legal one after the other, and, where asked for, some that must be refused."""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec

from eventflow import facts, states
from eventflow.facts import Fact, Failure, Inline, Stored, Unit, Value

RAW = msgspec.Raw(b'{"a":1}')
FAILURE = Failure("E", "m")


def unit(*of: Fact, at: int = 1_700_000_000_000_000) -> Unit:
    return Unit(at, of)


def submitted(run: str, key: str | None = None) -> facts.RunSubmitted:
    return facts.RunSubmitted(run=run, pipeline="etl", graph="g1", arguments=RAW, key=key)


def recorded(source: str, identity: str) -> facts.EventRecorded:
    return facts.EventRecorded(
        event=f"{source}/{identity}", source=source, id=identity, type="file.created", time=7, data=RAW, subject=None
    )


def succeeded(run: str, node: str, attempt: int = 1, result: bytes = b"1") -> facts.AttemptSucceeded:
    return facts.AttemptSucceeded(run, node, attempt, 5, Inline(msgspec.Raw(result)))


def a_run(run: str, *nodes: str) -> list[Unit]:
    """A whole run, one fact to a unit."""
    steps: list[Fact] = [submitted(run), facts.RunStarted(run)]
    for node in nodes:
        steps += [facts.AttemptStarted(run, node, 1), succeeded(run, node)]
    return [unit(step) for step in (*steps, facts.RunSucceeded(run, Inline(msgspec.Raw(b"null"))))]


class Chronicle:
    """Invents facts that are legal where the history stands, at random, from a few runs, nodes, pipelines and sources."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._runs: dict[str, str] = {}
        self._to_cancel: set[str] = set()
        self._paused: set[str] = set()
        self._unwanted: set[tuple[str, str]] = set()
        self._nodes: dict[tuple[str, str], tuple[str, int]] = {}
        self._seen: set[tuple[str, str]] = set()
        self._count = 0

    def units(self, count: int) -> Iterator[Unit]:
        at = 1_700_000_000_000_000
        for _ in range(count):
            at += self._chance.randrange(5)
            yield Unit(at, tuple(self._fact(at) for _ in range(self._chance.choice((1, 1, 2, 3)))))

    def _fact(self, at: int) -> Fact:
        kinds = (self._of_run, self._of_run, *(self._of_node,) * 4, self._of_event, self._of_event, self._of_sensor, self._of_pipeline)
        while True:
            fact = self._chance.choice(kinds)(at)
            if fact is not None:
                return fact

    def _of_run(self, at: int) -> Fact | None:
        if len(self._runs) < 3 or self._chance.random() < 0.2:
            return self._submitted()
        run = self._chance.choice(list(self._runs))
        legal = [fact for fact in self._about_run(run, at) if self._runs[run] in states.RUN[type(fact)].sources]
        if not legal:
            return None
        fact = self._chance.choice(legal)
        match fact:
            case facts.CancelRequested():
                self._to_cancel.add(run)
            case facts.RunPaused():
                self._paused.add(run)
            case facts.RunUnpaused():
                self._paused.remove(run)
            case _:
                pass
        self._runs[run] = states.apply(states.RUN, self._runs[run], fact)
        return fact

    def _submitted(self) -> Fact:
        run = f"run-{len(self._runs)}"
        more = self._chance.choice(
            ({}, {"key": run}, {"parent": "run-0", "parent_node": "n1", "key": run}, {"rerun_of": "run-0"}, {"concurrency_key": "k"})
        )
        self._runs[run] = states.QUEUED
        return msgspec.structs.replace(submitted(run), **more)

    def _about_run(self, run: str, at: int) -> Iterator[Fact]:
        """Every fact that could be told of a run, whatever its state."""
        yield facts.RunStarted(run)
        yield facts.RunSuspended(run, self._chance.randrange(1, 3), at % 1000)
        yield facts.RunWoken(run)
        yield facts.RunUnpaused(run) if run in self._paused else facts.RunPaused(run)
        yield facts.CancelRequested(run, self._chance.choice((None, "a newer run")))
        yield facts.RunCancelled(run, self._chance.choice((None, "a newer run")))
        yield facts.RunHeld(run, "the code changed")
        yield facts.RunReleased(run)
        yield facts.CodeChanged(run, "g2", ("n1",))
        if run not in self._to_cancel:  # a durable cancel stands
            yield facts.RunSucceeded(run, self._value())
            yield facts.RunFailed(run, FAILURE, self._chance.choice((None, "n1")))

    def _of_node(self, at: int) -> Fact | None:
        if not self._runs:
            return None
        run, node = self._chance.choice(list(self._runs)), self._chance.choice(("n1", "n2", "ñ[3]", "p[a].n1"))
        state, attempt = self._nodes.get((run, node), (states.PENDING, 0))
        about = self._of_attempt(run, node, attempt, at) if attempt else self._before_attempts(run, node, state, at)
        legal = [fact for fact in about if state in states.NODE[type(fact)].sources]
        if not legal:
            return None
        fact = self._chance.choice(legal)
        if isinstance(fact, facts.NodeCancelRequested):
            self._unwanted.add((run, node))
        tried = attempt + isinstance(fact, facts.AttemptStarted)
        self._nodes[run, node] = (states.apply(states.NODE, state, fact), tried)
        return fact

    def _of_attempt(self, run: str, node: str, attempt: int, at: int) -> Iterator[Fact]:
        """Every fact that could be told of a node that has had an attempt."""
        due, is_last_but_fallback = self._chance.choice((None, at)), self._chance.random() < 0.3
        yield self._started(run, node, attempt + 1, at)
        if (run, node) not in self._unwanted:  # a durable cancel stands
            yield facts.AttemptSucceeded(run, node, attempt, at, self._value())
        yield facts.AttemptFailed(run, node, attempt, at, "failed", FAILURE, due, fallback=is_last_but_fallback)
        yield facts.AttemptSkipped(run, node, attempt, at, "nothing to do")
        yield facts.AttemptLost(run, node, attempt, at, "crash", 1)
        yield facts.AttemptCancelled(run, node, attempt, at, "cancelled")
        yield facts.CheckpointSaved(run, node, attempt, self._chance.randrange(9), self._value())
        yield facts.NodeCancelRequested(run, node)
        if self._nodes[run, node][0] == states.RETRYING:
            yield facts.NodeFailed(run, node, "failed", self._chance.choice((None, FAILURE)))
            yield facts.NodeCancelled(run, node, attempt)
            if (run, node) not in self._unwanted:
                yield facts.NodeFellBack(run, node, self._value())

    def _before_attempts(self, run: str, node: str, state: str, at: int) -> Iterator[Fact]:
        """Every fact that could be told of a node that has had no attempt: a task that waits for its turn, a branch, a map or a wait."""
        begun = state != states.PENDING
        is_taken, due = self._chance.random() < 0.5, self._chance.choice((None, at + 9))
        if state != states.RUNNING:
            yield from [self._started(run, node, 1, at, queued=begun)] * 4
        yield facts.NodeQueued(run, node, due)
        yield facts.NodeFailed(run, node, "rule", FAILURE, begun=begun)
        yield facts.NodeSkipped(run, node, self._chance.choice((node, "when_n0")))
        yield facts.NodeUpstreamFailed(run, node, "n0")
        yield facts.NodeCancelRequested(run, node)
        yield facts.NodeCancelled(run, node, begun=begun)
        yield facts.BranchDecided(run, node, taken=is_taken, value=self._chance.choice((None, "'yes'")))
        yield facts.MapExpanded(run, node, 2, self._value(), queued=begun)
        yield facts.MapEnded(run, node, 1, self._chance.choice((None, FAILURE)))
        yield facts.NodeSuspended(run, node, self._chance.choice(("event", "answer", "time", "child")), RAW, due)
        yield facts.NodeReused(run, node, "run-0", self._chance.choice((None, self._value())))
        if (run, node) not in self._unwanted:
            yield facts.NodeAnswered(run, node, self._value(), self._chance.choice((None, "ada")))
            yield facts.NodeFellBack(run, node, self._value(), self._chance.choice((None, FAILURE)))

    def _started(self, run: str, node: str, attempt: int, at: int, *, queued: bool = False) -> Fact:
        started = facts.AttemptStarted(run, node, attempt, queued=queued)
        if self._chance.random() < 0.5:
            return started
        rate = self._chance.choice(("etl:ask 30/m", "etl:tell 1/d"))
        is_late = (attempt > 1 or queued) and self._chance.random() < 0.3
        return msgspec.structs.replace(started, fallback=is_late, rate=rate, full_at=at + self._chance.randrange(99))

    def _of_pipeline(self, _at: int) -> Fact:
        return self._chance.choice(
            (
                facts.GraphRecorded(self._chance.choice(("g1", "g2")), RAW),
                facts.PipelinePaused("etl", "3 runs failed in a row"),
                facts.PipelineUnpaused("etl"),
            )
        )

    def _of_event(self, _at: int) -> Fact | None:
        source, identity = self._chance.choice(("inbox", "rows")), f"e{self._chance.randrange(12)}"
        if (source, identity) not in self._seen:
            self._seen.add((source, identity))
            if self._chance.random() < 0.3:
                return facts.IdentitiesKnown(source, (identity,))
            # An identity may come again after its retention, as a new event.
            self._count += 1
            return msgspec.structs.replace(recorded(source, identity), event=f"event-{self._count}")
        return self._of_known_event(source, identity)

    def _of_known_event(self, source: str, identity: str) -> Fact:
        self._count += 1
        fact = self._chance.choice(
            (
                facts.EventRepeated(source, identity),
                facts.IdentitiesForgotten(source, (identity,)),
                facts.IdentitiesKept(source, (identity,)),
                facts.IdentitiesExpired(source, (identity, "unknown")),
                facts.DecisionMade("event-1", f"trigger-{self._count}", "fired", self._chance.choice((None, "run-0"))),
            )
        )
        if isinstance(fact, facts.IdentitiesExpired):
            self._seen.remove((source, identity))
        return fact

    def _of_sensor(self, at: int) -> Fact | None:
        source = self._chance.choice(("inbox", "rows"))
        if self._chance.random() < 0.2:
            first = self._chance.randrange(1, 9)
            return facts.IdentitiesCompacted(source, self._chance.choice((1, first)), first, first + self._chance.randrange(3))
        if self._chance.random() < 0.5:
            return facts.CursorMoved(source, RAW)
        return facts.SensorChanged(source, self._chance.choice(("healthy", "degraded", "stopped")), f"since {at}")

    def _value(self) -> Value:
        return self._chance.choice((Inline(msgspec.Raw(b'"v"')), Stored("d" * 64, 9, "json")))


def with_refusals(chance: random.Random, units: Iterator[Unit]) -> Iterator[Unit]:
    """The same units, among them some that come again, and must be refused or change nothing."""
    past: list[Unit] = []
    for each in units:
        yield each
        past.append(each)
        if chance.random() < 0.4:
            again = chance.choice(past)
            yield Unit(each.at, again.facts + (() if chance.random() < 0.5 else each.facts))
