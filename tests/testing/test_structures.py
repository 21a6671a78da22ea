"""Planted violations of what a graph can say: branches, maps, waits, children, reruns. `test_checker` has those of all runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest

from eventflow import facts
from eventflow.definition import graph as graphs
from eventflow.definition.graph import Branch, Child, Graph, Literal, Map, Node, OneOf, Output, Wait
from eventflow.facts import Fact, Failure, Inline, Record
from eventflow.journal.tables import Tables
from eventflow.projections import TABLES, WaitRow, project
from eventflow.testing.evidence import Evidence
from eventflow.testing.invariants import violations
from eventflow.testing.ledger import SUBMIT, BodyStarted, Sent

RAW = msgspec.Raw(b"1")
ONE = Inline(RAW)
BAD = Failure("OSError", "no")
RATES = Literal(msgspec.Raw(b"[1,2]"))

NODES = (
    Node("judge", "t"),
    Node("when_judge", "", {"value": Output("judge")}, does=Branch(["yes"])),
    Node("otherwise", "", does=Branch(otherwise=("when_judge",))),
    Node("train", "t", {"rate": RATES}, within="when_judge", does=Map({"rate": 0}, (Node("", "t"),), Output(""))),
    Node("keep", "t", within="otherwise"),
    Node("ask", "", after=("train",), within="when_judge", does=Wait("answer")),
    Node("child", "", after=("ask",), within="when_judge", does=Child("other")),
    Node("join", "t", {"x": OneOf((Output("child"), Output("keep")))}),
    Node("tidy", "t", after=("judge", "join"), rule="all_done"),
)
GRAPH = facts.GraphRecorded("g", msgspec.Raw(graphs.encode(Graph("whole", NODES))))


def started(node: str, attempt: int = 1, *, queued: bool = False) -> Fact:
    return facts.AttemptStarted("r", node, attempt, queued=queued)


def succeeded(node: str) -> Fact:
    return facts.AttemptSucceeded("r", node, 1, 0, ONE)


SUBMITTED = facts.RunSubmitted("r", "whole", "g", RAW, key="k")
TAKEN, NOT_TAKEN = facts.BranchDecided("r", "when_judge", taken=True), facts.BranchDecided("r", "otherwise", taken=False)
SKIPPED = facts.NodeSkipped("r", "keep", "otherwise")
EXPANDED, MAP_ENDED = facts.MapExpanded("r", "train", 2, ONE), facts.MapEnded("r", "train", 2)
ASKED, ANSWERED = facts.NodeSuspended("r", "ask", "answer", RAW), facts.NodeAnswered("r", "ask", ONE, "ada")
SLEPT, WOKEN = facts.RunSuspended("r", 1, 5), facts.RunWoken("r")
CHILD = facts.RunSubmitted("c", "other", "unknown", RAW, parent="r", parent_node="child")
AGAIN = facts.RunSubmitted("again", "whole", "g", RAW, rerun_of="r")
REUSED = facts.NodeReused("again", "judge", "r", ONE)

FACTS: list[Fact] = [
    *(GRAPH, SUBMITTED, facts.RunStarted("r"), started("judge"), succeeded("judge"), TAKEN, NOT_TAKEN, SKIPPED),
    *(EXPANDED, started("train[0]"), facts.NodeQueued("r", "train[1]"), started("train[1]", queued=True)),
    *(succeeded("train[0]"), succeeded("train[1]"), MAP_ENDED),
    *(ASKED, SLEPT, ANSWERED, WOKEN, facts.RunStarted("r")),
    *(CHILD, facts.NodeSuspended("r", "child", "child", RAW), facts.RunStarted("c"), facts.RunSucceeded("c", ONE)),
    *(facts.NodeAnswered("r", "child", ONE, "c"), started("join"), succeeded("join"), started("tidy")),
    *(facts.AttemptFailed("r", "tidy", 1, 0, "error", BAD), facts.NodeFellBack("r", "tidy", ONE), facts.RunSucceeded("r", ONE)),
    *(AGAIN, facts.RunStarted("again"), REUSED, facts.CancelRequested("again")),
    *(facts.NodeCancelled("again", node.name) for node in NODES[1:]),
    facts.RunCancelled("again"),
]


def evidence(happened: Sequence[Fact] = FACTS) -> Evidence:
    tables = Tables()
    records = [Record(seq, seq * 10, fact) for seq, fact in enumerate(happened, 1)]
    for record in records:
        tables.apply(project(record.fact, record.seq, record.at))
    return Evidence(records, {table: list(tables.all(table).values()) for table in TABLES}, [Sent(1, SUBMIT, "k")])


def broken(*happened: Fact) -> set[str]:
    """Tell what is broken in other records; rows are left as they were, since no journal would have made any of this."""
    found = replace(evidence(), records=[Record(seq, seq * 10, fact) for seq, fact in enumerate(happened, 1)])
    return {said.partition(":")[0] for said in violations(found)}


def behind(place: Fact, *more: Fact) -> list[Fact]:
    """The facts with others behind one of them."""
    at = FACTS.index(place) + 1
    return [*FACTS[:at], *more, *FACTS[at:]]


def moved(fact: Fact, place: Fact) -> list[Fact]:
    """The facts with one of them right before another one."""
    rest = [one for one in FACTS if one != fact]
    at = rest.index(place)
    return [*rest[:at], fact, *rest[at:]]


def swapped(fact: Fact, other: Fact) -> list[Fact]:
    return [other if one == fact else one for one in FACTS]


def test_a_sound_history_has_no_violation():
    assert violations(evidence()) == []


def test_i3_a_child_and_a_rerun_have_their_cause_in_another_run():
    orphan = msgspec.structs.replace(CHILD, parent=None)
    assert "I3" in broken(*swapped(CHILD, orphan))


def test_i5_a_wait_that_is_over_is_still_there():
    rows = evidence().rows
    found = replace(evidence(), rows={**rows, WaitRow: [WaitRow("r", "ask", "answer", 1, 1)]})
    assert {said.partition(":")[0] for said in violations(found)} == {"I5", "I13"}


@pytest.mark.parametrize("before", [TAKEN, EXPANDED, ASKED])
def test_i7_a_node_began_before_one_of_those_that_its_rule_waits_for(before: Fact):
    assert "I7" in broken(*moved(started("tidy"), before))


def test_i7_a_decision_came_before_what_it_decides_on():
    assert "I7" in broken(*moved(TAKEN, succeeded("judge")))


def test_i7_none_of_the_alternatives_has_a_value():
    failed = facts.NodeFailed("r", "child", "deadline", BAD)
    assert "I7" in broken(*swapped(facts.NodeAnswered("r", "child", ONE, "c"), failed))


def test_i7_a_node_that_takes_any_ending_may_follow_on_a_failure():
    failed = [facts.AttemptFailed("r", "join", 1, 0, "error", BAD), facts.NodeFailed("r", "join", "failed")]
    assert "I7" not in broken(*(one for fact in FACTS for one in (failed if fact == succeeded("join") else [fact])))


def test_i8_a_body_began_after_its_node_was_skipped():
    found = replace(evidence(), entries=[Sent(1, SUBMIT, "k"), BodyStarted(9000, "r", "keep", 1, 11)])
    assert "I8" in {said.partition(":")[0] for said in violations(found)}


def test_i12_a_node_of_an_ended_run_never_ended():
    assert "I12" in {said.partition(":")[0] for said in violations(evidence([fact for fact in FACTS if fact != SKIPPED]))}


@pytest.mark.parametrize("twice", [TAKEN, EXPANDED, ASKED, ANSWERED, facts.NodeQueued("r", "train[1]")])
def test_i21_what_is_settled_once_was_settled_twice(twice: Fact):
    assert "I21" in broken(*FACTS, twice)


def test_i22_a_skipped_node_has_a_result():
    assert "I22" in broken(*FACTS, succeeded("keep"))


def test_i22_a_node_that_was_answered_failed():
    assert "I22" in broken(*FACTS, facts.NodeFailed("r", "ask", "deadline", BAD))


def test_i23_a_node_began_in_a_branch_that_is_not_taken():
    assert "I23" in broken(*behind(SKIPPED, started("keep")))


def test_i23_a_map_was_expanded_before_its_branch_was_decided():
    assert "I23" in broken(*moved(EXPANDED, TAKEN))


def test_i23_a_body_began_in_a_branch_that_is_not_taken():
    found = replace(evidence(), entries=[Sent(1, SUBMIT, "k"), BodyStarted(200, "r", "keep", 1, 11)])
    assert "I23" in {said.partition(":")[0] for said in violations(found)}


def test_i24_a_suspended_run_began_something():
    assert "I24" in broken(*behind(SLEPT, facts.NodeQueued("r", "join")))


def test_i24_a_run_was_suspended_while_something_ran():
    assert "I24" in broken(*moved(SLEPT, succeeded("judge")))


def test_i24_a_run_was_woken_that_was_not_suspended():
    assert "I24" in broken(*behind(ASKED, WOKEN))


def test_i25_a_node_has_two_children():
    assert "I25" in broken(*behind(CHILD, msgspec.structs.replace(CHILD, run="d")))


def test_i25_a_child_has_no_parent():
    assert "I25" in broken(*swapped(CHILD, msgspec.structs.replace(CHILD, parent="nobody")))


CANCELLED = [*(fact for fact in FACTS if fact != facts.RunSucceeded("r", ONE)), facts.CancelRequested("r"), facts.RunCancelled("r")]


def test_i25_a_child_went_on_though_its_parent_was_cancelled():
    late = [fact for fact in CANCELLED if fact != facts.RunSucceeded("c", ONE)]
    assert "I25" in broken(*late, facts.RunSucceeded("c", ONE))
    assert "I25" not in broken(*late, facts.CancelRequested("c"), facts.RunCancelled("c"))


def test_i25_a_child_may_end_before_its_parent_is_cancelled():
    assert "I25" not in broken(*CANCELLED)


def test_i26_a_result_is_reused_in_a_run_that_is_no_rerun():
    assert "I26" in broken(*swapped(AGAIN, msgspec.structs.replace(AGAIN, rerun_of=None)))


@pytest.mark.parametrize("given", [Inline(msgspec.Raw(b"2")), None])
def test_i26_what_is_reused_is_another_result(given: Inline | None):
    assert "I26" in broken(*swapped(REUSED, facts.NodeReused("again", "judge", "r", given)))


def test_i26_a_rerun_begins_with_the_items_and_the_branches_of_the_run_before():
    kept = msgspec.structs.replace(EXPANDED, run="again")
    assert not {"I24", "I26"} & broken(*behind(AGAIN, kept))
    assert "I26" in broken(*behind(AGAIN, msgspec.structs.replace(kept, count=3)))
    assert "I26" in broken(*behind(AGAIN, facts.BranchDecided("again", "train", True)))


def test_i24_what_a_rerun_takes_over_is_there_before_it_starts_and_nothing_else_is():
    assert "I24" in broken(*behind(AGAIN, msgspec.structs.replace(started("tidy"), run="again")))
    assert "I24" in broken(*moved(EXPANDED, facts.RunStarted("r")))


def test_i26_what_is_reused_was_never_given():
    assert "I26" in broken(*swapped(REUSED, facts.NodeReused("again", "keep", "r", ONE)))


def test_i27_an_item_began_before_its_map_was_expanded():
    assert "I27" in broken(*moved(started("train[0]"), EXPANDED))


def test_i27_a_map_has_more_items_than_it_said():
    assert "I27" in broken(*behind(succeeded("train[1]"), started("train[2]"), succeeded("train[2]")))


def test_i27_a_map_ended_before_its_items_had():
    assert "I27" in broken(*moved(MAP_ENDED, succeeded("train[1]")))


@pytest.mark.parametrize(
    ("fact", "by"),
    [
        (facts.NodeSkipped("r", "keep", "judge"), "judge"),
        (facts.NodeSkipped("r", "keep", "when_judge"), "when_judge"),
        (facts.NodeUpstreamFailed("r", "keep", "judge"), "judge"),
    ],
)
def test_i28_a_node_names_a_cause_that_is_none(fact: Fact, by: str):
    assert "I28" in broken(*swapped(SKIPPED, fact))


def test_i28_a_node_may_be_skipped_by_its_own_rule():
    assert "I28" not in broken(*swapped(SKIPPED, facts.NodeSkipped("r", "keep", "keep")))


def test_i29_a_node_that_was_to_be_cancelled_succeeded():
    assert "I29" in broken(*behind(ASKED, facts.NodeCancelRequested("r", "ask")))


def test_i29_a_node_that_was_to_be_cancelled_began_again():
    assert "I29" in broken(*behind(facts.NodeQueued("r", "train[1]"), facts.NodeCancelRequested("r", "train[1]")))
