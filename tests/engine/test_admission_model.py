"""Admission against a model that keeps plain lists: any order of queueing, leaving, withdrawing, pausing and suspending."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from eventflow.definition.options import OVERLAPS
from eventflow.durations import SECOND
from eventflow.engine.admission import AGEING, Admission

keys = st.sampled_from([None, "a", "b"])
chosen = st.integers(min_value=0, max_value=1_000)


@dataclass
class Known:
    """A run as the model sees it."""

    run: str
    key: str | None
    priority: int
    created_at: int
    seq: int
    state: str = "queued"


@dataclass
class Model:
    limit: int | None = 1
    runs: list[Known] = field(default_factory=list)
    paused: bool = False

    def are(self, state: str, *keys: str | None) -> list[Known]:
        return [one for one in self.runs if one.state == state and (not keys or one.key in keys)]

    def next(self) -> Known | None:
        """Give the run to be admitted: of those whose key has room, the one that has waited longest, with its priority as waiting."""
        if self.paused:
            return None
        free = [one for one in self.are("queued") if self.limit is None or len(self.are("active", one.key)) < self.limit]
        return min(free, key=lambda one: (one.created_at - one.priority * AGEING * SECOND, one.seq), default=None)

    def admit(self) -> list[str]:
        admitted: list[str] = []
        while (one := self.next()) is not None:
            one.state = "active"
            admitted.append(one.run)
        return admitted

    def gives_way(self, new: Known, policy: str) -> set[str]:
        queued = {one.run for one in self.are("queued", new.key)} - {new.run}
        active = {one.run for one in self.are("active", new.key)}
        if self.limit is None or len(queued | active) < self.limit:
            return set()
        return {"queue": set[str](), "skip": {new.run}, "replace_queued": queued, "cancel_running": queued | active}[policy]


class AdmissionMachine(RuleBasedStateMachine):
    @initialize(limit=st.sampled_from([None, 1, 2, 3]))
    def begin(self, limit: int | None) -> None:
        self.admission, self.model, self.now = Admission(), Model(limit), 1_000 * SECOND

    @rule(key=keys, priority=st.integers(-3, 3), later=st.integers(0, 100), policy=st.sampled_from(OVERLAPS))
    def submit(self, key: str | None, priority: int, later: int, policy: str) -> None:
        self.now += later * SECOND
        new = Known(f"run {len(self.model.runs)}", key, priority, self.now, len(self.model.runs) + 1)
        self.model.runs.append(new)
        self.queue(new)
        gone = self.admission.overlapping("p", new.run, self.model.limit, policy)
        assert set(gone) == self.model.gives_way(new, policy)
        for one in self.model.runs:
            if one.run in gone:
                self.end(one)

    @precondition(lambda self: self.model.are("active"))
    @rule(choice=chosen, state=st.sampled_from(["ended", "suspended"]))
    def leave(self, choice: int, state: str) -> None:
        one = self.choose("active", choice)
        self.admission.leave(one.run)
        one.state = state

    @precondition(lambda self: self.model.are("suspended"))
    @rule(choice=chosen)
    def wake(self, choice: int) -> None:
        one = self.choose("suspended", choice)
        one.state = "queued"
        self.queue(one)

    @precondition(lambda self: self.model.are("queued"))
    @rule(choice=chosen)
    def withdraw(self, choice: int) -> None:
        self.end(self.choose("queued", choice))

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        (self.admission.pause if paused else self.admission.unpause)("p")
        self.model.paused = paused

    @rule()
    def admit(self) -> None:
        assert self.admission.admit("p", self.model.limit) == self.model.admit()

    @invariant()
    def nothing_is_left_of_what_has_ended(self) -> None:
        waiting = [place.run for places in self.admission._queues.get("p", {}).values() for place in places]
        assert sorted(waiting) == sorted(self.admission._waiting) == sorted(one.run for one in self.model.are("queued"))
        assert set(self.admission._entered) == {one.run for one in self.model.are("active")}
        assert all(self.admission._active.values())

    def queue(self, one: Known) -> None:
        self.admission.queue("p", one.run, priority=one.priority, created_at=one.created_at, seq=one.seq, key=one.key)

    def end(self, one: Known) -> None:
        self.admission.withdraw(one.run)
        self.admission.leave(one.run)
        one.state = "ended"

    def choose(self, state: str, choice: int) -> Known:
        found = self.model.are(state)
        return found[choice % len(found)]


TestAdmission = AdmissionMachine.TestCase
TestAdmission.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
