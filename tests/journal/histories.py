"""Made-up histories: units that are legal one after the other, and, where asked for, some that must be refused."""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec

from eventflow import facts, states
from eventflow.facts import Fact, Failure, Inline, Stored, Unit, Value

RAW = msgspec.Raw(b'{"a":1}')


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
    """Invents facts that are legal where the history stands, at random, from a few runs, nodes and sources."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._runs: dict[str, str] = {}
        self._to_cancel: set[str] = set()
        self._nodes: dict[tuple[str, str], tuple[str, int]] = {}
        self._seen: set[tuple[str, str]] = set()
        self._count = 0

    def units(self, count: int) -> Iterator[Unit]:
        at = 1_700_000_000_000_000
        for _ in range(count):
            at += self._chance.randrange(5)
            yield Unit(at, tuple(self._fact(at) for _ in range(self._chance.choice((1, 1, 2, 3)))))

    def _fact(self, at: int) -> Fact:
        while True:
            fact = self._chance.choice((self._of_run, self._of_node, self._of_node, self._of_event, self._of_sensor))(at)
            if fact is not None:
                return fact

    def _of_run(self, _at: int) -> Fact | None:
        if len(self._runs) < 3 or self._chance.random() < 0.2:
            run = f"run-{len(self._runs)}"
            self._runs[run] = states.QUEUED
            return submitted(run, key=run if self._chance.random() < 0.5 else None)
        run = self._chance.choice(list(self._runs))
        made = {
            facts.RunStarted: facts.RunStarted(run),
            facts.RunSucceeded: facts.RunSucceeded(run, self._value()),
            facts.RunFailed: facts.RunFailed(run, Failure("E", "m"), "n1"),
            facts.CancelRequested: facts.CancelRequested(run),
            facts.RunCancelled: facts.RunCancelled(run),
            facts.RunHeld: facts.RunHeld(run, "the code changed"),
            facts.RunReleased: facts.RunReleased(run),
            facts.CodeChanged: facts.CodeChanged(run, "g2", ("n1",)),
        }
        if run in self._to_cancel:  # a durable cancel stands
            del made[facts.RunSucceeded], made[facts.RunFailed]
        legal = [fact for kind, fact in made.items() if self._runs[run] in states.RUN[kind].sources]
        if not legal:
            return facts.GraphRecorded(self._chance.choice(("g1", "g2")), RAW)
        fact = self._chance.choice(legal)
        if isinstance(fact, facts.CancelRequested):
            self._to_cancel.add(run)
        self._runs[run] = states.apply(states.RUN, self._runs[run], fact)
        return fact

    def _of_node(self, at: int) -> Fact | None:
        if not self._runs:
            return None
        run, node = self._chance.choice(list(self._runs)), self._chance.choice(("n1", "n2", "ñ[3]"))
        state, attempt = self._nodes.get((run, node), (states.PENDING, 0))
        made = {
            facts.AttemptStarted: facts.AttemptStarted(run, node, attempt + 1),
            facts.AttemptSucceeded: facts.AttemptSucceeded(run, node, attempt, at, self._value()),
            facts.AttemptFailed: facts.AttemptFailed(run, node, attempt, at, "failed", Failure("E", "m"), self._chance.choice((None, at))),
            facts.AttemptLost: facts.AttemptLost(run, node, attempt, at, "crash", 1),
            facts.AttemptCancelled: facts.AttemptCancelled(run, node, attempt, at, "cancelled"),
            facts.NodeFailed: facts.NodeFailed(run, node, "failed"),
            facts.NodeUpstreamFailed: facts.NodeUpstreamFailed(run, node, "n0"),
            facts.NodeCancelled: facts.NodeCancelled(run, node, attempt),
            facts.CheckpointSaved: facts.CheckpointSaved(run, node, attempt, self._chance.randrange(9), self._value()),
        }
        legal = [fact for kind, fact in made.items() if state in states.NODE[kind].sources]
        if not legal:
            return None
        fact = self._chance.choice(legal)
        tried = attempt + isinstance(fact, facts.AttemptStarted)
        self._nodes[run, node] = (states.apply(states.NODE, state, fact), tried)
        return fact

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
