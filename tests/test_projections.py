"""Guards: which facts a journal takes in which state of a run or a node. What isn't named here as accepted is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import pytest

from eventflow import facts, states
from eventflow.errors import Refused
from eventflow.facts import Fact, Failure, Inline
from eventflow.journal.tables import Tables
from eventflow.projections import NodeRow, RateRow, RunRow, WaitRow, project

RAW = msgspec.Raw(b"1")
ONE = Inline(RAW)
BAD = Failure("E", "m")


def tables(happened: Sequence[Fact]) -> Tables:
    found = Tables()
    for seq, fact in enumerate(happened, 1):
        found.apply(project(fact, seq, seq * 10))
    return found


def is_accepted(found: Tables, fact: Fact) -> bool:
    try:
        found.apply(project(fact, 99, 990))
    except Refused:
        return False
    return True


# Nodes: how each situation came about, its attempts, and whether it has a row

SUBMITTED = facts.RunSubmitted("r", "etl", "g", RAW)
STARTED = facts.AttemptStarted("r", "n", 1)
FAILED = facts.AttemptFailed("r", "n", 1, 5, "error", BAD, 7)
NODES: dict[str, list[Fact]] = {
    "pending": [],
    "queued": [facts.NodeQueued("r", "n", 7)],
    "running": [STARTED],
    "map": [facts.MapExpanded("r", "n", 2, ONE)],
    "retrying": [STARTED, FAILED],
    "suspended": [facts.NodeSuspended("r", "n", "answer", RAW, 7)],
    "succeeded": [STARTED, facts.AttemptSucceeded("r", "n", 1, 5, ONE)],
    "failed": [facts.NodeFailed("r", "n", "rule", BAD, begun=False)],
    "skipped": [facts.BranchDecided("r", "n", taken=False)],
    "upstream_failed": [facts.NodeUpstreamFailed("r", "n", "x")],
    "cancelled": [facts.NodeCancelled("r", "n")],
}
ATTEMPTS = {"running": 1, "retrying": 1, "succeeded": 1}
OPEN = ("queued", "running", "map", "retrying", "suspended")
WITHOUT_ATTEMPT = ("queued", "map", "suspended")

Make = Callable[[int, bool], Fact]
"""A fact about a node that has so many attempts, and a row or not."""

OF_NODES: dict[str, tuple[Make, tuple[str, ...]]] = {
    "queued": (lambda _n, _b: facts.NodeQueued("r", "n"), ("pending",)),
    "started": (lambda n, _b: facts.AttemptStarted("r", "n", n + 1), ("pending", "retrying")),
    "started, queued before": (lambda n, _b: facts.AttemptStarted("r", "n", n + 1, queued=True), ("queued", "retrying")),
    "started once more than it was": (lambda n, _b: facts.AttemptStarted("r", "n", n + 2), ()),
    "attempt succeeded": (lambda n, _b: facts.AttemptSucceeded("r", "n", n, 5, ONE), ("running",)),
    "attempt failed": (lambda n, _b: facts.AttemptFailed("r", "n", n, 5, "error", BAD), ("running",)),
    "attempt skipped": (lambda n, _b: facts.AttemptSkipped("r", "n", n, 5, "why"), ("running",)),
    "attempt lost": (lambda n, _b: facts.AttemptLost("r", "n", n, 5, "crash", 1), ("running",)),
    "attempt cancelled": (lambda n, _b: facts.AttemptCancelled("r", "n", n, 5, "cancelled"), ("running",)),
    "another attempt succeeded": (lambda n, _b: facts.AttemptSucceeded("r", "n", n + 1, 5, ONE), ()),
    "saved": (lambda n, _b: facts.CheckpointSaved("r", "n", n, 3), ("running",)),
    "failed": (lambda _n, b: facts.NodeFailed("r", "n", "x", BAD, begun=b), ("pending", "queued", "retrying", "suspended")),
    "failed, the other way": (lambda _n, b: facts.NodeFailed("r", "n", "x", BAD, begun=not b), ()),
    "fell back": (lambda _n, _b: facts.NodeFellBack("r", "n", ONE), ("queued", "retrying")),
    "skipped": (lambda _n, _b: facts.NodeSkipped("r", "n", "when_x"), ("pending",)),
    "upstream failed": (lambda _n, _b: facts.NodeUpstreamFailed("r", "n", "x"), ("pending",)),
    "to be cancelled": (lambda _n, _b: facts.NodeCancelRequested("r", "n"), OPEN),
    "cancelled": (lambda n, b: facts.NodeCancelled("r", "n", n, begun=b), ("pending", "retrying", *WITHOUT_ATTEMPT)),
    "cancelled, with another attempt": (lambda n, b: facts.NodeCancelled("r", "n", n + 1, begun=b), ()),
    "taken": (lambda _n, _b: facts.BranchDecided("r", "n", taken=True), ("pending",)),
    "not taken": (lambda _n, _b: facts.BranchDecided("r", "n", taken=False), ("pending",)),
    "expanded": (lambda _n, _b: facts.MapExpanded("r", "n", 0, ONE), ("pending",)),
    "map ended": (lambda _n, _b: facts.MapEnded("r", "n", 2), ("map",)),
    "map ended badly": (lambda _n, _b: facts.MapEnded("r", "n", 1, BAD), ("map",)),
    "suspended": (lambda _n, _b: facts.NodeSuspended("r", "n", "time", RAW), ("pending",)),
    "answered": (lambda _n, _b: facts.NodeAnswered("r", "n", ONE, "ada"), ("suspended",)),
    "reused": (lambda _n, _b: facts.NodeReused("r", "n", "q", ONE), ("pending",)),
}


@pytest.mark.parametrize("situation", NODES)
@pytest.mark.parametrize("told", OF_NODES)
def test_a_fact_about_a_node_is_taken_where_it_is_legal_and_nowhere_else(situation: str, told: str) -> None:
    make, accepting = OF_NODES[told]
    found = tables([SUBMITTED, *NODES[situation]])
    fact = make(ATTEMPTS.get(situation, 0), bool(NODES[situation]))
    assert is_accepted(found, fact) is (situation in accepting)


@pytest.mark.parametrize(
    ("situation", "ending"),
    [
        ("running", facts.AttemptSucceeded("r", "n", 1, 5, ONE)),
        ("queued", facts.NodeFellBack("r", "n", ONE, BAD)),
        ("retrying", facts.NodeFellBack("r", "n", ONE)),
        ("suspended", facts.NodeAnswered("r", "n", ONE, "ada")),
    ],
)
def test_a_node_that_is_to_be_cancelled_comes_to_no_good_end(situation: str, ending: Fact) -> None:
    before = [SUBMITTED, *NODES[situation]]
    assert is_accepted(tables(before), ending)
    assert not is_accepted(tables([*before, facts.NodeCancelRequested("r", "n")]), ending)


@pytest.mark.parametrize("ending", [facts.MapEnded("r", "n", 2), facts.MapEnded("r", "n", 1, BAD)])
def test_a_map_that_has_ended_points_to_its_items_and_to_its_ending(ending: Fact) -> None:
    expanded = facts.MapExpanded("r", "n", 2, ONE)
    for before in ([SUBMITTED], [SUBMITTED, facts.NodeQueued("r", "n")]):
        happened = [*before, msgspec.structs.replace(expanded, queued=len(before) > 1)]
        (row,) = tables(happened).select(NodeRow, {"run": "r"})
        assert (row.items_seq, row.result_seq) == (len(happened), None)
        (row,) = tables([*happened, ending]).select(NodeRow, {"run": "r"})
        assert (row.items_seq, row.result_seq) == (len(happened), len(happened) + 1)


def test_every_fact_about_a_node_is_tried() -> None:
    assert {type(make(0, False)) for make, _ in OF_NODES.values()} == set(states.NODE)


# Runs

RUNNING = [SUBMITTED, facts.RunStarted("r")]
RUNS: dict[str, list[Fact]] = {
    "queued": [SUBMITTED],
    "running": RUNNING,
    "suspended": [*RUNNING, facts.RunSuspended("r", 1, 5)],
    "held": [*RUNNING, facts.RunHeld("r", "the code changed")],
    "succeeded": [*RUNNING, facts.RunSucceeded("r", ONE)],
    "failed": [*RUNNING, facts.RunFailed("r", BAD)],
    "cancelled": [SUBMITTED, facts.RunCancelled("r")],
}
ANY_OPEN = ("queued", "running", "suspended", "held")
OF_RUNS: list[tuple[Fact, tuple[str, ...]]] = [
    (SUBMITTED, ()),
    (facts.RunStarted("r"), ("queued",)),
    (facts.RunSuspended("r", 1, 5), ("running",)),
    (facts.RunWoken("r"), ("suspended",)),
    (facts.RunSucceeded("r", ONE), ("running",)),
    (facts.RunFailed("r", BAD), ("queued", "running", "held")),
    (facts.RunPaused("r"), ANY_OPEN),
    (facts.RunUnpaused("r"), ANY_OPEN),
    (facts.CancelRequested("r"), ANY_OPEN),
    (facts.RunCancelled("r"), ANY_OPEN),
    (facts.RunHeld("r", "x"), ("queued", "running", "suspended")),
    (facts.RunReleased("r"), ("held",)),
    (facts.CodeChanged("r", "g2"), ("queued", "running", "suspended")),
]


@pytest.mark.parametrize("situation", RUNS)
@pytest.mark.parametrize(("fact", "accepting"), OF_RUNS, ids=[type(fact).__name__ for fact, _ in OF_RUNS])
def test_a_fact_about_a_run_is_taken_where_it_is_legal_and_nowhere_else(situation: str, fact: Fact, accepting: tuple[str, ...]) -> None:
    assert is_accepted(tables(RUNS[situation]), fact) is (situation in accepting)


def test_every_fact_about_a_run_is_tried() -> None:
    assert {type(fact) for fact, _ in OF_RUNS} == {facts.RunSubmitted, *states.RUN}


@pytest.mark.parametrize("situation", ["queued", "running", "held"])
@pytest.mark.parametrize("ending", [facts.RunSucceeded("r", ONE), facts.RunFailed("r", BAD)])
def test_a_run_that_is_to_be_cancelled_comes_to_no_other_end(situation: str, ending: Fact) -> None:
    assert not is_accepted(tables([*RUNS[situation], facts.CancelRequested("r")]), ending)


# What rows say


def the_run(*happened: Fact) -> RunRow:
    return tables(happened).select(RunRow, {})[0]


def test_why_a_run_was_cancelled_stays_with_it() -> None:
    wish = facts.CancelRequested("r", "a newer run took its place")
    assert the_run(*RUNNING, wish, facts.RunCancelled("r")).reason == "a newer run took its place"


def test_a_cancel_without_a_reason_takes_none_away() -> None:
    # As version 1 did: what its journals hold must still be what their facts say.
    held = the_run(*RUNS["held"], facts.CancelRequested("r"), facts.RunCancelled("r"))
    assert (held.state, held.reason) == ("cancelled", "the code changed")


@pytest.mark.parametrize(
    ("ending", "state"),
    [
        (facts.NodeAnswered("r", "n", ONE, "ada"), "succeeded"),
        (facts.NodeFailed("r", "n", "deadline", BAD), "failed"),
        (facts.NodeCancelled("r", "n", begun=True), "cancelled"),
    ],
)
def test_a_wait_is_gone_with_the_end_of_its_node(ending: Fact, state: str) -> None:
    before = [SUBMITTED, *NODES["suspended"]]
    assert [(row.kind, row.since, row.due) for row in tables(before).select(WaitRow, {})] == [("answer", 20, 7)]
    after = tables([*before, ending])
    assert after.select(WaitRow, {}) == []
    assert [(row.state, row.due) for row in after.select(NodeRow, {})] == [(state, None)]


def started(attempt: int, full_at: int | None = None, **more: bool) -> Fact:
    rate = None if full_at is None else "etl:ask 30/m"
    return facts.AttemptStarted("r", "n", attempt, rate=rate, full_at=full_at, **more)


def test_a_queued_node_says_whether_it_waits_for_its_limits() -> None:
    def reasons(*happened: Fact) -> list[str | None]:
        return [row.reason for row in tables([SUBMITTED, *happened]).select(NodeRow, {})]

    limited = facts.NodeQueued("r", "n", limited=True)
    assert reasons(facts.NodeQueued("r", "n")) == [None]
    assert reasons(limited) == ["limit"]
    assert reasons(limited, started(1, queued=True)) == [None]
    assert reasons(limited, facts.NodeFellBack("r", "n", ONE, BAD)) == [None]


def test_a_node_whose_time_came_says_so_and_no_person_is_taken_for_that() -> None:
    def reason(answered: Fact) -> str | None:
        (row,) = tables([SUBMITTED, *NODES["suspended"], answered]).select(NodeRow, {})
        return row.reason

    assert reason(facts.NodeAnswered("r", "n", ONE, timed_out=True)) == "deadline"
    assert reason(facts.NodeAnswered("r", "n", ONE, "ada")) == "ada"
    assert reason(facts.NodeAnswered("r", "n", ONE)) is None


def test_the_last_start_says_how_much_of_its_rate_is_used_up() -> None:
    begun = [SUBMITTED, facts.NodeQueued("r", "n"), started(1, 70, queued=True)]
    assert tables(begun).select(RateRow, {}) == [RateRow("etl:ask 30/m", 70)]
    again = tables([*begun, FAILED, started(2, 60)])  # the machine's clock was set back in between
    assert again.select(RateRow, {}) == [RateRow("etl:ask 30/m", 60)]


def test_a_start_without_a_rate_uses_none_up() -> None:
    assert tables([SUBMITTED, started(1)]).select(RateRow, {}) == []


def test_a_start_may_be_the_first_of_a_fallback() -> None:
    def fallbacks(*happened: Fact) -> list[int | None]:
        return [row.fallback for row in tables([SUBMITTED, *happened]).select(NodeRow, {})]

    queued = facts.NodeQueued("r", "n", 7)
    assert fallbacks(queued, started(1, queued=True)) == [None]
    assert fallbacks(queued, started(1, queued=True, fallback=True)) == [0]
    assert fallbacks(started(1), FAILED, started(2, fallback=True)) == [1]
