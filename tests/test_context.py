from __future__ import annotations

import contextlib

import pytest

from eventflow.context import Context, Interrupted, Stop, current, running
from eventflow.errors import EventflowError


class Notes:
    """A checkpoint that only notes what is asked of it."""

    def __init__(self, position: int = 0) -> None:
        self.position = position
        self.calls: list[tuple[str, object]] = []

    def begin(self) -> int:
        return self.position

    def load(self, default: object = None) -> object:
        return default

    def save(self, state: object) -> None:
        self.calls.append(("save", state))

    def advance(self, position: int) -> None:
        self.calls.append(("advance", position))


def context(notes: Notes, stop: Stop | None = None) -> Context:
    return Context("run", "pipe", "node", 2, notes, stop or Stop())


def test_outside_a_task_there_is_no_context() -> None:
    with pytest.raises(EventflowError, match=r"current\(\) was called outside a running task"):
        current()


def test_inside_one_it_is_the_attempts_own() -> None:
    mine = context(Notes())
    token = running.set(mine)
    try:
        assert current() is mine
    finally:
        running.reset(token)


def test_the_idempotency_key_names_run_and_node_and_not_the_attempt() -> None:
    assert context(Notes()).idempotency_key == "run-node"


def test_resume_records_each_iteration_when_it_has_ended() -> None:
    notes = Notes()
    for step in context(notes).resume(range(0, 30, 10)):
        notes.save(step)
    assert notes.calls == [("save", 0), ("advance", 1), ("save", 10), ("advance", 2), ("save", 20), ("advance", 3)]


def test_resume_begins_behind_what_is_recorded() -> None:
    assert list(context(Notes(2)).resume(range(5))) == [2, 3, 4]
    assert list(context(Notes(5)).resume(range(5))) == []
    assert list(context(Notes(9)).resume(range(5))) == []


def test_an_iteration_that_is_left_by_an_exception_or_break_isnt_recorded() -> None:
    notes = Notes()
    steps = context(notes).resume(range(5))
    with contextlib.suppress(ValueError):
        for step in steps:
            if step == 1:
                raise ValueError("half way")
    for _ in context(notes).resume(range(5)):
        break
    assert notes.calls == [("advance", 1)]


def test_asked_to_stop_it_does_so_after_the_iterations_record() -> None:
    notes, stop, seen = Notes(), Stop(), []
    steps = context(notes, stop).resume(range(5))
    seen += [next(steps), next(steps)]
    stop.asked = True
    with pytest.raises(Interrupted):
        next(steps)
    assert seen == [0, 1]
    assert notes.calls == [("advance", 1), ("advance", 2)]


def test_asked_to_stop_in_the_last_iteration_it_ends() -> None:
    notes, stop = Notes(), Stop()
    for _ in context(notes, stop).resume(range(2)):
        stop.asked = len(notes.calls) == 1
    assert notes.calls == [("advance", 1), ("advance", 2)]


def test_stopping_tells_what_was_asked() -> None:
    stop = Stop()
    mine = context(Notes(), stop)
    assert not mine.stopping
    stop.asked = True
    assert mine.stopping


def test_an_interruption_passes_what_catches_exceptions() -> None:
    assert not issubclass(Interrupted, Exception)
